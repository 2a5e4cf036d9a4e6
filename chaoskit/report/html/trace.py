"""`trace.json`: a run in Chrome's trace format, which Perfetto and `chrome://tracing` open.

https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from chaoskit.judge.result import Result, stored_result
from chaoskit.record.events import ContainerChanged
from chaoskit.record.reader import RunRecord
from chaoskit.records import Event
from chaoskit.report.html.lanes import span_of
from chaoskit.report.html.operations import operations, worth_showing
from chaoskit.report.html.visible import visible

TRACE = "trace.json"
_MOST = 20_000  # operations of one workload
_MICRO = 1_000_000  # its times are microseconds

Row = Mapping[str, object]


def render(folder: Path) -> str:
    """Return the trace of a run. Raises `StoreFailed`."""
    return of_record(stored_result(folder), RunRecord.read(folder))


def of_record(result: Result, record: RunRecord) -> str:
    """Return the trace of a run that has been read already."""
    ends = span_of(result, record)[1]
    rows: list[Row] = []
    for number, (name, events) in enumerate(_processes(record, ends), 1):
        shown = {"name": visible(name)}
        rows.append({"ph": "M", "pid": number, "name": "process_name", "args": shown})
        rows += [{"pid": number, **event} for event in events]
    document = {
        "displayTimeUnit": "ms",
        "otherData": {"run": result.run.id, "verdict": result.verdict.value},
        "traceEvents": rows,
    }
    return json.dumps(document, separators=(",", ":")) + "\n"


def _processes(record: RunRecord, ends: float) -> Iterator[tuple[str, list[Row]]]:
    evidence = record.evidence
    yield "phases", [_slice(p.name, p.start, p.end, ends) for p in evidence.phases]
    yield (
        "faults",
        [
            _slice(f"{w.id} ({w.fault} {w.target})", w.injected, w.healed, ends, number)
            for number, w in enumerate(evidence.faults)
        ],
    )
    for name, samples in evidence.samples.items():
        rows = [_slice(s.outcome, s.due, s.done, ends, error=s.error) for s in samples]
        yield f"probe {name}", rows
    for name, history in evidence.history.items():
        yield f"workload {name}", _operations(history, ends)
    yield (
        "containers",
        [
            _instant(f"{one.service}.{one.replica} {one.action}", t)
            for t, one in record.log.events
            if isinstance(one, ContainerChanged)
        ],
    )


def _operations(history: Sequence[Event], ends: float) -> list[Row]:
    return [
        _slice(
            f"{one.call.op} {one.tone} #{one.call.id}",
            one.call.t,
            one.end,
            ends,
            one.call.process,
            one.error,
        )
        for one in worth_showing(operations(history), _MOST)
    ]


def _slice(
    name: str,
    start: float,
    end: float | None,
    ends: float,
    thread: int = 0,
    error: str | None = None,
) -> Row:
    """Return a stretch of time; one that nobody ended goes on to the end of the run, `ends`."""
    until = ends if end is None else end
    row: dict[str, object] = {
        "ph": "X",
        "tid": thread,
        "ts": round(start * _MICRO),
        "dur": max(round((until - start) * _MICRO), 1),
        "name": visible(name),
    }
    return row | {"args": {"error": visible(error)}} if error else row


def _instant(name: str, t: float) -> Row:
    return {"ph": "i", "s": "p", "tid": 0, "ts": round(t * _MICRO), "name": visible(name)}
