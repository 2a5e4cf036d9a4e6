"""Whether a fault is proven: decided from what was recorded of it, and from nothing else.

A fault is proven when it was read back, when somebody felt it (a canary through the very listener
that its client uses, or what the engine or the store counted), when its edge carried something
while it was in force, and when it was still there right before its heal. Where it touches several
edges, each that was used must have been felt: one that nobody used says nothing of the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chaoskit.exchange import Canary, Traffic
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
from chaoskit.text import count

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
    sentences = [_canaries(edge, seen) for edge, seen in edges.items()]
    effect, receipt = log.last(EffectCounted), log.last(FaultReceipt)
    used: list[str] = []
    missing: list[str] = []
    if canary is not None and edges:
        used, missing = _weigh(fault, canary, edges)
    elif canary is not None and not fault.instant and effect is None:
        # No canary can feel it: it is counted where it acts.
        missing.append("its effect was not counted before its heal")
    receipts = (one.detail for one in (effect, receipt) if one is not None)
    went = (sentence for sentence in sentences if sentence)
    return Proof((*went, *receipts, *used), tuple(_unproven_reasons(log, missing)))


def unanswered(log: FaultLog) -> dict[str, str]:
    """Return each edge that answers no canary after the heal although it did before the fault, and
    how both went."""
    found = {}
    for edge, seen in log.edges.items():
        before, after = seen.exchanges.get("before"), seen.exchanges.get("after")
        if before is None or not before.answered or after is None or after.answered:
            continue
        # A proxy takes every connection: one that nobody used, and that said nothing, was perhaps
        # only slow to close for want of an upstream.
        traffic = seen.traffic
        used = traffic and (traffic.open_before or traffic.opened or traffic.active)
        if used or not before.speechless:
            found[edge] = f"{before.what} through {edge}: {before} before, {after} after"
    return found


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


def _weigh(
    fault: Fault, canary: Canary, edges: Mapping[str, EdgeLog]
) -> tuple[list[str], list[str]]:
    """Return what used the edges of a fault, and what keeps that from being a proof."""
    used = {
        edge: use
        for edge, seen in edges.items()
        if seen.traffic and (use := _use(edge, seen.traffic, traceless=canary.traceless))
    }
    unfelt = {edge: why for edge, seen in edges.items() if (why := _not_felt(canary, edge, seen))}
    missing = [why for edge, why in unfelt.items() if edge in used or not used]
    if not used:
        # One edge of several that was felt shows at least that the fault was there.
        missing = missing if len(unfelt) == len(edges) else []
        missing.append(f"nothing used {fault.target} while it was in force")
    for edge, seen in edges.items():
        if seen.uncounted and not seen.traffic and (not used or edge in unfelt):
            missing.append(f"whether anything used {edge} is not known: {seen.uncounted}")
        elif edge in used and seen.traffic and (why := canary.spared(seen.traffic)):
            missing.append(f"nothing that {edge} carried could feel it: {why}")
    return list(used.values()), list(dict.fromkeys(missing))


def _canaries(edge: str, seen: EdgeLog) -> str | None:
    """Return how the canaries of an edge went, in a sentence."""
    before, during = seen.exchanges.get("before"), seen.exchanges.get("during")
    if before is None or not before.answered or during is None:
        return None
    after = f", {seen.exchanges['after']} after" if "after" in seen.exchanges else ""
    return f"{before.what} through {edge}: {before} before, {during} during{after}"


def _not_felt(canary: Canary, edge: str, seen: EdgeLog) -> str | None:
    """Return why no canary through an edge felt the fault, None when one did."""
    before, during = seen.exchanges.get("before"), seen.exchanges.get("during")
    if before is None or not before.answered:
        return f"no canary through {edge} was answered before the fault"
    if during is None:
        return f"it was healed before a canary through {edge} could feel it"
    if canary.felt(before, during):
        return None
    return canary.blind(before) or f"no canary through its edge felt it: {_canaries(edge, seen)}"


def _use(edge: str, traffic: Traffic, *, traceless: bool) -> str | None:
    """Return what used an edge while the fault was in force; None when nothing did."""
    if traffic.opened:
        return f"{edge} accepted {count(traffic.opened, 'connection')} of its client meanwhile"
    if traceless and traffic.open_before:
        return f"{edge} was in use: {count(traffic.open_before, 'open connection')} met it"
    if traffic.attempts:
        return (
            f"{edge} was asked for {count(traffic.attempts, 'connection')} by its client meanwhile"
        )
    if moved := traffic.requested + traffic.replied:
        return f"{edge} carried {moved} bytes on open connections meanwhile"
    if traffic.pushed:
        return f"{traffic.pushed} bytes came for open connections of {edge} meanwhile"
    return None
