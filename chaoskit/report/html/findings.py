"""What is shown of each check and each fault beside their words: moments, pictures, lines."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from chaoskit.exchange import Exchange
from chaoskit.judge.excerpts import alike
from chaoskit.judge.result import CheckResult, FaultResult, Result
from chaoskit.record.events import (
    EffectCounted,
    EffectUnmeasured,
    FaultHealed,
    FaultNotInjected,
    FaultReceipt,
    FaultRechecked,
    HealFailed,
)
from chaoskit.record.reader import FaultLog, RunRecord
from chaoskit.records import Verdict, injected_again
from chaoskit.report.html.lanes import span_of
from chaoskit.report.html.model import Lane, Mark, Span, Table, Window
from chaoskit.report.html.source import Source
from chaoskit.report.html.stack_map import MapEdge
from chaoskit.report.html.svg import Drawing
from chaoskit.report.html.windows import in_force, letter_of

_MOMENT = re.compile(r"(?<![\d.])(\d{1,7}(?:\.\d{1,6})?) s\b")
_MARGIN = 1.0  # seconds around what a check is about
_NO_REASON = "no reason was recorded"
_WITH_PICTURES = 10  # checks, worst first: the others have their words
_AT_MOST = 3  # probes beside a check that is about none
_MORE_LINES = 8  # of the logs, beside a check


@dataclass(frozen=True, slots=True)
class Said:
    """A line about a moment, and the faults that were in force then. `count` lines said the same
    but for numbers, the last of them at `until`."""

    t: float | None
    text: str
    during: str
    count: int = 1
    until: float | None = None


@dataclass(frozen=True, slots=True)
class CheckView:
    """A check as the page shows it. `zoom` is the stretch of the clock that it is about."""

    id: str
    number: int
    check: CheckResult
    lines: tuple[int, int] | None
    zoom: Span | None
    pictures: Sequence[tuple[str, Markup]]  # each with its title
    witness: Sequence[Said]
    log: Sequence[Said]


@dataclass(frozen=True, slots=True)
class CanaryView:
    """How the canaries of one edge went; `widths` are their times on one scale, in percent."""

    edge: str
    cells: Sequence[tuple[str, str, int]]  # when, what it said, width


@dataclass(frozen=True, slots=True)
class FaultView:
    """A fault as the page shows it: its window, what was read back, and its canaries."""

    id: str
    letter: str
    fault: FaultResult
    window: Window | None
    lines: tuple[int, int] | None
    read_back: Sequence[tuple[str, str, str]]  # when, what, its words
    canaries: Sequence[CanaryView]


def checks_of(
    result: Result,
    record: RunRecord,
    windows: Sequence[Window],
    lanes: Sequence[Lane],
    source: Source,
) -> list[CheckView]:
    """Return the checks: those that failed, the unknown ones, what fails as expected, the rest."""
    span = span_of(result, record)
    order = (Verdict.FAIL, Verdict.UNKNOWN, Verdict.EXPECTED_FAIL, Verdict.PASS)
    numbered = sorted(enumerate(result.checks), key=lambda one: order.index(one[1].verdict))
    placed = len(source.expect) == len(result.checks)
    return [
        _check(
            number,
            check,
            span,
            windows,
            lanes if place < _WITH_PICTURES else (),
            source.expect[number] if placed else None,
        )
        for place, (number, check) in enumerate(numbered)
    ]


def _check(
    number: int,
    check: CheckResult,
    span: Span,
    windows: Sequence[Window],
    lanes: Sequence[Lane],
    lines: tuple[int, int] | None,
) -> CheckView:
    id = f"check-{number + 1}"
    if check.verdict is Verdict.PASS:
        return CheckView(id, number + 1, check, lines, None, (), (), ())
    witness = [_said(text, windows) for text in check.witness]
    log = [
        Said(one.t, f"{one.service} | {one.text}", _names(windows, one.t))
        for one in check.log_lines
    ]
    at = check.at if check.at is not None else _moment(check.reason or "")
    about = [t for t in (at, *(one.t for one in witness)) if t is not None and t <= span[1] + 1]
    if not about:
        return CheckView(id, number + 1, check, lines, None, (), witness, log)
    if nearest := _nearest(windows, min(about), max(about)):
        about += [nearest.asked, nearest.asked if nearest.healed is None else nearest.healed]
    low, high = max(min(about) - _MARGIN, span[0]), min(max(about) + _MARGIN, span[1])
    zoom = (low, max(high, low + 0.2))
    errors = _collapsed(_errors(lanes, zoom, windows, {one.t for one in log}))
    log = _collapsed([*log, *errors[:_MORE_LINES]])
    if rest := sum(one.count for one in errors[_MORE_LINES:]):
        log.append(Said(None, f"... and {rest} more", ""))
    about_it = _about(check, lanes, zoom)
    pictures = [(lane.title, Drawing(lane, zoom, windows).render(at=at)) for lane in about_it]
    marks = [Mark(one.t, 0, "fail", one.text) for one in witness if one.t is not None]
    if marks:
        line = Lane(
            f"{id}-witness",
            "witness",
            "; ".join(mark.label for mark in marks),
            "rows",
            Table((), ()),
            rows=("witness",),
            marks=marks,
            height=62,
        )
        pictures.insert(0, ("witness", Drawing(line, zoom, windows).render(at=at)))
    return CheckView(id, number + 1, check, lines, zoom, pictures, witness, log)


def _nearest(windows: Sequence[Window], start: float, end: float) -> Window | None:
    """Return the fault closest to a stretch in which none was in force: it explains most."""
    if any(w.asked <= end and (w.healed is None or start <= w.healed) for w in windows):
        return None
    return min(windows, key=lambda w: min(abs(w.asked - start), abs(w.asked - end)), default=None)


def _about(check: CheckResult, lanes: Sequence[Lane], zoom: Span) -> list[Lane]:
    """Return the lanes that show what a check is about, and what else happened meanwhile."""
    subject = check.subject
    named = (f"probe-{subject}", f"workload-{subject}-latency", f"workload-{subject}-operations")
    found = [lane for lane in lanes if lane.id in named]
    if not found:
        found = [lane for lane in lanes if lane.id.startswith("probe-")][:_AT_MOST]
    found += [
        lane
        for lane in lanes
        if lane.id in ("containers", "logs")
        and any(zoom[0] <= mark.t <= zoom[1] for mark in lane.marks)
    ]
    return [replace(lane, height=min(lane.height, 150)) for lane in found]


def _errors(
    lanes: Sequence[Lane], zoom: Span, windows: Sequence[Window], known: Collection[float | None]
) -> list[Said]:
    """Return the log lines of a stretch that look like errors, beside those `known`."""
    return [
        Said(mark.t, mark.label, _names(windows, mark.t))
        for lane in lanes
        if lane.id == "logs"
        for mark in lane.marks
        if mark.tone == "fail" and zoom[0] <= mark.t <= zoom[1] and round(mark.t, 3) not in known
    ]


def _collapsed(lines: Sequence[Said]) -> list[Said]:
    """Return lines by their time, those of one service that are alike under the same faults once,
    in the words of the first."""
    found: dict[tuple[str, str, str], Said] = {}
    for line in sorted(lines, key=lambda one: one.t or 0.0):
        service, _, text = line.text.partition(" | ")
        key = (service, alike(text), line.during)
        first = found.get(key)
        if first is None:
            found[key] = line
            continue
        last = line.t if line.until is None else line.until
        found[key] = replace(first, count=first.count + line.count, until=last)
    return list(found.values())


def _said(text: str, windows: Sequence[Window]) -> Said:
    t = _moment(text)
    return Said(t, text, "" if t is None else _names(windows, t))


def _moment(text: str) -> float | None:
    found = _MOMENT.search(text)
    return None if found is None else float(found[1])


def _names(windows: Sequence[Window], t: float) -> str:
    return ", ".join(f"{window.letter} {window.id}" for window in in_force(windows, t))


# -- faults --------------------------------------------------------------------------------------


def faults_of(
    result: Result, record: RunRecord, windows: Sequence[Window], source: Source
) -> list[FaultView]:
    """Return the faults, those that are not proven first."""
    places = _places_of(result.faults, source)
    numbered = sorted(enumerate(result.faults), key=lambda one: one[1].proven)
    by_id = {window.id: window for window in windows}
    views = []
    for number, fault in numbered:
        log = record.log.faults.get(fault.id, FaultLog(()))
        views.append(
            FaultView(
                f"fault-{number + 1}",
                letter_of(number),
                fault,
                by_id.get(fault.id),
                places[number],
                _read_back(log),
                [_canary(edge, one.exchanges) for edge, one in log.edges.items() if one.exchanges],
            )
        )
    return views


def _places_of(faults: Sequence[FaultResult], source: Source) -> Sequence[tuple[int, int] | None]:
    """Return in which lines each fault stands; `repeat` and `quiet` make several of one entry."""
    entries: list[FaultResult] = []
    numbers = []
    for fault in faults:
        if not entries or not injected_again(entries[-1], fault):
            entries.append(fault)
        numbers.append(len(entries) - 1)
    if len(entries) != len(source.faults):
        return [None] * len(faults)
    return [source.faults[number] for number in numbers]


def _read_back(log: FaultLog) -> list[tuple[str, str, str]]:
    found = []
    for t, event in log.events:
        at = f"{t:.2f} s"
        match event:
            case FaultReceipt(holds=holds, detail=detail):
                found.append((at, "receipt" if holds else "receipt: NOT in force", detail))
            case FaultRechecked(holds=holds, detail=detail):
                what = "still in force before the heal" if holds else "GONE before the heal"
                found.append((at, what, detail))
            case EffectCounted(holds=holds, detail=detail):
                found.append((at, "effect counted" if holds else "NO effect counted", detail))
            case EffectUnmeasured(reason=detail):
                found.append((at, "effect not measured", detail))
            case FaultNotInjected(reason=detail):
                found.append((at, "NOT injected", detail))
            case HealFailed(reason=detail):
                found.append((at, "heal FAILED", detail))
            case FaultHealed(detail=detail, by=by):
                found.append((at, "healed" if by is None else f"healed by {by}", detail))
    return found


def _canary(edge: str, exchanges: dict[str, Exchange]) -> CanaryView:
    longest = max((one.seconds for one in exchanges.values()), default=0.0) or 1.0
    cells = []
    for when in ("before", "during", "after"):
        one = exchanges.get(when)
        width = 0 if one is None else max(1, round(100 * one.seconds / longest))
        cells.append((when, "none" if one is None else f"{one.what}: {one}", width))
    return CanaryView(edge, cells)


# -- what was not exercised ----------------------------------------------------------------------


def not_exercised(result: Result, edges: Sequence[MapEdge]) -> list[str]:
    """Return, in sentences, what this run says nothing about."""
    said = [text for fault in result.faults if (text := _unproven(fault)) is not None]
    if not result.faults:
        said.append("no fault was injected: this was a rehearsal")
    said += [
        f"check {check.check} {check.subject} had no answer: {check.reason or _NO_REASON}"
        for check in result.checks
        if check.verdict is Verdict.UNKNOWN
    ]
    if not result.checks:
        said.append("there was no check")
    spared = [edge for edge in edges if edge.used and not edge.letters]
    said += [f"edge {edge.name} is in use ({edge.use}), and no fault touched it" for edge in spared]
    idle = [edge for edge in edges if not edge.used]
    said += [f"edge {edge.name} was never used: {edge.use}" for edge in idle]
    return said


def _unproven(fault: FaultResult) -> str | None:
    name = f"fault {fault.id} ({fault.fault})"
    if fault.injected_at is None:
        return f"{name} was never injected: {fault.reason or _NO_REASON}"
    if not fault.proven:
        return f"{name} is not proven: {fault.reason or 'no evidence of it'}"
    if fault.felt is False:
        return f"{name}: no probe and no operation changed while it was in force"
    return None
