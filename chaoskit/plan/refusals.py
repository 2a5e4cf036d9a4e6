"""Why a plan must not be carried out: by its files alone, or on this machine as it is now."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from ipaddress import ip_network

from chaoskit.docker.client import Engine
from chaoskit.docker.volumes import WritableMount
from chaoskit.errors import EnvironmentFailure, Problem, ScenarioInvalid
from chaoskit.plan.plan import Plan
from chaoskit.stack.capabilities import missing
from chaoskit.stack.overlay import proxy_count
from chaoskit.stack.uncopyable import is_this_machine


def refused_by_files(plan: Plan) -> list[Problem]:
    """Return why no machine can carry a plan out: what the run would touch that is not its own
    copy, more proxies than the scenario allows, faults that this stack cannot have."""
    problems = [*_shared(plan), *_too_many(plan), *_impossible(plan)]
    return list(dict.fromkeys(problems))


async def refused_here(plan: Plan, engine: Engine) -> list[EnvironmentFailure]:
    """Return why this machine cannot carry a plan out now."""
    stop = "stop them first: two servers on the same data destroy it"
    return [
        EnvironmentFailure("\n".join(reasons), hint=hint)
        for reasons, hint in (
            (await _live_data(plan, engine), stop),
            (await _taken_subnets(plan, engine), None),
            (await _incapable(plan, engine), "`chaoskit doctor` shows this host"),
        )
        if reasons
    ]


async def refuse(plan: Plan, engine: Engine) -> None:
    """Raise `ScenarioInvalid` or `EnvironmentFailure` for a plan that must not be carried out."""
    if problems := refused_by_files(plan):
        raise ScenarioInvalid(problems)
    for failure in await refused_here(plan, engine):
        raise failure


def _shared(plan: Plan) -> Iterator[Problem]:
    if not plan.refused:
        return
    things = [
        f"`{thing.name}` ({thing.what}" + (f" of `{thing.service}`)" if thing.service else ")")
        for thing in plan.refused
    ]
    names = ", ".join(dict.fromkeys(thing.name for thing in plan.refused))
    yield plan.loaded.problem(
        ("stack", "shared"),
        f"the run would not be on its own copy of {', '.join(things)}",
        f"allow it with `stack: {{shared: [{names}]}}` if faults may touch it",
    )


def _too_many(plan: Plan) -> Iterator[Problem]:
    many, most = proxy_count(plan.proxied), plan.loaded.scenario.stack.most_proxies
    if many > most:
        yield plan.loaded.problem(
            ("stack", "proxy"),
            f"the run would start {many} proxy containers; more than {most} must be asked for",
            "proxy only what the faults touch with `stack: {proxy: needed}`, or go on"
            f" with `stack: {{most_proxies: {many}}}`; each takes 2 MiB, and its start",
        )


def _impossible(plan: Plan) -> Iterator[Problem]:
    for fault in plan.faults:
        reason = fault.impossible_because(plan.project)
        if reason is not None:
            yield plan.loaded.problem(
                ("timeline", "faults", plan.loaded.scenario.written(fault), "fault"),
                f"`{fault.fault}` is not possible in this stack: {reason}",
            )


async def _live_data(plan: Plan, engine: Engine) -> list[str]:
    """Return, in words, each running container that can write what the run shares and writes: two
    servers on the same data destroy it."""
    if not any(thing.written_path or thing.written_volume for thing in plan.shared):
        return []
    mounts = await engine.volumes.written()
    return await asyncio.to_thread(lambda: list(dict.fromkeys(_in_use(plan, mounts))))


def _in_use(plan: Plan, mounts: Sequence[WritableMount]) -> Iterator[str]:
    for mount in mounts:
        for thing in plan.shared:
            if thing.written_by(mount) and not is_this_machine(mount.container_id):
                of = f" of project `{mount.project}`" if mount.project else ""
                yield f"`{thing.name}` is in use: container `{mount.container}`{of} can write it"


async def _taken_subnets(plan: Plan, engine: Engine) -> list[str]:
    """Return, in words, each subnet that the run must keep, because services have fixed addresses
    in it, and that another network of this engine has already."""
    wanted = [
        (network, ip_network(subnet, strict=False))
        for key in sorted(plan.project.fixed_networks)
        if not (network := plan.project.networks[key]).external
        for subnet in network.subnets
    ]
    taken = await engine.networks.subnets() if wanted else []
    return [
        f"network `{network.key}` has fixed addresses in {mine}, which overlaps {theirs} of"
        f" the engine's network `{name}`: stop what uses it, or give these services no address"
        for network, mine in wanted
        for name, subnet in taken
        if mine.version == (theirs := ip_network(subnet, strict=False)).version
        and mine.overlaps(theirs)
    ]


async def _incapable(plan: Plan, engine: Engine) -> list[str]:
    """Return, in words, each fault for which this host lacks something."""
    found = await missing(engine, [need for fault in plan.faults for need in fault.needed()])
    return [
        f"fault `{fault.name}` is not possible here: {found[need]}"
        for fault in plan.faults
        for need in fault.needed()
        if need in found
    ]
