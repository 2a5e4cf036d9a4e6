"""Where a moment lies among the faults of a run, in words. Moments are run-clock seconds."""

from __future__ import annotations

from collections.abc import Sequence

from chaoskit.records import Evidence, FaultWindow
from chaoskit.text import seconds_text


def named(fault: FaultWindow) -> str:
    """Return a fault the way a sentence names it: `kill redis`, `latency chat -> redis`."""
    return f"{fault.fault} {fault.target}"


def fault_at(evidence: Evidence, t: float) -> str:
    """Return in words which fault was in force at `t`, else how far the nearest one was."""
    active = [str(fault) for fault in evidence.faults if fault.covers(t)]
    if active:
        return "during " + ", ".join(active)
    near = [
        (fault.injected - t, "before", fault) for fault in evidence.faults if fault.injected > t
    ]
    near += [(t - f.healed, "after", f) for f in evidence.faults if f.healed and f.healed < t]
    if not near:
        return "outside every fault window"
    distance, way, fault = min(near, key=lambda row: row[0])
    return f"{seconds_text(distance)} {way} {fault}"


def position_in_faults(t: float, faults: Sequence[FaultWindow]) -> str:
    """Return where `t` lies in the fault it falls in, or how far from the next or the last one."""
    for fault in faults:
        if fault.covers(t):
            if fault.healed is None:
                return f", during {named(fault)}, which was never healed"
            return f", {seconds_text(fault.healed - t)} before {named(fault)} healed"
    later = [fault for fault in faults if fault.injected > t]
    if later:
        fault = min(later, key=lambda fault: fault.injected)
        return f", {seconds_text(fault.injected - t)} before {named(fault)} was injected"
    healed = [(fault.healed, fault) for fault in faults if fault.healed is not None]
    if healed:
        at, fault = max(healed, key=lambda pair: pair[0])
        return f", {seconds_text(t - at)} after {named(fault)} healed"
    return ""


def inside_outside(times: Sequence[float], faults: Sequence[FaultWindow]) -> str:
    """Return how many of these moments fall inside fault windows, and how many outside."""
    if not faults:
        return ""
    inside = sum(any(fault.covers(t) for fault in faults) for t in times)
    return f"; {inside} inside fault windows, {len(times) - inside} outside"
