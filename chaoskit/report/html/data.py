"""The lanes as the script of the page reads them: small, in whole numbers."""

from __future__ import annotations

from collections.abc import Sequence

from chaoskit.report.html.model import TONES, Lane, Span, Window
from chaoskit.report.html.visible import visible

_MILLI = 1_000  # times are milliseconds of the run clock
_FINE = 1_000_000  # values are millionths of their unit


def script_data(lanes: Sequence[Lane], windows: Sequence[Window], span: Span) -> dict[str, object]:
    """Return what the script draws. Times are milliseconds; each is stored as the step from the one
    before it, so that it takes few characters."""
    return {
        "span": [_ms(t) for t in span],
        "windows": [
            {
                "letter": w.letter,
                "kind": visible(w.fault),
                "name": visible(f"{w.id} ({w.fault} {w.target})"),
                "at": [
                    None if t is None else _ms(t) for t in (w.asked, w.in_force, w.felt, w.healed)
                ],
            }
            for w in windows
        ],
        "lanes": [_lane(lane) for lane in lanes],
    }


def _lane(lane: Lane) -> dict[str, object]:
    return {
        "id": lane.id,
        "title": visible(lane.title),
        "scale": lane.scale,
        "unit": lane.unit,
        "low": lane.low,
        "high": lane.high,
        "height": lane.height,
        "blocks": lane.blocks,
        "rows": [visible(row) for row in lane.rows],
        "points": [[one.tone, _steps(one.t), [_fine(y) for y in one.y]] for one in lane.points],
        "lines": [[one.name, _steps(one.t), [_fine(y) for y in one.y]] for one in lane.lines],
        "bars": _bars(lane),
        "marks": [
            _steps([mark.t for mark in lane.marks]),
            [mark.row for mark in lane.marks],
            [TONES.index(mark.tone) for mark in lane.marks],
            [visible(mark.label) for mark in lane.marks],
        ],
        "arrows": [[_ms(one.start), _ms(one.end), one.label] for one in lane.arrows],
    }


def _bars(lane: Lane) -> list[object]:
    bars = sorted(lane.bars, key=lambda bar: bar.start)
    return [
        _steps([bar.start for bar in bars]),
        [-1 if bar.end is None else _ms(bar.end - bar.start) for bar in bars],
        [bar.row for bar in bars],
        [TONES.index(bar.tone) for bar in bars],
        [visible(bar.label) for bar in bars],
    ]


def _steps(times: Sequence[float]) -> list[int]:
    whole = [_ms(t) for t in times]
    return [b - a for a, b in zip([0, *whole], whole, strict=False)]


def _ms(t: float) -> int:
    return round(t * _MILLI)


def _fine(value: float) -> int:
    return round(value * _FINE)
