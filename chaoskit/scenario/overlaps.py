"""Faults of which one would be refused when it starts, because another is in force then."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from chaoskit.faults import Fault
from chaoskit.faults.contract import Hold
from chaoskit.fields import Duration
from chaoskit.scenario.document import Scenario
from chaoskit.scenario.quiet import end_of

CLASH_FIX = "let it start later, or end the other one sooner"


@dataclass(frozen=True, slots=True)
class Clash:
    """Two faults of the file, by their numbers, of which the second would be refused."""

    first: int
    second: int
    refused: str
    because: str

    def sentence(self, where: str = "") -> str:
        """Return it in words; `where` says in which line the first one is."""
        return f"{self.refused}{where} is in force {self.because}"


def clashes(scenario: Scenario, needed: Callable[[Fault], Sequence[Hold]]) -> Iterator[Clash]:
    """Yield every fault that starts, by its time in the file, while another one holds what it
    needs."""
    timed = [one for one in scenario.injections() if one.when is None and one.after is None]
    over = end_of(timed, scenario.timeline.hold)
    told: set[tuple[int, int]] = set()
    for first in timed:
        end = over if first.for_ is None else float(first.at or 0.0) + float(first.for_)
        for second in timed if first.holds() and not first.instant else ():
            reason = _held(first, second, needed(second), end)
            pair = scenario.written(first), scenario.written(second)
            if first is second or reason is None or pair in told:
                continue
            told.update((pair, pair[::-1]))
            until = f"until {Duration(end)}" if first.for_ else "to the end"
            refused = f"`{second.name}` would be refused at {second.at or Duration.zero()}"
            yield Clash(*pair, f"{refused}: `{first.name}`", f"{until}, and {reason}")


def _held(first: Fault, second: Fault, wanted: Sequence[Hold], end: float) -> str | None:
    """Return in words why the second cannot have what it wants when it starts, None where it can.

    Which of two starts first that start at the same time is not known: one is certainly refused
    only where both hold it.
    """
    begun, start = float(first.at or 0.0), float(second.at or 0.0)
    if begun == start:
        wanted = [one for one in wanted if one in second.holds()]
    if not begun <= start < end:
        return None
    return next((one.reason for one in first.holds() if any(map(one.excludes, wanted))), None)
