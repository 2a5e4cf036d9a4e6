"""Measuring the fault matrix: each row between two looks at the world, all upstreams at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from chaoskit.faults import Fault
from chaoskit.faults.contract import Undo
from tests.fakes.stored_undo import stored
from tests.matrix import effects
from tests.matrix.matrix_project import MatrixProject, matrix_project
from tests.matrix.protocols import PORTS, STORES
from tests.matrix.rows import CLIENT, DIRECT, LOST, ROWS, SHAMS, Row
from tests.matrix.world import Looker, World, looker

Cells = dict[str, dict[str, str]]  # upstream -> connection -> words

LANES = 2
TRIES = 3  # a busy machine may show something else now and then, but not every time
NOTHING = Row("no fault", "", "", (), stores=STORES, probes=list(effects.PROBES))
_ENDED = ("closed", "reset", "half an answer")


@dataclass
class Seen:
    """What was observed under one row: by both clients, and on the containers."""

    cells: dict[str, Cells]
    became: list[str]  # what became of the containers
    probed: dict[str, list[str]]  # by probe


@dataclass
class Measured:
    """A whole measurement."""

    control: Seen = field(default_factory=lambda: Seen({}, [], {}))  # without a fault
    rows: dict[str, Seen] = field(default_factory=dict)
    shams: dict[str, Seen] = field(default_factory=dict)  # with an inject that does nothing
    problems: list[str] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    took: dict[str, float] = field(default_factory=dict)  # seconds


Fits = Callable[[Row, Seen, Seen, bool], bool]


async def measure(directory: Path, fits: Fits) -> Measured:
    """Measure every row, in projects side by side: most of the time is spent waiting.

    `fits` says of a row, what was seen, what is seen without a fault and whether its inject does
    nothing, whether that is as it should be; else it is measured again.
    """
    lanes = [directory / str(number) for number in range(LANES)]
    for lane in lanes:
        lane.mkdir()
    async with asyncio.TaskGroup() as group:  # a project that fails ends the other, which tidies up
        tasks = [group.create_task(_lane(lane, lane_of(n), fits)) for n, lane in enumerate(lanes)]
    whole = tasks[0].result()
    for other in (task.result() for task in tasks[1:]):
        whole.rows |= other.rows
        whole.shams |= other.shams
        whole.took |= other.took
        whole.problems += other.problems
        if other.control != whole.control:
            whole.problems.append(f"no fault: {whole.control} here, {other.control} there")
    return whole


def lane_of(number: int) -> list[Row]:
    """Return the rows of one project. All of one kind are together: replacing its inject by nothing
    must not meet the real one in another project."""
    kinds = list(dict.fromkeys(row.kind for row in ROWS))
    mine = set(kinds[number::LANES])
    return [row for row in ROWS if row.kind in mine]


async def _lane(directory: Path, rows: list[Row], fits: Fits) -> Measured:
    measured = Measured()
    async with matrix_project(directory, rows) as place, looker(place) as agent:
        measured.versions = await place.versions()
        world = await agent.world()

        async def tried(row: Row, *, sham: bool = False) -> Seen:
            nonlocal world
            for _ in range(TRIES):
                seen, world = await _row(place, agent, row, world, measured, sham=sham)
                if fits(row, seen, seen if row is NOTHING else measured.control, sham):
                    break
            return seen

        measured.control = await tried(NOTHING)
        for row in rows:
            measured.rows[row.name] = await tried(row)
        for row in rows:
            if row.name in SHAMS:
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(type(place.faults[row.faults[0]["id"]]), "inject", _nothing)
                    measured.shams[row.name] = await tried(row, sham=True)
    return measured


async def _nothing(*_: Any) -> None:
    pass


async def _row(
    place: MatrixProject,
    agent: Looker,
    row: Row,
    world: World,
    measured: Measured,
    *,
    sham: bool = False,
) -> tuple[Seen, World]:
    """Measure one row; return it and the world after it, which is the next one's before."""
    start = time.monotonic()
    faults = [place.faults[fault["id"]] for fault in row.faults]
    instant = bool(faults) and faults[0].instant
    goes_down = (instant or row.comes_back) and not row.stores
    before = await effects.containers(place)
    await place.both("open")
    if goes_down:
        await place.both("watch")
    undos = await asyncio.gather(*(_prepared(place, fault) for fault in faults))
    problems: list[str] = []
    try:
        await asyncio.gather(
            *(f.inject(place.stack, undo) for f, undo in zip(faults, undos, strict=True))
        )
        problems += await _receipts(place, faults, undos, holds=not sham)
        if not instant:
            watched = await place.both("unwatch") if goes_down else {}
            seen = await _seen(place, row, before)
    finally:
        problems += await _healed(place, faults, undos)
    if instant:
        watched = await place.both("unwatch") if goes_down else {}
        seen = await _seen(place, row, before)
    for client, words in watched.items():
        for upstream, word in words.items():
            seen.cells[client][upstream]["new"] = word
    after = await place.both("after")
    problems += _join(row, seen.cells, after)
    if row.changes >= LOST:
        await place.seed()
    if "asked" in row.probes:
        await place.inside("redis", "redis-cli", "DEL", "matrix:asked")
    world, differences = await agent.changed(world, row.changes)
    name = f"{row.name}{' (sham)' if sham else ''}"
    measured.problems += [f"{name}: {problem}" for problem in [*problems, *differences]]
    measured.took[name] = time.monotonic() - start
    return seen, world


async def _prepared(place: MatrixProject, fault: Fault) -> Undo:
    undo: Undo = await fault.prepare(place.stack)
    return stored(undo)


async def _receipts(
    place: MatrixProject, faults: list[Fault], undos: list[Undo], *, holds: bool
) -> list[str]:
    found = await asyncio.gather(
        *(f.verify_injected(place.stack, undo) for f, undo in zip(faults, undos, strict=True))
    )
    return [f"the receipt says {r.holds}: {r.detail}" for r in found if r.holds is not holds]


async def _healed(place: MatrixProject, faults: list[Fault], undos: list[Undo]) -> list[str]:
    pairs = list(zip(faults, undos, strict=True))
    await asyncio.gather(*(type(fault).heal(place.stack, undo) for fault, undo in pairs))
    found = await asyncio.gather(
        *(type(fault).verify_healed(place.stack, undo) for fault, undo in pairs)
    )
    return [f"not healed: {receipt.detail}" for receipt in found if not receipt.holds]


async def _seen(place: MatrixProject, row: Row, before: Mapping[str, Any]) -> Seen:
    cells = await place.both("observe", thorough=row.thorough, stores=row.stores)
    said = effects.became(before, await effects.containers(place))
    probed = {probe: sorted(await effects.probed(place, probe)) for probe in row.probes}
    return Seen(cells, sorted(said), probed)


def _join(row: Row, cells: dict[str, Cells], after: Mapping[str, Cells]) -> list[str]:
    """Add to each cell what became of the connection after the heal."""
    problems = []
    for client in (CLIENT, DIRECT):
        for upstream in PORTS:
            mine, then = cells[client][upstream], after[client][upstream]
            if then["new"] != "answers":
                problems.append(f"after the heal, {client} -> {upstream}: {then['new']}")
            for connection in ("kept", "idle"):
                if row.abrupt and mine[connection].startswith("error"):
                    mine[connection] = "closed"
                if not mine[connection].startswith(_ENDED):
                    mine[connection] += f", {then[connection]}"
    return problems
