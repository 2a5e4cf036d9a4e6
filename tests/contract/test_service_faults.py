"""Service faults on real containers: proven in force, felt, and the world as before when healed."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from chaoskit.docker.client import Engine
from chaoskit.errors import FaultFailed
from chaoskit.faults import REGISTRY, Fault
from chaoskit.stack.stack import Stack
from tests.compose_project import compose_project, docker
from tests.fakes.stored_undo import stored

COMPOSE = """
services:
  store:
    image: chaoskit/lab:1
    command: ["sh", "-c", "echo boot >> /data/boots; exec sleep 1000"]
    stop_signal: SIGKILL
    mem_limit: 128m
    cpus: 0.9
    volumes: ["data:/data", "/anonymous", "both:/both", "host:/host"]
    tmpfs: ["/unsized"]
    networks:
      default: {aliases: [storage]}
      back: {aliases: [rear]}
  other:
    image: chaoskit/lab:1
    command: sleep 1000
    stop_signal: SIGKILL
    volumes: ["both:/both"]
  web:
    image: chaoskit/lab:1
    command:
      - python3
      - -c
      - |
        import signal, time
        signal.signal(signal.SIGHUP, print)
        time.sleep(1000)
    stop_signal: SIGKILL
    restart: always
    scale: 3
    tmpfs: ["/scratch:size=2m"]
    volumes: ["small:/small"]
  busy:
    image: chaoskit/lab:1
    command: ["sh", "-c", "while :; do :; done"]
    stop_signal: SIGKILL
    cpus: 0.3
  hog:
    image: chaoskit/lab:1
    restart: always
    stop_signal: SIGKILL
    command:
      - python3
      - -c
      - |
        import os, time
        while True:
            time.sleep(0.02)
            if os.path.exists("/tmp/go"):
                os.unlink("/tmp/go")
                hoard = [b"x" * 2**20 * (8 + n % 2) for n in range(60)]
networks: {back: {internal: true}}
volumes:
  data: {}
  both: {}
  host: {}
  small: {driver_opts: {type: tmpfs, device: tmpfs, o: "size=2m"}}
"""
# What the kernel enforces and what the file systems hold, seen from inside.
_INSIDE = """
cd /sys/fs/cgroup
cat cpu.max memory.max memory.swap.max 2>/dev/null
cat cpu/cpu.cfs_quota_us memory/memory.limit_in_bytes memory/memory.memsw.limit_in_bytes 2>/dev/null
find /data /anonymous /both /scratch /small -type f -exec ls -l {} + 2>/dev/null | cut -d' ' -f1-5,9
df -k /scratch /small 2>/dev/null | awk '{print $4, $6}'
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    file = tmp_path_factory.mktemp("service-faults") / "compose.yaml"
    file.write_text(COMPOSE)
    with compose_project(file) as name:
        yield name


@pytest.fixture
async def stack(project: str, engine: Engine) -> AsyncIterator[Stack]:
    made = Stack(engine, project, seed=7)
    yield made
    await made.close()


def fault(kind: str, **fields: Any) -> Fault:
    found = REGISTRY.get(kind)
    assert found is not None
    return found.model_validate({"fault": kind, "id": "it", **fields})


def snapshot(project: str) -> dict[str, Any]:
    """Return what a fault may change: state, limits as the kernel has them, networks, files."""
    ids = docker("ps", "-aq", "--filter", f"label=com.docker.compose.project={project}").split()
    world = {}
    for row in json.loads(docker("inspect", *ids)):
        networks = row["NetworkSettings"]["Networks"]
        inside = subprocess.run(
            ["docker", "exec", row["Id"], "sh", "-c", _INSIDE], capture_output=True, text=True
        )
        world[row["Name"]] = {
            "status": row["State"]["Status"],
            "labels": row["Config"]["Labels"],
            "env": row["Config"]["Env"],
            "mounts": sorted(
                (m["Type"], m.get("Name", ""), m["Destination"], m["RW"]) for m in row["Mounts"]
            ),
            "tmpfs": row["HostConfig"].get("Tmpfs"),
            "networks": {
                name: (sorted(one["Aliases"] or ()), one["Links"], one["IPAMConfig"])
                for name, one in networks.items()
            },
            "nano": row["HostConfig"]["NanoCpus"],
            "restart": row["HostConfig"]["RestartPolicy"],
            "inside": inside.stdout,
        }
    return world


