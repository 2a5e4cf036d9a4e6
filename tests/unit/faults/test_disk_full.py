"""`disk_full`: never the host's disk, and a file that takes the space."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from chaoskit.docker.volumes import MountedVolume
from chaoskit.errors import FaultFailed
from tests.fakes.fake_services import ROOM
from tests.fakes.fake_world import PROJECT, World
from tests.unit.faults.service_cases import fault, project

SMALL = {"driver_opts": {"type": "tmpfs", "device": "tmpfs", "o": "mode=777,size=16m"}}
TOP = {
    "volumes": {
        "plain": {},
        "small": SMALL,
        "huge": {"driver_opts": {"type": "tmpfs", "o": "size=64g"}},
        "share": {"driver_opts": {"type": "tmpfs", "o": "size=50%"}},
        "theirs": {**SMALL, "external": True},
    }
}


def volume(source: str, **more: Any) -> dict[str, Any]:
    return {"volumes": [{"type": "volume", "source": source, "target": "/data", **more}]}


@pytest.mark.parametrize(
    ("service", "says"),
    [
        ({}, "has no mount `/data/`; it has: none"),
        (volume("plain"), "is on the host's disk, or has no size"),
        (volume(""), "is on the host's disk, or has no size"),
        (volume("share"), "is on the host's disk, or has no size"),
        (volume("huge"), "more than the 4096 MiB"),
        (volume("theirs"), "external volume `theirs`"),
        (volume("small", read_only=True), "is read-only"),
        ({"volumes": [{"type": "bind", "source": "/x", "target": "/data"}]}, "host's disk"),
        ({"tmpfs": ["/data"]}, "has no size"),
        ({"tmpfs": ["/data:size=0"]}, "has no size"),
        ({"tmpfs": "/data:size=32k"}, "not more than `leave`"),
        ({"tmpfs": ["/data:mode=700,size=8m"]}, None),
        ({"volumes": [{"type": "tmpfs", "target": "/data", "tmpfs": {"size": "65537"}}]}, None),
        (volume("small"), None),
    ],
)
def test_a_mount_must_be_a_small_file_system_of_its_own(
    service: dict[str, Any], says: str | None
) -> None:
    found = fault("disk_full", mount="/data/", leave="64KiB").impossible_because(
        project(TOP, **service)
    )
    if says is None:
        assert found is None
    else:
        assert found is not None
        assert says in found


@pytest.mark.parametrize("mount", ["data", "", "/da ta", "/data:rw"])
def test_a_mount_is_an_absolute_path(mount: str) -> None:
    with pytest.raises(ValidationError, match="pattern"):
        fault("disk_full", mount=mount)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("8 8 100 4096 50 999", "not a separate file system"),  # one file system with what is above
        ("7 8 999 4096 50 999", "not a separate file system"),  # as large as the host's disk
        ("7 8 9999999 4096 50 999", "not a separate file system"),  # too large
        ("stat: cannot", "could not be read"),
    ],
)
async def test_what_turns_out_to_be_the_host_s_disk_is_left_alone(
    world: World, monkeypatch: pytest.MonkeyPatch, answer: str, says: str
) -> None:
    world.service("redis")
    monkeypatch.setattr(world.engine.mounts, "run", lambda argv, volumes: (0, answer))
    with pytest.raises(FaultFailed, match=says):
        await fault("disk_full", mount="/data").prepare(await world.stack())
    assert world.fuse.changes == 0


async def test_it_leaves_what_it_shall_and_says_so(world: World) -> None:
    world.service("redis")
    stack = await world.stack()
    made = fault("disk_full", mount="/data", leave="1MiB")
    undo = await made.prepare(stack)
    await made.inject(stack, undo)
    assert world.engine.mounts.free("run-1-redis-1") == 1024**2
    receipt = await made.verify_injected(stack, undo)
    assert receipt.detail.endswith("1024 KiB free; writing more fails: No space left on device")


async def test_a_service_that_made_room_is_not_full_any_more(world: World) -> None:
    world.service("redis")
    world.engine.mounts.files["run-1-redis-1"] = {"theirs": ROOM // 2}
    stack = await world.stack()
    made = fault("disk_full", mount="/data")
    undo = await made.prepare(stack)
    await made.inject(stack, undo)
    del world.engine.mounts.files["run-1-redis-1"]["theirs"]
    assert not (await made.verify_injected(stack, undo)).holds


async def test_a_volume_is_emptied_even_when_its_container_does_not_run(world: World) -> None:
    world.service("redis", replicas=2)
    for number in (1, 2):
        world.engine.volumes.mounted[f"run-1-redis-{number}"] = [
            MountedVolume("small", "/data", False, PROJECT, ())
        ]
    stack = await world.stack()
    made = fault("disk_full", mount="/data")
    undo = await made.prepare(stack)
    await made.inject(stack, undo)
    assert sorted(world.engine.mounts.files["small"].values()) == [0, ROOM]  # they share it
    for one in world.engine.of("redis"):
        await world.engine.containers.kill(one.id)
    await made.heal(stack, undo)
    assert (await made.verify_healed(stack, undo)).holds
    assert world.engine.mounts.files["small"] == {}


async def test_a_mount_that_is_full_already_is_refused(world: World) -> None:
    world.service("redis")
    world.engine.mounts.files["run-1-redis-1"] = {"theirs": ROOM - 100}
    with pytest.raises(FaultFailed, match="free already"):
        await fault("disk_full", mount="/data", leave="64KiB").prepare(await world.stack())
