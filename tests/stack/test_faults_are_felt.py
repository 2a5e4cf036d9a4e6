"""Every kind of fault, felt by a real client and gone after its heal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import median
from typing import Any

from tests.stack.running import Chaoskit, Run, available, chats, fault

EDGE = "chat-1 -> redis"


def failing(samples: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [sample for sample in samples if sample["outcome"] != "ok"]


def was_felt(run: Run, id: str) -> None:
    """The fault is proven with evidence, the client's probe noticed it, and was well again."""
    found = run.fault(id)
    assert found.proven, f"{id}: {found.reason}"
    assert found.evidence
    assert found.injected_at is not None
    assert found.healed_at is not None
    assert found.time_to_detect is not None, f"{id} was not noticed: {found.evidence}"
    assert found.time_to_detect < 5
    assert found.time_to_recover is not None, f"{id} was not recovered from"
    assert found.time_to_recover < 5


def test_faults_on_containers_are_felt_by_clients_and_healed(chaoskit: Chaoskit) -> None:
    run = chaoskit.run(
        chats(
            faults=[
                fault("restart", "0s", None, service="redis"),
                fault("kill", "4s", service="redis"),
                fault("stop", "8s", service="redis"),
                fault("pause", "12s", "2500ms", service="redis"),
            ],
            timeline={"settle": "2s"},
            expect=[
                {"check": "recovery", "probe": "one", "within": "10s"},
                {"check": "detection", "probe": "one", "within": "5s", "fault": "kill"},
                {"check": "recovery", "probe": "two", "within": "10s"},
                {"check": "stays_up", "service": "chat-1"},
            ],
        )
    )
    assert run.code == 0, run.output
    evidence = {fault.id: " ".join(fault.evidence) for fault in run.result.faults}
    assert "started" in evidence["restart"]
    assert "-> " in evidence["restart"]
    assert "redis-1 exited (137)" in evidence["kill"]
    assert "redis-1 exited (0)" in evidence["stop"]
    assert "redis-1 paused" in evidence["pause"]
    # A restart takes less than half a second: between two requests nobody need notice it.
    for id in ("kill", "stop", "pause"):
        was_felt(run, id)
        during = run.during(id, "one")
        assert len(failing(during)) == len(during) > 0, id
    words = " ".join(row["error"] for row in failing(run.during("kill", "one")))
    assert "503" in words
    # Docker's own events are in the record as well.
    actions = {
        row["action"]
        for row in run.rows("events.ndjson")
        if row["event"] == "container" and row["service"] == "redis"
    }
    assert {"kill", "die", "start", "pause", "unpause"} <= actions


def test_faults_on_an_edge_are_felt_by_its_client_alone_and_healed(chaoskit: Chaoskit) -> None:
    run = chaoskit.run(
        chats(
            stack={"proxy": "all"},  # the other client is behind proxies too, and must not notice
            faults=[
                fault("refuse", "0s", edge=EDGE),
                fault("blackhole", "3s", "2500ms", edge=EDGE),
                fault("partition", "8s", "2500ms", groups=[["chat-1"], ["redis"]], id="both"),
                fault(
                    "partition", "13s", "2500ms", **{"from": ["chat-1"], "to": ["redis"]}, id="out"
                ),
                fault(
                    "partition", "18s", "2500ms", **{"from": ["redis"], "to": ["chat-1"]}, id="back"
                ),
            ],
            timeline={"settle": "2s"},
            expect=[
                available("two"),
                {"check": "recovery", "probe": "one", "within": "10s"},
                {"check": "detection", "probe": "one", "within": "5s"},
            ],
        )
    )
    assert run.code == 0, run.output
    for found in run.result.faults:
        was_felt(run, found.id)
        assert any("redis PING through chat-1 -> redis" in one for one in found.evidence)
        during = run.during(found.id, "one")
        assert len(failing(during)) == len(during) > 0, found.id
        assert run.during(found.id, "two"), "the other client was watched meanwhile"
    assert "not listening: redis_6379" in run.fault("refuse").evidence
    for id in ("blackhole", "both", "out", "back"):
        assert "no answer in" in " ".join(run.fault(id).evidence), id
    observed = {(e.client, e.upstream): e.connections for e in run.result.stack.edges if e.proxied}
    assert observed["chat-1", "redis"]
    assert observed["chat-2", "redis"], "it uses its proxy by its own name for redis"


def test_overlapping_faults_on_one_edge_are_healed_one_by_one(chaoskit: Chaoskit) -> None:
    run = chaoskit.run(
        chats(
            faults=[
                fault("latency", "0s", "5s", edge=EDGE, delay="400ms", id="slow"),
                fault("refuse", "1s", "1s", edge=EDGE, id="shut"),
                fault("refuse", "1500ms", "1500ms", edge=EDGE, id="shut-too"),
            ],
            timeline={"settle": "2s"},
            expect=[available("two"), {"check": "recovery", "probe": "one", "within": "5s"}],
        )
    )
    assert run.code == 0, run.output
    slow, shut, too = run.fault("slow"), run.fault("shut"), run.fault("shut-too")
    assert shut.injected_at is not None
    assert slow.healed_at is not None
    assert too.healed_at is not None
    assert all(fault.proven for fault in (slow, shut, too))
    closed = run.samples("one", shut.injected_at + 0.3, too.healed_at - 0.3)
    assert len(failing(closed)) == len(closed) > 0, "one heal must not open what another holds shut"
    # The toxic outlives the refusals, and is gone after its own heal.
    slowly = spent(run.samples("one", too.healed_at + 0.5, slow.healed_at))
    assert slowly >= 0.38
    assert spent(run.samples("one", slow.healed_at + 0.5, slow.healed_at + 9)) < slowly - 0.2


def spent(samples: Iterable[Mapping[str, Any]]) -> float:
    """Return the median time of the good ones."""
    return median(float(s["done"] - s["sent"]) for s in samples if s["outcome"] == "ok")
