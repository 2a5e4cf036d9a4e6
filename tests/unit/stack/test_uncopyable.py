"""What a run cannot have a copy of is listed by the name that allows it."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chaoskit.docker.volumes import WritableMount
from chaoskit.stack.project import Project
from chaoskit.stack.uncopyable import is_this_machine, uncopyable_things

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


def other(path: str = "", volume: str = "") -> WritableMount:
    return WritableMount("db-1", "0" * 64, "shop", path, volume)


@pytest.mark.parametrize(
    ("theirs", "in_use"),
    [
        ("src/data", True),
        ("src", True),
        ("src/data/base/1", True),
        ("link", True),
        ("link/base", True),
        ("src/data2", False),
        ("src/other", False),
    ],
)
def test_a_folder_that_somebody_else_writes_above_or_below_is_in_use(
    project: MakeProject, tmp_path: Path, theirs: str, in_use: bool
) -> None:
    for name in ("src/data/base/1", "src/data2", "src/other"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "src/data")
    body = {"volumes": [bind(str(tmp_path / "src/data"))]}
    (thing,) = uncopyable_things(project({"web": body}), tmp_path / "src")
    assert thing.written_by(other(str(tmp_path / theirs))) is in_use


def test_what_is_only_read_or_is_a_socket_is_in_nobody_s_way(
    project: MakeProject, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(tmp_path / "x.sock"))
    shared = project(
        {"web": {"volumes": [bind(str(tmp_path / "x.sock")), bind(SOCKET, read_only=True)]}}
    )
    for thing in uncopyable_things(shared, tmp_path):
        assert not thing.written_by(other(str(tmp_path / "x.sock")))
        assert not thing.written_by(other(SOCKET))


@pytest.mark.parametrize(("read_only", "in_use"), [(False, True), (True, False)])
def test_an_external_volume_is_in_use_under_its_own_name(
    project: MakeProject, read_only: bool, in_use: bool
) -> None:
    mount = {"type": "volume", "source": "pg", "target": "/x", "read_only": read_only}
    made = project(
        {"db": {"volumes": [mount]}}, volumes={"pg": {"name": "prod-pg", "external": True}}
    )
    (thing,) = uncopyable_things(made, Path("/src"))
    assert thing.written_by(other("/var/lib/docker/volumes/prod-pg/_data", "prod-pg")) is in_use
    assert not thing.written_by(other(volume="pg"))


def test_a_volume_that_is_really_a_folder_is_in_use_where_the_folder_is(
    project: MakeProject, tmp_path: Path
) -> None:
    mount = {"type": "volume", "source": "pg", "target": "/x"}
    options = {"type": "none", "o": "bind", "device": str(tmp_path)}
    made = project({"db": {"volumes": [mount]}}, volumes={"pg": {"driver_opts": options}})
    (thing,) = uncopyable_things(made, Path("/src"))
    assert thing.written_by(other(str(tmp_path / "base")))


def test_the_container_that_chaoskit_runs_in_is_known_by_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "0123456789ab")
    assert is_this_machine("0123456789ab" + "c" * 52)
    assert not is_this_machine("f" * 64)
    monkeypatch.setattr(socket, "gethostname", lambda: "")
    assert not is_this_machine("f" * 64)


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ({"network_mode": "host"}, "`network_mode: host`"),
        ({"privileged": True}, "`privileged`"),
        ({"pid": "host"}, "`pid: host`"),
        ({"ipc": "host"}, "`ipc: host`"),
        ({"network_mode": "container:vpn"}, "`network_mode: container:vpn`"),
    ],
)
def test_a_service_with_rights_over_the_host_is_shared_by_its_own_name(
    project: MakeProject, body: dict[str, Any], what: str
) -> None:
    (thing,) = uncopyable_things(project({"agent": body}), Path("/src"))
    assert (thing.name, thing.what) == ("agent", what)
    assert thing.allowed_by(["agent"])


@pytest.mark.parametrize(
    "body",
    [
        {"network_mode": "none"},
        {"network_mode": "service:web"},
        {"pid": "service:web"},
        {"privileged": False},
        {"ipc": "shareable"},
    ],
)
def test_namespaces_of_the_run_s_own_services_are_its_own(
    project: MakeProject, body: dict[str, Any]
) -> None:
    assert uncopyable_things(project({"web": {}, "side": body}), Path("/src")) == []
