"""Which log lines stand beside a failure."""

from __future__ import annotations

import pytest

from chaoskit.judge.excerpts import beside, of_unready, tells
from chaoskit.records import Evidence, FaultWindow, Finding, Log, LogLine, Phase, Sample, Verdict
from chaoskit.scenario.document import Scenario, scenario_model

KILL = FaultWindow("kill", "kill", "redis", 10.0, 12.0, ("redis",), ends_processes=True)


def scenario() -> Scenario:
    return scenario_model().model_validate(
        {
            "name": "small",
            "stack": {"compose": "compose.yaml"},
            "probes": {"web": {"probe": "http", "url": "http://web:80/"}},
            "timeline": {"faults": [{"fault": "kill", "service": "redis", "for": "2s"}]},
            "expect": [{"check": "availability", "probe": "web", "at_least": "90%"}],
        }
    )


def evidence(**logs: list[tuple[float, str]]) -> Evidence:
    named = {
        name.replace("_", "-"): Log([LogLine(t, name.replace("_", "-"), text) for t, text in lines])
        for name, lines in logs.items()
    }
    failed = Sample("web", 11, 11, 11, "fail", "503")
    return Evidence([Phase("faults", 10, 15)], [KILL], {"web": [failed]}, logs=named)


def failed(at: float | None = 14.0, services: tuple[str, ...] = ()) -> Finding:
    return Finding(Verdict.FAIL, "80%", ">= 90%", "too few", at=at, services=services)


def shown(finding: Finding, seen: Evidence) -> list[str]:
    lines = beside(finding, "web", scenario(), seen)
    return [f"{line.service}: {line.text}" for line in lines]


def test_the_first_errors_after_the_injection_come_before_the_closest_lines() -> None:
    web = [
        (9.0, "error: of before"),
        (10.2, "Traceback (most recent call last):"),
        (10.2, '  File "/app/web.py", line 3, in error_handler'),
        (10.2, "redis.exceptions.ConnectionError: Error 111 connecting to redis:6379"),
        *((10.3 + i / 100, f"GET /{i} took {i} ms") for i in range(300)),
        (13.9, "GET /last"),
    ]
    assert shown(failed(), evidence(web=web)) == [
        "web: redis.exceptions.ConnectionError: Error 111 connecting to redis:6379"
    ]


def test_repetitions_are_dropped_and_four_lines_are_enough() -> None:
    web = [(10.1 + i / 10, f"request {i} of 0x{i:04x} timed out") for i in range(9)]
    web += [(11.5 + i / 10, f"error of kind {kind}") for i, kind in enumerate("abcdef")]
    assert shown(failed(), evidence(web=web)) == [
        "web: request 0 of 0x0000 timed out",
        "web: error of kind a",
        "web: error of kind b",
        "web: error of kind c",
    ]


def test_errors_of_services_off_the_path_wait_until_the_path_says_nothing() -> None:
    mailer = [(10.5, "fatal: no mail today")]
    assert shown(failed(), evidence(web=[(13.8, "GET /")], mailer=mailer)) == ["web: GET /"]
    assert shown(failed(), evidence(web=[], mailer=mailer)) == ["mailer: fatal: no mail today"]


def test_proxies_say_nothing() -> None:
    assert shown(failed(), evidence(chaoskit_web=[(10.5, "error: closed")])) == []


def test_without_errors_the_closest_lines_are_shown_each_once() -> None:
    web = [(13.0 + i / 10, f"line {i}") for i in range(20)] + [(14.0, "another")]
    assert shown(failed(), evidence(web=web)) == ["web: line 10", "web: another"]


def test_a_failure_without_a_moment_is_explained_from_the_injection_on() -> None:
    assert shown(failed(at=None), evidence(web=[(10.4, "error: refused")])) == [
        "web: error: refused"
    ]


def test_a_pass_needs_no_explanation() -> None:
    finding = Finding(Verdict.PASS, "", "", at=14.0)
    assert beside(finding, "web", scenario(), evidence(web=[(14.0, "error")])) == []


def test_an_unmet_gate_shows_errors_of_all_and_the_last_lines_of_who_is_asked() -> None:
    found = of_unready(
        scenario(),
        evidence(
            web=[(i, f"line {'x' * i}") for i in range(12)],
            db=[
                (1, "start"),
                *((2 + i, f"FATAL: attempt {i} failed") for i in range(9)),
                (12, "x"),
            ],
            quiet=[(1, "all is well")],
            chaoskit_web=[(1, "error")],
        ),
    )
    assert found["web"] == [f"line {'x' * i}" for i in range(4, 12)]
    assert found["db"] == ["FATAL: attempt 8 failed"]
    assert set(found) == {"web", "db"}


@pytest.mark.parametrize(
    ("text", "telling"),
    [
        ("dial tcp 10.0.0.2:5432: connect: connection refused", True),
        ("java.lang.IllegalStateException: no leader", True),
        ("  at com.example.Main(Main.java:12)", False),
        ("Traceback (most recent call last):", False),
        ("# WARNING ... may fail under low memory; set vm.overcommit_memory = 1", False),
        ("served 12 requests", False),
    ],
)
def test_what_looks_like_an_error(text: str, telling: bool) -> None:
    assert tells(text) is telling
