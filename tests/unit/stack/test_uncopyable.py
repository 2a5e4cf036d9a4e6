"""What a run cannot have a copy of is listed by the name that allows it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chaoskit.stack.project import Project
from chaoskit.stack.uncopyable import uncopyable_things

MakeProject = Callable[..., Project]
SOCKET = "/var/run/docker.sock"


def bind(source: str, read_only: bool = False) -> dict[str, Any]:
    return {"type": "bind", "source": source, "target": "/x", "read_only": read_only}


@pytest.mark.parametrize(
    ("body", "name", "what"),
    [
        ({"volumes": [bind("/src/data")]}, "./data", "writable bind mount"),
        ({"volumes": [bind("/etc/conf")]}, "/etc/conf", "writable bind mount"),
        ({"volumes": [bind(SOCKET, read_only=True)]}, SOCKET, "the Docker socket"),
        ({"volumes": [bind(SOCKET)]}, SOCKET, "the Docker socket"),
        ({"devices": ["/dev/kvm:/dev/kvm"]}, "/dev/kvm", "host device"),
    ],
)
def test_what_reaches_the_host_is_shared(
    project: MakeProject, body: dict[str, Any], name: str, what: str
) -> None:
    (thing,) = uncopyable_things(project({"web": body}), Path("/src"))
    assert (thing.name, thing.what, thing.service) == (name, what, "web")
    assert thing.allowed_by([name])
    assert not thing.allowed_by(["other"])


def test_a_bind_mount_may_be_allowed_by_its_full_path_too(project: MakeProject) -> None:
    (thing,) = uncopyable_things(project({"web": {"volumes": [bind("/src/data")]}}), Path("/src"))
    assert thing.allowed_by(["/src/data"])


def test_external_networks_and_volumes_are_shared(project: MakeProject) -> None:
    made = project(
        {"web": {"networks": ["outer"]}},
        networks={"outer": {"name": "corp", "external": True}},
        volumes={"pg": {"name": "prod-pg", "external": True}},
    )
    things = uncopyable_things(made, Path("/src"))
    assert [(t.name, t.what) for t in things] == [
        ("outer", "external network"),
        ("pg", "external volume"),
    ]
    assert things[0].allowed_by(["corp"])
    assert things[1].allowed_by(["prod-pg"])


def test_read_only_binds_own_volumes_and_tmpfs_are_not_shared(project: MakeProject) -> None:
    volume = {"type": "volume", "source": "data", "target": "/d"}
    tmpfs = {"type": "tmpfs", "target": "/t"}
    made = project({"web": {"volumes": [bind("/src/conf", read_only=True), volume, tmpfs]}})
    assert uncopyable_things(made, Path("/src")) == []
