"""`signal`: which signals, and who really got one."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tests.fakes.fake_world import World
from tests.unit.faults.service_cases import fault


@pytest.mark.parametrize(
    ("signal", "says"),
    [
        ("SIGKILL", "write `fault: kill`"),
        ("SIGSTOP", "write `fault: pause`"),
        ("SIGNONE", "SIGHUP"),
        (15, "SIGHUP"),
    ],
)
def test_it_refuses_signals_that_are_other_faults_or_none(signal: object, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        fault("signal", signal=signal)


MASKS = "NSpid:\t99\t{pid}\nSigIgn:\t{ignored:016x}\nSigCgt:\t{caught:016x}\n"
HUP, TERM = 1 << 0, 1 << 14


@pytest.mark.parametrize(
    ("masks", "holds", "says"),
    [
        ({"pid": 1, "ignored": 0, "caught": HUP}, True, "handles, and goes on"),
        ({"pid": 1, "ignored": 0, "caught": TERM}, False, "no handler, so the kernel drops it"),
        ({"pid": 7, "ignored": HUP, "caught": 0}, False, "the kernel drops it"),
        ({"pid": 7, "ignored": 0, "caught": 0}, True, "got SIGHUP and goes on"),
        (None, True, "was sent SIGHUP and goes on"),
    ],
)
async def test_what_the_main_process_does_with_it_comes_from_the_kernel(
    world: World,
    masks: dict[str, int] | None,
    holds: bool,
    says: str,
) -> None:
    world.service("redis")
    world.engine.exec.status = "cat: not found" if masks is None else MASKS.format(**masks)
    stack = await world.stack()
    made = fault("signal", signal="SIGHUP", watch="20ms")
    undo = await made.prepare(stack)
    await made.inject(stack, undo)
    receipt = await made.verify_injected(stack, undo)
    assert receipt.holds is holds
    assert says in receipt.detail


async def test_a_service_that_exits_is_started_by_the_heal(world: World) -> None:
    world.service("redis")
    before = world.state()
    stack = await world.stack()
    made = fault("signal", signal="SIGTERM", watch="20ms")
    undo = await made.prepare(stack)
    await made.inject(stack, undo)
    await world.engine.containers.stop(world.engine.of("redis")[0].id)
    receipt = await made.verify_injected(stack, undo)
    assert "got SIGTERM: run-1-redis-1 exited (143)" in receipt.detail
    await made.heal(stack, undo)
    assert world.state() == before
