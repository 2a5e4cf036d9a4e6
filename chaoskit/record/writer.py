"""Writing down what happens, as it happens: events, samples, history.

Judging reads these files back; nothing is kept in memory but counts and the last sample of each
probe, so a long run stays small.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field

from chaoskit.clock import Clock
from chaoskit.record.events import EVENTS, Recorded, RunEvent, follow_phase
from chaoskit.record.folder import RunFolder
from chaoskit.records import Event, Json, Phase, Sample

SAMPLES, HISTORY = "samples.ndjson", "history.ndjson"

Listener = Callable[[Recorded], None]


@dataclass(slots=True)
class ProbeCount:
    """What is known of a probe while the run goes on. Times on the run clock."""

    samples: int = 0
    failed: int = 0
    last: Sample | None = None
    good_since: float | None = None  # start of the unbroken good stretch, by due time
    last_due: float = -1.0


@dataclass(slots=True)
class WorkloadCount:
    """What is known of a workload while the run goes on."""

    ok: int = 0
    fail: int = 0
    info: int = 0


@dataclass(slots=True)
class LiveCounts:
    """Live counts for the gate and for progress."""

    probes: dict[str, ProbeCount] = field(default_factory=dict)
    workloads: dict[str, WorkloadCount] = field(default_factory=dict)


class Recorder:
    """The three NDJSON files of a run, and the live counts."""

    def __init__(self, folder: RunFolder, clock: Clock, listener: Listener) -> None:
        self._clock = clock
        self._listener = listener
        with contextlib.ExitStack() as opened:  # should one fail, none stays open
            self._events = opened.enter_context(closing(folder.ndjson(EVENTS)))
            self._samples = opened.enter_context(closing(folder.ndjson(SAMPLES)))
            self._history = opened.enter_context(closing(folder.ndjson(HISTORY)))
            opened.pop_all()
        self.counts = LiveCounts()
        self.phases: list[Phase] = []

    def emit(self, event: RunEvent, t: float | None = None) -> None:
        """Record something that happened to the run, now or at `t`, and tell the listener."""
        recorded = Recorded(round(self._clock.now() if t is None else t, 6), event)
        self._events.append(recorded.row())
        follow_phase(self.phases, recorded)
        self._listener(recorded)

    def sample(self, sample: Sample) -> None:
        self._samples.append(
            {
                "probe": sample.probe,
                "due": round(sample.due, 6),
                "sent": round(sample.sent, 6),
                "done": round(sample.done, 6),
                "outcome": sample.outcome,
                "error": sample.error,
                "value": sample.value,
                "stalled": round(sample.stalled, 6),
            }
        )
        count = self.counts.probes.setdefault(sample.probe, ProbeCount())
        count.samples += 1
        if sample.due >= count.last_due:  # results may arrive out of order
            count.last, count.last_due = sample, sample.due
        if sample.outcome == "ok":
            if count.good_since is None:
                count.good_since = sample.due
        else:
            count.failed += 1
            count.good_since = None

    def operation(self, event: Event) -> None:
        row: dict[str, Json] = {
            "t": round(event.t, 6),
            "type": event.type,
            "process": event.process,
            "workload": event.workload,
            "op": event.op,
            "key": event.key,
            "value": event.value,
            "id": event.id,
            "error": event.error,
        }
        if event.due is not None:
            row["due"] = round(event.due, 6)
        if event.trace is not None:
            row["trace"] = event.trace
        self._history.append(row)
        count = self.counts.workloads.setdefault(event.workload, WorkloadCount())
        if event.type == "ok":
            count.ok += 1
        elif event.type == "fail":
            count.fail += 1
        elif event.type == "info":
            count.info += 1

    def close(self) -> None:
        for file in (self._events, self._samples, self._history):
            file.close()
