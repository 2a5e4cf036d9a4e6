"""What every fault kind must do: a new kind gets these tests by being registered."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from itertools import permutations
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from pydantic import ValidationError

from chaoskit.clock import Clock
from chaoskit.errors import ChaoskitError, FaultFailed
from chaoskit.faults import REGISTRY, Fault
from chaoskit.record.folder import RunFolder
from chaoskit.recovery.heal import heal
from chaoskit.recovery.ledger import LEDGER, Ledger, read_ledger
from chaoskit.registry import summary
from chaoskit.secrets import Redactor
from tests.fakes.fake_world import World
from tests.fakes.stored_undo import stored

KINDS = list(REGISTRY)
every_kind = pytest.mark.parametrize("kind", KINDS, ids=[kind.kind for kind in KINDS])
PORTS = {"redis": 6379, "postgres": 5432}


def example_of(kind: type[Fault], **changes: Any) -> Fault:
    return kind.model_validate({**yaml.safe_load(kind.example), **changes})


async def populate(world: World, fault: Fault) -> None:
    """Make the services that a fault names, two replicas each, and the proxies that it needs."""
    services = sorted({"chat", "redis", *fault.services()})
    for service in services:
        world.service(service, replicas=2)
    joined = set(permutations(services, 2))
    edges = {(e.client, e.upstream) for e in fault.proxied(joined)} | {("chat", "redis")}
    relayed = {(edge.client, edge.upstream) for edge in fault.relayed()}
    for pair in sorted(edges):
        await world.proxy(*pair, PORTS.get(pair[1], 8080), relayed=pair in relayed)


@every_kind
def test_its_docstring_explains_it_in_one_line(kind: type[Fault]) -> None:
    assert 20 < len(summary(kind)) < 100
    assert summary(kind).endswith(".")


@every_kind
def test_its_example_is_valid_yaml_for_it(kind: type[Fault]) -> None:
    assert example_of(kind).fault == kind.kind


@every_kind
def test_its_example_survives_being_written_down_and_read_again(kind: type[Fault]) -> None:
    fault = example_of(kind)
    written = json.loads(fault.model_dump_json(by_alias=True, exclude_none=True))
    assert kind.model_validate(written) == fault


@every_kind
def test_its_schema_accepts_its_example_and_refuses_unknown_keys(kind: type[Fault]) -> None:
    schema = kind.model_json_schema(by_alias=True)
    jsonschema.Draft202012Validator.check_schema(schema)
    body = yaml.safe_load(kind.example)
    validator = jsonschema.Draft202012Validator(schema)  # `validate` would check the schema again
    validator.validate(body)
    assert not validator.is_valid({**body, "surprise": 1})


@every_kind
def test_it_refuses_unknown_keys(kind: type[Fault]) -> None:
    with pytest.raises(ValidationError, match="surprise"):
        example_of(kind, surprise=1)


@every_kind
def test_its_forecast_says_what_it_hits_and_how_it_is_undone(kind: type[Fault]) -> None:
    fault = example_of(kind)
    forecast = fault.forecast()
    assert fault.target in forecast.hits
    assert len(forecast.undo) > 10


@every_kind
def test_its_lease_must_be_longer_than_zero(kind: type[Fault]) -> None:
    with pytest.raises(ValidationError, match="no `for`" if kind.instant else "longer than zero"):
        example_of(kind, **{"for": "0s"})


@every_kind
async def test_preparing_it_changes_nothing_and_gives_plain_data(
    kind: type[Fault], world: World
) -> None:
    fault = example_of(kind)
    await populate(world, fault)
    undo = await fault.prepare(await world.stack())
    assert world.fuse.changes == 0
    assert type(undo) is kind.undo_model
    assert stored(undo) == undo


@every_kind
async def test_it_is_proven_in_force_then_healed_and_heals_twice(
    kind: type[Fault], world: World
) -> None:
    fault = example_of(kind)
    await populate(world, fault)
    before = world.state()
    stack = await world.stack()
    undo = await fault.prepare(stack)
    assert not (await fault.verify_injected(stack, undo)).holds
    await fault.inject(stack, undo)
    receipt = await fault.verify_injected(stack, undo)
    assert receipt.holds, receipt.detail
    if not kind.instant:
        assert world.state() != before
        assert not (await fault.verify_healed(stack, undo)).holds
    for _ in range(2):
        await fault.heal(stack, undo)
        healed = await fault.verify_healed(stack, undo)
        assert healed.holds, healed.detail
        assert world.state() == before
    if not kind.instant:
        assert not (await fault.verify_injected(stack, undo)).holds


@every_kind
@pytest.mark.parametrize("late", [False, True], ids=["before-the-change", "after-the-change"])
async def test_another_process_heals_it_after_half_an_inject(
    kind: type[Fault], late: bool, world: World
) -> None:
    fault = example_of(kind)
    await populate(world, fault)
    before = world.state()
    stack = await world.stack()
    step = 0
    while True:
        step += 1
        undo = stored(await fault.prepare(stack))
        world.fuse.changes, world.fuse.blows_at, world.fuse.late = 0, step, late
        with contextlib.suppress(ChaoskitError):
            await fault.inject(stack, undo)
        world.fuse.blows_at = 0
        complete = world.fuse.changes < step
        another = await world.stack()
        await type(fault).heal(another, undo)
        healed = await type(fault).verify_healed(another, undo)
        assert healed.holds, f"broken at change {step}: {healed.detail}"
        assert world.state() == before, f"broken at change {step}"
        stack = await world.stack()
        if complete:
            break
    assert step > 1


@every_kind
async def test_another_process_heals_it_from_a_ledger_after_its_containers_were_replaced(
    kind: type[Fault], world: World, tmp_path: Path
) -> None:
    fault = example_of(kind)
    await populate(world, fault)
    before = world.state()
    stack = await world.stack()
    folder = RunFolder.create(tmp_path, "x", datetime(2026, 1, 1, tzinfo=UTC), Redactor(), "t")
    ledger = Ledger(folder, Clock(), stack.project)
    ledger.intent(fault.name, kind.kind, await fault.prepare(stack))
    (entry,) = read_ledger(folder.path / LEDGER)
    await fault.inject(stack, entry.undo)
    ledger.close()
    if not fault.instant:
        assert world.state() != before, "there is something to undo"
    world.replace_containers()
    found = REGISTRY.get(entry.kind)
    assert found is not None
    await heal(found, await world.stack(), entry.undo)
    assert world.state() == before


OLD = Path(__file__).parent / "ledger_version_1.ndjson"  # as chaoskit wrote it then
OLD_ROWS = [row for row in map(json.loads, OLD.read_text().splitlines()) if "fault" in row]


@pytest.mark.parametrize("row", OLD_ROWS, ids=[row["id"] for row in OLD_ROWS])
async def test_what_was_injected_under_an_older_ledger_is_healed_from_it(
    row: dict[str, Any], world: World
) -> None:
    (entry,) = (entry for entry in read_ledger(OLD) if entry.id == row["id"])
    kind = REGISTRY.get(entry.kind)
    assert kind is not None
    fault = kind.model_validate(row["fault"])
    await populate(world, fault)
    before = world.state()
    stack = await world.stack()
    await fault.inject(stack, await fault.prepare(stack))
    await heal(kind, await world.stack(), entry.undo)
    assert world.state() == before


@every_kind
async def test_healing_what_was_never_injected_is_fine(kind: type[Fault], world: World) -> None:
    fault = example_of(kind)
    await populate(world, fault)
    before = world.state()
    stack = await world.stack()
    undo = await fault.prepare(stack)
    await type(fault).heal(stack, undo)
    assert world.state() == before


@every_kind
async def test_without_its_target_it_says_so_before_changing_anything(
    kind: type[Fault], world: World
) -> None:
    stack = await world.stack()
    with pytest.raises(FaultFailed):
        await example_of(kind).prepare(stack)
