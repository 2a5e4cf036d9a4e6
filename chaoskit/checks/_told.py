"""A finding in a developer's words: how many, how bad, the first and the last, inside or outside.

Checks over histories find anomalies and leave the telling to `finding`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chaoskit.checks._base import WorkloadCheck, fault_at, unknown, window
from chaoskit.checks._text import above, count, length, moment, percent
from chaoskit.checks._witness import LINES, named
from chaoskit.records import Event, Evidence, FaultWindow, Finding, Verdict


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
class Wording:
    """The words around a list of anomalies.

    `noun` counts them (`stale read`), `sentence` says what they are, `worst` how bad the worst is,
    `formal` is the name that the literature uses. `of` is how many things were judged.
    """

    noun: str
    of: int
    sentence: str
    formal: str
    worst: str | None = None
    plural: str | None = None
    first: str = "first"
    last: str = "last"
    tail: str = ""


def history_of(
    check: WorkloadCheck, evidence: Evidence
) -> tuple[Sequence[Event], tuple[float, float]] | str:
    """Return the history of the check's workload and the check's window, run-clock seconds.

    Where one is missing, a sentence that says why.
    """
    events = evidence.history.get(check.workload)
    if not events:
        return f"workload `{check.workload}` has no history"
    if check.during == "all":  # from the first to the last event, whatever the phases say
        return events, (float("-inf"), float("inf"))
    during = window(check, evidence)
    return during if isinstance(during, str) else (events, during)


def finding(
    evidence: Evidence,
    found: Sequence[Anomaly],
    told: Wording,
    bound: str,
    problem: str | None,
    *,
    at_most: float = 0.0,
    measured: str | None = None,
    notes: Sequence[str] = (),
) -> Finding:
    """Return the finding of a check over a history.

    It fails when more than the share `at_most` of what was judged is wrong, whatever `problem`
    says about the rest; else it is unknown for the `problem` or when nothing was judged.
    """
    amount = count(len(found), told.noun, told.plural)
    if found and told.of:
        amount += f", {percent(len(found), told.of, at_most)}"
    result = measured or f"{amount} (of {told.of})"
    if found and above(len(found) / max(told.of, 1), at_most):
        worst = max(found, key=lambda one: one.size)
        reason = _reason(found, told, evidence.faults)
        witness = _witness(found, worst, evidence)
        at = worst.at if worst.size else found[0].at
        return Finding(Verdict.FAIL, result, bound, reason, witness, at, notes=tuple(notes))
    if problem is not None:
        return Finding(Verdict.UNKNOWN, result, bound, problem)
    if not told.of:
        nothing = told.plural or f"{told.noun}s"
        return unknown(bound, f"there was nothing in this window that could show {nothing}")
    return Finding(Verdict.PASS, result, bound, notes=tuple(notes))


def _reason(found: Sequence[Anomaly], told: Wording, faults: Sequence[FaultWindow]) -> str:
    first = min(found, key=lambda one: one.at)
    last = max(found, key=lambda one: one.at)
    text = told.sentence
    if told.worst is not None:
        text += f", {told.worst}"
    text += f": {told.first} at {moment(first.at)}{beside(first.at, faults)}"
    if len(found) > 1:
        text += f", {told.last} at {moment(last.at)}"
    return f"{text}{split([one.at for one in found], faults)}{told.tail} [{told.formal}]"


def split(times: Sequence[float], faults: Sequence[FaultWindow]) -> str:
    """Say how many of these moments fall inside fault windows, and how many outside."""
    if not faults:
        return ""
    inside = sum(any(fault.covers(t) for fault in faults) for t in times)
    return f"; {inside} inside fault windows, {len(times) - inside} outside"


def beside(t: float, faults: Sequence[FaultWindow]) -> str:
    """Say where `t` lies beside the fault it falls in, or else beside the next or the last one."""
    for fault in faults:
        if fault.covers(t):
            if fault.healed is None:
                return f", during {named(fault)}, which was never healed"
            return f", {length(fault.healed - t)} before {named(fault)} healed"
    later = [fault for fault in faults if fault.injected > t]
    if later:
        fault = min(later, key=lambda fault: fault.injected)
        return f", {length(fault.injected - t)} before {named(fault)} was injected"
    healed = [(fault.healed, fault) for fault in faults if fault.healed is not None]
    if healed:
        at, fault = max(healed, key=lambda pair: pair[0])
        return f", {length(t - at)} after {named(fault)} healed"
    return ""


def _witness(found: Sequence[Anomaly], worst: Anomaly, evidence: Evidence) -> tuple[str, ...]:
    """Return at most six lines, oldest first, the worst one among them."""
    if len(found) == 1 and worst.lines:
        return (_line(worst, evidence), *worst.lines[: LINES - 1])
    by_time = sorted(found, key=lambda one: one.at)
    if len(by_time) <= LINES:
        return tuple(_line(one, evidence) for one in by_time)
    chosen = by_time[: LINES - 1]
    if worst.size and all(one is not worst for one in chosen):
        chosen[-1] = worst
    lines = [_line(one, evidence) for one in chosen]
    return (*lines, f"... and {len(found) - LINES + 1} more")


def _line(one: Anomaly, evidence: Evidence) -> str:
    where = fault_at(evidence, one.at) if evidence.faults else ""
    return f"{one.text}, {where}" if where else one.text
