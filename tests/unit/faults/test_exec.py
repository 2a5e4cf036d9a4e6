"""`exec`: what it refuses, what it proves, and what it does on this machine."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from chaoskit.errors import FaultFailed
from chaoskit.faults.exec import Exec
from tests.fakes.fake_world import PROJECT, World


def command(**fields: Any) -> Exec:
    made = {"fault": "exec", "inject": "touch x", "verify": "test -e x", **fields}
    return Exec.model_validate(made)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({}, "either in a `service`"),
        ({"service": "chat", "host": True}, "either in a `service`"),
        ({"host": True, "replica": 1}, "`replica` needs"),
        ({"service": "chat", "inject": ""}, "at least 1"),
        ({"service": "chat", "inject": []}, "at least 1"),
        ({"service": "chat", "verify": None}, "verify"),
        ({"service": "chat", "timeout": "0s"}, "greater than 0"),
        ({"service": "chat", "for": "1s"}, "takes no `for`"),
        ({"service": "chat", "heal": "psql postgres://u:sesame@db"}, "contains a password"),
    ],
)
def test_it_refuses_what_makes_no_sense(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        command(**fields)


def test_without_a_heal_command_it_is_over_at_once() -> None:
    assert command(service="chat").instant
    assert not command(service="chat", heal="rm -f x").instant
    assert not Exec.instant


async def test_output_of_its_commands_is_evidence(world: World) -> None:
    world.service("chat")
    stack = await world.stack()
    made = command(service="chat", heal="rm -f x")
    undo = await made.prepare(stack)
    await made.inject(stack, undo)
    receipt = await made.verify_injected(stack, undo)
    assert receipt.holds
    assert receipt.detail == "inject printed `made x`; `test -e x` exited 0"


async def test_a_proof_that_always_succeeds_proves_nothing(world: World) -> None:
    world.service("chat")
    stack = await world.stack()
    world.engine.exec.files["id-run-1-chat-1"] = {"x"}
    with pytest.raises(FaultFailed, match="succeeds before the fault"):
        await command(service="chat").prepare(stack)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"verify": "nonsense"}, "`nonsense` exited 127"),
        ({"verify": "hang", "timeout": "2s"}, "did not end within 2s"),
    ],
)
async def test_a_proof_that_cannot_run_is_found_before_anything_changes(
    fields: dict[str, Any], says: str, world: World
) -> None:
    world.service("chat")
    with pytest.raises(FaultFailed, match=says):
        await command(service="chat", **fields).prepare(await world.stack())
    assert world.fuse.changes == 0


async def test_a_command_that_fails_is_reported_with_what_it_printed(world: World) -> None:
    world.service("chat")
    stack = await world.stack()
    made = command(service="chat", inject="nonsense", heal="nonsense too")
    undo = await made.prepare(stack)
    with pytest.raises(FaultFailed, match=r"chat-1: `nonsense` exited 127: sh: nonsense: not"):
        await made.inject(stack, undo)
    with pytest.raises(FaultFailed, match="`nonsense too` exited 127"):
        await made.heal(stack, undo)


async def test_a_heal_that_does_not_undo_is_not_called_healed(world: World) -> None:
    world.service("chat")
    stack = await world.stack()
    made = command(service="chat", heal="touch y")
    undo = await made.prepare(stack)
    await made.inject(stack, undo)
    await made.heal(stack, undo)
    assert not (await made.verify_healed(stack, undo)).holds


async def test_on_the_host_it_knows_the_project_of_the_run(world: World, tmp_path: Path) -> None:
    stack = await world.stack()
    file = tmp_path / "broken"
    made = command(
        host=True,
        inject=f"echo $CHAOSKIT_PROJECT $CHAOSKIT_FAULT | tee {file}",
        verify=["test", "-e", str(file)],
        heal=["rm", "-f", str(file)],
    )
    undo = await made.prepare(stack)
    await made.inject(stack, undo)
    assert file.read_text() == f"{PROJECT} exec\n"
    receipt = await made.verify_injected(stack, undo)
    assert receipt.detail.startswith(f"inject printed `{PROJECT} exec`; ")
    for _ in range(2):
        await made.heal(await world.stack(), undo)
        assert (await made.verify_healed(stack, undo)).holds
    assert not file.exists()


async def test_on_the_host_what_takes_too_long_is_killed_with_its_children(
    world: World, tmp_path: Path
) -> None:
    file = tmp_path / "late"
    made = command(
        host=True, inject=f"(sleep 1; touch {file}) & wait", verify="false", timeout="200ms"
    )
    stack = await world.stack()
    undo = await made.prepare(stack)
    start = time.monotonic()
    with pytest.raises(FaultFailed, match="did not end within 200ms"):
        await made.inject(stack, undo)
    assert time.monotonic() - start < 1
    await asyncio.sleep(1)
    assert not file.exists()


async def test_a_program_that_is_not_on_the_host_is_said_so(world: World) -> None:
    with pytest.raises(FaultFailed, match="`nothing-of-this-name` exited 127: No such file"):
        await command(host=True, verify=["nothing-of-this-name"]).prepare(await world.stack())
