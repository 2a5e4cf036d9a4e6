"""A finding in a developer's words: how many, how bad, the first and the last, inside or outside.

Rules over histories find anomalies and say what they are; `build_finding` does the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chaoskit.checks._fault_position import fault_at, inside_outside, position_in_faults
from chaoskit.checks._witness import LINES, capped, traced
from chaoskit.numeric import above
from chaoskit.records import Event, Evidence, FaultWindow, Finding, Numbers, Verdict
from chaoskit.text import moment


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One thing that is wrong: the moment it is about (run-clock seconds), and how to show it.

    `size` orders anomalies by how bad they are; `lines` come after `text` in a witness that has
    room for them.
    """

    at: float
    text: str
    size: float = 0.0
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judged:
    """What a rule says about a history: what is wrong, and the words for it.

    `of` is how many things were judged, of which the share `at_most` may be wrong. `sentence` says
    what is wrong, `worst` how bad the worst is, `formal` what the literature calls it where that is
    not the check's usual name. `gap` says why a pass would prove nothing.
    """

    found: Sequence[Anomaly]
    of: int
    measured: str
    sentence: str
    at_most: float = 0.0
    worst: str | None = None
    first: str = "first"
    last: str = "last"
    tail: str = ""
    formal: str | None = None
    gap: str | None = None
    notes: Sequence[str] = ()


def build_finding(
    judged: Judged,
    evidence: Evidence,
    events: Sequence[Event],
    bound: str,
    formal: str,
    gap: str | None,
) -> Finding:
    """Return the finding of a check over a history, whose `events` these are.

    It fails when more than the share `at_most` of what was judged is wrong, whatever `gap` says
    about the rest; else it is unknown when there is a gap.
    """
    found = judged.found
    numbers = Numbers(len(found), judged.at_most * judged.of, "count")
    if found and above(len(found) / max(judged.of, 1), judged.at_most):
        worst = max(found, key=lambda one: one.size)
        return Finding(
            Verdict.FAIL,
            judged.measured,
            bound,
            _reason(judged, judged.formal or formal, evidence.faults),
            _witness(found, worst, evidence, events),
            worst.at if worst.size else found[0].at,
            notes=tuple(judged.notes),
            numbers=numbers,
        )
    if gap is not None:
        return Finding(Verdict.UNKNOWN, judged.measured, bound, gap, numbers=numbers)
    notes = tuple(judged.notes)
    return Finding(Verdict.PASS, judged.measured, bound, notes=notes, numbers=numbers)


def _reason(judged: Judged, formal: str, faults: Sequence[FaultWindow]) -> str:
    times = sorted(one.at for one in judged.found)
    worst = "" if judged.worst is None else f", {judged.worst}"
    text = f"{judged.sentence}{worst}: {judged.first} at {moment(times[0])}"
    text += position_in_faults(times[0], faults)
    if len(times) > 1:
        text += f", {judged.last} at {moment(times[-1])}"
    return f"{text}{inside_outside(times, faults)}{judged.tail} [{formal}]"


def _witness(
    found: Sequence[Anomaly], worst: Anomaly, evidence: Evidence, events: Sequence[Event]
) -> tuple[str, ...]:
    """Return at most six lines, oldest first, the worst one among them."""
    if len(found) == 1:
        (line,) = _lines(found, evidence, events)
        return (line, *worst.lines[: LINES - 1])
    chosen = sorted(found, key=lambda one: one.at)
    if len(chosen) > LINES:
        chosen = chosen[: LINES - 1]
        if worst.size and all(one is not worst for one in chosen):
            chosen[-1] = worst
    return capped(_lines(chosen, evidence, events), len(found))


def _lines(chosen: Sequence[Anomaly], evidence: Evidence, events: Sequence[Event]) -> Sequence[str]:
    """Return one line for each anomaly, with the trace of the operation that it is about: the one
    that had just begun, ended or come at its moment."""
    moments = {one.at for one in chosen}
    ids = {event.id: event.t for event in events if event.t in moments}
    traces = {
        ids[event.id]: event.trace
        for event in events
        if event.type == "invoke" and event.trace is not None and event.id in ids
    }
    return [traced(_line(one, evidence), traces.get(one.at)) for one in chosen]


def _line(one: Anomaly, evidence: Evidence) -> str:
    return f"{one.text}, {fault_at(evidence, one.at)}" if evidence.faults else one.text
