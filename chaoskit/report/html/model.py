"""What the page shows, as plain values: lanes on one clock, fault windows, findings.

All times are run-clock seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Tone = Literal["ok", "fail", "info"]  # each has a colour and a shape of its own
Span = tuple[float, float]  # from when to when
TONES: tuple[Tone, ...] = ("ok", "fail", "info")


@dataclass(frozen=True, slots=True)
class Room:
    """What a lane may take: the stretch that it shows, how many columns of values its points are
    thinned out to, and how many bars it has. The more lanes, the less each, so that a page of many
    stays small."""

    span: Span
    columns: int
    bars: int


@dataclass(frozen=True, slots=True)
class Window:
    """One fault on the clock: `asked` when chaoskit began to put it in force, `in_force` when that
    was read back, `felt` when something first changed, which `felt_by` names. `letter` stands for
    it in every lane; `edges` are those it cuts or slows, as `client -> upstream`."""

    letter: str
    id: str
    fault: str
    target: str
    asked: float
    in_force: float | None
    felt: float | None
    felt_by: str
    healed: float | None
    edges: tuple[str, ...]
    services: tuple[str, ...]

    def covers(self, t: float) -> bool:
        return self.asked <= t and (self.healed is None or t <= self.healed)


@dataclass(frozen=True, slots=True)
class Points:
    """Values at moments, already thinned out; `total` is how many there were."""

    tone: Tone
    t: Sequence[float]
    y: Sequence[float]
    total: int


@dataclass(frozen=True, slots=True)
class Line:
    """A line through values, such as a quantile or a rate."""

    name: str
    t: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True, slots=True)
class Bar:
    """Something that lasted, in a row of its lane; `end` is None where nobody knows its end."""

    start: float
    end: float | None
    row: int
    tone: Tone
    label: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment in a row of its lane."""

    t: float
    row: int
    tone: Tone
    label: str


@dataclass(frozen=True, slots=True)
class Arrow:
    """From the heal of a fault to the first good answer after it."""

    start: float
    end: float
    label: str


@dataclass(frozen=True, slots=True)
class Table:
    """What a lane says, in numbers, for who does not look at pictures."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Lane:
    """One strip of the time line. `scale` says what its height is: `log` and `linear` from `low` to
    `high` in `unit`, or one row for each of `rows`. Bars that are `blocks` are as high as their
    row, and their labels, name and time after a comma, stand in them."""

    id: str
    title: str
    note: str
    scale: Literal["log", "linear", "rows"]
    table: Table
    unit: str = ""
    low: float = 0.0
    high: float = 1.0
    rows: Sequence[str] = ()
    points: Sequence[Points] = ()
    lines: Sequence[Line] = ()
    bars: Sequence[Bar] = ()
    marks: Sequence[Mark] = ()
    arrows: Sequence[Arrow] = ()
    height: int = 130
    blocks: bool = False
