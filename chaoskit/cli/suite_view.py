"""The live view of a suite on a terminal: a row for each scenario that runs, and a bar for all."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from chaoskit.cli.live import LiveView, bar_of, line_of_parts
from chaoskit.records import Verdict
from chaoskit.suite.selection import length

if TYPE_CHECKING:
    from rich.console import Group
    from rich.text import Text

    from chaoskit.judge.result import Result
    from chaoskit.scenario.loading import Loaded

_WORDS = {
    Verdict.PASS: ("passed", "green"),
    Verdict.FAIL: ("failed", "red"),
    Verdict.UNKNOWN: ("unknown", "yellow"),
}


class SuiteView:
    """What is shown while a suite goes on; scenarios are known by their place in it."""

    def __init__(
        self,
        scenarios: Sequence[Loaded],
        at_once: int,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._at_once = at_once
        self._now = now
        self._names = [one.scenario.name for one in scenarios]
        self._lengths = [length(one) for one in scenarios]
        self._views: dict[int, LiveView] = {}
        self._begun: dict[int, float] = {}
        self._took: dict[int, float] = {}
        self._verdicts: list[Verdict] = []

    def began(self, number: int, view: LiveView) -> None:
        """Show a scenario from now on."""
        self._begun[number] = self._now()
        self._views[number] = view

    def ended(self, number: int, result: Result) -> None:
        """Count a scenario that ended."""
        self._views.pop(number, None)
        self._took[number] = self._now() - self._begun.pop(number, self._now())
        self._verdicts.append(result.verdict)

    def render(self, width: int) -> Group:
        """Return the view for a terminal of so many columns."""
        from rich.console import Group

        rows: list[Text | Group]
        if self._at_once == 1:
            rows = [view.render(width) for view in self._views.values()]
        else:
            rows = [view.row(width) for _, view in sorted(self._views.items())]
        return Group(*rows, self._bar(width))

    def _bar(self, width: int) -> Text:
        many, done = len(self._names), len(self._took)
        counts = [
            (f"  {self._verdicts.count(verdict)} {word}", style)
            for verdict, (word, style) in _WORDS.items()
            if verdict in self._verdicts
        ]
        text = line_of_parts((f"  {done} of {many}", "bold"), *counts)
        left = self._left()
        said = f"about {left:.0f} s left" if left >= 1 else "about to end"
        share = 1 - sum(self._remaining(n) for n in range(many)) / max(1.0, sum(self._lengths))
        bar = bar_of(share, said, width)
        start = line_of_parts(("suite", "bold"))
        if start.cell_len + text.cell_len + bar.cell_len > width:  # the bar says the rest
            text = line_of_parts((f"  {done} of {many}", "bold"))
        return start.append_text(text).append_text(bar)

    def _remaining(self, number: int) -> float:
        """Return how many seconds of a scenario are still to come, as it is planned."""
        if number in self._took:
            return 0.0
        elapsed = self._now() - self._begun[number] if number in self._begun else 0.0
        return max(0.0, self._lengths[number] - elapsed)

    def _left(self) -> float:
        """Return when all will be over: by the plan, and by how those that ended kept to it."""
        planned = sum(self._lengths[number] for number in self._took)
        kept = sum(self._took.values()) / planned if planned else 1.0
        remaining = [self._remaining(number) for number in range(len(self._names))]
        return kept * max(sum(remaining) / self._at_once, max(remaining, default=0.0))
