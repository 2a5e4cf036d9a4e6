"""HTTP faults on unmodified services: what clients get, what is proven, and what is left alone."""

from __future__ import annotations

from tests.stack.running import Chaoskit, available, chats, fault

EDGE = "host -> chat-1:8000"


def test_requests_are_answered_with_errors_as_asked_and_others_are_left_alone(
    chaoskit: Chaoskit,
) -> None:
    probe = {"probe": "http", "every": "50ms", "timeout": "2s"}
    run = chaoskit.run(
        chats(
            probes={
                "hit": probe | {"url": "http://chat-1:8000/ping"},
                "path": probe | {"url": "http://chat-1:8000/healthz"},
                "other": probe | {"url": "http://chat-2:8000/ping"},
            },
            faults=[
                fault(
                    "http_error",
                    lasts="2s",
                    edge=EDGE,
                    status=503,
                    every=2,
                    match={"path": "/ping"},
                    headers={"Retry-After": "1"},
                    id="errors",
                ),
                fault("latency", lasts="2s", edge=EDGE, delay="150ms", id="slow"),
            ],
            expect=[available("hit"), available("path"), available("other")],
        )
    )
    assert run.code == 1, run.output
    assert [one.verdict for one in run.result.checks] == ["fail", "pass", "pass"]
    assert all(one.proven for one in run.result.faults), run.output
    during = run.during("errors", "hit")
    bad = [row for row in during if row["outcome"] != "ok"]
    assert abs(len(bad) - len(during) / 2) <= 2, run.output
    assert all("503" in str(row) for row in bad)
    assert min(row["done"] - row["sent"] for row in bad) > 0.1, "both faults act on one edge"
    said = run.fault("errors").evidence
    assert "requests /ping were answered with 503" in " ".join(said)
    healed_at = run.fault("errors").healed_at
    assert healed_at is not None
    after = run.samples("hit", healed_at + 0.5, 1e9)
    assert after
    assert all(row["outcome"] == "ok" for row in after)


def test_a_rule_that_matches_nothing_is_not_proven(chaoskit: Chaoskit) -> None:
    lost = fault("http_lost_reply", edge=EDGE, match={"method": "POST"}, id="lost")
    run = chaoskit.run(chats(faults=[lost]))
    assert run.code == 3, run.output
    reason = run.fault("lost").reason or ""
    assert "nobody felt it: no request matched" in reason
