"""Which edges are possible, what points at them, why some cannot be proxied."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chaoskit.fields import Edge
from chaoskit.stack.edges import EdgeMap
from chaoskit.stack.project import Project

MakeProject = Callable[..., Project]
REDIS = {"image": "redis:8"}


def pairs(edges: EdgeMap) -> set[tuple[str, str, int | None]]:
    return {(edge.client, edge.upstream, edge.port) for edge in edges.edges}


def test_every_two_services_on_one_network_may_be_joined_on_every_known_port(
    project: MakeProject,
) -> None:
    made = project({"a": {"expose": ["80", "81"]}, "b": REDIS, "c": {"networks": ["other"]}})
    assert pairs(EdgeMap(made, {})) == {("b", "a", 80), ("b", "a", 81), ("a", "b", 6379)}


def test_declared_ports_and_ports_of_images_add_edges(project: MakeProject) -> None:
    made = project({"a": {}, "b": REDIS})
    edges = EdgeMap(made, {"b": [26379], "a": [80]})
    assert edges.ports == {"a": (80,), "b": (6379, 26379)}
    assert ("a", "b", 26379) in pairs(edges)


def test_an_edge_lists_only_the_networks_that_both_ends_share(project: MakeProject) -> None:
    made = project({"a": {"networks": ["x", "y"]}, "b": {**REDIS, "networks": ["y", "z"]}})
    (edge,) = EdgeMap(made, {}).edges
    assert edge.networks == ("y",)


def test_edges_that_something_points_at_come_first(project: MakeProject) -> None:
    made = project({"a": {}, "b": REDIS, "z": {"depends_on": {"b": {}}}})
    assert [(e.client, e.evidence) for e in EdgeMap(made, {}).edges] == [
        ("z", "depends_on"),
        ("a", None),
    ]


@pytest.mark.parametrize(
    ("client", "evidence"),
    [
        ({"depends_on": {"redis": {"condition": "service_healthy"}}}, "depends_on"),
        ({"links": ["redis:store"]}, "links"),
        ({"environment": {"REDIS_URL": "redis://redis:6379/0"}}, "environment REDIS_URL"),
        ({"environment": {"X": "redis://:secret@redis/0"}}, "environment X"),
        ({"environment": {"X": "redis://redis:redis@redis:6379"}}, "environment X"),
        ({"environment": {"REDIS_HOST": "redis"}}, "environment REDIS_HOST"),
        ({"environment": {"X": "redis:6379"}}, "environment X"),
        ({"environment": {"NODES": "other:1,redis:6379"}}, "environment NODES"),
        ({"environment": {"X": "the-cache:6379"}}, "environment X"),
        ({"environment": {"X": "dns:///redis:6379"}}, "environment X"),
        ({"command": ["serve", "--cache=redis:6379"]}, "command"),
        ({"entrypoint": ["wait-for", "redis:6379", "--"]}, "command"),
        ({"environment": {"X": "redis-cache:6379"}}, None),
        ({"environment": {"X": "myredis:6379"}}, None),
        ({"environment": {"X": "redis.example.com:6379"}}, None),
        ({"environment": {"X": "eu.redis:6379"}}, None),
        ({"environment": {"X": "redis2:6379"}}, None),
        ({"environment": {"MODE": "redis"}}, None),
        ({"environment": {"X": "postgres://redis@db/app"}}, None),
        ({"environment": {"X": "postgres://app:redis@db/app"}}, None),
        ({"environment": {"X": "postgres://db/redis"}}, None),
        ({"environment": {"DATA": "/var/lib/redis/data"}}, None),
        ({"command": ["--dir", "/var/lib/redis"]}, None),
        ({}, None),
    ],
)
def test_evidence_is_a_whole_host_name_and_nothing_less(
    project: MakeProject, client: dict[str, Any], evidence: str | None
) -> None:
    made = project({"a": client, "redis": {**REDIS, "container_name": "the-cache"}})
    edge, *_ = EdgeMap(made, {}).matching(Edge("a", "redis"))
    assert edge.evidence == evidence


@pytest.mark.parametrize(
    ("client", "port", "protocol"),
    [
        ({"environment": {"X": "http://api:8000/"}}, 8000, "http"),
        ({"environment": {"X": "http://api/"}}, 80, "http"),
        ({"environment": {"X": "https://api/v1"}}, 443, "tls"),
        ({"environment": {"X": "ws://api:9000/live"}}, 9000, "http"),
        ({"environment": {"X": "redis://:secret@api:6400/0"}}, 6400, "redis"),
        ({"environment": {"X": "postgresql+asyncpg://u:p@api/db"}}, 5432, "postgres"),
        ({"environment": {"X": "mongodb://other:1,api:27018/db"}}, 27018, "tcp"),
        ({"environment": {"X": "api:9100"}}, 9100, None),
        ({"environment": {"X": "other:1, api:9100"}}, 9100, None),
        ({"environment": {"API_HOST": "api", "API_PORT": "9100"}}, 9100, None),
        ({"environment": {"PGHOST": "api", "PGPORT": "6432"}}, 6432, None),
        ({"environment": {"API_SERVER": "api", "API_PORT": "nine"}}, None, None),
        ({"command": ["wait-for", "api:9100"]}, 9100, None),
        ({"command": ["serve", "--upstream=api:3000"]}, 3000, None),
        ({"command": ["sh", "-c", "redis-cli -h api -p 6400 ping"]}, 6400, None),
        ({"command": ["redis-cli", "-h", "api", "-p", "6400"]}, 6400, None),
        ({"command": ["python3", "-c", 'urlopen("http://api:9100/")']}, 9100, "http"),
        ({"environment": {"API_IMAGE": "api:8"}}, None, None),
        ({"environment": {"X": "api:8"}}, None, None),
        ({"environment": {"X": "api:9100.5"}}, None, None),
        ({"environment": {"X": "api:70000"}}, None, None),
        ({"environment": {"X": "http://other/?next=api"}}, None, None),
        ({"depends_on": {"api": {}}}, None, None),
    ],
)
def test_ports_and_protocols_stand_in_urls_addresses_and_options_of_clients(
    project: MakeProject, client: dict[str, Any], port: int | None, protocol: str | None
) -> None:
    edges = EdgeMap(project({"web": client, "api": {}}), {})
    (edge,) = edges.matching(Edge("web", "api"))
    assert edge.port == port
    assert edges.protocols == ({} if protocol is None else {("api", port): protocol})


def test_every_port_that_a_client_names_is_an_edge_and_says_where_it_stands(
    project: MakeProject,
) -> None:
    client = {
        "environment": {"API": "http://api:8000/", "METRICS": "api:9100"},
        "depends_on": {"api": {}},
    }
    edges = EdgeMap(project({"web": client, "api": {"expose": ["7000"]}}), {})
    found = [(edge.port, edge.evidence) for edge in edges.matching(Edge("web", "api"))]
    assert found == [
        (7000, "depends_on"),
        (8000, "environment API"),
        (9100, "environment METRICS"),
    ]


def test_the_usual_port_of_an_image_yields_to_the_one_that_its_clients_name(
    project: MakeProject,
) -> None:
    client = {"environment": {"REDIS_URL": "redis://redis:6400/0"}}
    made = project({"web": client, "other": {}, "redis": REDIS, "spare": REDIS})
    ports = EdgeMap(made, {}).ports
    assert ports["redis"] == (6400,)
    assert ports["spare"] == (6379,)
    assert EdgeMap(made, {"redis": [6379]}).ports["redis"] == (6379, 6400)


def test_an_edge_whose_port_nothing_tells_is_there_when_something_points_to_it(
    project: MakeProject,
) -> None:
    made = project({"web": {"depends_on": {"api": {}}}, "api": {}, "far": {"networks": ["x"]}})
    edges = EdgeMap(made, {})
    assert pairs(edges) == {("web", "api", None)}
    assert edges.joined() == {("web", "api"), ("api", "web")}
    assert not edges.named("web", "api")
    named = EdgeMap(project({"web": {"environment": {"API_URL": "api"}}, "api": {}}), {})
    assert named.named("web", "api")


def test_udp_is_known_from_what_is_served_and_from_urls(project: MakeProject) -> None:
    dns = {"expose": ["53/udp", "53"]}
    made = project({"web": {"environment": {"S": "udp://stats:8125"}}, "dns": dns, "stats": {}})
    edges = EdgeMap(made, {})
    assert edges.udp("web", "dns")
    assert edges.udp("web", "stats")
    assert not edges.udp("dns", "stats")
    assert ("web", "stats", 8125) not in pairs(edges)


def test_a_fixed_address_in_the_environment_cannot_be_proxied(project: MakeProject) -> None:
    redis = {**REDIS, "networks": {"default": {"ipv4_address": "172.30.0.9"}}}
    made = project({"a": {"environment": {"REDIS": "172.30.0.9:6379"}}, "b": {}, "redis": redis})
    edges = EdgeMap(made, {})
    assert "by its fixed IP 172.30.0.9" in str(edges.problem(Edge("a", "redis")))
    assert edges.problem(Edge("b", "redis")) is None


@pytest.mark.parametrize(
    ("edge", "says"),
    [
        (Edge("a", "redis"), None),
        (Edge("a", "redis", 6379), None),
        (Edge("host", "redis"), None),
        (Edge("a", "redis", 7), "known: 6379"),
        (Edge("redis", "a"), None),
        (Edge("redis", "a", 7), "known: none"),
        (Edge("host", "a"), "declare it under `stack.edges`"),
        (Edge("a", "nobody"), "no such service"),
        (Edge("far", "redis"), "share no network"),
        (Edge("hosty", "redis"), "`network_mode: host`, which cannot be proxied"),
        (Edge("side", "redis"), "has the network of `a` (`service:a`): write `a -> redis`"),
        (Edge("redis", "side"), "has the network of `a` (`service:a`): write `redis -> a`"),
        (Edge("side", "a"), "`side` and `a` have one network"),
        (Edge("a", "side"), "`side` and `a` have one network"),
    ],
)
def test_what_is_wrong_with_an_edge_is_said_in_one_sentence(
    project: MakeProject, edge: Edge, says: str | None
) -> None:
    made = project(
        {
            "a": {},
            "redis": REDIS,
            "far": {"networks": ["elsewhere"]},
            "hosty": {"network_mode": "host"},
            "side": {"network_mode": "service:a"},
        }
    )
    problem = EdgeMap(made, {}).problem(edge)
    assert problem is None if says is None else says in str(problem)