async def proven(stack: Stack, made: Fault, felt: Callable[[], bool] | None = None) -> list[str]:
    """Inject and heal a fault as a run does, from plain data; return the evidence."""
    before = await asyncio.to_thread(snapshot, stack.project)
    undo = stored(await made.prepare(stack))
    assert not (await made.verify_injected(stack, undo)).holds
    await made.inject(stack, undo)
    receipt = await made.verify_injected(stack, undo)
    evidence = [receipt.detail]
    try:
        assert receipt.holds, receipt.detail
        if felt is not None:
            deadline = time.monotonic() + 40
            while not await asyncio.to_thread(felt):
                assert time.monotonic() < deadline, "nobody felt it"
                await asyncio.sleep(0.05)
        if not made.instant:
            assert await asyncio.to_thread(snapshot, stack.project) != before
            assert not (await made.verify_healed(stack, undo)).holds
            effect = await made.effect(stack, undo)
            if effect is not None:
                evidence.append(effect.detail)
                assert effect.holds, effect.detail
    finally:
        for _ in range(2):
            another = Stack(stack.engine, stack.project)
            await type(made).heal(another, undo)
            healed = await type(made).verify_healed(another, undo)
            assert healed.holds, healed.detail
    await type(made).heal(stack, undo)
    assert await asyncio.to_thread(snapshot, stack.project) == before
    return evidence


def waited(seconds: float) -> Callable[[], bool]:
    """Return what is felt once so much time has passed: counters need some."""
    since: list[float] = []

    def passed() -> bool:
        since.append(time.monotonic())
        return since[-1] - since[0] >= seconds

    return passed


async def numbers(stack: Stack, service: str) -> dict[int, str]:
    found = await stack.replicas(service)
    return {one.state.replica: one.state.started_at for one in found}


def inside(project: str, name: str, script: str) -> str:
    return docker("exec", f"{project}-{name}", "sh", "-c", script)


# -- which replicas ------------------------------------------------------------------------------


@pytest.mark.parametrize(("replica", "count"), [(2, 1), ("any", 1), ("50%", 2), (None, 3)])
async def test_a_crash_hits_the_chosen_replicas_and_the_restart_policy_brings_them_back(
    stack: Stack, replica: object, count: int
) -> None:
    before = await numbers(stack, "web")
    (said,) = await proven(stack, fault("crash", service="web", replica=replica))
    after = await numbers(stack, "web")
    assert len([n for n in after if after[n] != before[n]]) == count
    assert said.count("died and its restart policy brought it back") == count
    if replica == 2:
        assert after[2] != before[2]


async def test_without_a_restart_policy_a_crash_is_refused_before_it_happens(stack: Stack) -> None:
    with pytest.raises(FaultFailed, match="no restart policy"):
        await fault("crash", service="store").prepare(stack)


async def test_a_crash_whose_policy_does_not_act_in_time_is_not_proven_and_healed(
    stack: Stack,
) -> None:
    made = fault("crash", service="web", replica=1, within="1s")
    undo = await made.prepare(stack)
    name = f"{stack.project}-web-1"
    docker("update", "--restart", "no", name)
    try:
        await made.inject(stack, undo)
        receipt = await made.verify_injected(stack, undo)
        assert not receipt.holds
        assert "exited (137): its restart policy did not bring it back within 1s" in receipt.detail
        await made.heal(stack, undo)
        assert (await made.verify_healed(stack, undo)).holds
    finally:
        docker("update", "--restart", "always", name)


# -- signal --------------------------------------------------------------------------------------


async def test_a_signal_with_a_handler_is_got_and_the_service_goes_on(stack: Stack) -> None:
    before = await numbers(stack, "web")
    (said,) = await proven(
        stack, fault("signal", service="web", replica=1, signal="SIGHUP", watch="100ms")
    )
    assert "got SIGHUP, which its main process handles, and goes on" in said
    assert await numbers(stack, "web") == before


async def test_a_signal_that_the_kernel_drops_is_not_proven(stack: Stack) -> None:
    made = fault("signal", service="store", signal="SIGUSR1", watch="100ms")
    undo = await made.prepare(stack)
    await made.inject(stack, undo)
    receipt = await made.verify_injected(stack, undo)
    assert not receipt.holds
    assert "has no handler, so the kernel drops it" in receipt.detail


async def test_a_service_that_exits_at_a_signal_is_started_again(stack: Stack) -> None:
    before = await numbers(stack, "web")
    (said,) = await proven(stack, fault("signal", service="web", replica=2, signal="SIGINT"))
    assert "got SIGINT" in said
    assert (await numbers(stack, "web"))[2] != before[2]


# -- recreate ------------------------------------------------------------------------------------


