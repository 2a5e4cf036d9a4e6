"""`stress`: bounds, and when it did anything."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from chaoskit.errors import FaultFailed
from tests.fakes.fake_services import IDLE
from tests.fakes.fake_world import World
from tests.unit.faults.service_cases import fault


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"workers": 0}, "greater than or equal to 1"),
        ({"workers": 65}, "less than or equal to 64"),
        ({"load": "disk"}, "cpu"),
        ({"memory": "64MiB"}, "`memory` is for `load: memory`"),
        ({"load": "memory", "memory": "1KB"}, "greater than or equal"),
    ],
)
def test_the_load_has_bounds(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        fault("stress", **fields)


async def test_it_takes_at_most_half_of_the_host_s_memory(world: World) -> None:
    world.service("redis")
    with pytest.raises(FaultFailed, match="more than half of the host's"):
        await fault("stress", load="memory", memory="5GiB").prepare(await world.stack())


async def test_it_ends_by_itself_after_its_lease(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    async def start_new(image: str, argv: list[str], **more: Any) -> None:
        seen.append(argv)

    world.service("redis")
    monkeypatch.setattr(world.engine.recreate, "start_new", start_new)
    stack = await world.stack()
    for lease in ({"for": "5s"}, {}):
        made = fault("stress", workers=3, **lease)
        await made.inject(stack, await made.prepare(stack))
    assert [argv[argv.index("--timeout") + 1] for argv in seen] == ["35s", "3600s"]
    assert seen[0][-2:] == ["--cpu", "3"]


@pytest.mark.parametrize(("seconds", "holds"), [(10.0**9, True), (0.0, False)])
async def test_a_load_that_got_no_processor_was_not_felt(
    world: World, seconds: float, holds: bool
) -> None:
    world.service("redis")
    stack = await world.stack()
    made = fault("stress", id="it")
    undo = await made.prepare(stack)
    await made.inject(stack, undo)
    world.engine.limits.used["run-1-chaoskit-it"] = replace(IDLE, cpu_seconds=seconds)
    effect = await made.effect(stack, undo)
    assert effect is not None
    assert effect.holds is holds
    assert "the load used" in effect.detail
