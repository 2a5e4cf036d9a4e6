"""Health over time: what the samples of one probe say about failing, noticing and coming back.

Samples are ordered by due time, because one that ran into its deadline ends after later ones. A
sample is healthy when it is `ok`; `fail` and `info` are not. Failure and health are known from the
moment their sample is done.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from chaoskit.records import Evidence, FaultWindow, Numbers, Sample
from chaoskit.text import count, seconds_text

_BY_CHANCE = 0.05
FEW = 3  # healthy samples that are enough when there was no time to watch for longer


@dataclass(frozen=True, slots=True)
class Stretch:
    """Neighbouring samples that were all healthy, or all not. Never empty."""

    healthy: bool
    samples: tuple[Sample, ...]


def stretches(samples: Sequence[Sample]) -> list[Stretch]:
    """Group samples, ordered by due time, into stretches."""
    ordered = sorted(samples, key=lambda sample: sample.due)
    groups = itertools.groupby(ordered, key=lambda sample: sample.outcome == "ok")
    return [Stretch(healthy, tuple(group)) for healthy, group in groups]


def next_injection(faults: Sequence[FaultWindow], window: FaultWindow, t: float) -> float:
    """Return when the next other fault was injected at or after `t`; infinity when none was."""
    later = [fault.injected for fault in faults if fault.id != window.id and fault.injected >= t]
    return min(later, default=float("inf"))


def failing_before(samples: Sequence[Sample], t: float) -> bool:
    """Return whether the last sample that was done before `t` was not healthy."""
    earlier = [sample for sample in samples if sample.done < t]
    return bool(earlier) and max(earlier, key=lambda sample: sample.done).outcome != "ok"


def calm(samples: Sequence[Sample], evidence: Evidence) -> list[Sample]:
    """Return the samples from the baseline on that were done before the first fault."""
    baseline = evidence.phase("baseline")
    if baseline is None:
        return []
    first = min((fault.injected for fault in evidence.faults), default=float("inf"))
    return [s for s in samples if s.due >= baseline.start and s.done < first]


def failing_by_itself(samples: Sequence[Sample], evidence: Evidence, within: float) -> str | None:
    """Return how often a probe failed without any fault, where a failure within that many seconds
    was to be expected anyway: with a chance above 5% if failures come at random."""
    before = calm(samples, evidence)
    failed = [stretch for stretch in stretches(before) if not stretch.healthy]
    if not failed:
        return None
    seconds = before[-1].done - before[0].due
    chance = 1 - math.exp(-len(failed) / max(seconds, 1e-9) * within)
    if chance <= _BY_CHANCE:
        return None
    return f"failed {count(len(failed), 'time')} in {seconds_text(seconds)} without any fault"


def first_failure(samples: Sequence[Sample], start: float, until: float) -> Sample | None:
    """Return the first sample that was done, and not healthy, from `start` to `until`."""
    bad = [s for s in samples if s.outcome != "ok" and start <= s.done <= until]
    return min(bad, key=lambda sample: sample.done, default=None)


def time_to_detect(
    samples: Sequence[Sample], window: FaultWindow, until: float, grace: float = 0.0
) -> float | None:
    """Return the seconds from the injection until the probe's first failure was known.

    None when nothing failed up to `until` (run-clock seconds: the next fault, or the end), when
    what failed was sent only after the fault, more than `grace` seconds after its heal, or when
    the probe was failing before, so that the failure says nothing about this fault.
    """
    if failing_before(samples, window.injected):
        return None
    failure = first_failure(samples, window.injected, until)
    if failure is None or (window.healed is not None and failure.sent > window.healed + grace):
        return None
    return failure.done - window.injected


@dataclass(frozen=True, slots=True)
class Recovery:
    """How a probe came back after a heal; lengths in seconds.

    `seconds` is the time from the heal to the start of the first unbroken healthy stretch, None
    when there was none. `briefly` is the same for a stretch at the end that was too short to count.
    """

    seconds: float | None
    noticed: bool
    watched: float
    samples: int
    briefly: float | None = None


def recovery(
    samples: Sequence[Sample], injected: float, healed: float, until: float, stable: float
) -> Recovery:
    """Measure the recovery from a fault, from the samples done between `injected` and `until`.

    A stretch counts when it held for `stable` seconds after the heal, or held to the end with at
    least three samples. Health that lasted through the heal is a recovery in 0 seconds, and so is a
    fault that the probe never noticed.
    """
    seen = [s for s in samples if injected <= s.done <= until]
    after = [s for s in seen if s.sent >= healed]
    noticed = any(s.outcome != "ok" for s in seen)
    if not after:
        return Recovery(None, noticed, 0.0, 0)
    watched = max(s.done for s in after) - healed
    if not noticed:
        return Recovery(0.0, False, watched, len(after))
    groups = stretches(seen)
    for stretch in groups:
        held = [s for s in stretch.samples if s.sent >= healed]
        if not stretch.healthy or not held:
            continue
        start = max(stretch.samples[0].done, healed)
        if held[-1].done - start >= stable or (stretch is groups[-1] and len(held) >= FEW):
            return Recovery(start - healed, True, watched, len(after))
        if stretch is groups[-1]:
            return Recovery(None, True, watched, len(after), briefly=start - healed)
    return Recovery(None, True, watched, len(after))


def time_to_recover(
    samples: Sequence[Sample], window: FaultWindow, until: float, stable: float = 1.0
) -> float | None:
    """Return the seconds from the heal to the first unbroken healthy stretch, or None."""
    if window.healed is None:
        return None
    return recovery(samples, window.injected, window.healed, until, stable).seconds


def clear(faults: Sequence[FaultWindow], window: FaultWindow) -> float | None:
    """Return when `window` and all faults in force at its heal were healed; None if never."""
    t = window.healed
    while t is not None:
        holding = [f for f in faults if f.id != window.id and f.injected <= t]
        holding = [f for f in holding if f.healed is None or f.healed > t]
        if not holding:
            return t
        heals = [f.healed for f in holding if f.healed is not None]
        t = max(heals) if len(heals) == len(holding) else None
    return None


def slowest(times: Sequence[float | None], within: float) -> Numbers | None:
    """Return the longest of the times against its limit; None where one of them is not known."""
    known = [seconds for seconds in times if seconds is not None]
    return Numbers(max(known), within, "s") if known and len(known) == len(times) else None
