"""The real `docker compose config` accepts our overlay and makes of it what we meant."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chaoskit.docker.compose_cli import Compose, version
from chaoskit.fields import Target
from chaoskit.stack.edges import EdgeMap
from chaoskit.stack.overlay import build_layout
from chaoskit.stack.project import parse

USER = """
name: shop
services:
  web:
    image: nginx:1.27
    ports: ["127.0.0.1:8080:80"]
    links: ["cache:store", "db"]
    depends_on: {cache: {condition: service_healthy}}
    networks: {back: }
    volumes: ["data:/data"]
    environment: {PASSWORD: s3cr3t-value}
  cache:
    image: redis:8
    container_name: the-cache
    expose: ["6379"]
    networks: {back: {aliases: [kv]}}
    healthcheck: {test: "true"}
  db: {image: "postgres:17", networks: [back]}
  side: {image: busybox, network_mode: "service:web", container_name: the-side}
  plain: {build: .}
networks:
  back: {internal: true, ipam: {config: [{subnet: 172.30.0.0/24}]}}
  outer: {external: true, name: corp}
volumes: {data: {name: my-data}}
"""


@pytest.fixture
async def config(tmp_path: Path) -> dict[str, Any]:
    """The user's file and our overlay together, as Compose resolves them."""
    user = tmp_path / "compose.yaml"
    user.write_text(USER)
    project = parse(await Compose((user,), "run-1").config())
    edges = EdgeMap(project, {})
    layout = build_layout(
        project,
        folder=Path("/runs/R1"),
        edges=[e for e in edges.edges if e.client == "web" and e.upstream in ("cache", "db")],
        targets=[Target("web", 80, "http"), Target("plain", 8000)],
        image="chaoskit/toxiproxy:2.12.0",
        user_project="shop",
    )
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(layout.text)
    resolved: dict[str, Any] = dict(await Compose((user, overlay), "run-1").config())
    return resolved


async def test_every_name_of_an_upstream_leads_to_the_proxy(config: dict[str, Any]) -> None:
    assert config["services"]["web"]["links"] == [
        f"chaoskit-web:{name}" for name in ("cache", "the-cache", "kv", "store", "db")
    ]


async def test_the_start_order_of_the_user_s_links_and_conditions_survives(
    config: dict[str, Any],
) -> None:
    order = config["services"]["web"]["depends_on"]
    assert {name: body["condition"] for name, body in order.items()} == {
        "cache": "service_healthy",
        "db": "service_started",
        "chaoskit-web": "service_started",
    }


async def test_nothing_of_the_copy_has_a_name_or_a_port_of_the_user_s_own(
    config: dict[str, Any],
) -> None:
    services = config["services"]
    assert not any("container_name" in body for body in services.values())
    assert services["cache"]["networks"]["back"]["aliases"] == ["kv", "the-cache"]
    published = {
        (port["host_ip"], port.get("published"))
        for body in services.values()
        for port in body.get("ports") or ()
    }
    assert published == {("127.0.0.1", None)}
    assert config["volumes"]["data"]["name"] == "run-1_data"
    assert config["networks"]["back"]["name"] == "run-1_back"
    assert not config["networks"]["back"].get("ipam", {}).get("config")
    assert config["networks"]["back"]["internal"]


async def test_a_service_without_a_network_of_its_own_stays_so(config: dict[str, Any]) -> None:
    side = config["services"]["side"]
    assert side["network_mode"] == "service:web"
    assert not side.get("networks")


async def test_what_is_built_runs_the_image_of_the_user_s_project(config: dict[str, Any]) -> None:
    assert config["services"]["plain"]["image"] == "shop-plain"


async def test_proxies_get_their_config_and_their_networks(config: dict[str, Any]) -> None:
    proxy = config["services"]["chaoskit-web"]
    assert set(proxy["networks"]) == {"back", "chaoskit"}
    definitions = json.loads(config["configs"]["chaoskit-web"]["content"])
    assert {d["upstream"] for d in definitions} == {"cache:6379", "db:5432"}
    assert set(config["services"]["chaoskit-host"]["networks"]) == {"back", "default"}


AWKWARD = """
name: shop
services:
  traefik: {image: traefik, ports: ["80:80"]}
  web: {image: nginx, depends_on: [traefik, db], links: [traefik], networks: [six]}
  db: {image: "postgres:17", volumes: ["./pg:/data", "./conf:/conf:ro"], networks: [six]}
networks:
  six:
    enable_ipv6: true
    ipam: {config: [{subnet: "fd00:ab:cd::/64"}, {subnet: 172.30.0.0/24}]}
    driver_opts: {com.docker.network.bridge.name: br-shop, com.docker.network.driver.mtu: "1400"}
"""


async def test_what_is_left_out_emptied_and_readdressed_is_so_for_compose_too(
    tmp_path: Path,
) -> None:
    user, overlay = tmp_path / "compose.yaml", tmp_path / "overlay.yaml"
    user.write_text(AWKWARD)
    project = parse(await Compose((user,), "run-1").config())
    project = project.without(["traefik"]).emptied([str(tmp_path / "pg")])
    layout = build_layout(project, folder=Path("/runs/R1"), edges=[], targets=[], image="toxiproxy")
    overlay.write_text(layout.text)
    found: dict[str, Any] = dict(await Compose((user, overlay), "run-1").config())
    services, six = found["services"], found["networks"]["six"]
    assert set(services) == {"web", "db"}
    assert set(services["web"]["depends_on"]) == {"db"}
    assert not services["web"].get("links")
    mounts = {
        mount["target"]: (mount["type"], mount["source"]) for mount in services["db"]["volumes"]
    }
    assert mounts == {
        "/data": ("volume", "chaoskit-empty-1"),
        "/conf": ("bind", str(tmp_path / "conf")),
    }
    assert found["volumes"]["chaoskit-empty-1"]["name"] == "run-1_chaoskit-empty-1"
    (pool,) = six["ipam"]["config"]
    assert pool["subnet"].startswith("fd")
    assert pool["subnet"] != "fd00:ab:cd::/64"
    assert six["driver_opts"] == {"com.docker.network.driver.mtu": "1400"}


async def test_the_version_that_runs_here_is_new_enough_for_the_tags() -> None:
    assert await version()