async def test_a_recreated_service_has_everything_but_what_was_outside_of_its_volumes(
    stack: Stack,
) -> None:
    inside(
        stack.project,
        "store-1",
        "echo a > /data/kept; echo b > /anonymous/kept; echo c > /root/lost",
    )
    old = (await stack.replicas("store"))[0].id
    made = fault("recreate", service="store", volumes="keep")
    undo = stored(await made.prepare(stack))
    before = snapshot(stack.project)
    assert not (await made.verify_injected(stack, undo)).holds
    await made.inject(stack, undo)
    receipt = await made.verify_injected(stack, undo)
    assert receipt.holds, receipt.detail
    await made.heal(stack, undo)
    assert (await made.verify_healed(stack, undo)).holds
    found = inside(
        stack.project,
        "store-1",
        "cat /data/kept /anonymous/kept /root/lost 2>&1; wc -l < /data/boots;"
        " getent hosts storage rear store | wc -l",
    )
    assert found.splitlines()[:2] == ["a", "b"]
    assert "No such file" in found
    assert found.splitlines()[-2:] == ["2", "3"]
    inside(stack.project, "store-1", "echo boot > /data/boots")
    assert snapshot(stack.project) == before
    assert (await stack.replicas("store"))[0].id != old
    assert old[:12] in receipt.detail


async def test_recreating_with_lost_volumes_empties_what_is_the_service_s_own(stack: Stack) -> None:
    inside(
        stack.project,
        "store-1",
        "echo a > /data/mine; echo b > /anonymous/mine; echo c > /both/shared;"
        " chown -R 999 /data; chmod 700 /data",
    )
    made = fault("recreate", service="store", volumes="lose")
    undo = stored(await made.prepare(stack))
    assert [name.rpartition("_")[2] for name in undo.emptied] == ["data", "host"]
    assert [name.rpartition("_")[2] for name in undo.kept] == ["both"]
    anonymous = [v.name for v in await _anonymous(stack)]
    await made.inject(stack, undo)
    receipt = await made.verify_injected(stack, undo)
    assert receipt.holds, receipt.detail
    assert "lost their data" in receipt.detail
    assert "kept: others use it" in receipt.detail
    await made.heal(stack, undo)
    assert (await made.verify_healed(stack, undo)).holds
    assert (
        inside(stack.project, "store-1", "find /data /anonymous -type f; cat /both/shared")
        == "/data/boots\nc"
    )
    assert anonymous
    assert set(anonymous).isdisjoint(docker("volume", "ls", "--quiet").split())


async def _anonymous(stack: Stack) -> list[Any]:
    (store,) = await stack.replicas("store")
    return [v for v in await stack.volumes.of(store.id) if v.anonymous]


@pytest.mark.parametrize("step", ["create_like", "remove", "rename", "start"])
@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
async def test_a_recreation_that_stopped_half_way_is_settled_from_its_undo(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, step: str, late: bool
) -> None:
    inside(
        stack.project,
        "store-1",
        "echo a > /data/kept; echo b > /anonymous/kept; echo boot > /data/boots",
    )
    before = snapshot(stack.project)
    made = fault("recreate", service="store", volumes="keep")
    undo = stored(await made.prepare(stack))
    owner = stack.containers if step == "start" else stack.recreate
    real = getattr(owner, step)

    async def broken(*arguments: Any, **named: Any) -> None:
        if late:
            await real(*arguments, **named)
        raise FaultFailed("broken")

    with monkeypatch.context() as patch:
        patch.setattr(owner, step, broken)
        with pytest.raises(FaultFailed, match="broken"):
            await made.inject(stack, undo)
    for _ in range(2):
        await type(made).heal(stack, undo)
        healed = await type(made).verify_healed(stack, undo)
        assert healed.holds, healed.detail
    inside(stack.project, "store-1", "echo boot > /data/boots")
    assert snapshot(stack.project) == before


# -- limits --------------------------------------------------------------------------------------


async def test_a_cpu_limit_is_felt_by_a_busy_service_and_taken_back_exactly(stack: Stack) -> None:
    said = await proven(stack, fault("cpu", service="busy", limit="10%"), waited(1))
    assert said[0].endswith("may use 0.1 of a core")
    assert "was throttled in" in said[1]


async def test_a_service_without_a_cpu_limit_has_none_again(stack: Stack) -> None:
    made = fault("cpu", service="other", limit="5%")
    loop = "python3 -c 'import time; t = time.time()\nwhile time.time() < t + 0.3: pass'"
    await proven(stack, made, lambda: inside(stack.project, "other-1", loop) == "")


