"""Passes that would prove nothing: nobody looked, nobody felt it, or it was broken before."""

from __future__ import annotations

from typing import Any

from tests.stack.running import STACKS, Chaoskit, Run, Scenario, available, fault

COMPOSE = STACKS.parent / "cases/looks/compose.yaml"


def page(path: str, every: str = "100ms") -> dict[str, Any]:
    return {"probe": "http", "url": f"http://app:8000/{path}", "every": every, "timeout": "1s"}


def scenario(
    faults: list[dict[str, Any]],
    expect: list[dict[str, Any]],
    probes: dict[str, Any],
    baseline: str = "1s",
    **changes: Any,
) -> Scenario:
    return {
        "name": "looks",
        "stack": {"compose": str(COMPOSE)},
        "probes": probes,
        "timeline": {
            "gate": {"for": "300ms", "within": "30s"},
            "baseline": baseline,
            "faults": faults,
            "settle": "2s",
        },
        "expect": expect,
    } | changes


def test_a_restart_between_two_looks_is_unknown(chaoskit: Chaoskit) -> None:
    # The second look is long after Redis is back.
    probes = {"deep": page("deep", "8s"), "ok": page("ok")}
    recovery = {"check": "downtime", "probe": "deep", "at_most": "100ms"}
    gate = {"timeline": {"gate": {"for": "0s"}, "baseline": "1s", "settle": "8s"}}
    wanted = scenario([], [available("deep"), recovery], probes) | gate
    wanted["timeline"]["faults"] = [fault("restart", at="200ms", lasts=None, service="redis")]
    run = chaoskit.run(wanted)
    assert run.code == 3, run.output
    said = "no sample of probe `deep` was under way while fault `restart` was in force"
    assert [one.verdict for one in run.result.checks] == ["unknown", "unknown"]
    assert all(said in (one.reason or "") for one in run.result.checks)
    assert "[slow-probe]" in run.stderr


def test_what_nobody_felt_is_said_and_is_unknown_where_the_scenario_says_so(
    chaoskit: Chaoskit,
) -> None:
    frozen = [fault("pause", lasts="1s", service="lonely", id="frozen")]
    said = (
        "no probe or operation changed while `frozen` (pause lonely) was in force; "
        "nobody was connected to `lonely`"
    )
    run = _unfelt(chaoskit, scenario(frozen, [available("ok")], {"ok": page("ok")}))
    assert run.code == 0, run.output
    assert said in run.result.notes
    assert said in " ".join(run.output.split())
    strict = scenario(frozen, [available("ok")], {"ok": page("ok")}, fail_if_unfelt=True)
    run = _unfelt(chaoskit, strict)
    assert run.code == 3, run.output
    assert run.result.reason == said


def _unfelt(chaoskit: Chaoskit, wanted: Scenario) -> Run:
    """Run a scenario until its fault is not felt: a busy machine is slow now and then by itself."""
    for _ in range(4):
        run = chaoskit.run(wanted)
        if run.fault("frozen").felt is False:
            break
    return run


def test_a_fault_that_an_unjudged_probe_noticed_was_felt(chaoskit: Chaoskit) -> None:
    down = [fault("kill", lasts="1s", service="redis", id="down")]
    probes = {"ok": page("ok"), "deep": page("deep")}
    run = chaoskit.run(scenario(down, [available("ok")], probes, fail_if_unfelt=True))
    assert run.code == 0, run.output
    assert run.fault("down").felt is True


def test_who_was_connected_to_the_target_of_a_service_fault_is_counted(chaoskit: Chaoskit) -> None:
    frozen = [fault("pause", lasts="1s", service="app", id="frozen")]
    run = chaoskit.run(scenario(frozen, [available("ok", "10%")], {"ok": page("ok")}))
    (used,) = [row for row in run.rows("events.ndjson") if row["event"] == "service_used"]
    assert used["service"] == "app"
    assert used["connections"] > 0


def test_a_probe_that_broke_before_the_fault_makes_it_unknown_although_no_check_names_it(
    chaoskit: Chaoskit,
) -> None:
    down = [fault("kill", lasts="1s", service="redis", id="down")]
    probes = {"ok": page("ok"), "breaks": page("breaks")}
    run = chaoskit.run(scenario(down, [available("ok")], probes, baseline="4s"))
    assert run.code == 3, run.output
    reason = run.result.reason or ""
    assert reason.startswith("the steady state was lost before fault `down`: probe `breaks` was")


def test_a_probe_that_fails_by_itself_detects_nothing(chaoskit: Chaoskit) -> None:
    frozen = [fault("pause", lasts="3s", service="lonely", id="frozen")]
    detection = {"check": "detection", "probe": "blips", "within": "3s"}
    probes = {"blips": page("blips", "50ms")}
    # Between two blips the gate is met; the fault begins between two, or in the middle of one.
    run = chaoskit.run(scenario(frozen, [detection], probes, baseline="4s"))
    assert run.code == 3, run.output
    reason = run.result.reason or ""
    in_a_blip = "the steady state was lost before fault `frozen`: probe `blips` was failing"
    assert "without any fault" in run.output or reason.startswith(in_a_blip), run.output
