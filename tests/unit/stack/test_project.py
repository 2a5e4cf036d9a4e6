"""Reading what `docker compose config --format json` prints (2.26, copied from its output)."""

from __future__ import annotations

import json

import pytest

from chaoskit.ports import ports_of_image
from chaoskit.stack.project import Attachment, Link, Mount, Project, parse

CONFIG = """
{
  "name": "shop",
  "networks": {
    "back": {"name": "shop_back", "ipam": {"config": [{"subnet": "172.30.0.0/24"}]},
             "internal": true},
    "default": {"name": "shop_default", "ipam": {}},
    "front": {"name": "shop_front", "ipam": {}},
    "outer": {"name": "corp", "ipam": {}, "external": true}
  },
  "services": {
    "cache": {"command": null, "container_name": "the-cache", "entrypoint": null,
              "hostname": "cachehost", "image": "redis:7",
              "networks": {"back": null, "front": null}},
    "db": {"command": null, "entrypoint": null, "image": "postgres:17",
           "networks": {"back": null}, "scale": 2},
    "hosty": {"command": null, "entrypoint": null, "image": "busybox", "network_mode": "host"},
    "plain": {"build": {"context": "/src", "dockerfile": "Dockerfile"}, "command": null,
              "entrypoint": null, "networks": {"default": null}},
    "side": {"command": null, "entrypoint": null, "image": "busybox",
             "depends_on": {"web": {"condition": "service_started", "restart": true,
                                    "required": true}},
             "network_mode": "service:web"},
    "web": {
      "command": ["run", "--redis", "redis://cache:6379"],
      "depends_on": {"cache": {"condition": "service_healthy", "required": true},
                     "db": {"condition": "service_started", "restart": true, "required": true}},
      "deploy": {"replicas": 3, "resources": {}, "placement": {}},
      "devices": [{"source": "/dev/null", "target": "/dev/xnull", "permissions": "rwm"}],
      "entrypoint": null,
      "environment": {"A": "1", "EMPTY": null},
      "expose": ["9000", "9001/udp", "9010-9012", "7000/tcp"],
      "image": "nginx:1.27",
      "links": ["cache:store", "db"],
      "networks": {"back": {"ipv4_address": "172.30.0.9"}, "front": {"aliases": ["www"]}},
      "ports": [
        {"mode": "ingress", "host_ip": "127.0.0.1", "target": 80, "published": "8080",
         "protocol": "tcp"},
        {"mode": "ingress", "target": 53, "published": "5353", "protocol": "udp"}],
      "volumes": [
        {"type": "bind", "source": "/src/ro", "target": "/ro", "read_only": true,
         "bind": {"create_host_path": true}},
        {"type": "volume", "source": "vol", "target": "/v", "volume": {}}]
    }
  },
  "volumes": {"vol": {"name": "shop_vol"}, "ext": {"name": "ext", "external": true}}
}
"""


@pytest.fixture(scope="module")
def shop() -> Project:
    return parse(json.loads(CONFIG))


def test_it_knows_the_tcp_ports_a_service_publishes_or_exposes(shop: Project) -> None:
    assert shop.services["web"].ports == (80, 7000, 9000, 9010, 9011, 9012)
    assert shop.services["web"].publishes
    assert shop.services["cache"].ports == ()
    assert not shop.services["cache"].publishes


def test_it_knows_networks_aliases_and_fixed_addresses(shop: Project) -> None:
    assert shop.services["web"].attachments == (
        Attachment("back", (), "172.30.0.9"),
        Attachment("front", ("www",), None),
    )
    assert shop.services["plain"].networks == ("default",)


def test_a_service_without_networks_is_on_the_default_one() -> None:
    project = parse({"name": "x", "services": {"a": {"image": "busybox"}}})
    assert project.services["a"].networks == ("default",)


@pytest.mark.parametrize(("name", "mode"), [("hosty", "host"), ("side", "service:web")])
def test_a_service_with_a_network_mode_is_on_no_network(
    shop: Project, name: str, mode: str
) -> None:
    assert shop.services[name].networks == ()
    assert shop.services[name].network_mode == mode


def test_it_knows_links_and_what_a_service_depends_on(shop: Project) -> None:
    web = shop.services["web"]
    assert web.links == (Link("cache", "store"), Link("db", "db"))
    assert web.depends_on == {"cache": "service_healthy", "db": "service_started"}


def test_it_counts_replicas_by_deploy_or_scale(shop: Project) -> None:
    assert {name: s.replicas for name, s in shop.services.items() if s.replicas > 1} == {
        "web": 3,
        "db": 2,
    }


def test_it_leaves_out_environment_without_a_value(shop: Project) -> None:
    assert shop.services["web"].environment == {"A": "1"}


def test_it_knows_mounts_and_devices(shop: Project) -> None:
    web = shop.services["web"]
    assert web.mounts == (
        Mount("bind", "/src/ro", "/ro", True),
        Mount("volume", "vol", "/v", False),
    )
    assert web.devices == ("/dev/null",)


def test_it_knows_what_is_external_and_addressed(shop: Project) -> None:
    assert shop.networks["outer"].external
    assert shop.networks["outer"].name == "corp"
    assert shop.networks["back"].subnets
    assert not shop.networks["front"].subnets
    assert shop.volumes["ext"].external


def test_every_name_of_a_service_is_known_to_others_on_its_networks(shop: Project) -> None:
    assert shop.services["cache"].names_on(["back"]) == ("cache", "the-cache", "cachehost")
    assert shop.services["web"].names_on(["front"]) == ("web", "www")
    assert shop.services["web"].names_on(["back"]) == ("web",)


@pytest.mark.parametrize("command", ["redis-server --port 1", ["redis-server", "--port", "1"]])
def test_a_command_may_be_text_or_words(command: str | list[str]) -> None:
    project = parse({"name": "x", "services": {"a": {"command": command, "entrypoint": "/run"}}})
    assert " ".join(project.services["a"].words) == "redis-server --port 1 /run"


@pytest.mark.parametrize("devices", [["/dev/fuse:/dev/fuse:rwm"], [{"source": "/dev/fuse"}]])
def test_a_device_may_be_text_or_a_mapping(devices: list[object]) -> None:
    body = {"devices": devices}
    project = parse({"name": "x", "services": {"a": body}})  # type: ignore[dict-item]  # JSON
    assert project.services["a"].devices == ("/dev/fuse",)


@pytest.mark.parametrize(
    ("image", "ports"),
    [
        ("redis", (6379,)),
        ("docker.io/library/redis:7-alpine", (6379,)),
        ("registry:5000/team/postgres@sha256:abc", (5432,)),
        ("my-redis", ()),
        ("rabbitmq:3-management", (5672, 15672)),
        (None, ()),
    ],
)
def test_well_known_images_have_well_known_ports(image: str | None, ports: tuple[int]) -> None:
    assert ports_of_image(image) == ports
