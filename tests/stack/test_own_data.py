"""A load that did not happen and values from elsewhere are no evidence, on real containers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chaoskit.records import Verdict
from tests.stack.running import STACKS, Chaoskit, Scenario, fault

APP = "http://app:8000"
SET = {"workload": "set", "rate": "20/s", "clients": 4}

WORKLOADS: dict[str, dict[str, Any]] = {
    "calls": {
        "workload": "load",
        "rate": "50/s",
        "clients": 1,
        "timeout": "20s",
        "operations": {"call": {"http": f"GET {APP}/hang"}},
    },
    "docs": {
        "workload": "versions",
        "keys": 5,
        "rate": "20/s",
        "reads": "20/s",
        "write": {"http": f"PUT {APP}/docs/{{key}}", "json": {"version": "{version}"}},
        "read": {"http": f"GET {APP}/docs/{{key}}", "value": "$.updated"},
    },
    "items": SET
    | {
        "add": {"http": f"POST {APP}/pages", "json": {"id": "{value}"}, "ok": [201]},
        "read": {"http": f"GET {APP}/pages", "values": "$.items[*]"},
    },
    "money": {
        "workload": "bank",
        "accounts": ["x1", "x2"],
        "rate": "20/s",
        "transfer": {
            "http": f"POST {APP}/pay",
            "json": {"from": "{from}", "to": "{to}", "amount": "{amount}"},
        },
        "read": {
            "http": f"GET {APP}/accounts",
            "values": "$[*]",
            "columns": ["name", "balance"],
        },
    },
    "jobs": {
        "workload": "queue",
        "rate": "20/s",
        "send": {"http": f"POST {APP}/jobs", "json": {"id": "{value}"}, "ok": [202]},
        "receive": {"http": f"GET {APP}/jobs", "value": "$.id", "none": [204]},
    },
}
EXPECT: list[dict[str, Any]] = [
    {"check": "availability", "workload": "calls", "at_least": "99%"},
    {"check": "latency", "workload": "calls", "p99": "1s"},
    {"check": "read_your_writes", "workload": "docs"},
    {"check": "never_goes_back", "workload": "docs"},
    {"check": "fresh_within", "workload": "docs", "within": "1s"},
    {"check": "converges", "workload": "docs", "within": "1s"},
    {"check": "no_duplicates", "workload": "items"},
    {"check": "no_phantoms", "workload": "items"},
    {"check": "conserved", "workload": "money"},
    {"check": "never_negative", "workload": "money"},
    {"check": "at_most_n_duplicates", "workload": "jobs"},
    {"check": "order", "workload": "jobs"},
]
KEPT = SET | {
    "add": {"http": f"POST {APP}/kept", "json": {"id": "{value}"}, "ok": [201]},
    "read": {"http": f"GET {APP}/kept", "values": "$.items[*]"},
}


def elsewhere(
    workloads: dict[str, dict[str, Any]], expect: list[dict[str, Any]], **stack: Any
) -> Scenario:
    return {
        "name": "elsewhere",
        "stack": {"compose": str(STACKS / "elsewhere" / "compose.yaml")} | stack,
        "probes": {"app": {"probe": "http", "url": f"{APP}/ok", "every": "100ms"}},
        "workloads": workloads,
        "timeline": {
            "baseline": "2s",
            "faults": [fault("stall", "1s", "4s", edge="app -> redis")],
            "settle": "3s",
        },
        "expect": expect,
    }


def test_what_did_not_happen_and_what_is_not_ones_own_never_passes(chaoskit: Chaoskit) -> None:
    run = chaoskit.run(elsewhere(WORKLOADS, EXPECT))
    assert run.code == 1, run.output
    found = {(one.check, one.subject): one for one in run.result.checks}
    assert not [what for what, one in found.items() if one.verdict is Verdict.PASS]

    assert found["latency", "calls"].verdict is Verdict.FAIL  # the app hung for 4 s
    assert " from due, p99 " in found["latency", "calls"].measured.text
    (calls,) = (one for one in run.result.workloads if one.name == "calls")
    sent = calls.operations["call"]
    assert sent.sent is not None
    assert sent.due is not None
    assert sent.due >= 450
    assert sent.sent < sent.due or calls.lateness_p99
    assert f"{sent.sent} of {sent.due}" in run.stdout
    invoked = [row for row in run.rows("history.ndjson") if row["type"] == "invoke"]
    assert all(row["due"] <= row["t"] + 1e-6 for row in invoked)

    told = {
        ("fresh_within", "docs"): "returned versions that nobody wrote",
        ("no_duplicates", "items"): "shows 50 of ",
        ("no_phantoms", "items"): "shows 50 of ",
        ("conserved", "money"): "it shows `ann`, `bob`, `eve`",
        ("never_negative", "money"): "it shows `ann`, `bob`, `eve`",
        ("at_most_n_duplicates", "jobs"): "0 of ",
    }
    for what, words in told.items():
        assert found[what].verdict is Verdict.UNKNOWN, what
        assert words in (found[what].reason or "")


def test_the_values_of_an_earlier_run_are_not_taken_for_its_own(chaoskit: Chaoskit) -> None:
    data = chaoskit.directory / "data"
    data.mkdir()
    override = chaoskit.write(
        f"services: {{ app: {{ volumes: ['{data}:/data'] }} }}", "override.yaml"
    )
    compose = [str(STACKS / "elsewhere" / "compose.yaml"), str(override)]
    expect = [{"check": kind, "workload": "kept"} for kind in ("no_loss", "no_phantoms")]
    scenario = elsewhere({"kept": KEPT}, expect, compose=compose, shared=[str(data)])
    scenario["timeline"]["faults"] = [fault("pause", "1s", "2s", service="redis")]
    first = chaoskit.run(scenario, "--seed", "7")
    assert first.code == 0, first.output
    kept = set(map(int, (data / "kept.txt").read_text().split()))
    again = chaoskit.run(scenario, "--seed", "7")
    assert again.code == 1, again.output
    assert again.check("no_loss", "kept").verdict is Verdict.FAIL
    added = {row["value"] for row in again.rows("history.ndjson") if row["op"] == "add"}
    assert not added & kept
    assert set(map(int, Path(data / "kept.txt").read_text().split())) == kept
