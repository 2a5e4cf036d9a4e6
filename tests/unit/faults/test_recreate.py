"""`recreate`: whose volumes are emptied, and what stands in its way."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from chaoskit.docker.volumes import MountedVolume
from tests.fakes.fake_world import PROJECT, World
from tests.unit.faults.service_cases import fault, project

ME = "id-run-1-redis-1"


def test_what_becomes_of_the_data_must_be_said() -> None:
    with pytest.raises(ValidationError, match="volumes"):
        fault("recreate")


def test_what_compose_writes_into_containers_stands_in_its_way() -> None:
    configs = {"configs": {"conf": {"content": "x"}, "file": {"file": "/x"}}}
    inline = project(configs, configs=[{"source": "conf"}])
    said = fault("recreate", volumes="keep").impossible_because(inline)
    assert said is not None
    assert "`conf`" in said
    by_file = project(configs, configs=[{"source": "file"}])
    assert fault("recreate", volumes="keep").impossible_because(by_file) is None


def test_a_service_that_lives_in_its_network_stands_in_its_way() -> None:
    top = {
        "services": {
            "redis": {"image": "redis"},
            "side": {"image": "side", "network_mode": "service:redis"},
        }
    }
    said = fault("recreate", volumes="keep").impossible_because(project(top))
    assert said is not None
    assert "`side` lives in the network of `redis`" in said


async def test_only_what_these_containers_of_the_run_use_alone_is_emptied(world: World) -> None:
    world.service("redis")
    world.engine.volumes.mounted["run-1-redis-1"] = [
        MountedVolume("own", "/a", False, PROJECT, (ME,)),
        MountedVolume("shared", "/b", False, PROJECT, (ME, "id-other")),
        MountedVolume("external", "/c", False, None, (ME,)),
        MountedVolume("anonymous", "/d", True, None, (ME,)),
    ]
    for name in ("own", "shared", "external"):
        world.engine.mounts.files[name] = {"file": 5}
    stack = await world.stack()
    made = fault("recreate", volumes="lose")
    undo = await made.prepare(stack)
    assert undo.emptied == ("own",)
    assert undo.kept == ("external", "shared")
    await made.inject(stack, undo)
    assert set(world.engine.mounts.files) == {"shared", "external"}
    receipt = await made.verify_injected(stack, undo)
    assert receipt.holds
    assert "own lost their data" in receipt.detail
    world.engine.mounts.files["own"] = {"file": 5}
    assert not (await made.verify_injected(stack, undo)).holds