async def test_a_cpu_limit_that_an_idle_service_never_reaches_is_not_felt(stack: Stack) -> None:
    made = fault("cpu", service="store", limit="50%")
    undo = await made.prepare(stack)
    await made.inject(stack, undo)
    effect = await made.effect(stack, undo)
    await made.heal(stack, undo)
    assert effect is not None
    assert not effect.holds
    assert "never wanted more than 50% of a core" in effect.detail


async def test_a_limit_above_the_service_s_own_is_refused(stack: Stack) -> None:
    with pytest.raises(FaultFailed, match=r"limited to 0\.3 of a core already"):
        await fault("cpu", service="busy", limit="60%").prepare(stack)
    with pytest.raises(FaultFailed, match="limited to 128 MiB already"):
        await fault("memory", service="store", limit="200MiB").prepare(stack)


async def test_a_service_that_exceeds_its_memory_is_killed_by_the_kernel(stack: Stack) -> None:
    made = fault("memory", service="hog", limit="40MiB")
    before = (await stack.replicas("hog"))[0].state.restart_count

    asked: list[str] = []

    def killed() -> bool:
        if not asked:
            asked.append(inside(stack.project, "hog-1", "touch /tmp/go"))
        count = docker("inspect", "-f", "{{.RestartCount}}", f"{stack.project}-hog-1")
        return int(count) > before

    said = await proven(stack, made, killed)
    assert said[0].endswith("may use 40 MiB")
    assert "ran out of memory" in said[1]
    assert "was started again" in said[1]


async def test_memory_limits_that_the_service_had_before_come_back(stack: Stack) -> None:
    fill = "head -c 60000000 /dev/zero | tail -n 1 | wc -c || true"
    made = fault("memory", service="store", limit="16MiB")
    await proven(stack, made, lambda: inside(stack.project, "store-1", fill) is not None)


async def test_two_faults_on_one_limit_are_refused_until_the_first_is_healed(stack: Stack) -> None:
    first, second = (
        fault("cpu", service="busy", limit="25%"),
        fault("cpu", service="busy", limit="20%"),
    )
    second = second.model_copy(update={"id": "second"})
    undo = await first.prepare(stack)
    await first.inject(stack, undo)
    with pytest.raises(FaultFailed, match="limited by fault `it` now"):
        await second.prepare(stack)
    await first.heal(stack, undo)
    await second.heal(stack, await second.prepare(stack))


# -- stress --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields", [{}, {"load": "memory", "memory": "32MiB"}], ids=["cpu", "memory"]
)
async def test_stress_uses_the_host_and_is_gone_afterwards(
    stack: Stack, fields: dict[str, str]
) -> None:
    made = fault("stress", service="store", workers=1, **{"for": "4s"}, **fields)
    said = await proven(stack, made, waited(1.5))
    assert "the load used" in said[1]


# -- disk_full -----------------------------------------------------------------------------------


@pytest.mark.parametrize("mount", ["/scratch", "/small"], ids=["tmpfs", "volume"])
@pytest.mark.parametrize("leave", ["0B", "256KiB"])
async def test_a_full_mount_refuses_writes_and_is_free_again(
    stack: Stack, mount: str, leave: str
) -> None:
    write = f"head -c 400000 /dev/zero 2>&1 > {mount}/mine; rm {mount}/mine"
    replica = 1 if leave == "0B" else None
    made = fault("disk_full", service="web", mount=mount, leave=leave, replica=replica)
    said = await proven(
        stack, made, lambda: "No space left" in inside(stack.project, "web-1", write)
    )
    assert "No space left on device" in said[0]


@pytest.mark.parametrize(
    ("mount", "says"),
    [
        ("/host", "not a separate file system"),
        ("/unsized", "not a separate file system of a small"),
        ("/etc", "not a separate file system"),
        ("/nowhere", "could not be read"),
    ],
)
async def test_the_host_s_disk_is_never_filled(stack: Stack, mount: str, says: str) -> None:
    with pytest.raises(FaultFailed, match=says):
        await fault("disk_full", service="store", mount=mount).prepare(stack)


async def test_a_mount_that_is_full_already_is_refused(stack: Stack) -> None:
    inside(stack.project, "web-1", "head -c 2000000 /dev/zero > /scratch/mine")
    try:
        with pytest.raises(FaultFailed, match="free already"):
            await fault("disk_full", service="web", mount="/scratch", leave="256KiB").prepare(stack)
    finally:
        inside(stack.project, "web-1", "rm /scratch/mine")
