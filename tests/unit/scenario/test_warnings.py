"""Warnings: scenarios that can be run and prove little."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaoskit.scenario.loading import load

SCENARIO = """\
name: weak
stack: {{ compose: compose.yaml }}
probes:
  web: {{ probe: http, url: http://web:80/, {probe} }}
timeline:
  gate: {{ {gate} }}
  baseline: 2s
  faults:
    - {{ at: 0s, {fault}, service: redis }}
  settle: {settle}
expect:
  - {{ check: {check} }}
"""
GOOD = {
    "probe": "every: 100ms",
    "gate": "for: 1s",
    "fault": "for: 2s, fault: kill",
    "settle": "5s",
    "check": "'availability', probe: web, at_least: 99%",
}


def warned(tmp_path: Path, **fields: str) -> list[tuple[str | None, int]]:
    (tmp_path / "compose.yaml").write_text("services: {}\n")
    path = tmp_path / "scenario.yaml"
    path.write_text(SCENARIO.format(**{**GOOD, **fields}))
    return [(one.code, one.line) for one in load(path, {}).warnings()]


def test_a_good_scenario_has_no_warning(tmp_path: Path) -> None:
    assert warned(tmp_path) == []


@pytest.mark.parametrize(
    ("fields", "code", "line"),
    [
        ({"probe": "every: 1s", "fault": "fault: restart"}, "slow-probe", 4),
        ({"fault": "for: 10ms, fault: pause"}, "slow-probe", 4),
        ({"probe": "expect: {status: [200, 500, 503]}"}, "any-status", 4),
        ({"check": "availability, probe: web, at_least: 0%"}, "never-missed", 12),
        ({"check": "latency, probe: web, p99: 2s"}, "never-missed", 12),
        ({"check": "downtime, probe: web, at_most: 60s"}, "never-missed", 12),
        ({"check": "recovery, probe: web, within: 6s"}, "settle-too-short", 12),
        (
            {"check": "availability, probe: web, at_least: 99%, during: baseline"},
            "baseline-only",
            12,
        ),
        ({"gate": "for: 0s"}, "no-gate", 6),
    ],
)
def test_what_proves_little_is_said_with_its_code_and_its_line(
    tmp_path: Path, fields: dict[str, str], code: str, line: int
) -> None:
    assert warned(tmp_path, **fields) == [(code, line)]


@pytest.mark.parametrize(
    "fields",
    [
        {"probe": "expect: {status: [200, 302]}"},
        {"probe": "expect: {status: 503}"},
        {"probe": "every: 1s", "fault": "for: 20s, fault: kill"},
        {"probe": "every: 1s", "fault": "fault: redis_flush"},
        {"check": "recovery, probe: web, within: 5s"},
        {"check": "latency, probe: web, p99: 1s"},
    ],
)
def test_what_only_looks_like_it_is_left_alone(tmp_path: Path, fields: dict[str, str]) -> None:
    assert warned(tmp_path, **fields) == []


def test_a_lax_probe_beside_a_strict_one_is_left_alone(tmp_path: Path) -> None:
    strict = "expect: {status: [200, 503]} }\n  deep: { probe: http, url: http://web:80/x"
    assert warned(tmp_path, probe=strict) == []


def test_a_warning_reads_like_a_problem(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services: {}\n")
    path = tmp_path / "scenario.yaml"
    path.write_text(SCENARIO.format(**{**GOOD, "check": "recovery, probe: web, within: 6s"}))
    (one,) = load(path, {}).warnings()
    assert one.render() == (
        f"{path}:12:44: warning: a recovery may take 6s, but `settle` watches for only 5s after "
        "the last heal [settle-too-short]\n"
        "   12 |   - { check: recovery, probe: web, within: 6s }\n"
        "                                                   ^^\n"
        "      = `timeline: {settle: 6s}`, or a shorter `within`"
    )


def test_our_own_scenarios_have_none() -> None:
    for path in sorted((Path(__file__).parents[3] / "scenarios").rglob("*.yaml")):
        assert load(path, {}).warnings() == [], path
