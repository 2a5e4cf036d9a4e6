"""The live view of a run on a terminal: where it is, what is in force, and how all are doing."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chaoskit.record import events as e
from chaoskit.scenario.planned import ORDER, planned

if TYPE_CHECKING:
    from rich.console import Group
    from rich.text import Text

    from chaoskit.faults import Fault
    from chaoskit.record.events import Recorded
    from chaoskit.record.writer import LiveCounts
    from chaoskit.scenario.document import Scenario

_WIDE = 72  # columns from which the bar is long
_LONG_BAR, _SHORT_BAR = 24, 10


@dataclass(frozen=True, slots=True)
class _InForce:
    words: str
    until: float | None  # on the run's clock; None without a lease


class LiveView:
    """What is shown while a run goes on; times on the run's clock, in seconds."""

    def __init__(
        self,
        scenario: Scenario,
        faults: Sequence[Fault],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.counts: LiveCounts | None = None
        self._name = scenario.name
        self._timeline = scenario.timeline
        self._faults = {fault.name: fault for fault in faults}
        self._now = now
        self._started: float | None = None  # where the run's clock is 0
        self._phase = "starting"
        self._begun: float | None = None  # when the timeline began
        self._end: float | None = None  # when it is planned to end
        self._in_force: dict[str, _InForce] = {}

    def __call__(self, recorded: Recorded) -> None:
        """Take note of an event of the run."""
        t, event = recorded
        match event:
            case e.RunStarted():
                self._started = self._now() - t
            case e.PhaseStarted(phase=phase):
                self._phase = phase
                if phase in ORDER:
                    self._begun = t if self._begun is None else self._begun
                    self._end = t + self._left_from(phase)
            case e.FaultInjected(id=id, fault=kind, target=target, instant=instant):
                if not instant:
                    lease = self._faults[id].for_ if id in self._faults else None
                    until = None if lease is None else t + lease
                    self._in_force[id] = _InForce(f"{kind} {target}", until)
            case e.FaultHealed(id=id) | e.FaultGone(id=id):
                self._in_force.pop(id, None)

    def _left_from(self, phase: str) -> float:
        """Return how long everything takes from the start of a phase on, as it is planned."""
        takes = planned(self._timeline, self._faults.values())
        return sum(takes[later] for later in ORDER[ORDER.index(phase) :])

    def render(self, width: int) -> Group:
        """Return the view for a terminal of so many columns: one line each for the clock, for what
        is in force, and for the probes and workloads."""
        from rich.console import Group

        now = self._clock
        lines = [self.row(width)]
        if self._in_force:
            lines.append(self._forces(now, width))
        if self.counts is not None and (self.counts.probes or self.counts.workloads):
            lines.append(self._states(self.counts, width))
        return Group(*lines)

    @property
    def _clock(self) -> float:
        return 0.0 if self._started is None else self._now() - self._started

    def row(self, width: int) -> Text:
        """Return one line: the name, the phase, the clock, and a bar with the time that is left."""
        now = self._clock
        name = line_of_parts((self._name, "bold"))
        text = line_of_parts((f": {self._phase}", "bold"), (f"  {now:.0f} s", ""))
        if self._begun is None or self._end is None or self._phase not in ORDER:
            return name.append_text(text)
        left = self._end - now
        said = f"about {left:.0f} s left" if left >= 1 else "about to end"
        bar = bar_of((now - self._begun) / max(0.001, self._end - self._begun), said, width)
        name.truncate(max(1, width - text.cell_len - bar.cell_len), overflow="ellipsis")
        return name.append_text(text).append_text(bar)

    def _forces(self, now: float, width: int) -> Text:
        said = [
            one.words + ("" if one.until is None else f" {max(0.0, one.until - now):.0f} s left")
            for one in self._in_force.values()
        ]
        return _fitting([line_of_parts((text, "yellow")) for text in said], width, start="in force")

    def _states(self, counts: LiveCounts, width: int) -> Text:
        states: list[tuple[bool, Text]] = []
        for name, probe in counts.probes.items():
            good = probe.last is not None and probe.last.outcome == "ok"
            word = ("ok", "green") if good else ("failing", "red")
            states.append((good, line_of_parts((f"{name} ", ""), word)))
        for name, workload in counts.workloads.items():
            text = line_of_parts((f"{name} {workload.ok} ok", ""))
            if workload.fail or workload.info:
                text.append(f", {workload.fail} fail, {workload.info} info", style="yellow")
            states.append((True, text))
        if sum(text.cell_len + 2 for _, text in states) > width:
            states.sort(key=lambda state: state[0])  # what fails must not be cut off
        return _fitting([text for _, text in states], width)


def bar_of(share: float, said: str, width: int) -> Text:
    """Return a bar that is full to a share of it, with words behind it."""
    length = _LONG_BAR if width >= _WIDE else _SHORT_BAR
    full = int(min(1.0, max(0.0, share)) * length)
    bar = line_of_parts(("  ", ""), ("━" * full, "green"), ("─" * (length - full), "dim"))
    return bar.append(f"  {said}")


def line_of_parts(*parts: tuple[str, str]) -> Text:
    """Return words, each with its style, on one line that is cut where it is too long."""
    from rich.text import Text

    text = Text(no_wrap=True, overflow="ellipsis")
    for words, style in parts:
        text.append(words, style=style)
    return text


def _fitting(parts: Sequence[Text], width: int, start: str = "") -> Text:
    """Return as many parts as fit into one line, and how many do not."""
    line = line_of_parts((start, "bold"))
    for number, part in enumerate(parts):
        left = len(parts) - number
        more = f"  +{left} more"
        room = width - line.cell_len - 2 - part.cell_len
        if number and (room < len(more) if left > 1 else room < 0):
            return line.append(more)
        line.append("  " if line.cell_len else "").append_text(part)
    return line
