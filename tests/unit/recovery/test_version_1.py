"""A run that version 1 left in a fault, killed with its guard, is recovered from its ledger."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest

from chaoskit import files
from chaoskit.docker.client import Engine
from chaoskit.judge.result import stored_result
from chaoskit.record.lock import LOCK
from chaoskit.records import Verdict
from chaoskit.recovery import teardown
from chaoskit.recovery.ledger import LEDGER, read_ledger
from chaoskit.recovery.recover import described, recover, to_undo
from chaoskit.recovery.trust import NotTrusted
from tests.fakes.fake_world import PROJECT, World

FIXTURE = Path(__file__).parents[2] / "fixtures" / "v1" / "20261125T205001Z-v1-killed-b8fc6c"


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """The run folder, with the project that the fake engine knows."""
    path = tmp_path / FIXTURE.name
    shutil.copytree(FIXTURE, path)
    path.chmod(0o700)
    for file in (path / LEDGER, path / "events.ndjson"):
        file.write_text(file.read_text().replace("ck-v1-killed-b8fc6c", PROJECT))
    return path


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Its stack as it was left: redis paused, behind the proxy of its client."""
    world = World()
    world.service("chat")
    world.service("redis")
    await world.proxy("chat", "redis", 6379)
    engine: Any = world.engine
    for one in engine.of("redis"):
        engine.add(replace(one, state=replace(one.state, status="paused")))

    yield world
    await world.close()


async def test_without_its_name_nothing_of_it_is_touched(killed: Path, world: World) -> None:
    world.engine.belongs_to(killed)
    before = (world.state(), (killed / LEDGER).read_text())
    engine = cast("Engine", world.engine)
    with pytest.raises(NotTrusted, match="no key of this user signed its ledger"):
        await recover(killed, engine, lambda _text: None, by="`chaoskit recover`")
    assert (world.state(), (killed / LEDGER).read_text()) == before
    assert (killed / LOCK).exists()


def test_its_ledger_says_what_would_be_undone(killed: Path) -> None:
    assert [described(entry, PROJECT) for entry in to_undo(killed)] == [
        "heal fault `frozen` (pause)",
        f"remove the stack `{PROJECT}`: its containers, networks and volumes",
    ]


async def test_it_is_healed_removed_and_finished(
    killed: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teardown, "_PAUSE", 0.0)
    opened: list[str] = []
    real = files.opened

    def counting(path: Path) -> BinaryIO:
        opened.append(path.name)
        return real(path)

    monkeypatch.setattr(files, "opened", counting)
    world.engine.belongs_to(killed)
    engine = cast("Engine", world.engine)
    done = await recover(killed, engine, lambda _text: None, by="`chaoskit recover`", named=True)
    assert done.left == ()
    assert done.did == (
        f"healed fault `frozen` (pause): {PROJECT}-redis-1 running",
        f"removed the stack `{PROJECT}`",
    )
    assert opened.count("events.ndjson") == 2, (
        "a recovery reads the events once, and so does the page"
    )
    assert all(entry.healed for entry in read_ledger(killed / LEDGER))
    assert not (killed / LOCK).exists()
    result = stored_result(killed)
    assert (result.schema_version, result.verdict, result.exit_code) == (2, Verdict.UNKNOWN, 3)
    assert result.reason == (
        "chaoskit was killed in the faults phase; `chaoskit recover` healed what was in force"
    )
    assert [(f.id, f.healed_at is not None, f.proven) for f in result.faults] == [
        ("slow", True, False),
        ("frozen", True, False),
    ]
    assert (killed / "junit.xml").exists()
