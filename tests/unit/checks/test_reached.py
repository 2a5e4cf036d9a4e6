"""Check `reached`: what was seen passes, what was not is unknown and never fails."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chaoskit.records import EdgeUse, Event, Evidence, Finding, LogLine, Sample, Verdict
from tests.unit.checks.conftest import Build

LINES = [
    LogLine(-1.5, "chat", "cache miss while starting"),
    LogLine(5.0, "chat", "cache hit"),
    LogLine(11.0, "chat", "cache miss for 7"),
    LogLine(11.5, "chat", "cache miss for 8"),
]
EDGES = (
    EdgeUse("web", "api", 80, 0),
    EdgeUse("web", "api", 81, 3),
    EdgeUse("web", "db", 5432, 0),
    EdgeUse("web", "redis", 6379, None),
)
HISTORY = [
    Event(1.0, "invoke", 0, "members", "buy", None, 1, 1),
    Event(1.1, "ok", 0, "members", "buy", None, 1, 1),
    Event(11.0, "invoke", 0, "members", "look", None, 2, 2),
    Event(11.1, "info", 0, "members", "look", None, 2, 2, "status 503"),
]


@pytest.fixture
def evidence(build: Build) -> Evidence:
    samples = [
        Sample("cache", 2.0, 2.0, 2.1, "ok"),
        Sample("cache", 11.0, 11.0, 11.1, "fail", "status 503"),
    ]
    found = build.evidence(samples=samples, faults=[build.fault()], logs=LINES, history=HISTORY)
    return replace(found, edges=EDGES)


def judged(build: Build, evidence: Evidence, **fields: Any) -> Finding:
    return build.check("reached", **fields).judge(evidence)


@pytest.mark.parametrize(
    ("fields", "measured"),
    [
        (
            {"service": "chat", "log": "cache miss"},
            "2 times, first 11.00 s (during kill (kill redis) 10.0 - 12.0 s): cache miss for 7",
        ),
        ({"service": "chat", "log": "(?i)HIT", "during": "faults"}, "1 time, first 5.00 s"),
        ({"edge": "web -> api"}, "3 connections"),
        ({"edge": "web -> api:81"}, "3 connections"),
        ({"probe": "cache"}, "1 time, first 2.10 s"),
        ({"probe": "cache", "error": "status 5.."}, "1 time, first 11.10 s"),
        ({"workload": "members"}, "1 time, first 1.10 s"),
        ({"workload": "members", "op": "buy"}, "1 time, first 1.10 s"),
        ({"workload": "members", "op": "look", "error": "503"}, "1 time, first 11.10 s"),
    ],
)
def test_what_was_seen_passes_with_the_first_time(
    build: Build, evidence: Evidence, fields: dict[str, Any], measured: str
) -> None:
    finding = judged(build, evidence, **fields)
    assert (finding.verdict, finding.reason) == (Verdict.PASS, None)
    assert finding.measured.startswith(measured)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        (
            {"service": "chat", "log": "cache miss", "during": "baseline"},
            (
                "a line matching `cache miss` of service `chat` was not seen, so what comes after "
                "it was not tested"
            ),
        ),
        ({"service": "api", "log": "x"}, "the log of service `api` was not collected"),
        ({"edge": "web -> api:80"}, "`web` made no connection to `api`"),
        ({"edge": "web -> db"}, "`web` made no connection to `db`"),
        (
            {"edge": "web -> redis"},
            "connections on the edge `web -> redis` were not counted: it had no proxy",
        ),
        (
            {"edge": "a -> b"},
            "connections on the edge `a -> b` were not counted: it had no proxy",
        ),
        (
            {"probe": "cache", "during": {"fault": "kill"}},
            "a good sample of probe `cache` was not seen, so what comes after it was not tested",
        ),
        ({"probe": "none"}, "probe `none` gave no sample in this window"),
        (
            {"workload": "members", "op": "look"},
            (
                "a good `look` of workload `members` was not seen, so what comes after it was not "
                "tested"
            ),
        ),
        (
            {"workload": "members", "error": "status 404"},
            "an error matching `status 404` of workload `members` was not seen",
        ),
    ],
)
def test_what_was_not_seen_is_unknown_with_the_reason(
    build: Build, evidence: Evidence, fields: dict[str, Any], reason: str
) -> None:
    finding = judged(build, evidence, **fields)
    assert finding.verdict is Verdict.UNKNOWN
    assert (finding.reason or "").startswith(reason)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "give either"),
        ({"service": "chat"}, "go together"),
        ({"log": "x"}, "give either"),
        ({"probe": "a", "edge": "a -> b"}, "give either"),
        ({"probe": "a", "op": "b"}, "`op` goes with"),
        ({"edge": "a -> b", "error": "x"}, "`error` goes with"),
        ({"edge": "a -> b", "during": "faults"}, "all run long"),
        ({"service": "chat", "log": "("}, "not a regular expression"),
    ],
)
def test_only_one_thing_can_be_asked(build: Build, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build.check("reached", **fields)
