"""Lanes drawn as SVG: what a reader sees with scripts off, on paper, and in the moments of checks.

Outcomes differ in colour and in shape: a dot is good, a cross failed, a square is unknown.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from markupsafe import Markup, escape

from chaoskit.report.html.downsample import extremes
from chaoskit.report.html.model import Arrow, Lane, Points, Tone, Window
from chaoskit.report.html.visible import visible

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 1120, 84, 10, 18, 20
_COLUMNS = WIDTH - LEFT - RIGHT  # of points: one for each pixel
_APART = 0.4  # pixels between bars, so that they can be told apart
_LETTER = 6.5  # pixels of a character, about
_LOG_STEPS = (1, 10, 100, 1000, 10_000, 100_000)


class Drawing:
    """A picture of one stretch of the run clock."""

    def __init__(self, lane: Lane, span: tuple[float, float], windows: Sequence[Window]) -> None:
        self.lane = lane
        self.span = span
        self.windows = windows
        self._low, self._high = lane.low, lane.high
        if lane.scale == "log":
            self._low, self._high = math.log10(lane.low), math.log10(lane.high)

    def x(self, t: float) -> float:
        start, end = self.span
        inner = WIDTH - LEFT - RIGHT
        return LEFT + inner * min(max((t - start) / (end - start), 0.0), 1.0)

    def y(self, value: float) -> float:
        value = math.log10(value) if self.lane.scale == "log" else value
        share = (value - self._low) / max(self._high - self._low, 1e-9)
        return TOP + (self.lane.height - TOP - BOTTOM) * (1 - min(max(share, 0.0), 1.0))

    def row(self, number: int) -> tuple[float, float]:
        """Return where a row begins and how high it is."""
        height = (self.lane.height - TOP - BOTTOM) / max(len(self.lane.rows), 1)
        return TOP + number * height, height

    def render(self, *, at: float | None = None) -> Markup:
        """Return the picture; `at` is a moment that a line marks."""
        lane = self.lane
        parts = [*self._bands(), *self._grid(), *self._rows()]
        parts += [self._line(number) for number in range(len(lane.lines))]
        parts += self._blocks() if lane.blocks else self._bars()
        parts += map(self._points, lane.points)
        parts += self._marks()
        parts += [self._arrow(arrow) for arrow in lane.arrows if self._within(arrow.start)]
        if at is not None and self._within(at):
            x = _n(self.x(at))
            parts.append(f'<path class="moment" d="M{x} {TOP - 6}V{lane.height - BOTTOM}"/>')
        label = escape(visible(f"{lane.title}. {lane.note}"))
        body = "".join(map(str, parts))
        return Markup(  # noqa: S704  # all text in it is escaped
            f'<svg class="lane-picture" viewBox="0 0 {WIDTH} {lane.height}" role="img" '
            f'aria-label="{label}">{body}</svg>'
        )

    def _within(self, t: float) -> bool:
        return self.span[0] <= t <= self.span[1]

    def _bands(self) -> Iterable[str]:
        bottom = self.lane.height - BOTTOM
        for window in self.windows:
            start, end = window.asked, self.span[1] if window.healed is None else window.healed
            if end < self.span[0] or start > self.span[1]:
                continue
            x, width = self.x(start), max(self.x(end) - self.x(start), 1.5)
            yield (
                f'<rect class="band" x="{_n(x)}" y="{TOP}" width="{_n(width)}" '
                f'height="{bottom - TOP}"/>'
            )
            for name, t in (
                ("asked", start),
                ("in-force", window.in_force),
                ("felt", window.felt),
                ("healed", window.healed),
            ):
                if t is not None and self._within(t):
                    yield f'<path class="edge {name}" d="M{_n(self.x(t))} {TOP}V{bottom}"/>'
            letter = escape(window.letter)
            yield f'<text class="letter" x="{_n(x + 2)}" y="{TOP - 5}">{letter}</text>'

    def _grid(self) -> Iterable[str]:
        bottom = self.lane.height - BOTTOM
        for t in ticks(*self.span):
            x = _n(self.x(t))
            yield f'<path class="grid" d="M{x} {bottom}v4"/>'
            yield f'<text class="tick" x="{x}" y="{bottom + 15}">{_number(t)} s</text>'
        for value, text in self._value_ticks():
            y = _n(self.y(value))
            yield f'<path class="grid" d="M{LEFT} {y}H{WIDTH - RIGHT}"/>'
            yield f'<text class="value" x="{LEFT - 6}" y="{y}" dy="4">{escape(text)}</text>'

    def _value_ticks(self) -> Iterable[tuple[float, str]]:
        lane = self.lane
        if lane.scale == "log":
            for step in _LOG_STEPS:
                value = step * 1e-4
                if lane.low * 0.99 <= value <= lane.high * 1.01:
                    yield value, latency_text(value)
        elif lane.scale == "linear":
            for value in ticks(lane.low, lane.high, 3):
                yield value, f"{_number(value)}{lane.unit}"

    def _rows(self) -> Iterable[str]:
        for number, name in enumerate(self.lane.rows):
            if name:
                start, height = self.row(number)
                y = _n(start + height / 2 + 4)
                short = name if len(name) <= 13 else name[:12] + "..."
                yield f'<text class="value" x="{LEFT - 6}" y="{y}">{escape(visible(short))}</text>'

    def _line(self, number: int) -> str:
        line = self.lane.lines[number]
        path = "".join(
            f"{'L' if place else 'M'}{_n(self.x(t))} {_n(self.y(y))}"
            for place, (t, y) in enumerate(
                (t, y) for t, y in zip(line.t, line.y, strict=True) if self._within(t)
            )
        )
        return f'<path class="line {line_class(line.name, number)}" d="{path}"/>' if path else ""

    def _points(self, points: Points) -> str:
        found = [one for one in zip(points.t, points.y, strict=True) if self._within(one[0])]
        t, y = extremes([t for t, _ in found], [y for _, y in found], self.span, _COLUMNS)
        return _shapes(points.tone, zip(map(self.x, t), map(self.y, y), strict=True))

    def _blocks(self) -> Iterable[str]:
        """Draw bars that name themselves, as far as their width allows."""
        for bar in self.lane.bars:
            end = self.span[1] if bar.end is None else bar.end
            if end < self.span[0] or bar.start > self.span[1]:
                continue
            x, (y, height) = self.x(bar.start), self.row(bar.row)
            width = self.x(end) - x
            yield (
                f'<rect class="block" x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" '
                f'height="{_n(height)}"><title>{escape(visible(bar.label))}</title></rect>'
            )
            for number, text in enumerate(bar.label.split(", ", 1)):
                if len(text) * _LETTER < width:
                    left, base = _n(x + 4), _n(y + height / 2 - 3 + 13 * number)
                    words = escape(visible(text))
                    yield f'<text class="block-{number}" x="{left}" y="{base}">{words}</text>'

    def _bars(self) -> Iterable[str]:
        """Draw the bars; those of one row and outcome that a screen cannot tell apart are one."""
        drawn: dict[tuple[int, Tone], list[tuple[float, float]]] = {}
        for bar in self.lane.bars:
            end = self.span[1] if bar.end is None else bar.end
            if end < self.span[0] or bar.start > self.span[1]:
                continue
            x = self.x(bar.start)
            right = max(self.x(end), x + 0.8)
            row = drawn.setdefault((bar.row, bar.tone), [])
            if row and x - row[-1][1] < _APART:
                row[-1] = (row[-1][0], max(right, row[-1][1]))
            else:
                row.append((x, right))
        paths: dict[Tone, list[str]] = {}
        for (number, tone), row in drawn.items():
            top, height = self.row(number)
            paths.setdefault(tone, []).extend(
                f"M{_n(x)} {_n(top + height / 2)}h{_n(right - x)}" for x, right in row
            )
        thick = _n(min(max(self.row(0)[1] - 1, 1), 9))
        for tone in sorted(paths, reverse=True):
            d = "".join(paths[tone])
            yield f'<path class="bar {tone}" stroke-width="{thick}" d="{d}"/>'

    def _marks(self) -> Iterable[str]:
        places: dict[Tone, list[tuple[float, float]]] = {}
        for mark in self.lane.marks:
            if self._within(mark.t):
                top, height = self.row(mark.row)
                places.setdefault(mark.tone, []).append((self.x(mark.t), top + height / 2))
        for tone, found in places.items():
            yield _shapes(tone, found, "mark")

    def _arrow(self, arrow: Arrow) -> str:
        y = TOP + 8
        start, end = self.x(arrow.start), self.x(min(arrow.end, self.span[1]))
        return (
            f'<path class="arrow" d="M{_n(start)} {y}H{_n(end)}m-5-4l5 4l-5 4"/>'
            f'<text class="arrow-text" x="{_n(end + 4)}" y="{y + 4}">{escape(arrow.label)}</text>'
        )


def _shapes(tone: Tone, places: Iterable[tuple[float, float]], kind: str = "point") -> str:
    mark = {"ok": "h0", "fail": "m-3-3l6 6m0-6l-6 6", "info": "m-3-3h6v6h-6z"}[tone]
    path = "".join(f"M{_n(x)} {_n(y)}{mark}" for x, y in places)
    return f'<path class="{kind} {tone}" d="{path}"/>' if path else ""


def line_class(name: str, number: int) -> str:
    """Return what a line looks like; others than quantiles and outcomes go by their place."""
    return name if name in ("p50", "p99", "ok", "fail", "info") else f"dashed-{number % 6}"


def ticks(low: float, high: float, most: int = 8) -> list[float]:
    """Return round values between two, at most about `most`."""
    width = max(high - low, 1e-9)
    power = 10 ** math.floor(math.log10(width / most))
    step = next(power * m for m in (1, 2, 5, 10) if width / (power * m) <= most)
    first = math.ceil(low / step)
    return [number * step for number in range(first, math.floor(high / step + 1e-9) + 1)]


def latency_text(seconds: float) -> str:
    return f"{seconds:g} s" if seconds >= 1 else f"{seconds * 1000:g} ms"


def _number(value: float) -> str:
    return f"{round(value, 6):g}" if abs(value) < 1e6 else f"{value:.3g}"


def _n(value: float) -> str:
    """Return a coordinate in as few characters as a screen can tell apart."""
    return f"{value:.1f}".removesuffix(".0")
