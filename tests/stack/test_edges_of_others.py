"""Stacks as other people write them: ports that nobody wrote down, and use that is no use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from chaoskit.records import Verdict
from tests.stack.running import STACKS, Chaoskit, Run, Scenario, available, docker, fault

CASES = STACKS.parent / "cases"
WEB = {"web": {"probe": "http", "url": "http://web:8000/", "every": "100ms", "timeout": "3s"}}
WELL_KNOWN = "chaoskit-test/redis:1"  # an image that is called as a well-known one


def on(case: str, faults: list[dict[str, Any]], **changes: Any) -> Scenario:
    """Return a scenario on the stack of a case."""
    scenario = {
        "name": case,
        "stack": {"compose": str(CASES / case / "compose.yaml")},
        "probes": WEB,
        "timeline": {
            "gate": {"for": "500ms", "within": "30s"},
            "baseline": "3s",
            "faults": faults,
            "settle": "1s",
        },
        "expect": [available("web", "99%")],
    }
    return scenario | changes


def said(run: Run, event: str) -> list[str]:
    """Return the texts of one sort of event."""
    return [row["text"] for row in run.rows("events.ndjson") if row["event"] == event]


@pytest.fixture(scope="module")
def _well_known_image() -> Iterator[None]:
    docker("tag", "chaoskit/lab:1", WELL_KNOWN)
    yield
    docker("rmi", WELL_KNOWN, check=False)


def test_ports_that_only_sockets_tell_are_served_and_faults_touch_them(chaoskit: Chaoskit) -> None:
    run = chaoskit.run(
        on(
            "unwritten-ports",
            [fault("latency", lasts="2s", edge="web -> api", delay="600ms", id="slow")],
            expect=[
                available("web", "99%"),
                {"check": "logs", "service": "web", "absent": "push failed"},
            ],
        )
    )
    assert run.code == 0, run.output
    evidence = " ".join(run.fault("slow").evidence)
    assert "web -> api:8000" in evidence
    assert "web -> api:8080" in evidence
    seen = {(e.client, e.upstream, e.port): e for e in run.result.stack.edges}
    assert seen["web", "api", 8080].evidence == "its sockets"
    assert seen["web", "api", 8080].connections


def test_a_partition_cuts_edges_whose_ports_nobody_wrote_down(chaoskit: Chaoskit) -> None:
    cut = fault("partition", lasts="3s", groups=[["web"], ["api", "redis", "jobs"]], id="cut")
    run = chaoskit.run(on("unwritten-ports", [cut]))
    assert run.code == 1, run.output
    assert run.fault("cut").proven
    assert "web -> api:8000 accepted" in " ".join(run.fault("cut").evidence)
    assert "`jobs` listens on no TCP port: there is no edge `web -> jobs`" in said(run, "note")


def test_a_fault_on_an_edge_that_listens_nowhere_is_an_error_before_anything_is_injected(
    chaoskit: Chaoskit,
) -> None:
    run = chaoskit.run(on("unwritten-ports", [fault("refuse", edge="web -> jobs")]))
    assert run.code == 3, run.output
    assert "no TCP port of `jobs` is known for `web -> jobs`" in (run.result.reason or "")
    assert "declare it under `stack.edges`" in (run.result.reason or "")
    assert not any(row["event"] == "fault_injected" for row in run.rows("events.ndjson"))


@pytest.mark.usefixtures("_well_known_image")
def test_ports_and_protocols_of_clients_urls_are_those_of_the_edges(chaoskit: Chaoskit) -> None:
    run = chaoskit.run(
        on(
            "ports-in-urls",
            [
                fault(
                    "latency", f"{at}s", "1s", edge=f"web -> {upstream}", delay="400ms", id=upstream
                )
                for at, upstream in ((0, "redis"), (2, "api"), (4, "events"))
            ],
        )
    )
    assert run.code == 0, run.output
    for upstream, said in (
        ("redis", "redis PING through web -> redis:6400"),
        ("api", "HTTP OPTIONS through web -> api:3000"),
        ("events", "HTTP OPTIONS through web -> events:8080"),
    ):
        assert any(said in sentence for sentence in run.fault(upstream).evidence)


def test_what_arrives_at_the_proxy_while_a_fault_is_in_force_is_use_and_nothing_else(
    chaoskit: Chaoskit,
) -> None:
    run = chaoskit.run(
        on(
            "use",
            [
                fault("refuse", "0s", "2s", edge="boot -> redis", id="boot"),
                fault("refuse", "0s", "2s", edge="short -> redis", id="short"),
                fault("latency", "0s", "2s", edge="dies -> redis", delay="400ms", id="dies"),
                fault("blackhole", "0s", "3s", edge="listens -> redis", id="listens"),
                fault("blackhole", "4s", "3s", edge="kept -> redis", id="kept"),
                fault("latency", "0s", "2s", edge="straight -> api", delay="600ms", id="straight"),
            ],
            probes={"kept": WEB["web"] | {"url": "http://kept:8000/", "timeout": "1s"}},
            expect=[available("kept", "10%")],
        )
    )
    assert run.code == 3, run.output
    assert run.result.verdict is Verdict.UNKNOWN
    proven = {one.id: one.proven for one in run.result.faults}
    assert proven == {
        "boot": False,
        "short": True,
        "dies": True,
        "listens": False,
        "kept": True,
        "straight": True,
    }, {one.id: one.reason for one in run.result.faults}
    assert run.fault("boot").reason == "nothing used boot -> redis while it was in force"
    assert run.fault("listens").reason == "nothing used listens -> redis while it was in force"
    assert any("short -> redis" in text for text in run.fault("short").evidence)
    assert "`straight` connected straight to `api`, around its proxy" in said(run, "run_unproven")


def test_what_the_client_s_own_traffic_cannot_feel_is_not_proven(chaoskit: Chaoskit) -> None:
    edge = {"edge": "web -> redis:6379"}
    run = chaoskit.run(
        on(
            "felt",
            [
                fault("latency", "0s", "1s", delay="1ms", id="noise", **edge),
                fault("truncate", "1500ms", "1500ms", bytes="100KB", id="large", **edge),
                fault("bandwidth", "4s", "1500ms", rate="50MB/s", id="fast", **edge),
                fault("drop_replies", "6500ms", "1s", fraction="1%", id="few", **edge),
                fault("truncate", "9s", "1s", bytes="50B", id="small", **edge),
            ],
            expect=[available("web", "50%")],
        )
    )
    assert run.code == 3, run.output
    reasons = {one.id: one.reason or "" for one in run.result.faults}
    assert "a delay of 1ms is below what can be told apart here" in reasons["noise"]
    assert "no connection of the client moved more than" in reasons["large"]
    assert "no connection of the client moved more than" in reasons["fast"]
    assert "that none was hit" in reasons["few"]
    assert reasons["small"] == ""
    assert said(run, "run_unproven") == [
        "`web` sent UDP to `redis` (port 8125), which no proxy passes"
    ]


def test_faults_on_edges_to_tls_servers_are_proven_by_a_handshake(chaoskit: Chaoskit) -> None:
    faults = [
        fault("latency", lasts="2s", edge="web -> api", delay="600ms", id="slow"),
        fault("blackhole", at="3s", lasts="2s", edge="web -> redis", id="hole"),
        fault("truncate", at="6s", lasts="2s", edge="web -> redis", bytes="50B", id="cut"),
    ]
    run = chaoskit.run(on("tls", faults, expect=[available("web", "20%")]))
    assert run.code == 0, run.output
    for name in ("slow", "hole", "cut"):
        assert run.fault(name).proven, run.output
        assert "TLS handshake" in " ".join(run.fault(name).evidence)
