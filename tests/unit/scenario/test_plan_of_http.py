"""What HTTP faults and moved addresses need of the stack, found before anything starts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from chaoskit.errors import ScenarioInvalid
from chaoskit.fields import Edge
from chaoskit.plan.plan import Plan, make_plan
from chaoskit.scenario.loading import load

WEB = {"image": "nothing:1", "environment": {"API": "http://api:8080", "DB": "redis://db:6379"}}


async def plan(
    directory: Path, faults: list[dict[str, Any]], stack: dict[str, Any] | None = None
) -> Plan:
    services = {
        "web": WEB,
        "api": {"image": "nothing:1", "expose": ["8080"]},
        "db": {"image": "redis:8", "expose": ["6379"]},
        "bank": {"image": "nothing:1", "expose": ["443"]},
        "mute": {"image": "nothing:1"},
    }
    (directory / "compose.yaml").write_text(yaml.safe_dump({"services": services}))
    scenario = {
        "name": "http",
        "stack": {"compose": "compose.yaml", **(stack or {})},
        "probes": {"web": {"probe": "http", "url": "http://web:80/"}},
        "timeline": {"faults": faults},
        "expect": [{"check": "availability", "probe": "web", "at_least": "99%"}],
    }
    (directory / "s.yaml").write_text(yaml.safe_dump(scenario))
    return await make_plan(load(directory / "s.yaml", {}), run_project="run-1")


def error_on(edge: str) -> dict[str, Any]:
    return {"fault": "http_error", "edge": edge, "status": 503}


async def test_only_the_edges_of_http_faults_go_through_a_relay(tmp_path: Path) -> None:
    slow = {"fault": "latency", "edge": "web -> db", "delay": "100ms"}
    made = await plan(tmp_path, [error_on("web -> api"), error_on("host -> web"), slow])
    assert made.relayed == {Edge("web", "api", 8080), Edge("host", "web", 80)}
    text = made.layout(tmp_path / "run", "toxiproxy").text
    overlay = yaml.safe_load(re.sub(r"!(override|reset)\b", "", text))
    relay = overlay["services"]["chaoskit-web.http"]
    assert relay["network_mode"] == "service:chaoskit-web"
    assert "28000" in relay["command"]
    assert "chaoskit-host.http" in overlay["services"]


@pytest.mark.parametrize(
    ("edge", "why"),
    [
        ("web -> db", "speaks redis"),
        ("web -> bank", "speaks TLS"),
        ("web -> mute", "no port of `mute` is known"),
    ],
)
async def test_what_no_http_fault_can_act_on_is_refused_with_its_line(
    tmp_path: Path, edge: str, why: str
) -> None:
    with pytest.raises(ScenarioInvalid) as caught:
        await plan(tmp_path, [error_on(edge)])
    (problem,) = caught.value.problems
    assert why in problem.message
    assert problem.line is not None


async def test_edges_to_a_service_that_moves_get_no_proxy_of_their_own(tmp_path: Path) -> None:
    moves = {"fault": "readdress", "service": "api", "for": "1s"}
    made = await plan(tmp_path, [moves], {"proxy": "all"})
    assert all(edge.upstream != "api" for edge in made.proxied)
    assert any(edge.upstream == "db" for edge in made.proxied)
    made = await plan(tmp_path, [moves, error_on("web -> api")], {"proxy": "all"})
    assert [edge.client for edge in made.proxied if edge.upstream == "api"] == ["web"]


async def test_a_native_edge_has_no_proxy_and_a_fault_that_needs_one_is_refused(
    tmp_path: Path,
) -> None:
    made = await plan(tmp_path, [], {"proxy": "all", "native": ["web -> db"]})
    assert not any(edge.pair == ("web", "db") for edge in made.proxied)
    with pytest.raises(ScenarioInvalid, match="needs a proxy") as caught:
        await plan(tmp_path, [error_on("web -> api")], {"native": ["web -> api"]})
    assert "which is under `stack.native`" in caught.value.problems[0].message


async def test_the_host_is_no_service_that_could_be_moved(tmp_path: Path) -> None:
    with pytest.raises(ScenarioInvalid, match="no service `host`"):
        await plan(tmp_path, [{"fault": "readdress", "service": "host"}])
