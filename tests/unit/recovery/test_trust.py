"""Ledgers and run folders that somebody hostile wrote: nothing of them is acted on."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

from chaoskit.cli.recover import RecoverRequest, recover_before_run, recover_runs
from chaoskit.clock import Clock
from chaoskit.docker.client import Engine
from chaoskit.docker.labels import FOLDER_LABEL
from chaoskit.errors import ExitCode
from chaoskit.faults.engines.containers import ContainersUndo, ReplicaRow
from chaoskit.faults.exec import ExecUndo
from chaoskit.faults.stress import StressUndo
from chaoskit.record.folder import RunFolder
from chaoskit.record.lock import LOCK
from chaoskit.records import Json
from chaoskit.recovery import teardown
from chaoskit.recovery.ledger import LEDGER, Ledger, StackUndo, read_ledger
from chaoskit.recovery.recover import recover, to_undo
from chaoskit.recovery.trust import NotTrusted
from chaoskit.secrets import Redactor
from tests.fakes.fake_world import PROJECT, World, container

STARTED = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def engine(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """One paused service, on the engine that every command finds."""
    monkeypatch.setattr(teardown, "_PAUSE", 0.0)
    world.service("redis")
    (redis,) = world.engine.of("redis")
    world.engine.add(replace(redis, state=replace(redis.state, status="paused")))

    @contextlib.asynccontextmanager
    async def connected(within: float = 0.0) -> AsyncIterator[object]:
        del within
        yield world.engine

    monkeypatch.setattr(Engine, "connect", connected)


def paused(world: World) -> ContainersUndo:
    rows = tuple(ReplicaRow.of(one) for one in world.engine.of("redis"))
    return ContainersUndo(holder="frozen", service="redis", whole=True, replicas=rows)


def killed_run(runs: Path, world: World, token: str = "t") -> Path:
    """Return the folder of a run of ours that was killed with its guard, in a pause of redis."""
    folder = RunFolder.create(runs, "x", STARTED, Redactor(), token)
    ledger = Ledger(folder, Clock(), PROJECT)
    ledger.intent("stack", "stack", StackUndo(project=PROJECT))
    ledger.intent("frozen", "pause", paused(world))
    ledger.close()
    assert folder.lock is not None
    folder.lock.release(finished=False)
    return folder.path


def brought(runs: Path, name: str, *rows: Mapping[str, Json], project: str = PROJECT) -> Path:
    """Return a run folder as a checkout brings one: owned by us, and signed by nobody."""
    folder = runs / name
    folder.mkdir(parents=True, mode=0o700)
    (folder / LOCK).touch(0o600)
    opening = {"t": 0.0, "step": "open", "version": 1, "run": name, "project": project}
    lines = [json.dumps(row) + "\n" for row in (opening, *rows)]
    (folder / LEDGER).write_text("".join(lines))
    return folder


def intent(kind: str, undo: Json, id: str = "x") -> dict[str, Json]:
    return {"t": 0.1, "step": "intent", "id": id, "kind": kind, "undo": undo}


def host_exec(mark: Path, heal: str | None = None) -> ExecUndo:
    return ExecUndo(
        fault="x", service=None, replicas=(), verify="false", heal=heal or f"touch {mark}",
        timeout=10, directory="/",
    )  # fmt: skip


def untouched(folder: Path) -> Mapping[str, bytes]:
    return {str(p): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def everything(
    runs: Path, *, run: str | None = None, dry_run: bool = False, allow: bool = False
) -> ExitCode:
    return recover_runs(RecoverRequest(run, runs, run is None, dry_run, allow))


def test_a_ledger_that_came_with_a_checkout_runs_nothing_and_stops_nobody(
    tmp_path: Path, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    mark = tmp_path / "pwned"
    evil = brought(tmp_path / "runs", "20261125T000000Z-evil-abc123",
                   intent("exec", host_exec(mark).model_dump(mode="json")))  # fmt: skip
    before = untouched(evil)
    mine = killed_run(tmp_path / "runs", world)
    world.engine.belongs_to(mine)
    recover_before_run(tmp_path / "runs", allow_host_exec=True)
    err = capsys.readouterr().err
    assert f"`{evil}` is not trusted: no key of this user signed its ledger" in err
    assert "healed fault `frozen` (pause)" in err, "the other run is recovered all the same"
    assert (mark.exists(), untouched(evil)) == (False, before)
    assert not (mine / LOCK).exists()
    assert everything(tmp_path / "runs", allow=True) is ExitCode.ENVIRONMENT
    assert (mark.exists(), untouched(evil)) == (False, before)


def test_one_that_is_named_still_runs_no_command_here(
    tmp_path: Path, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    mark = tmp_path / "pwned"
    evil = brought(tmp_path / "runs", "evil",
                   intent("exec", host_exec(mark).model_dump(mode="json")))  # fmt: skip
    world.engine.all.clear()
    code = everything(tmp_path / "runs", run=str(evil), allow=True)
    assert (code, mark.exists()) == (ExitCode.LEFT_BEHIND, False)
    err = capsys.readouterr().err
    assert f"left behind: fault `x` (exec): healing it runs on this machine: touch {mark}" in err
    assert f"remove it with: touch {mark}; false\n" in err


@pytest.mark.parametrize("named", [False, True])
def test_a_project_that_no_run_made_is_not_removed_whoever_names_it(
    tmp_path: Path, world: World, named: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = brought(tmp_path / "runs", "evil", intent("stack", {"project": PROJECT}, "stack"))
    before = world.state()
    code = everything(tmp_path / "runs", run=str(evil) if named else None)
    assert (code, world.state()) == (ExitCode.ENVIRONMENT, before)
    out = capsys.readouterr().out
    if named:
        assert f"did not make: container {PROJECT}-redis-1" in out
        assert f"docker compose -p {PROJECT} down" in out
    assert (evil / LOCK).exists()


def test_the_stack_of_another_run_is_not_removed_either(tmp_path: Path, world: World) -> None:
    theirs = killed_run(tmp_path / "theirs", world)
    world.engine.belongs_to(theirs)
    evil = brought(tmp_path / "runs", theirs.name, intent("stack", {"project": PROJECT}, "stack"))
    before = world.state()
    assert everything(tmp_path / "runs", run=str(evil)) is ExitCode.ENVIRONMENT
    assert world.state() == before


async def test_a_helper_is_removed_only_where_the_run_made_it(world: World) -> None:
    world.engine.add(container("victim"))
    victim = f"{PROJECT}-victim-1"
    undo = StressUndo(**paused(world).model_dump(), helper=victim, load="cpu", workers=1, cpuset="")
    from chaoskit.faults.stress import Stress

    stack = await world.stack()
    await Stress.heal(stack, undo)
    assert [c.name for c in world.engine.of("victim")] == [victim]
    assert (await Stress.verify_healed(stack, undo)).holds


def test_a_ledger_that_was_published_is_of_no_use_elsewhere(
    tmp_path: Path, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = killed_run(tmp_path / "mine", world)
    world.engine.belongs_to(mine)
    shutil.copytree(mine, tmp_path / "runs" / mine.name)
    assert everything(tmp_path / "runs", dry_run=True) is ExitCode.PASSED
    shown = capsys.readouterr().out
    assert f"`{tmp_path / 'runs' / mine.name}` is not trusted: no key of this user" in shown


def test_a_line_that_was_added_to_a_ledger_of_ours_is_named_and_nothing_else_changes(
    tmp_path: Path, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    mark = tmp_path / "pwned"
    mine = killed_run(tmp_path / "runs", world)
    world.engine.belongs_to(mine)
    added = [
        intent("exec", host_exec(mark).model_dump(mode="json"), "frozen"),
        {"t": 2, "step": "healed", "id": "frozen"},
        {"t": 2, "step": "healed", "id": "stack"},
    ]
    with (mine / LEDGER).open("a") as file:
        file.writelines(json.dumps(row) + "\n" for row in added)
    assert everything(tmp_path / "runs", allow=True) is ExitCode.LEFT_BEHIND
    shown = capsys.readouterr()
    assert not mark.exists()
    assert "healed fault `frozen` (pause)" in shown.out
    assert f"removed the stack `{PROJECT}`" in shown.out
    said = f"`{mine / LEDGER}` line 4: `frozen` was not written by this user's chaoskit"
    assert said in shown.err


@pytest.mark.parametrize(
    ("allowed", "code", "ran"),
    [(False, ExitCode.LEFT_BEHIND, False), (True, ExitCode.PASSED, True)],
)
def test_commands_on_this_machine_of_a_run_of_ours_need_the_permission(
    tmp_path: Path,
    world: World,
    allowed: bool,
    code: ExitCode,
    ran: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:
    mark = tmp_path / "healed"
    folder = RunFolder.create(tmp_path / "runs", "x", STARTED, Redactor(), "t")
    ledger = Ledger(folder, Clock(), PROJECT)
    ledger.intent("x", "exec", host_exec(mark))
    ledger.close()
    assert folder.lock is not None
    folder.lock.release(finished=False)
    world.engine.all.clear()
    assert everything(tmp_path / "runs", dry_run=True) is ExitCode.PASSED
    would = f"  would heal fault `x` (exec, injected half-way perhaps)\n    run on this machine, with `--allow-host-exec`: touch {mark}\n"  # noqa: E501
    assert would in capsys.readouterr().out
    assert not mark.exists()
    assert everything(tmp_path / "runs", allow=allowed) is code
    assert mark.exists() is ran
    err = capsys.readouterr().err
    told = f"remove it with: chaoskit recover {folder.path} --allow-host-exec"
    assert (told in err) is not allowed


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (intent("pause", {}), "line 2: `holder` of the undo data of fault `x` (pause) is no good"),
        (intent("pause", 5), "line 2: the undo data of fault `x` (pause) is no good"),
        ({"step": "intent", "kind": "pause", "undo": {}}, "line 2: `id` is no name of an entry"),
        ({"step": "intent", "id": "x", "kind": []}, "line 2: `kind` is no kind of fault"),
    ],
)
def test_an_undo_that_is_damaged_is_named_with_its_line_and_field(
    tmp_path: Path, world: World, row: dict[str, Json], says: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    evil = brought(tmp_path / "runs", "x", row)
    world.engine.all.clear()
    assert everything(tmp_path / "runs", run=str(evil)) is ExitCode.LEFT_BEHIND
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("opening", "says"),
    [
        ({"version": 9}, "has format 9, this chaoskit reads 1 and 2"),
        ({"version": 2, "project": 7, "run": "x"}, "line 1: `project` names no Compose project"),
        ({"version": 2, "project": "a b", "run": "x"}, "line 1: `project` names no Compose"),
        ({"version": 2, "project": "ab"}, "line 1: `run` is no name of a run"),
    ],
)
def test_a_ledger_that_cannot_be_read_is_named_and_the_next_run_is_recovered(
    tmp_path: Path,
    world: World,
    opening: dict[str, Json],
    says: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    evil = brought(tmp_path / "runs", "00-first")
    (evil / LEDGER).write_text(json.dumps(opening) + "\n")
    mine = killed_run(tmp_path / "runs", world)
    world.engine.belongs_to(mine)
    assert everything(tmp_path / "runs") is ExitCode.ENVIRONMENT
    shown = capsys.readouterr().out
    assert says in shown
    assert "healed fault `frozen` (pause)" in shown


def make_link(folder: Path) -> None:
    (folder / "result.json").symlink_to(folder.parent / "precious")


def make_folder_link(folder: Path) -> None:
    (folder / "logs").rmdir()
    (folder / "logs").symlink_to(folder.parent)


def make_pipe(folder: Path) -> None:
    os.mkfifo(folder / "events.ndjson")


def make_open(folder: Path) -> None:
    folder.chmod(0o770)


def make_file_open(folder: Path) -> None:
    folder.chmod(0o755)
    (folder / LEDGER).chmod(0o666)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (make_link, "result.json` is a symbolic link"),
        (make_folder_link, "logs` is a symbolic link"),
        (make_pipe, "events.ndjson` is no regular file"),
        (make_open, "others can write"),
        (make_file_open, "others can write `.*ledger.ndjson`"),
    ],
)
@pytest.mark.parametrize("named", [False, True])
async def test_a_folder_that_others_can_change_is_not_trusted_even_by_its_name(
    tmp_path: Path, world: World, change: object, says: str, named: bool
) -> None:
    mine = killed_run(tmp_path / "runs", world)
    world.engine.belongs_to(mine)
    change(mine)  # type: ignore[operator]  # one of the functions above
    before = world.state()
    engine = cast("Engine", world.engine)
    with pytest.raises(NotTrusted, match=says):
        await recover(mine, engine, lambda _text: None, by="a test", named=named)
    assert world.state() == before


async def test_a_folder_of_another_user_is_not_trusted(
    tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = killed_run(tmp_path / "runs", world)
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    with pytest.raises(NotTrusted, match=f"belongs to user {os.getuid()}"):
        await recover(
            mine, cast("Engine", world.engine), lambda _text: None, by="a test", named=True
        )


def test_a_lock_that_is_a_link_is_not_written_through(tmp_path: Path, world: World) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine")
    evil = brought(tmp_path / "runs", "evil")
    (evil / LOCK).unlink()
    (evil / LOCK).symlink_to(precious)
    everything(tmp_path / "runs")
    everything(tmp_path / "runs", run=str(evil))
    assert precious.read_text() == "mine"
    del world


def test_a_run_whose_key_is_lost_is_recovered_by_its_name(
    tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = killed_run(tmp_path / "runs", world)
    world.engine.belongs_to(mine)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "new"))
    assert everything(tmp_path / "runs") is ExitCode.ENVIRONMENT
    assert everything(tmp_path / "runs", run=mine.name) is ExitCode.PASSED
    assert to_undo(mine) == []
    assert all(entry.healed for entry in read_ledger(mine / LEDGER))


def test_a_folder_that_a_label_names_is_trusted_no_more_than_others(
    tmp_path: Path, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = brought(tmp_path / "elsewhere", "evil", intent("stack", {}, "stack"))
    world.engine.add(container("bait", labels={FOLDER_LABEL: str(evil)}))
    before = world.state()
    assert everything(tmp_path / "runs") is ExitCode.ENVIRONMENT
    assert f"{evil}:\n  `{evil}` is not trusted" in capsys.readouterr().out
    assert world.state() == before
