"""What nobody answered is named with what was asked, without its secrets."""

from __future__ import annotations

from chaoskit.judge.silent import silent
from chaoskit.probes.http import HttpProbe
from chaoskit.records import Event, Evidence, Sample
from chaoskit.scenario.document import Scenario, scenario_model
from chaoskit.secrets import Redactor, passwords_in

URL = "http://ann:s3cret-pass@web:80/menbers?token=f00-barbaz1"


def scenario() -> Scenario:
    document = {
        "name": "small",
        "stack": {"compose": "compose.yaml"},
        "probes": {"web": {"probe": "http", "url": "http://web:80/"}},
        "workloads": {
            "members": {
                "workload": "set",
                "rate": "5/s",
                "add": {"http": f"POST {URL}", "json": {"id": "{value}"}},
                "read": {"http": "GET http://web:80/members", "values": "$[*]"},
            }
        },
        "timeline": {"faults": []},
        "expect": [{"check": "no_loss", "workload": "members"}],
    }
    return scenario_model().model_validate(document)


def test_a_workload_without_any_success_shows_what_was_asked_and_answered() -> None:
    invoked = Event(1.0, "invoke", 0, "members", "add", None, 1, 0)
    refused = Event(1.1, "fail", 0, "members", "add", None, 1, 0, error="status 404")
    good = [Sample("web", 0.0, 0.0, 0.1, "ok", None)]
    evidence = Evidence((), (), samples={"web": good}, history={"members": [invoked, refused]})
    (said,) = silent(scenario(), evidence)
    assert said == (
        "workload `members` had no successful operation (status 404, POST"
        " http://ann:***@web:80/menbers?token=f00-barbaz1)"
    )
    assert "?token=***)" in Redactor(passwords_in(URL)).clean(said)


def test_what_a_probe_asks_for_is_shown_without_its_password() -> None:
    probe = HttpProbe.model_validate({"probe": "http", "method": "HEAD", "url": URL})
    assert probe.asks() == "HEAD http://ann:***@web:80/menbers?token=f00-barbaz1"
