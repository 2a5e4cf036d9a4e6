"""What a checkout or a service brings: nothing of it is run, written through or acted on."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from tests.cli.conftest import COMMAND, SCENARIO, Output

Cli = Callable[..., Output]
T = TypeVar("T")
FIXTURES = Path(__file__).parents[1] / "fixtures" / "v1"
FINISHED = "20261125T204947Z-v1-finished-155c5c"
EVIL = "x\x1b[2J\x1b]0;t\x07\x9b31m\u202e\u2066y"


def stands(text: str) -> list[str]:
    """Return what of the text a terminal would act on."""
    return [c for c in text if (ord(c) < 32 and c not in "\n\t") or c in "\x7f\x9b\u202e\u2066"]


def with_compose(tmp_path: Path, path: str) -> None:
    scenario = SCENARIO.replace("compose: compose.yaml", f"compose: {path}")
    (tmp_path / "scenario.yaml").write_text(scenario)


@pytest.mark.parametrize("device", ["/dev/zero", "pipe", "link"])
def test_a_compose_file_without_an_end_is_refused_at_once(
    cli: Cli, tmp_path: Path, device: str
) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    with_compose(tmp_path, device)
    start = time.monotonic()
    done = cli("validate", "scenario.yaml")
    assert done.code == 2
    assert f"scenario.yaml:4:19: `{device}` is not a regular file" in done.stderr
    assert time.monotonic() - start < 20


def test_a_compose_file_larger_than_any_is_refused(cli: Cli, tmp_path: Path) -> None:
    with (tmp_path / "compose.yaml").open("ab") as file:
        file.truncate(10**11)  # sparse
    done = cli("validate", "scenario.yaml")
    assert done.code == 2
    assert "compose.yaml`: Larger than 16 MiB" in done.stderr


@pytest.mark.parametrize("device", ["/dev/zero", "pipe"])
def test_a_scenario_without_an_end_is_refused_at_once(
    cli: Cli, tmp_path: Path, device: str
) -> None:
    os.mkfifo(tmp_path / "pipe")
    done = cli("validate", device)
    assert (done.code, done.stderr) == (
        2, f"error: cannot read `{device}`: not a regular file\n",
    )  # fmt: skip


def test_what_compose_itself_reads_without_an_end_takes_no_machine_down(
    cli: Cli, tmp_path: Path
) -> None:
    text = "services: { chat: { image: x, env_file: /dev/zero } }\n"
    (tmp_path / "compose.yaml").write_text(text)
    done = cli("validate", "scenario.yaml")
    assert done.code == 2
    assert "Compose finds no end of what" in done.stderr
    assert "`env_file`, `include`, `extends`" in done.stderr


def test_what_was_started_ends_with_chaoskit_however_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "docker"
    script.write_text("#!/bin/sh\nsleep 300 & sleep 300\n")
    script.chmod(0o755)
    (tmp_path / "compose.yaml").write_text("services: {}\n")
    (tmp_path / "scenario.yaml").write_text(SCENARIO)
    process = subprocess.Popen(
        [COMMAND, "validate", "scenario.yaml"],
        cwd=tmp_path,
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
    )
    try:
        started = wait_for(lambda: sessions_of(script))
        for sign in (signal.SIGTERM, signal.SIGKILL):
            process.send_signal(sign)
    finally:
        process.kill()
        process.wait()
    assert started
    assert wait_for(lambda: not any(map(alive_in, started))), "something of it is still there"


def sessions_of(script: Path) -> set[int]:
    """Return the sessions of processes that run a script."""
    found = set()
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if str(script).encode() in (path / "cmdline").read_bytes().split(b"\0")[:2]:
                found.add(os.getsid(int(path.name)))
    return found


def alive_in(session: int) -> list[str]:
    """Return the processes of a session, without those that only wait for their parent."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            fields = (path / "stat").read_text().rpartition(") ")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(path.name)
    return found


def wait_for(look: Callable[[], T]) -> T:
    ends = time.monotonic() + 15
    while not (seen := look()) and time.monotonic() < ends:
        time.sleep(0.05)
    return seen


def evil_run(tmp_path: Path) -> Path:
    """Return a finished run in whose result and events every text is hostile."""
    folder = tmp_path / ".chaoskit" / "runs" / FINISHED
    shutil.copytree(FIXTURES / FINISHED, folder)

    def evil(value: object, key: str = "") -> object:
        if isinstance(value, dict):
            return {name: evil(one, name) for name, one in value.items()}
        if isinstance(value, list):
            return [evil(one, key) for one in value]
        kept = ("verdict", "started_at", "name", "image", "digest")
        return f"{value} {EVIL}" if isinstance(value, str) and key not in kept else value

    result = folder / "result.json"
    result.write_text(json.dumps(evil(json.loads(result.read_text()))))
    return folder


