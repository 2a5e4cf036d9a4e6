"""Whether a fault is proven: decided from what was recorded of it, and from nothing else.

A fault is proven when it was read back, when somebody felt it (a canary through the very listener
that its client uses, or what the engine or the store counted), when its edge carried something
while it was in force, and when it was still there right before its heal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chaoskit.exchange import Canary
from chaoskit.faults import Fault
from chaoskit.record.events import (
    EffectCounted,
    EffectUnmeasured,
    FaultConcluded,
    FaultNotInjected,
    FaultReceipt,
    FaultRechecked,
)
from chaoskit.record.reader import EdgeLog, FaultLog

# What an idle connection may move: TCP keep-alives, about 130 bytes each 15 s, and ARP.
_IDLE_BYTES = 500
_IDLE_BYTES_PER_SECOND = 40
CUT_OFF = "the run ended before it was proven"


@dataclass(frozen=True, slots=True)
class Proof:
    """What shows that a fault was in force, the most telling first, and why that is not enough."""

    evidence: tuple[str, ...]
    unproven_reasons: tuple[str, ...]

    @property
    def proven(self) -> bool:
        return not self.unproven_reasons

    @property
    def reason(self) -> str | None:
        return "; ".join(self.unproven_reasons) or None


def prove(fault: Fault, log: FaultLog, *, recorded: bool = True) -> Proof:
    """Weigh everything that was recorded of one fault.

    Runs of format 1 did not record it: they weighed it themselves and kept the sentences.
    """
    if not recorded:
        concluded = log.last(FaultConcluded) or FaultConcluded(fault.name, False)
        reasons = () if concluded.proven else (concluded.reason or CUT_OFF,)
        return Proof(concluded.evidence, reasons)
    canary, edges = fault.canary(), log.edges
    sentences = _canaries(edges)
    effect, receipt = log.last(EffectCounted), log.last(FaultReceipt)
    used: list[str] = []
    missing: list[str] = []
    if canary is not None and not fault.instant and edges:
        missing += _not_felt(canary, edges, sentences)
    elif canary is not None and not fault.instant and effect is None:
        # No canary can feel it: it is counted where it acts.
        missing.append("its effect was not counted before its heal")
    if canary is not None and edges:
        used = _uses(canary, edges)
        missing += [] if used else [f"nothing used {fault.target} while it was in force"]
    receipts = (one.detail for one in (effect, receipt) if one is not None)
    return Proof((*sentences, *receipts, *used), tuple(_unproven_reasons(log, missing)))


def _unproven_reasons(log: FaultLog, missing: Sequence[str]) -> list[str]:
    reasons = []
    injected = log.window is not None
    failed = log.last(FaultNotInjected)
    if failed is not None:
        reasons.append(f"could not be injected: {failed.reason}")
    elif not injected:
        reasons.append("it was never injected: the run ended before")
    elif not log.watched:  # whatever else is missing is missing because of that
        return [CUT_OFF]
    rechecked, effect = log.last(FaultRechecked), log.last(EffectCounted)
    if rechecked is not None and not rechecked.holds:
        reasons.append(f"it was gone before its heal: {rechecked.detail}")
    if effect is not None and not effect.holds:
        reasons.append(f"nobody felt it: {effect.detail}")
    unmeasured = (one.reason for one in log.every(EffectUnmeasured))
    reasons += [f"its effect could not be measured: {why}" for why in unmeasured]
    if injected:
        reasons += missing
    if log.heal_failed is not None:
        reasons.append(f"it could not be healed: {log.heal_failed}")
    return reasons


def _canaries(edges: Mapping[str, EdgeLog]) -> list[str]:
    """Return how the canaries of each edge went, in sentences."""
    sentences = []
    for edge, seen in edges.items():
        before, during = seen.exchanges.get("before"), seen.exchanges.get("during")
        if before is not None and before.answered and during is not None:
            after = f", {seen.exchanges['after']} after" if "after" in seen.exchanges else ""
            went = f"{before} before, {during} during{after}"
            sentences.append(f"{before.what} through {edge}: {went}")
    return sentences


def _not_felt(canary: Canary, edges: Mapping[str, EdgeLog], sentences: Sequence[str]) -> list[str]:
    """Return why no canary felt the fault, nothing when one did."""
    befores = []
    for seen in edges.values():
        before, during = seen.exchanges.get("before"), seen.exchanges.get("during")
        if before is None:
            continue
        befores.append(before)
        if before.answered and during is not None and canary.felt(before, during):
            return []
    if not sentences:
        if any(before.answered for before in befores):
            return ["it was healed before a canary through its edge could feel it"]
        return ["no canary through its edge was answered before the fault"]
    why = next((reason for before in befores if (reason := canary.blind(before))), None)
    return [why or f"no canary through its edge felt it: {sentences[0]}"]


def _uses(canary: Canary, edges: Mapping[str, EdgeLog]) -> list[str]:
    """Return what used the edges of a fault: one on an edge that carried nothing proves nothing."""
    found = [_use(edge, seen, traceless=canary.traceless) for edge, seen in edges.items()]
    return [sentence for sentence in found if sentence is not None]


def _use(edge: str, seen: EdgeLog, *, traceless: bool) -> str | None:
    accepted = seen.accepted
    live = seen.readings["before"][1].live if "before" in seen.readings else None
    if accepted is not None and accepted.during:
        return f"{edge} accepted {accepted.during} connections of its client meanwhile"
    if traceless:
        # A refused client leaves no trace at the proxy: being connected before, or coming back
        # afterwards, is what shows that it was there.
        around = 0 if accepted is None else accepted.before + accepted.after
        if live or around:
            return f"{edge} was in use: {live or 0} open connections were cut"
    elif (moved := _moved(seen)) and live != 0:
        return f"{edge} carried {moved} bytes on open connections meanwhile"
    return None


def _moved(seen: EdgeLog) -> int:
    """Return the bytes that moved beyond what idle connections move; 0 when that is unknown."""
    if "start" not in seen.readings or "end" not in seen.readings:
        return 0
    (begun, start), (ended, end) = seen.readings["start"], seen.readings["end"]
    if start.moved is None or end.moved is None:
        return 0
    idle = _IDLE_BYTES + _IDLE_BYTES_PER_SECOND * (ended - begun)
    return max(0, round(end.moved - start.moved - idle))
