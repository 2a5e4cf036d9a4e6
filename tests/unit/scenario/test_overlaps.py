"""Faults that exclude each other are refused when the file is read, with both lines."""

from __future__ import annotations

import pytest

from chaoskit.errors import ScenarioInvalid
from tests.unit.scenario.conftest import GOOD, Desk

OLD = GOOD[GOOD.index("    - { at: 0s") : GOOD.index("expect:")]
PAUSE = "fault: redis_pause, service: redis"


def problems(desk: Desk, *faults: str, timeline: str = "") -> list[str]:
    """Return what is wrong with the good scenario with these faults."""
    text = desk.changed((OLD, "".join(f"    - {{ {one} }}\n" for one in faults)))
    text = text.replace("timeline:\n", f"timeline:\n{timeline}")
    try:
        desk.load(text)
    except ScenarioInvalid as error:
        return [f"{one.line}: {one.message}" for one in error.problems]
    return []


def test_the_second_is_refused_with_the_line_of_the_first(desk: Desk) -> None:
    faults = f"id: a, at: 1s, for: 4s, {PAUSE}", f"id: b, at: 4s, for: 3s, {PAUSE}"
    (said,) = problems(desk, *faults)
    assert said == (
        "16: `b` would be refused at 4s: `a` in line 15 is in force until 5s, and two"
        " `redis_pause` at once on `redis` would undo each other"
    )


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (f"at: 4s, for: 3s, {PAUSE}", f"at: 1s, for: 4s, {PAUSE}"),  # whatever is written first
        (f"for: 3s, {PAUSE}", f"for: 3s, {PAUSE}"),
        (f"at: 1s, {PAUSE}", f"at: 9s, for: 1s, {PAUSE}"),  # to the end
        (f"at: 5s, for: 1s, {PAUSE}", f"at: 1s, for: 2s, repeat: {{every: 4s, times: 2}}, {PAUSE}"),
        (f"for: 9s, {PAUSE}", f"at: 1s, for: 1s, {PAUSE}, replica: 1"),
        (
            "for: 3s, fault: cpu, service: chat, limit: 5%",
            "for: 2s, fault: cpu, service: chat, limit: 9%",
        ),
        (
            "for: 3s, fault: memory, service: chat, limit: 32MiB, replica: any",
            "at: 1s, for: 2s, fault: memory, service: chat, limit: 64MiB",
        ),
        (
            "for: 3s, fault: dns, service: chat, names: [redis], answer: timeout",
            "at: 1s, for: 3s, fault: dns, service: chat, names: [db], answer: nxdomain",
        ),
        (
            "for: 3s, fault: postgres_read_only, service: db, database: a",
            "at: 1s, for: 3s, fault: postgres_read_only, service: db",
        ),
        ("for: 3s, fault: stop, service: chat", "at: 1s, for: 1s, fault: kill, service: chat"),
        (
            "for: 3s, fault: pause, service: chat, replica: 2",
            "at: 1s, for: 1s, fault: pause, service: chat",
        ),
    ],
)
def test_what_would_be_refused_in_the_run_is_refused_before(
    desk: Desk, first: str, second: str
) -> None:
    (said,) = problems(desk, first, second)
    assert "would be refused at" in said
    assert "in line 1" in said


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (f"at: 1s, for: 4s, {PAUSE}", f"at: 5s, for: 3s, {PAUSE}"),  # one after the other
        (f"for: 4s, {PAUSE}", "for: 3s, fault: redis_pause, service: cache"),
        (f"id: a, for: 4s, {PAUSE}", f"after: {{fault: a, injected: true}}, for: 3s, {PAUSE}"),
        (
            "for: 9s, fault: latency, edge: chat -> redis, delay: 1s",
            "for: 9s, fault: latency, edge: chat -> redis, delay: 2s",
        ),
        (
            "for: 3s, fault: cpu, service: chat, limit: 5%",
            "for: 2s, fault: memory, service: chat, limit: 64MiB",
        ),
        (
            "for: 3s, fault: cpu, service: chat, limit: 5%, replica: 1",
            "for: 2s, fault: cpu, service: chat, limit: 9%, replica: 2",
        ),
        (
            "for: 3s, fault: cpu, service: chat, limit: 5%, replica: any",
            "for: 2s, fault: cpu, service: chat, limit: 9%, replica: any",
        ),
        (
            "at: 1s, for: 3s, fault: stop, service: chat",
            "for: 9s, fault: cpu, service: chat, limit: 9%",
        ),
        (
            "for: 3s, fault: stop, service: chat, replica: 1",
            "for: 9s, fault: kill, service: chat, replica: any",
        ),
        (
            "for: 3s, fault: kill, service: chat",
            "at: 1s, for: 1s, fault: refuse, edge: chat -> redis",
        ),
        (
            f"for: 4s, {PAUSE}, repeat: {{every: 5s, times: 3}}",
            "for: 1s, fault: pause, service: chat",
        ),
    ],
)
def test_what_can_be_in_force_at_the_same_time_is_not_refused(
    desk: Desk, first: str, second: str
) -> None:
    assert problems(desk, first, second) == []


def test_the_parts_that_quiet_periods_make_do_not_exclude_each_other(desk: Desk) -> None:
    quiet = "  quiet: { every: 10s, for: 2s }\n"
    assert problems(desk, f"for: 40s, {PAUSE}", timeline=quiet) == []


@pytest.mark.parametrize(
    ("first", "second", "warned"),
    [
        ("for: 3s, fault: stop, service: chat", "at: 1s, fault: restart, service: chat", True),
        (
            "for: 3s, fault: kill, service: redis",
            "at: 1s, fault: redis_flush, service: redis",
            True,
        ),
        (
            "for: 3s, fault: kill, service: redis",
            "at: 3s, fault: redis_flush, service: redis",
            False,
        ),
        ("for: 3s, fault: kill, service: redis", "fault: redis_flush, service: redis", False),
        (
            "for: 3s, fault: kill, service: chat",
            "at: 1s, fault: redis_flush, service: redis",
            False,
        ),
    ],
)
def test_a_fault_on_what_another_one_keeps_down_is_warned_of(
    desk: Desk, first: str, second: str, warned: bool
) -> None:
    faults = f"    - {{ id: a, {first} }}\n    - {{ id: b, {second} }}\n"
    found = [w.message for w in desk.load(desk.changed((OLD, faults))).warnings()]
    said = [message for message in found if "would be refused" in message]
    assert len(said) == warned
    if warned:
        assert "`b` would be refused at 1s: `a` is in force until 3s, and `" in said[0]
        assert "` does not run then" in said[0]
