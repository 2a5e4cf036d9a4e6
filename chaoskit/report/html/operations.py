"""The lanes of a workload: its rate, how long its operations took, and each of them as a bar."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush

from chaoskit.judge.result import WorkloadResult
from chaoskit.records import Event
from chaoskit.report.html.downsample import evenly
from chaoskit.report.html.latency import Timed, latency_lane
from chaoskit.report.html.model import TONES, Bar, Lane, Line, Room, Span, Table, Tone, Window
from chaoskit.report.html.visible import brief
from chaoskit.text import seconds_text


class Operation:
    """One call: its invocation and how it ended, if it did."""

    __slots__ = ("call", "due", "end", "error", "tone")

    def __init__(self, call: Event) -> None:
        self.call = call
        self.due = call.t if call.due is None else call.due
        self.end: float | None = None
        self.tone: Tone = "info"
        self.error: str | None = None

    @property
    def label(self) -> str:
        key = "" if self.call.key is None else f" key {self.call.key}"
        took = "no answer" if self.end is None else seconds_text(self.end - self.call.t)
        error = f": {brief(self.error, 80)}" if self.error else ""
        return f"{self.call.op} #{self.call.id}{key} {self.tone}, {took}{error}"


def operations(events: Sequence[Event]) -> list[Operation]:
    """Return the operations of a history, in the order of their calls."""
    by_id: dict[int, Operation] = {}
    for event in events:
        if event.type == "invoke":
            by_id[event.id] = Operation(event)
        elif (one := by_id.get(event.id)) is not None:
            one.end, one.tone, one.error = event.t, event.type, event.error
    return list(by_id.values())


def workload_lanes(
    workload: WorkloadResult,
    events: Sequence[Event],
    windows: Sequence[Window],
    room: Room,
) -> list[Lane]:
    done = operations(events)
    ends = room.span[1]
    found: list[Timed] = [
        (one.due, (ends if one.end is None else one.end) - one.due, one.tone) for one in done
    ]
    title = f"workload {workload.name} ({workload.kind})"
    id = f"workload-{workload.name}"
    latency = latency_lane(
        f"{id}-latency", f"{title}: latency from due", "operations", found, windows, room
    )
    rate = _rate_lane(f"{id}-rate", title, done, room.span)
    return [rate, latency, _bars(id, title, done, room.bars)]


def _rate_lane(id: str, title: str, done: Sequence[Operation], span: Span) -> Lane:
    width = max((span[1] - span[0]) / 120, 0.25)
    buckets = int((span[1] - span[0]) / width) + 1
    counted = {tone: [0] * buckets for tone in TONES}
    for one in done:
        at = one.call.t if one.end is None else one.end
        counted[one.tone][min(max(int((at - span[0]) / width), 0), buckets - 1)] += 1
    t = [span[0] + (number + 0.5) * width for number in range(buckets)]
    lines = [
        Line(tone, t, [number / width for number in numbers])
        for tone, numbers in counted.items()
        if any(numbers) or tone == "ok"
    ]
    highest = max((y for line in lines for y in line.y), default=1.0)
    totals = [[tone, str(sum(numbers))] for tone, numbers in counted.items()]
    note = ", ".join(f"{number} {tone}" for tone, number in totals)
    table = Table(("outcome", "operations"), totals)
    return Lane(
        id,
        f"{title}: answers a second",
        note,
        "linear",
        table,
        "/s",
        0.0,
        max(highest, 1.0) * 1.1,
        lines=lines,
        height=90,
    )


def _bars(id: str, title: str, done: Sequence[Operation], share: int) -> Lane:
    shown = worth_showing(done, share)
    free: list[tuple[float, int]] = []  # rows, by when they are free
    bars, rows = [], 0
    for one in sorted(shown, key=lambda one: (one.call.t, one.call.id)):
        if free and free[0][0] <= one.call.t:
            row = heappop(free)[1]
        else:
            row, rows = rows, rows + 1
        heappush(free, (one.call.t + 0.5 if one.end is None else one.end, row))
        bars.append(Bar(one.call.t, one.end, row, one.tone, one.label))
    note = f"{len(shown)} of {len(done)} operations shown, from call to answer"
    if len(shown) < len(done):
        note += "; unknown, failed and slow ones first, the rest evenly"
    never = sum(one.end is None for one in done)
    if never:
        note += f"; {never} never answered run on"
    outcomes: dict[str, list[int]] = {}
    for one in done:
        counts = outcomes.setdefault(one.call.op, [0, 0, 0])
        counts[TONES.index(one.tone)] += 1
    table = Table(("operation", *TONES), [[op, *map(str, outcomes[op])] for op in sorted(outcomes)])
    height = 40 + min(max(rows, 1) * 7, 160)
    names = [""] * max(rows, 1)
    return Lane(
        f"{id}-operations",
        f"{title}: operations",
        note,
        "rows",
        table,
        rows=names,
        bars=bars,
        height=height,
    )


def worth_showing(done: Sequence[Operation], most: int) -> Sequence[Operation]:
    """Return at most this many: what did not go well, then the slowest, then the rest evenly."""
    if len(done) <= most:
        return done
    bad = [one for one in done if one.tone != "ok"]
    if len(bad) >= most:
        unknown = [one for one in bad if one.tone == "info"]
        failed = [one for one in bad if one.tone == "fail"]
        part = max(most // 2, most - len(failed))
        unknown = [unknown[n] for n in evenly(len(unknown), part)]
        return unknown + [failed[n] for n in evenly(len(failed), most - len(unknown))]
    good = sorted(
        (one for one in done if one.tone == "ok"), key=lambda one: one.call.t - (one.end or 0.0)
    )
    slow = good[: (most - len(bad)) // 4]
    rest = sorted(good[len(slow) :], key=lambda one: one.call.t)
    left = most - len(bad) - len(slow)
    return [*bad, *slow, *(rest[n] for n in evenly(len(rest), left))]
