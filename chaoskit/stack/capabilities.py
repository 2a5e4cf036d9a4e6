"""What this host can do: found before anything is started, never assumed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Literal, TypeAlias

from chaoskit.docker.client import Engine
from chaoskit.errors import ChaoskitError

Need: TypeAlias = Literal["helper", "netfilter", "host-processes", "memory-limit", "cpu-limit"]

_PROJECT = "chaoskit-doctor"


async def missing(engine: Engine, needs: Iterable[Need]) -> dict[Need, str]:
    """Return the needs that this host does not meet, each with the reason in words."""
    found: dict[Need, str] = {}
    for need in dict.fromkeys(needs):
        problem = await _CHECKS[need](engine)
        if problem is not None:
            found[need] = problem
    return found


async def has_netem(engine: Engine) -> bool | None:
    """Return whether the engine's kernel can delay packets by itself; None when it does not say."""
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
    try:
        done = await engine.helpers.run(_PROJECT, ["sh", "-c", rule], capabilities=["NET_ADMIN"])
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


_CHECKS: Mapping[Need, Callable[[Engine], Awaitable[str | None]]] = {
    "helper": _helper,
    "netfilter": _netfilter,
    "host-processes": _host_processes,
    "memory-limit": _limit("MemoryLimit"),
    "cpu-limit": _limit("CpuCfsQuota"),
}
