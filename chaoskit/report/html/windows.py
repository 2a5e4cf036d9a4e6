"""Faults on the clock: when each was asked for, in force and felt, and which edges it touches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from string import ascii_uppercase

from chaoskit.judge.result import EdgeResult, FaultResult, Result
from chaoskit.record.events import CanaryExchanged, FaultReceipt
from chaoskit.record.reader import FaultLog, RunRecord
from chaoskit.records import FaultWindow, Sample
from chaoskit.report.html.model import Arrow, Window


def windows_of(result: Result, record: RunRecord) -> list[Window]:
    """Return the windows of the faults that were injected, in the order of the scenario."""
    found = []
    for number, fault in enumerate(result.faults):
        log = record.log.faults.get(fault.id, FaultLog(()))
        window = log.window
        if window is not None:
            letter = letter_of(number)
            found.append(_window(letter, fault, log, window, result.stack.edges))
    return found


def letter_of(number: int) -> str:
    """Return what stands for a fault in the lanes: A to Z, then A2."""
    turn, place = divmod(number, len(ascii_uppercase))
    return ascii_uppercase[place] + (str(turn + 1) if turn else "")


def _window(
    letter: str,
    fault: FaultResult,
    log: FaultLog,
    window: FaultWindow,
    edges: Sequence[EdgeResult],
) -> Window:
    receipt = next((t for t, e in log.events if isinstance(e, FaultReceipt) and e.holds), None)
    canary = next(
        (t for t, e in log.events if isinstance(e, CanaryExchanged) and e.when == "during"), None
    )
    felt, by = (canary, "its canary") if fault.proven and canary is not None else (None, "")
    if felt is None and fault.time_to_detect is not None:
        felt, by = window.injected + fault.time_to_detect, "the first probe that failed"
    services = window.services or _services(fault.target)
    return Window(
        letter,
        fault.id,
        fault.fault,
        fault.target,
        window.injected,
        receipt,
        felt,
        by,
        window.healed,
        tuple(name_of(edge) for edge in edges if _touches(fault.target, services, edge)),
        services,
    )


def name_of(edge: EdgeResult) -> str:
    return f"{edge.client} -> {edge.upstream}"


def _touches(target: str, services: Sequence[str], edge: EdgeResult) -> bool:
    """Return whether a fault acts on an edge: on itself, or on a service at one of its ends."""
    if "->" not in target:
        return edge.client in services or edge.upstream in services
    client, _, upstream = (part.strip() for part in target.partition("->"))
    return client in ("*", edge.client) and upstream.partition(":")[0] == edge.upstream


def _services(target: str) -> tuple[str, ...]:
    return () if "->" in target else tuple(one.strip() for one in target.split(","))


def in_force(windows: Iterable[Window], t: float) -> list[Window]:
    return [window for window in windows if window.covers(t)]


def recoveries(samples: Sequence[Sample], windows: Sequence[Window]) -> list[Arrow]:
    """Return, for each fault that a probe felt, the arrow from its heal to the first good answer.

    A fault that another one followed before anything was good again has none.
    """
    arrows = []
    starts = sorted(window.asked for window in windows)
    for window in windows:
        healed = window.healed
        if healed is None:
            continue
        until = next((t for t in starts if t > healed), float("inf"))
        hurt = [s for s in samples if s.outcome != "ok" and window.asked <= s.done < until]
        if not hurt:
            continue
        last = max(hurt[-1].done, healed)
        good = next((s for s in samples if s.outcome == "ok" and s.done >= last), None)
        if good is not None and good.done < until:
            text = f"{window.letter}: good again {good.done - healed:.2f} s after the heal"
            arrows.append(Arrow(healed, good.done, text))
    return arrows
