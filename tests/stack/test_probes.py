"""The probes exec, metric, websocket, grpc and tls on one real service, with a fault on it."""

from __future__ import annotations

import re

from chaoskit.records import Verdict
from tests.stack.running import STACKS, Chaoskit, Scenario, fault

CASE = STACKS.parent / "cases" / "probes" / "compose.yaml"
PROBES = {
    "inside": {"probe": "exec", "service": "app", "run": "test -s /tmp/cert && echo 42"},
    "worked": {
        "probe": "metric",
        "url": "http://app:8000/metrics",
        "metric": 'requests_total{route="work"}',
    },
    "live": {
        "probe": "websocket",
        "url": "ws://app:8000/live",
        "send": "ping",
        "contains": "pong to ping",
    },
    "orders": {"probe": "grpc", "url": "grpc://app:50051", "service": "shop.Orders"},
    "secure": {"probe": "tls", "url": "tls://app:8443"},
}
PAUSED = {"during": {"fault": "pause"}}


def scenario() -> Scenario:
    every = {"every": "200ms", "timeout": "500ms"}
    unfelt = [
        {"check": "reached", "probe": name, "error": error} | PAUSED
        for name, error in {
            "inside": r"app\[1\] is paused",
            "worked": "no answer within 500ms",
            "live": "no .* within 500ms",
            "orders": "no answer within 500ms",
            "secure": "no end of the handshake within 500ms",
        }.items()
    ]
    return {
        "name": "probes",
        "stack": {"compose": str(CASE), "proxy": "all"},
        "probes": {name: every | one for name, one in PROBES.items()},
        "workloads": {
            "working": {
                "workload": "load",
                "rate": "20/s",
                "timeout": "500ms",
                "operations": {"work": {"http": "GET http://app:8000/work"}},
            }
        },
        "timeline": {
            "gate": {"for": "300ms", "within": "30s"},
            "baseline": "500ms",
            "faults": [fault("pause", "0s", "1200ms", service="app")],
            "settle": "1500ms",
        },
        "expect": [
            *({"check": "recovery", "probe": name, "within": "1500ms"} for name in PROBES),
            *unfelt,
            {"check": "value", "probe": "inside", "equals": 42},
            {"check": "value", "probe": "worked", "at_least": 10, "of": "last"},
            {"check": "certificate", "probe": "secure", "valid_for": "30d", "name": "a.example"},
            {"check": "certificate", "probe": "secure", "valid_for": "90d"},
            {"check": "reached", "service": "app", "log": "work 00-"},
            {"check": "reached", "edge": "app -> redis"},
            {"check": "availability", "workload": "working", "at_least": "100%"},
        ],
    }


def test_every_kind_of_probe_sees_a_service_and_says_what_a_fault_did_to_it(
    chaoskit: Chaoskit,
) -> None:
    run = chaoskit.run(scenario())
    failed = [one for one in run.result.checks if one.verdict is not Verdict.PASS]
    # The certificate lasts for 40 days, and operations had no answer while the service was paused.
    assert [(one.check, one.subject) for one in failed] == [
        ("certificate", "secure"),
        ("availability", "working"),
    ], run.output
    assert "for 40.0 days only" in (failed[0].reason or "")
    traces = {row["trace"]: row for row in run.rows("history.ndjson") if row.get("trace")}
    printed = re.findall(r"work 00-([0-9a-f]{32})-", (run.path / "logs" / "app.log").read_text())
    assert len(printed) > 20
    assert set(printed) <= set(traces)
    shown = re.findall(r"\(trace ([0-9a-f]{32})\)", "\n".join(failed[1].witness))
    assert shown
    assert set(shown) <= set(traces)