def test_nothing_that_a_terminal_acts_on_leaves_a_report(cli: Cli, tmp_path: Path) -> None:
    evil_run(tmp_path)
    done = cli("report", FINISHED, "--report", "summary=s.md", "--report", "junit=j.xml")
    assert done.code == 0
    shown = {
        "terminal": done.stdout + done.stderr,
        "json": cli("report", FINISHED, "--json").stdout,
        "summary": (tmp_path / "s.md").read_text(),
        "junit": (tmp_path / "j.xml").read_text(),
    }
    assert {name: stands(text) for name, text in shown.items()} == {name: [] for name in shown}


def test_nothing_that_a_terminal_acts_on_leaves_an_error(cli: Cli, tmp_path: Path) -> None:
    text = SCENARIO.replace("name: shop", "name: shop # \u202e\u2066").replace(
        "baseline: 1s", "baseline: 1\u202e"
    )
    (tmp_path / "scenario.yaml").write_text(text)
    done = cli("validate", "scenario.yaml")
    assert done.code == 2
    assert "scenario.yaml:8:" in done.stderr
    assert stands(done.stderr) == []
    for words in (["report", EVIL], ["validate", EVIL], ["check", EVIL], ["plan", EVIL]):
        refused = cli(*words)
        assert refused.code == 2
        assert stands(refused.stdout + refused.stderr) == []


@pytest.mark.parametrize("option", ["--report", "--events"])
def test_no_file_is_written_through_a_link_of_the_checkout(
    cli: Cli, tmp_path: Path, option: str
) -> None:
    precious = tmp_path.parent / f"{tmp_path.name}-precious"
    precious.mkdir()
    (tmp_path / "out").symlink_to(precious)
    (tmp_path / "out.xml").symlink_to(precious / "x")
    kind = "junit=" if option == "--report" else ""
    no_engine = {"DOCKER_HOST": "unix:///nonexistent.sock"}
    for path in ("out/x", "out.xml"):
        done = cli("run", "scenario.yaml", option, f"{kind}{path}", env=no_engine)
        assert done.code == 2
        assert "is a symbolic link" in done.stderr
    elsewhere = tmp_path.parent / f"{tmp_path.name}-link"
    elsewhere.symlink_to(precious / "x")
    done = cli("run", "scenario.yaml", option, f"{kind}{elsewhere}", env=no_engine)
    assert done.code == 2
    assert "it is a link to a file that is not there" in done.stderr
    assert elsewhere.is_symlink()
    assert list(precious.iterdir()) == []


def test_a_full_disk_under_the_output_is_said(cli: Cli) -> None:
    del cli
    for words in (["list", "faults"], ["schema", "scenario"], ["report", "--help"]):
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(
                [COMMAND, *words], stdout=full, stderr=subprocess.PIPE, text=True, check=False
            )
        assert done.returncode == 4, words
        assert done.stderr == "error: this machine refuses: No space left on device\n"


def test_a_folder_of_runs_where_there_are_none_is_no_crash(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / ".chaoskit").mkdir()
    (tmp_path / ".chaoskit" / "runs").write_text("a file")
    for words in (["report"], ["check", "latest"], ["report", "x" * 300], ["check", "x" * 300]):
        assert cli(*words).code == 2


def test_hundreds_of_proxies_must_be_asked_for(cli: Cli, tmp_path: Path) -> None:
    services = [f"  s{n}: {{ image: x, expose: ['80'] }}\n" for n in range(30)]
    chat = "  chat: { image: x, expose: ['8000'] }\n  redis: { image: x, expose: ['6379'] }\n"
    (tmp_path / "compose.yaml").write_text(f"name: shop\nservices:\n{''.join(services)}{chat}")
    (tmp_path / "scenario.yaml").write_text(
        SCENARIO.replace("compose.yaml }", "compose.yaml, proxy: all }")
    )
    no_engine = {"DOCKER_HOST": "unix:///nonexistent.sock"}
    done = cli("plan", "scenario.yaml", env=no_engine)
    assert done.code == 2
    said = "the run would start 930 proxy containers; more than 200 must be asked for"
    assert f"scenario.yaml:4:40: {said}" in done.stderr
    allowed = SCENARIO.replace("compose.yaml }", "compose.yaml, proxy: all, most_proxies: 930 }")
    (tmp_path / "scenario.yaml").write_text(allowed)
    assert cli("plan", "scenario.yaml", env=no_engine).code == 0
