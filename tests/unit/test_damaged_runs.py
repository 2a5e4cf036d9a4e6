"""Run folders that were damaged at random: every command says so and ends with a documented code.

The seeds are fixed; a damage that fails is found again by its number.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from chaoskit.cli.check import CheckRequest, check_history
from chaoskit.cli.compare import compare_runs
from chaoskit.cli.errors import complain
from chaoskit.cli.recover import RecoverRequest, recover_runs
from chaoskit.cli.report import show_report
from chaoskit.docker.client import Engine
from chaoskit.errors import ChaoskitError, ExitCode
from chaoskit.faults.engines import containers
from chaoskit.judge.result import stored_result
from chaoskit.record.events import KINDS, Recorded, RunEvent
from chaoskit.recovery import heal, recover, teardown
from tests.fakes.fake_toxiproxy import Fuse
from tests.fakes.fake_world import PROJECT, FakeEngine, container
from tests.unit.record.test_events import example

FIXTURES = Path(__file__).parents[1] / "fixtures" / "v1"
PROJECTS = ("ck-v1-killed-b8fc6c", "ck-v1-finished-155c5c")
DAMAGES, GROUPS = 500, 10
ALLOWED = {ExitCode.PASSED, ExitCode.FAILED, ExitCode.USAGE, ExitCode.UNKNOWN,
           ExitCode.ENVIRONMENT, ExitCode.LEFT_BEHIND}  # fmt: skip
WRONG: list[Any] = [
    None, True, -1, 10**400, 1.5, "", "x\x1b[31m\u202e", "ä" * 5000, [], {}, [[]], [None],
    {"a": 1}, ["x", 1], -0.0, 1e308, "2026-01-01T00:00:00", "99999-01-01", "../../x", "/dev/zero",
]  # fmt: skip


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Whole run folders: of version 1, one with a result of today and with every event there is."""
    runs = tmp_path_factory.mktemp("sources") / "runs"
    shutil.copytree(FIXTURES, runs)
    for folder in runs.iterdir():
        for file in folder.glob("*.*json"):
            for project in PROJECTS:
                file.write_text(file.read_text().replace(project, PROJECT))
    finished = next(runs.glob("*finished*"))
    today = runs / "20261126T000000Z-today-155c5c"
    shutil.copytree(finished, today)
    (today / "result.json").write_text(stored_result(finished).model_dump_json(indent=2))
    with (today / "events.ndjson").open("a") as events:
        for kind in KINDS.values():
            row = Recorded(9.0, cast("RunEvent", example(kind))).row()
            events.write(json.dumps(row | ({"id": "slow"} if "id" in row else {})) + "\n")
    return sorted(runs.iterdir())


