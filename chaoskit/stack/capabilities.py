"""What this host can do: found before anything is started, never assumed."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from chaoskit.docker.client import Engine
from chaoskit.errors import ChaoskitError
from chaoskit.stack import names

Need: TypeAlias = Literal[
    "helper", "netfilter", "nat", "host-processes", "memory-limit", "cpu-limit"
]

_PROJECT = "chaoskit-doctor"


async def missing(engine: Engine, needs: Iterable[Need]) -> dict[Need, str]:
    """Return the needs that this host does not meet, each with the reason in words."""
    needs = list(needs)
    found: dict[Need, str] = {}
    if any(CAPABILITIES[need].by_helper for need in needs):
        with contextlib.suppress(ChaoskitError):  # what is wrong with the engine is said below
            await engine.cleanup.dead_helpers(_PROJECT)
    for need in dict.fromkeys(needs):
        problem = await CAPABILITIES[need].problem(engine)
        if problem is not None:
            found[need] = problem
    return found


async def has_netem(engine: Engine) -> bool | None:
    """Return whether the engine's kernel can delay packets by itself; None where unknown."""
    text = "import gzip; print(gzip.open('/proc/config.gz').read().decode())"
    try:
        done = await engine.helpers.run(_PROJECT, ["python3", "-c", text])
    except ChaoskitError:
        return None
    if done.status != 0:
        return None
    return any(line.startswith("CONFIG_NET_SCH_NETEM=") for line in done.text.splitlines())


async def is_rootless(engine: Engine) -> bool:
    return "rootless" in await engine.machine.security_options()


async def _helper(engine: Engine) -> str | None:
    try:
        await engine.helpers.image()
    except ChaoskitError as error:
        return error.message
    return None


async def _netfilter(engine: Engine) -> str | None:
    """Try a rule with the statistic match in a separate network namespace."""
    rule = "iptables -w -A OUTPUT -m statistic --mode random --probability 0.5 -j DROP"
    return await _in_a_namespace(engine, rule.split())


async def _nat(engine: Engine) -> str | None:
    """Try a redirection, and forgetting flows, in a separate network namespace."""
    return await _in_a_namespace(engine, ["sh", "-c", names.TRY, "try", names.program()])


async def _in_a_namespace(engine: Engine, argv: list[str]) -> str | None:
    try:
        done = await engine.helpers.run(_PROJECT, argv, capabilities=["NET_ADMIN"])
    except ChaoskitError as error:
        return error.message
    return None if done.status == 0 else f"iptables does not work here: {done.text.strip()[-200:]}"


async def _host_processes(engine: Engine) -> str | None:
    if await is_rootless(engine):
        return "the engine is rootless: a helper cannot signal processes of other containers"
    try:
        done = await engine.helpers.run(
            _PROJECT, ["kill", "-0", "1"], host_processes=True, capabilities=["KILL"]
        )
    except ChaoskitError as error:
        return error.message
    return None if done.status == 0 else "a helper cannot signal processes of the engine's host"


def _limit(name: str) -> Callable[[Engine], Awaitable[str | None]]:
    async def check(engine: Engine) -> str | None:
        return (
            None if await engine.machine.has_limit(name) else f"the engine's kernel has no {name}"
        )

    return check


@dataclass(frozen=True, slots=True)
class Capability:
    """Something that faults need of the host: what it is called, what gives it, and a function that
    returns why it is missing. Some of it a helper container does, so that takes its image too."""

    name: str
    fix: str
    problem: Callable[[Engine], Awaitable[str | None]]
    by_helper: bool = False


CAPABILITIES: Mapping[Need, Capability] = {
    "helper": Capability(
        "helper image",
        "make images, or name one in CHAOSKIT_HELPER_IMAGE",
        _helper,
        by_helper=True,
    ),
    "netfilter": Capability(
        "netfilter",
        "on the engine's host: modprobe -a nf_tables nft_compat xt_statistic",
        _netfilter,
        by_helper=True,
    ),
    "nat": Capability(
        "nat",
        "on the engine's host: modprobe -a nft_compat xt_mark xt_REDIRECT nf_conntrack_netlink",
        _nat,
        by_helper=True,
    ),
    "host-processes": Capability(
        "host processes", "use an engine that runs as root", _host_processes, by_helper=True
    ),
    "memory-limit": Capability(
        "memory limits",
        "boot the engine's kernel with cgroup_enable=memory",
        _limit("MemoryLimit"),
    ),
    "cpu-limit": Capability(
        "cpu limits",
        "use a kernel with CONFIG_CFS_BANDWIDTH, and cgroup v2 if rootless",
        _limit("CpuCfsQuota"),
    ),
}
