"""Every operation over HTTP begins a trace whose id is in the history and in a failed check."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from chaoskit.checks._base import REGISTRY as CHECKS
from chaoskit.clock import Clock
from chaoskit.errors import UsageError
from chaoskit.record.history import read_history
from chaoskit.records import Event, Evidence, Verdict
from chaoskit.workloads._base import REGISTRY
from chaoskit.workloads.driver import Driver
from tests.fakes.local_servers import http, serve
from tests.unit.checks.conftest import PHASES, SetStory


async def read(seed: int, **fields: Any) -> tuple[list[Event], list[dict[str, str]]]:
    """Do the final read of a set; return the history and the headers that the app got."""
    kind = REGISTRY.get("set")
    assert kind is not None
    operation = {"http": "GET http://chat:8082/members", "values": "$[*]"} | fields
    add = {"http": "POST http://chat:8082/members", "json": {"id": "{value}"}}
    workload = kind.model_validate(
        {"workload": "set", "rate": "1/s", "add": add, "read": operation}
    )
    history: list[Event] = []
    async with serve(http(lambda _: (200, [1, 2]))) as server:
        driver = Driver("members", workload, server.routes(), Clock(), history.append, seed)
        assert await driver.final_reads(1)
    return history, [seen.headers for seen in server.requests]


async def test_an_operation_over_http_tells_its_trace_and_the_history_has_it() -> None:
    history, headers = await read(7)
    traces = [event.trace for event in history if event.type == "invoke"]
    assert all(re.fullmatch("[0-9a-f]{32}", trace or "") for trace in traces)
    told = [re.fullmatch("00-([0-9a-f]{32})-([0-9a-f]{16})-01", h["traceparent"]) for h in headers]
    assert [one and one[1] for one in told] == traces
    assert len(set(traces)) == len(traces) == len(history) / 2
    assert {event.trace for event in history if event.type != "invoke"} == {None}


async def test_the_same_seed_gives_the_same_traces_and_another_one_others() -> None:
    first, again, other = [[event.trace for event in (await read(n))[0]] for n in (7, 7, 8)]
    assert first == again
    assert set(first) & set(other) == {None}


async def test_a_header_of_the_authors_own_stays() -> None:
    history, headers = await read(7, headers={"Traceparent": "mine"})
    assert {h["traceparent"] for h in headers} == {"mine"}
    assert {event.trace for event in history} == {None}


def test_a_history_keeps_traces_and_refuses_what_is_none(tmp_path: Path) -> None:
    line = '{{"t": 1.0, "type": "invoke", "op": "add", "id": 1, "value": 5{}}}\n'
    path = tmp_path / "history.ndjson"
    path.write_text(line.format(', "trace": "ab"'))
    stored = read_history(path)
    assert [event.trace for event in stored.events["history"]] == ["ab"]
    assert stored.notes == ()
    path.write_text(line.format(', "trace": 17'))
    with pytest.raises(UsageError, match="`trace` is no text"):
        read_history(path)


def witness(kind: str, story: SetStory, **fields: Any) -> tuple[str, ...]:
    events = [
        replace(event, trace=f"t{event.id}") if event.type == "invoke" else event
        for event in story.events()
    ]
    check = CHECKS.get(kind)
    assert check is not None
    given = {"check": kind, "workload": "members"} | fields
    finding = check.model_validate(given).judge(Evidence(PHASES, (), {}, {"members": events}))
    assert finding.verdict is Verdict.FAIL
    return finding.witness


def test_the_witness_of_a_failed_check_over_a_history_shows_the_traces() -> None:
    story = SetStory()
    for value in (1003, 1005):
        story.truth.remove(value)
        story.read.remove(value)
    lines = witness("no_loss", story)
    numbers = {line.value: number for number, line in enumerate(story.lines)}
    assert [line.rpartition(" (")[2] for line in lines] == [
        f"trace t{numbers[1003]})",
        f"trace t{numbers[1005]})",
    ]


def test_so_do_availability_and_latency_of_operations() -> None:
    story = SetStory()
    story.end(1007, "info")
    number = next(n for n, line in enumerate(story.lines) if line.value == 1007)
    (line,) = witness("availability", story, op="add", at_least="100%")
    assert line.endswith(f"(trace t{number})")
    *slowest, _ = witness("latency", story, op="add", max="1ms")
    assert all(re.search(r" \(trace t[0-9]+\)$", line) for line in slowest)
