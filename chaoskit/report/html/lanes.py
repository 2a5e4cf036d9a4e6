"""The lanes of the time line: probes, workloads, containers and logs, thinned out for a screen."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from chaoskit.judge.excerpts import tells
from chaoskit.judge.result import ProbeResult, Result
from chaoskit.record.events import ContainerChanged
from chaoskit.record.reader import RunRecord
from chaoskit.records import Log, Sample
from chaoskit.report.html.downsample import extremes
from chaoskit.report.html.latency import Timed, latency_lane
from chaoskit.report.html.model import Bar, Lane, Line, Mark, Room, Span, Table, Tone, Window
from chaoskit.report.html.operations import workload_lanes
from chaoskit.report.html.resources import resource_lanes
from chaoskit.report.html.visible import brief
from chaoskit.report.html.windows import in_force, recoveries

_MOST_BARS = 10_000  # operations that are drawn one by one
_ALL_COLUMNS = 8_000  # of values, in all lanes
_MOST_COLUMNS, _LEAST_COLUMNS = 2_000, 300  # of one lane: twice what a wide screen shows
_MOST_MARKS = 1_500  # of one lane
_BAD_ACTIONS = ("die", "oom", "kill", "pause", "stop", "unhealthy", "destroy")
_UNMEASURED = ("up", "judge", "down")  # phases
_QUIET_ACTIONS = ("create", "attach", "exec_")


def lanes_of(result: Result, record: RunRecord, windows: Sequence[Window]) -> list[Lane]:
    """Return every lane of a run, in the order in which they stand."""
    span = span_of(result, record)
    evidence = record.evidence
    drawn = len(result.probes) + len(result.workloads)
    room = Room(
        span,
        columns=max(_LEAST_COLUMNS, min(_MOST_COLUMNS, _ALL_COLUMNS // max(drawn, 1))),
        bars=_MOST_BARS // max(len(result.workloads), 1),
    )
    lanes = []
    for probe in result.probes:
        samples = evidence.samples.get(probe.name, ())
        lanes += _probe(probe, samples, windows, room)
    for workload in result.workloads:
        history = evidence.history.get(workload.name, ())
        lanes += workload_lanes(workload, history, windows, room)
    lanes += _containers(record, windows, span)
    lanes += resource_lanes(record, room)
    lanes += _logs(evidence.logs, span)
    return [_phases(result), *lanes] if lanes and result.phases else lanes


def span_of(result: Result, record: RunRecord) -> Span:
    """Return the stretch that the page shows: all that was measured, without the coming up."""
    phases = [p for p in result.phases if p.name not in _UNMEASURED]
    starts = [p.start for p in phases] + [s[0].due for s in record.evidence.samples.values() if s]
    ends = [p.end for p in phases if p.end is not None]
    ends += [s[-1].done for s in record.evidence.samples.values() if s]
    ends += [h[-1].t for h in record.evidence.history.values() if h]
    if not starts or not ends:
        return 0.0, max(result.run.duration, 1.0)
    return min(starts), max(*ends, min(starts) + 0.1)


def _phases(result: Result) -> Lane:
    """Return the strip that says in which phase the run was."""
    bars = []
    for phase in result.phases:
        if phase.name not in _UNMEASURED:
            end = "cut off" if phase.end is None else f"{phase.end:.1f} s"
            label = f"{phase.name}, {phase.start:.1f} - {end}"
            bars.append(Bar(phase.start, phase.end, 0, "ok", label))
    rows = [bar.label.split(", ", 1) for bar in bars]
    return Lane(
        "phases",
        "phases of the run",
        "; ".join(bar.label for bar in bars),
        "rows",
        Table(("phase", "from - to"), rows),
        rows=("phase",),
        bars=bars,
        height=72,
        blocks=True,
    )


def _probe(
    probe: ProbeResult, samples: Sequence[Sample], windows: Sequence[Window], room: Room
) -> list[Lane]:
    found: list[Timed] = [(s.due, s.latency, s.outcome) for s in samples]
    title = f"probe {probe.name} ({probe.kind})"
    lane = latency_lane(f"probe-{probe.name}", title, "samples", found, windows, room)
    lanes = [replace(lane, arrows=recoveries(samples, windows))]
    values = [
        (s.done, float(s.value))
        for s in samples
        if isinstance(s.value, int | float)
        and not isinstance(s.value, bool)
        and math.isfinite(s.value)
    ]
    if len({value for _, value in values}) > 1:
        lanes.append(_value_lane(probe.name, values, room))
    return lanes


def _value_lane(name: str, values: Sequence[tuple[float, float]], room: Room) -> Lane:
    times, found = [t for t, _ in values], [v for _, v in values]
    t, y = extremes(times, found, room.span, room.columns)
    lowest, highest = min(y), max(y)
    table = Table(
        ("value", "of probe " + name), [["lowest", f"{lowest:g}"], ["highest", f"{highest:g}"]]
    )
    note = f"{len(values)} values from {lowest:g} to {highest:g}"
    return Lane(
        f"value-{name}",
        f"value of probe {name}",
        note,
        "linear",
        table,
        low=min(lowest, 0.0),
        high=highest * 1.05,
        lines=[Line("value", t, y)],
        height=90,
    )


def _containers(record: RunRecord, windows: Sequence[Window], span: Span) -> list[Lane]:
    found = [
        (t, one)
        for t, one in record.log.events
        if isinstance(one, ContainerChanged) and not one.action.startswith(_QUIET_ACTIONS)
    ]
    names = sorted({f"{one.service}.{one.replica}" for _, one in found})
    marks, rows = [], []
    within = sum(span[0] <= t <= span[1] for t, _ in found)
    for t, one in found[:_MOST_MARKS]:
        name = f"{one.service}.{one.replica}"
        code = "" if one.exit_code is None else f" (exit code {one.exit_code})"
        tone: Tone = "fail" if any(bad in one.action for bad in _BAD_ACTIONS) else "ok"
        marks.append(Mark(t, names.index(name), tone, f"{name} {one.action}{code}"))
        during = ", ".join(f"{w.letter} {w.id}" for w in in_force(windows, t)) or "-"
        rows.append([f"{t:.2f} s", name, f"{one.action}{code}", during])
    if not found:
        return []
    note = f"{within} events in this stretch, all {len(found)} in the table"
    if len(marks) < len(found):
        note = f"the first {len(marks)} of {len(found)} events"
    table = Table(("at", "replica", "what happened", "faults in force"), rows)
    height = 34 + 20 * len(names)
    return [
        Lane(
            "containers", "containers", note, "rows", table, rows=names, marks=marks, height=height
        )
    ]


def _logs(logs: Mapping[str, Log], span: Span) -> list[Lane]:
    names = sorted(name for name in logs if not name.startswith("chaoskit-"))
    telling: list[Mark] = []
    plain: list[Mark] = []
    rows, total = [], 0
    width = max((span[1] - span[0]) / 600, 1e-6)
    for row, name in enumerate(names):
        lines = errors = 0
        seen: set[int] = set()
        for line in logs[name].between(span[0] - 1, span[1] + 1):
            lines += 1
            column = int((line.t - span[0]) / width)
            if tells(line.text):
                errors += 1
                if len(telling) < _MOST_MARKS:
                    telling.append(Mark(line.t, row, "fail", brief(f"{name} | {line.text}", 160)))
            elif column not in seen and len(plain) < _MOST_MARKS:
                seen.add(column)
                plain.append(Mark(line.t, row, "ok", brief(f"{name} | {line.text}", 100)))
        rows.append([name, str(lines), str(errors)])
        total += lines
    if not total:
        return []
    marks = sorted([*plain, *telling], key=lambda mark: mark.t)
    note = f"{total} lines, {len(marks)} of them marked; those that look like errors are crosses"
    table = Table(("service", "lines", "look like errors"), rows)
    return [
        Lane(
            "logs",
            "log lines",
            note,
            "rows",
            table,
            rows=names,
            marks=marks,
            height=34 + 20 * len(names),
        )
    ]
