"""A lane of what took how long: points on a log axis, quantile lines, and the numbers of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from chaoskit.numeric import percentile
from chaoskit.report.html.downsample import extremes
from chaoskit.report.html.model import TONES, Lane, Line, Points, Room, Span, Table, Tone, Window
from chaoskit.text import seconds_text

_FLOOR = 1e-4  # seconds: the least that the log axis shows
_BUCKETS = 80  # of the quantile lines
_ENOUGH = 8  # values in a bucket, so that its quantiles say something


def _points(found: Iterable[tuple[float, float, Tone]], room: Room) -> list[Points]:
    by_tone: dict[Tone, tuple[list[float], list[float]]] = {tone: ([], []) for tone in TONES}
    for t, y, tone in found:
        times, values = by_tone[tone]
        times.append(t)
        values.append(max(y, _FLOOR))
    return [
        Points(tone, *extremes(times, values, room.span, room.columns), len(times))
        for tone, (times, values) in by_tone.items()
        if times
    ]


def _quantiles(found: Sequence[tuple[float, float]], span: Span) -> list[Line]:
    """Return the median and the 99th percentile of what was good, stretch by stretch."""
    buckets = max(1, min(_BUCKETS, len(found) // _ENOUGH))
    width = (span[1] - span[0]) / buckets
    grouped: dict[int, list[float]] = {}
    for t, y in found:
        grouped.setdefault(min(int((t - span[0]) / width), buckets - 1), []).append(y)
    middle = {n: span[0] + (n + 0.5) * width for n in sorted(grouped)}
    ordered = {n: sorted(grouped[n]) for n in middle}
    return [
        Line(name, list(middle.values()), [max(percentile(v, q), _FLOOR) for v in ordered.values()])
        for name, q in (("p50", 50), ("p99", 99))
        if found
    ]


def _range(points: Sequence[Points]) -> Span:
    """Return the decades that the points lie in, so that the axis has at least two labels."""
    values = [y for one in points for y in one.y]
    low = math.floor(math.log10(min(values, default=0.001)))
    return 10.0**low, 10.0 ** max(math.ceil(math.log10(max(values, default=1.0))), low + 1)


Timed = tuple[float, float, Tone]  # when it was due, how long it took, how it ended


def _stretches(windows: Sequence[Window], span: Span) -> list[tuple[str, float, float]]:
    """Return the stretches that tables tell apart: before, under each fault, after the last."""
    if not windows:
        return [("the whole run", *span)]
    first = min(window.asked for window in windows)
    last = max(span[1] if w.healed is None else w.healed for w in windows)
    under = [
        (f"{w.letter} {w.id}", w.asked, span[1] if w.healed is None else w.healed) for w in windows
    ]
    return [("before the first fault", span[0], first), *under, ("after the last", last, span[1])]


def _latency_table(found: Sequence[Timed], windows: Sequence[Window], span: Span) -> Table:
    rows = []
    for name, start, end in _stretches(windows, span):
        part = [(took, tone) for t, took, tone in found if start <= t <= end]
        good = sorted(took for took, tone in part if tone == "ok")
        rows.append(
            [
                name,
                *(str(sum(one == tone for _, one in part)) for tone in TONES),
                *(seconds_text(percentile(good, q)) if good else "-" for q in (50, 99, 100)),
            ]
        )
    return Table(("stretch", "ok", "fail", "info", "p50", "p99", "max"), rows)


def latency_lane(
    id: str, title: str, what: str, found: Sequence[Timed], windows: Sequence[Window], room: Room
) -> Lane:
    points = _points(found, room)
    low, high = _range(points)
    counts = ", ".join(f"{one.total} {one.tone}" for one in points) or "none"
    drawn, total = sum(len(one.t) for one in points), len(found)
    thinned = (
        f"; drawn are the extremes of each moment, {drawn} of {total}" if drawn < total else ""
    )
    good = [(t, y) for t, y, tone in found if tone == "ok"]
    return Lane(
        id,
        title,
        f"{what}: {counts}{thinned}",
        "log",
        _latency_table(found, windows, room.span),
        "s",
        low,
        high,
        points=points,
        lines=_quantiles(good, room.span),
    )
