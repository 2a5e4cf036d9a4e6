"""Every event comes back as it was written, and the published schema knows all its rows."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest

from chaoskit.errors import StoreFailed
from chaoskit.exchange import Exchange
from chaoskit.record.events import (
    KINDS,
    CanaryExchanged,
    FaultConcluded,
    Recorded,
    RunEvent,
    RunnerStalled,
    RunStarted,
    RunUnproven,
    from_row,
    read_events,
)
from chaoskit.record.schema import events_schema
from chaoskit.records import Verdict

EVENTS = sorted({kind.name: kind for kind in KINDS.values()}.items())


def example(kind: object) -> object:
    """Return a value of a field's type that no default equals."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return arguments[-1]
    if origin in (typing.Union, types.UnionType):
        return example(arguments[0])
    if origin is tuple:
        return (example(arguments[0]),)
    if origin is dict:
        return {example(arguments[0]): example(arguments[1])}
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return kind(**{f.name: example(hints[f.name]) for f in dataclasses.fields(kind)})
    values = {str: "a text", int: 7, float: 0.25, bool: True, Verdict: Verdict.FAIL}
    return datetime(2026, 1, 2, 3, 4, 5, 600, UTC) if kind is datetime else values[kind]  # type: ignore[index]


@pytest.mark.parametrize(("name", "kind"), EVENTS)
def test_an_event_comes_back_as_it_was_written(name: str, kind: type[RunEvent]) -> None:
    made = Recorded(1.5, typing.cast("RunEvent", example(kind)))
    row = json.loads(json.dumps(made.row()))
    assert (row["t"], row["event"]) == (1.5, name)
    assert from_row(row) == made


@pytest.mark.parametrize(("name", "kind"), EVENTS)
def test_the_schema_knows_every_row_that_is_still_written(name: str, kind: type[RunEvent]) -> None:
    schema = events_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    row = json.loads(json.dumps(Recorded(1.5, typing.cast("RunEvent", example(kind))).row()))
    validator = jsonschema.Draft202012Validator(schema)
    assert validator.is_valid(row) == (kind is not FaultConcluded)
    assert not validator.is_valid(row | {"more": 1})
    assert not validator.is_valid({"t": 1.5, "event": name, "more": 1})


@pytest.mark.parametrize(
    ("row", "event"),
    [
        ({"event": "stuck", "text": "x"}, RunnerStalled("x")),
        ({"event": "doubt", "text": "x"}, RunUnproven("x")),
        (
            {"event": "run_started", "started_at": "2026-01-01T00:00:00+00:00", "seed": 3},
            RunStarted(datetime(2026, 1, 1, tzinfo=UTC), seed=3),
        ),
        ({"event": "fault_concluded", "id": "a", "proven": True}, FaultConcluded("a", True)),
    ],
)
def test_rows_of_earlier_versions_stay_readable(row: dict[str, object], event: RunEvent) -> None:
    assert from_row({"t": 2, **row}) == Recorded(2.0, event)


def test_an_event_of_a_later_version_is_left_out() -> None:
    assert from_row({"t": 1, "event": "something_new", "more": 1}) is None


@pytest.mark.parametrize(
    "row",
    [{"event": "note"}, {"t": 1, "event": "note"}, {"t": "soon", "event": "note", "text": ""}],
)
def test_a_row_that_is_no_event_is_an_error_and_never_left_out(
    tmp_path: Path, row: dict[str, object]
) -> None:
    (tmp_path / "events.ndjson").write_text(json.dumps(row) + "\n")
    with pytest.raises(StoreFailed, match=r"events.ndjson` line 1 is no event: `(t|text)`"):
        read_events(tmp_path)


def test_an_exchange_is_recorded_whole() -> None:
    exchange = Exchange("redis PING", "answered", 0.0123456789, 14, 7, 1, closing=0.25)
    made = Recorded(1.0, CanaryExchanged("slow", "chat -> redis:6379", "during", exchange))
    assert from_row(made.row()) == made
