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


def pairs(edges: EdgeMap) -> set[tuple[str, str, int]]:
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
    (edge,) = EdgeMap(made, {}).matching(Edge("a", "redis"))
    assert edge.evidence == evidence


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
        (Edge("redis", "a"), "known: none"),
        (Edge("host", "a"), "declare it under `stack.edges`"),
        (Edge("a", "nobody"), "no such service"),
        (Edge("far", "redis"), "share no network"),
        (Edge("hosty", "redis"), "`network_mode: host`, which cannot be proxied"),
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
        }
    )
    problem = EdgeMap(made, {}).problem(edge)
    assert problem is None if says is None else says in str(problem)