@pytest.fixture(autouse=True)
def engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine in memory that has nothing of any run, and no waiting."""

    @contextlib.asynccontextmanager
    async def connected(within: float = 0.0) -> AsyncIterator[object]:
        del within
        made = FakeEngine(Fuse())
        made.add(container("bystander", labels={}))
        yield made

    async def nothing(self: object, project: str, folder: Path) -> list[str]:
        del self, project, folder
        return []

    monkeypatch.setattr(Engine, "connect", connected)
    monkeypatch.setattr("tests.fakes.fake_world.FakeCleanup.foreign", nothing)
    monkeypatch.setattr("tests.fakes.fake_world.FakeContainers.of", found)
    for module, name in (
        (heal, "_PAUSE"),
        (teardown, "_PAUSE"),
        (containers, "HEAL_DEADLINE"),
        (recover, "_HEAL"),
    ):
        monkeypatch.setattr(module, name, 0.0 if name == "_PAUSE" else 0.2)


async def found(self: object, project: str, service: str | None = None) -> list[object]:
    """What the engine has under the name of a project, whichever a damaged ledger names."""
    del self, project, service
    return []


# -- damages -------------------------------------------------------------------------------------


def damage(folder: Path, chance: random.Random) -> str:
    """Do one to three things to a run folder; return them in words."""
    return "; ".join(
        chance.choice(DAMAGE)(chance.choice(files_of(folder)), chance)
        for _ in range(chance.randint(1, 3))
    )


def files_of(folder: Path) -> list[Path]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
    # Those that are read most come up most.
    return files + [path for path in files if path.suffix in (".json", ".ndjson")] * 4


def cut(path: Path, chance: random.Random) -> str:
    data = path.read_bytes()
    path.write_bytes(data[: chance.randrange(len(data) + 1)])
    return f"{path.name} cut"


def garble(path: Path, chance: random.Random) -> str:
    data = bytearray(path.read_bytes())
    for _ in range(min(len(data), chance.randint(1, 8))):
        data[chance.randrange(len(data))] = chance.choice((0, 0xFF, 0x1B, 0x0A, 0x22, 0x7B, 0x39))
    path.write_bytes(data)
    return f"{path.name} garbled"


def not_text(path: Path, chance: random.Random) -> str:
    data = path.read_bytes()
    place = data.find(b'": "', chance.randrange(len(data) + 1))
    place = data.find(b'":"') if place < 0 else place
    path.write_bytes(data[: place + 4] + b"\xff\xfe" + data[place + 4 :])
    return f"{path.name} is not UTF-8"


def gone(path: Path, chance: random.Random) -> str:
    path.unlink()
    kind = chance.choice(("nothing", "a directory", "a pipe", "a link", "empty"))
    if kind == "a directory":
        path.mkdir()
    elif kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a link":
        path.symlink_to(chance.choice(("/dev/zero", "nowhere", "/etc/passwd", ".")))
    elif kind == "empty":
        path.touch()
    return f"{path.name} is {kind}"


def deep(path: Path, chance: random.Random) -> str:
    many = chance.choice((50, 100_000))
    with path.open("a") as file:
        file.write('{"event":"note","step":"intent","id":' + "[" * many + "]" * many + "}\n")
    return f"{path.name} is {many} deep"


def wrong_value(path: Path, chance: random.Random) -> str:
    """Change, leave out or add one value of one row, or of a whole document."""
    lines = path.read_text(errors="replace").splitlines()
    number = chance.randrange(len(lines)) if lines and path.suffix == ".ndjson" else None
    text = "\n".join(lines) if number is None else lines[number]
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return cut(path, chance)
    said = change(document, chance)
    text = json.dumps(document, ensure_ascii=chance.random() < 0.5)
    text = text.replace("1e+308", chance.choice(("1e999", "NaN", "-Infinity")))
    if number is None:
        path.write_bytes(text.encode(errors="surrogatepass"))
    else:
        lines[number] = text
        path.write_bytes("".join(f"{line}\n" for line in lines).encode(errors="surrogatepass"))
    return f"{path.name} line {number}: {said}"


def change(document: Any, chance: random.Random) -> str:
    place, inside = "", document
    while isinstance(inside, dict | list) and inside:
        keys = list(inside) if isinstance(inside, dict) else list(range(len(inside)))
        key = chance.choice(keys)
        place += f".{key}"
        if isinstance(inside[key], dict | list) and inside[key] and chance.random() < 0.8:
            inside = inside[key]
            continue
        how = chance.randrange(4)
        if how == 0:
            del inside[key]
            return f"{place} gone"
        if how == 1 and isinstance(inside, dict):
            inside[chance.choice(("more", "id", "kind", "t", "undo"))] = chance.choice(WRONG)
            return f"more beside {place}"
        inside[key] = chance.choice(WRONG)
        return f"{place} = {str(inside[key])[:20]}"
    return "nothing"


def shuffled(path: Path, chance: random.Random) -> str:
    lines = path.read_bytes().splitlines(keepends=True)
    chance.shuffle(lines)
    path.write_bytes(b"".join(lines + chance.choices(lines or [b""], k=2)))
    return f"{path.name} shuffled"


DAMAGE: list[Callable[[Path, random.Random], str]] = [
    cut, garble, not_text, gone, deep, shuffled, *[wrong_value] * 10,
]  # fmt: skip


# -- commands ------------------------------------------------------------------------------------


def commands(folder: Path) -> Iterator[tuple[str, Callable[[], ExitCode]]]:
    runs, run = folder.parent, str(folder)
    yield "report", lambda: show_report(run, runs, (), form=None, json=False)
    yield "report --json", lambda: show_report(run, runs, (), form=None, json=True)
    yield "report prompt", lambda: show_report(run, runs, (), form="prompt", json=False)
    yield "report annotations", lambda: show_report(run, runs, (), form="annotations", json=False)
    yield "check", lambda: check_history(CheckRequest(run, runs))
    yield "recover --dry-run", lambda: recover_runs(RecoverRequest(run, runs, False, True, True))
    yield "recover --all", lambda: recover_runs(RecoverRequest(None, runs, True, False, True))
    yield "recover", lambda: recover_runs(RecoverRequest(run, runs, False, False, True))
    yield "compare", lambda: compare_with_a_copy(folder)
    yield "report again", lambda: show_report(run, runs, (), form=None, json=False)


def compare_with_a_copy(folder: Path) -> ExitCode:
    copied = folder.parents[1] / f"{folder.parent.name}-copied" / folder.name
    copied.mkdir(parents=True)
    for name in ("scenario.yaml", "result.json"):
        if (folder / name).is_file():
            shutil.copyfile(folder / name, copied / name)
    return compare_runs(str(folder), str(copied), folder.parent, as_json=True)


def outcome(command: Callable[[], ExitCode]) -> ExitCode:
    try:
        return command()
    except ChaoskitError as error:
        return complain(error)


@pytest.mark.parametrize("group", range(GROUPS))
def test_a_damaged_run_ends_no_command_with_anything_but_a_documented_code(
    group: int, sources: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in range(group, DAMAGES, GROUPS):
        chance = random.Random(seed)
        source = chance.choice(sources)
        folder = tmp_path / str(seed) / source.name
        shutil.copytree(source, folder)
        folder.chmod(0o700)
        done = damage(folder, chance)
        for name, command in commands(folder):
            try:
                code = outcome(command)
            except Exception as error:
                error.add_note(f"seed {seed}, {name}: {source.name} with {done}")
                raise
            assert code in ALLOWED, (seed, name, done)
            shown = "".join(capsys.readouterr())
            if "--json" not in name:
                assert "\x1b" not in shown, (seed, name, done)
            assert "\u202e" not in shown, (seed, name, done)
        shutil.rmtree(folder.parent)
