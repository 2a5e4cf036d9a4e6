"""The overlay's text, parsed back by a loader that knows Compose's two tags."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml

from chaoskit.errors import UsageError
from chaoskit.fields import Target
from chaoskit.stack.edges import EdgeMap
from chaoskit.stack.overlay import Layout, build_layout
from chaoskit.stack.project import Project
from chaoskit.stack.uncopyable import uncopyable_things

MakeProject = Callable[..., Project]
REDIS = {"image": "redis:8"}
POSTGRES = {"image": "postgres:17"}


@dataclass(frozen=True)
class Tagged:
    tag: str
    value: Any


class Loader(yaml.SafeLoader):
    """Keeps `!reset` and `!override`."""


def _tagged(loader: yaml.SafeLoader, node: yaml.Node) -> Tagged:
    if isinstance(node, yaml.SequenceNode):
        return Tagged(node.tag, loader.construct_sequence(node))
    if isinstance(node, yaml.MappingNode):
        return Tagged(node.tag, loader.construct_mapping(node, deep=True))
    assert isinstance(node, yaml.ScalarNode)
    return Tagged(node.tag, loader.construct_scalar(node))


for tag in ("!reset", "!override"):
    Loader.add_constructor(tag, _tagged)


def layout(
    project: Project,
    edges: Sequence[tuple[str, str]] = (),
    targets: Sequence[Target] = (),
    **options: Any,
) -> tuple[Layout, dict[str, Any]]:
    known = EdgeMap(project, {})
    chosen = [edge for edge in known.edges if (edge.client, edge.upstream) in edges]
    assert len({(e.client, e.upstream) for e in chosen}) == len(edges)
    options = {"folder": Path("/runs/R1"), "image": "toxiproxy:2", **options}
    made = build_layout(project, edges=chosen, targets=targets, **options)
    return made, yaml.load(made.text, Loader)


def proxies(document: dict[str, Any], service: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(document["configs"][service]["content"])
    return found


def test_a_client_reaches_every_name_of_a_proxied_upstream_through_its_proxy(
    project: MakeProject,
) -> None:
    networks = {"back": {"aliases": ["kv"]}, "far": {"aliases": ["unseen"]}}
    redis = {**REDIS, "container_name": "the-cache", "hostname": "box", "networks": networks}
    made = project({"chat": {"networks": ["back"]}, "redis": redis})
    _, document = layout(made, [("chat", "redis")])
    assert document["services"]["chat"]["links"] == Tagged(
        "!override",
        [f"chaoskit-chat:{name}" for name in ("redis", "the-cache", "box", "kv")],
    )
    assert document["services"]["chat"]["depends_on"] == {
        "chaoskit-chat": {"condition": "service_started"}
    }


def test_a_proxy_joins_only_the_shared_networks(project: MakeProject) -> None:
    made = project({"chat": {"networks": ["a", "b"]}, "redis": {**REDIS, "networks": ["b", "c"]}})
    _, document = layout(made, [("chat", "redis")])
    assert document["services"]["chaoskit-chat"]["networks"] == ["b"]
    assert "chaoskit" not in document["networks"]


@pytest.mark.parametrize(
    "special",
    [
        {"internal": True},
        {"external": True, "name": "corp"},
        {"driver": "macvlan"},
        {"driver_opts": {"com.docker.network.bridge.enable_ip_masquerade": "false"}},
    ],
)
def test_it_joins_the_one_of_chaoskit_where_nothing_can_be_published_on_them(
    project: MakeProject, special: dict[str, Any]
) -> None:
    bodies = {"chat": {"networks": ["b"]}, "redis": {**REDIS, "networks": ["b"]}}
    made = project(bodies, networks={"b": special})
    _, document = layout(made, [("chat", "redis")])
    assert document["services"]["chaoskit-chat"]["networks"] == ["b", "chaoskit"]
    assert "internal" not in document["networks"]["chaoskit"]


def test_a_proxy_serves_its_upstream_s_ports_and_publishes_them_on_loopback_only(
    project: MakeProject,
) -> None:
    made = project({"chat": {}, "redis": {**REDIS, "expose": ["16379"]}})
    _, document = layout(made, [("chat", "redis")], felt=["redis"])
    proxy = document["services"]["chaoskit-chat"]
    assert proxy["image"] == "toxiproxy:2"
    assert "-host=0.0.0.0" in proxy["command"]
    assert proxy["ports"][:3] == ["127.0.0.1::8474", "127.0.0.1::6379", "127.0.0.1::16379"]
    assert proxies(document, "chaoskit-chat") == [
        {
            "name": f"redis_{port}",
            "listen": f"[::]:{port}",
            "upstream": f"redis:{port}",
            "enabled": True,
        }
        for port in (6379, 16379)
    ]


def test_ports_are_published_only_for_upstreams_whose_faults_are_felt(project: MakeProject) -> None:
    made = project({"chat": {}, "redis": REDIS, "db": POSTGRES})
    _, document = layout(made, [("chat", "redis"), ("chat", "db")], felt=["db"])
    proxy = document["services"]["chaoskit-chat"]
    spare = [f"127.0.0.1::{port}" for port in (29001, 29002, 29003)]
    assert proxy["ports"] == ["127.0.0.1::8474", "127.0.0.1::5432", *spare]
    assert len(proxies(document, "chaoskit-chat")) == 2


def test_two_upstreams_with_the_same_port_get_a_container_each(project: MakeProject) -> None:
    made = project({"chat": {}, "one": REDIS, "two": REDIS, "db": POSTGRES})
    made_layout, document = layout(made, [("chat", "one"), ("chat", "two"), ("chat", "db")])
    assert made_layout.services == ["chaoskit-chat", "chaoskit-chat-2"]
    assert {p["name"] for p in proxies(document, "chaoskit-chat")} == {"db_5432", "one_6379"}
    assert {p["name"] for p in proxies(document, "chaoskit-chat-2")} == {"two_6379"}
    links = document["services"]["chat"]["links"].value
    assert links == ["chaoskit-chat:db", "chaoskit-chat:one", "chaoskit-chat-2:two"]


def test_the_name_of_an_upstream_without_a_known_port_is_taken_over_all_the_same(
    project: MakeProject,
) -> None:
    made = project({"web": {"depends_on": {"api": {}}}, "api": {}, "redis": REDIS})
    _, document = layout(made, [("web", "api"), ("web", "redis")], felt=["web", "api"])
    proxy = document["services"]["chaoskit-web"]
    assert {p["name"] for p in proxies(document, "chaoskit-web")} == {"redis_6379"}
    assert document["services"]["web"]["links"].value == ["chaoskit-web:api", "chaoskit-web:redis"]
    assert json.loads(proxy["labels"]["io.chaoskit.upstreams"]) == ["api", "redis"]
    assert proxy["ports"][1:] == [f"127.0.0.1::{port}" for port in (29001, 29002, 29003)]


def test_each_client_gets_a_proxy_of_its_own(project: MakeProject) -> None:
    made = project({"a": {}, "b": {}, "redis": REDIS})
    made_layout, document = layout(made, [("a", "redis"), ("b", "redis")])
    assert made_layout.services == ["chaoskit-a", "chaoskit-b"]
    assert document["services"]["b"]["links"].value == ["chaoskit-b:redis"]


def test_a_user_s_own_links_point_at_the_proxy_or_stay_and_keep_the_start_order(
    project: MakeProject,
) -> None:
    chat = {
        "links": ["redis:store", "db:sql"],
        # As `docker compose config` prints it: links are folded in.
        "depends_on": {
            "redis": {"condition": "service_started", "restart": True},
            "db": {"condition": "service_healthy"},
        },
    }
    made = project({"chat": chat, "redis": REDIS, "db": POSTGRES})
    _, document = layout(made, [("chat", "redis")])
    body = document["services"]["chat"]
    assert body["links"].value == ["chaoskit-chat:redis", "chaoskit-chat:store", "db:sql"]
    assert body["depends_on"] == {
        "redis": {"condition": "service_started"},
        "db": {"condition": "service_healthy"},
        "chaoskit-chat": {"condition": "service_started"},
    }


def test_services_without_proxied_edges_keep_links_and_order_as_they_are(
    project: MakeProject,
) -> None:
    made = project({"chat": {"links": ["redis"]}, "redis": REDIS})
    _, document = layout(made)
    assert set(document["services"]["chat"]) == {"labels"}


def test_published_ports_are_taken_away_unless_they_are_to_stay(project: MakeProject) -> None:
    port = {"target": 80, "published": "8080", "protocol": "tcp"}
    made = project({"web": {"ports": [port]}, "quiet": {"expose": ["80"]}})
    _, document = layout(made)
    assert document["services"]["web"]["ports"] == Tagged("!reset", [])
    assert "ports" not in document["services"]["quiet"]
    _, document = layout(made, keep_ports=True)
    assert "ports" not in document["services"]["web"]


def test_a_container_name_becomes_an_alias_on_every_network(project: MakeProject) -> None:
    redis = {**REDIS, "container_name": "the-cache"}
    redis["networks"] = {"a": {"aliases": ["kv"]}, "b": None}  # type: ignore[assignment]  # JSON
    _, document = layout(project({"redis": redis}))
    body = document["services"]["redis"]
    assert body["container_name"].tag == "!reset"
    assert body["networks"] == {
        "a": {"aliases": ["kv", "the-cache"]},
        "b": {"aliases": ["the-cache"]},
    }


def test_networks_and_volumes_are_named_by_the_run_and_external_ones_left_alone(
    project: MakeProject,
) -> None:
    made = project(
        {"web": {"networks": ["front", "outer"]}},
        networks={"outer": {"name": "corp", "external": True}},
        volumes={"data": {"name": "my-data"}, "pg": {"name": "prod-pg", "external": True}},
    )
    _, document = layout(made)
    assert document["networks"]["front"]["name"] == "run-1_front"
    assert document["volumes"]["data"]["name"] == "run-1_data"
    assert "outer" not in document["networks"]
    assert "pg" not in document["volumes"]


def test_a_network_s_own_subnet_is_given_up_unless_a_service_has_a_fixed_address_in_it(
    project: MakeProject,
) -> None:
    pool = {"config": [{"subnet": "172.30.0.0/24"}]}
    made = project(
        {"web": {"networks": {"free": None, "fixed": {"ipv4_address": "172.30.0.9"}}}},
        networks={"free": {"name": "f", "ipam": pool}, "fixed": {"name": "g", "ipam": pool}},
    )
    _, document = layout(made)
    assert document["networks"]["free"]["ipam"].tag == "!reset"
    assert "ipam" not in document["networks"]["fixed"]


def test_everything_carries_the_labels_of_its_run(project: MakeProject) -> None:
    made = project({"web": {}, "redis": REDIS}, volumes={"data": {"name": "data"}})
    _, document = layout(made, [("web", "redis")], [Target("redis", 6379)])
    expected = {"io.chaoskit.run": "R1", "io.chaoskit.project": "run-1"}
    for sort in ("services", "networks", "volumes"):
        for name, body in document[sort].items():
            assert expected.items() <= body["labels"].items(), name


def test_the_gateway_reaches_each_target_once_whatever_its_protocol(project: MakeProject) -> None:
    made = project({"web": {"networks": ["a"]}, "redis": {**REDIS, "networks": ["b"]}})
    targets = [Target("redis", 6379, "redis"), Target("web", 80, "http"), Target("web", 80)]
    _, document = layout(made, [], targets)
    gateway = document["services"]["chaoskit-host"]
    assert gateway["networks"] == ["a", "b"]
    assert [(p["listen"], p["upstream"]) for p in proxies(document, "chaoskit-host")] == [
        ("[::]:20001", "redis:6379"),
        ("[::]:20002", "web:80"),
    ]
    assert gateway["labels"]["io.chaoskit.role"] == "gateway"


def test_labels_alone_tell_another_process_which_proxies_there_are(project: MakeProject) -> None:
    made = project({"chat": {}, "redis": REDIS})
    _, document = layout(made, [("chat", "redis")])
    labels = document["services"]["chaoskit-chat"]["labels"]
    assert json.loads(labels["io.chaoskit.proxies"]) == proxies(document, "chaoskit-chat")
    assert labels["io.chaoskit.client"] == "chat"


def test_a_service_that_is_built_runs_the_image_the_user_has_already(project: MakeProject) -> None:
    made = project({"web": {"build": {"context": "."}}, "named": {"build": {}, "image": "x"}})
    _, document = layout(made, user_project="shop")
    assert document["services"]["web"]["image"] == "shop-web"
    assert "image" not in document["services"]["named"]


def test_no_value_of_the_environment_is_written_into_it(project: MakeProject) -> None:
    secret = "s3cr3t-value"
    chat = {
        "environment": {"PASSWORD": secret, "URL": f"redis://:{secret}@redis"},
        "command": ["--pw", secret],
    }
    made, _ = layout(project({"chat": chat, "redis": REDIS}), [("chat", "redis")])
    assert secret not in made.text


def test_without_edges_and_targets_there_is_no_proxy(project: MakeProject) -> None:
    made, document = layout(project({"web": {}}))
    assert made.containers == ()
    assert "configs" not in document
    assert "volumes" not in document


@pytest.mark.parametrize(
    ("services", "says"),
    [
        ({"chat": {}, "redis": {"expose": ["8474"]}}, "serves port 8474"),
        ({"chat": {}, "redis": REDIS, "chaoskit-chat": {}}, "already has a service"),
        ({"chat": {"networks": ["chaoskit"]}, "redis": {**REDIS, "networks": ["chaoskit"]}},
         "already has a network"),
    ],
)  # fmt: skip
def test_names_and_ports_that_clash_with_the_proxies_are_refused(
    project: MakeProject, services: dict[str, Any], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        layout(project(services), [("chat", "redis")])


def test_a_name_with_capitals_is_taken_over_as_url_parsers_write_it_too(
    project: MakeProject,
) -> None:
    networks = {"back": {"aliases": ["Kv"]}}
    made = project({"web": {"networks": ["back"]}, "Cache": {**REDIS, "networks": networks}})
    _, document = layout(made, [("web", "Cache")])
    names = [link.split(":")[1] for link in document["services"]["web"]["links"].value]
    assert names == ["Cache", "Kv", "cache", "kv"]


def test_a_name_in_small_letters_stays_with_the_service_that_has_it(project: MakeProject) -> None:
    made = project({"web": {}, "Cache": REDIS, "cache": REDIS})
    _, document = layout(made, [("web", "Cache")])
    assert document["services"]["web"]["links"].value == ["chaoskit-web:Cache"]


def test_an_ipv6_network_gets_a_private_prefix_of_the_run_s_own(project: MakeProject) -> None:
    pool = {"config": [{"subnet": "fd00:ab:cd::/64"}]}
    six = {"enable_ipv6": True, "ipam": pool}
    made = project(
        {"web": {"networks": ["one", "two"]}},
        networks={"one": {"name": "a", **six}, "two": {"name": "b", "enable_ipv6": True}},
    )
    _, document = layout(made)
    found = [ip_network(_mapping(document, key)["config"][0]["subnet"]) for key in ("one", "two")]
    assert all(net.subnet_of(ip_network("fd00::/8")) and net.prefixlen == 64 for net in found)  # type: ignore[arg-type]  # both are IPv6
    assert len({*found, ip_network("fd00:ab:cd::/64")}) == 3


def _mapping(document: dict[str, Any], network: str) -> Any:
    tagged = document["networks"][network]["ipam"]
    assert tagged.tag == "!override"
    return tagged.value


def test_a_bridge_of_the_host_keeps_its_name_for_itself(project: MakeProject) -> None:
    options = {"com.docker.network.bridge.name": "br-shop", "mtu": "1400"}
    made = project(
        {"web": {"networks": ["net"]}}, networks={"net": {"name": "n", "driver_opts": options}}
    )
    _, document = layout(made)
    (option,) = document["networks"]["net"]["driver_opts"].items()
    assert option == ("com.docker.network.bridge.name", Tagged("!reset", "null"))


def test_a_service_is_left_out_of_waits_and_links_too(project: MakeProject) -> None:
    started = {"condition": "service_started", "required": True}
    healthy = {"condition": "service_healthy", "required": True}
    web = {"depends_on": {"traefik": started, "redis": healthy}, "links": ["traefik:edge", "db:d"]}
    made = project({"traefik": {}, "redis": REDIS, "db": {}, "web": web}).without(["traefik"])
    _, document = layout(made, [("web", "redis")])
    services = document["services"]
    assert services["traefik"] == {"profiles": Tagged("!override", ["chaoskit-left-out"])}
    assert services["web"]["links"] == Tagged("!override", ["chaoskit-web:redis", "db:d"])
    assert services["web"]["depends_on"].tag == "!override"
    assert services["web"]["depends_on"].value == {
        "redis": {"condition": "service_healthy"},
        "db": {"condition": "service_started"},
        "chaoskit-web": {"condition": "service_started"},
    }
    assert "depends_on" not in services["redis"]


@pytest.mark.parametrize(
    "body", [{"network_mode": "service:vpn"}, {"volumes_from": ["vpn:ro"]}, {"pid": "service:vpn"}]
)
def test_a_service_in_which_another_one_lives_cannot_be_left_out(
    project: MakeProject, body: dict[str, Any]
) -> None:
    made = project({"vpn": {}, "web": body})
    with pytest.raises(UsageError, match="cannot leave `vpn` out: `web` lives in it"):
        made.without(["vpn"])
    assert not made.without(["vpn", "web"]).services


def test_a_volume_of_the_run_takes_the_place_of_a_folder_wherever_it_is_mounted(
    project: MakeProject,
) -> None:
    def bind(source: str, target: str, read_only: bool = False) -> dict[str, Any]:
        return {"type": "bind", "source": source, "target": target, "read_only": read_only}

    db = {**POSTGRES, "volumes": [bind("/src/pg", "/data"), bind("/src/conf", "/conf", True)]}
    made = project({"db": db, "backup": {"volumes": [bind("/src/pg", "/from", True)]}})
    emptied = made.emptied(["/src/pg"])
    assert uncopyable_things(made, Path("/src"))
    assert uncopyable_things(emptied, Path("/src")) == []
    _, document = layout(emptied)
    own = {"type": "volume", "source": "chaoskit-empty-1"}
    services = document["services"]
    assert services["db"]["volumes"] == [{**own, "target": "/data", "read_only": False}]
    assert services["backup"]["volumes"] == [{**own, "target": "/from", "read_only": True}]
    volume = document["volumes"]["chaoskit-empty-1"]
    assert (volume["name"], volume["labels"]["io.chaoskit.run"]) == ("run-1_chaoskit-empty-1", "R1")
