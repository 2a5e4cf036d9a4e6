"""`chaoskit plan`: what a run would do, before it does anything."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from pathlib import Path

from chaoskit.cli.errors import explain
from chaoskit.cli.output import say
from chaoskit.cli.warnings import warn
from chaoskit.docker.client import Engine
from chaoskit.errors import EnvironmentFailure, ExitCode, ScenarioInvalid
from chaoskit.plan.plan import Plan, make_plan
from chaoskit.plan.refusals import refused_by_files, refused_here
from chaoskit.scenario.loading import Loaded, load


def show_plan(path: Path, *, as_json: bool) -> ExitCode:
    """Print the plan of one scenario; works without an engine, which only adds image ports."""
    loaded = load(path, os.environ)
    plan, refusals, answers = asyncio.run(_planned(loaded))
    redactor = plan.secrets.redactor()
    if as_json:
        say(json.dumps(redactor.clean_json(plan.document()), indent=2))
    else:
        say(redactor.clean("\n".join(_lines(plan, engine_answers=answers))))
    warn([*loaded.warnings(), *plan.warnings])
    for refusal in refusals:
        explain(redactor.clean(refusal.message), refusal.hint, placed=False)
    if problems := refused_by_files(plan):
        raise ScenarioInvalid(problems)
    return ExitCode.ENVIRONMENT if refusals else ExitCode.PASSED


async def _planned(loaded: Loaded) -> tuple[Plan, list[EnvironmentFailure], bool]:
    """Return the plan, why this machine cannot carry it out, and whether an engine answers."""
    async with contextlib.AsyncExitStack() as connection:
        engine: Engine | None = None
        with contextlib.suppress(EnvironmentFailure):
            engine = await connection.enter_async_context(Engine.connect())
        plan = await make_plan(loaded, run_project="chaoskit-plan", engine=engine)
        here = [] if engine is None else await refused_here(plan, engine)
        return plan, here, engine is not None


def _lines(plan: Plan, *, engine_answers: bool) -> list[str]:
    scenario = plan.loaded.scenario
    lines = [f"{scenario.name}: {scenario.description}".rstrip(": ")]
    files = ", ".join(str(file) for file in plan.loaded.compose_files)
    lines += [f"stack      {files} ({len(plan.project.services)} services), as a copy of its own"]
    if scenario.stack.without:
        lines.append(f"left out   {', '.join(scenario.stack.without)}")
    if scenario.stack.empty:
        lines.append(f"empty      {', '.join(scenario.stack.empty)}: new volumes in their place")
    lines += ["faults     none: a rehearsal of start-up and baseline"] if not plan.faults else []
    for fault in plan.faults:
        forecast = fault.forecast()
        lease = "" if fault.for_ is None else f" for {fault.for_}"
        lines.append(f"fault      {fault.name}: {fault.fault} {fault.start}{lease}")
        lines.append(f"             hits   {forecast.hits}")
        lines.append(f"             undo   {forecast.undo}")
        if forecast.not_tested:
            lines.append(f"             not tested   {forecast.not_tested}")
        if fault.runs_on_host:
            lines.append("             note   on this machine: `run` needs `--allow-host-exec`")
    native = 0
    for edge in plan.all_edges:
        if edge not in plan.proxied and not edge.evidence and not edge.obstacle:
            native += 1
            continue
        proxied = "proxied" if edge in plan.proxied else edge.obstacle or "native"
        evidence = f" ({edge.evidence})" if edge.evidence else ""
        ports = "" if edge.port else ", ports as read when it is up"
        lines.append(f"edge       {edge}  {proxied}{ports}{evidence}")
    if native:
        lines.append(f"edges      {native} more possible, nothing points to them (see --json)")
    for client, upstream in sorted({e.pair for e in plan.proxied if plan.edges.udp(*e.pair)}):
        lines.append(f"note       no UDP passes the proxy of {client} -> {upstream}")
    reached = ", ".join(f"{target.service}:{target.port}" for target in plan.targets)
    lines.append(f"from host  {reached or 'nothing'}")
    for thing in plan.shared:
        state = "refused" if thing in plan.refused else "allowed"
        owner = f" of {thing.service}" if thing.service else ""
        lines.append(f"shared     {thing.name}: {thing.what}{owner} ({state})")
    if not engine_answers:
        lines.append("note       no engine answers: ports that only images know are missing")
    return lines
