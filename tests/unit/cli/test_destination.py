"""Where options write: never over what is not ours, never through a pipe that nobody reads."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from chaoskit.cli.destination import STDOUT, destination, is_stream, open_to_write
from chaoskit.cli.main import app
from chaoskit.cli.reports import KINDS, parsed, wanted, write
from chaoskit.errors import UsageError
from chaoskit.judge.stored import StoredRun
from tests.fakes.run_folder import make_run_folder

ONE_FILE = [kind for kind in KINDS if kind != "html-dir"]
INPUTS = {
    "scenario.yaml": "# chaoskit: the shop\nname: shop\nstack: { compose: compose.yaml }\n",
    "compose.yaml": "services: {}\n",
    ".env": "TAG=1\n",
    "chaoskit.toml": "[run]\n",
    "README.md": "## PASS: what it means\n\nIt is green.\n",
    "pytest.xml": '<?xml version="1.0"?>\n<testsuites><testsuite name="pytest"/></testsuites>\n',
    "page.html": "<!doctype html>\n<title>mine</title>\n",
    "some.json": '{"run": {}}\n',
    "one-line": "x",
}


@pytest.mark.parametrize("kind", [*ONE_FILE, "events"])
@pytest.mark.parametrize("name", INPUTS)
def test_no_file_of_somebody_else_is_written_over(tmp_path: Path, kind: str, name: str) -> None:
    file = tmp_path / name
    file.write_text(INPUTS[name])
    with pytest.raises(UsageError, match="no earlier one of chaoskit's") as refused:
        destination(str(file), kind, "the report")
    assert refused.value.hint == "name another file, or remove it"
    assert file.read_text() == INPUTS[name]


@pytest.mark.parametrize(
    ("kind", "runs"),
    [(kind, runs) for kind in KINDS for runs in range(3) if runs or not kind.startswith("html")],
)
def test_a_report_is_written_over_an_earlier_one(tmp_path: Path, kind: str, runs: int) -> None:
    stored = [StoredRun.read(make_run_folder(tmp_path / str(n))) for n in range(runs)]
    if runs == 2:
        second = stored[1].folder
        assert second is not None
        stored[1] = StoredRun.read(second.rename(second.with_name("20260301T130000Z-b-c3d4")))
    for _ in range(2):
        write([parsed(f"{kind}={tmp_path / 'out'}")], stored)
    files = [path for path in tmp_path.glob("out*/**/*") if path.is_file()]
    files += [path for path in tmp_path.glob("out*") if path.is_file()]
    assert all(path.stat().st_size for path in files)
    assert files or (kind, runs) == ("trace", 0)


@pytest.mark.parametrize("name", ["index.html", "report.css", "report.js"])
def test_a_folder_with_a_file_of_somebody_else_is_refused_before_anything_is_written(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(UsageError, match="no earlier one of chaoskit's"):
        parsed(f"html-dir={tmp_path}")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(name, "mine")]


def test_events_are_written_over_earlier_ones_and_over_an_empty_file(tmp_path: Path) -> None:
    file = tmp_path / "events.out"
    file.touch()
    for text in ('{"t":0.0,"event":"run_started"}\n', '{"t":0.5,"event":"run_started"}\n'):
        with open_to_write(destination(str(file), "events", "events to"), "events") as opened:
            opened.write(text)
        assert file.read_text() == text


def test_the_record_of_a_run_is_no_earlier_report(tmp_path: Path) -> None:
    folder = make_run_folder(tmp_path)
    for kind, name in (("json", "result.json"), ("events", "events.ndjson")):
        before = (folder / name).read_text()
        with pytest.raises(UsageError, match="the record of a run"):
            destination(str(folder / name), kind, "the report")
        assert (folder / name).read_text() == before


def test_no_report_goes_where_something_is_read(tmp_path: Path) -> None:
    part = tmp_path / "part.json"
    write([parsed(f"json={part}")], [StoredRun.read(make_run_folder(tmp_path / "runs"))])
    with pytest.raises(UsageError, match="is read, so no report can go there"):
        wanted([f"json={part}"], inputs=[tmp_path / "x" / ".." / "part.json"])


def test_two_reports_of_one_file_are_refused_however_it_is_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="two reports cannot go to"):
        wanted([f"json={tmp_path}/r", f"junit={tmp_path}/../{tmp_path.name}/r"])


def test_a_pipe_that_nobody_reads_is_refused_and_not_opened(tmp_path: Path) -> None:
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    for kind in (*ONE_FILE, "events"):
        with pytest.raises(UsageError, match="Not a regular file"):
            destination(str(fifo), kind, "the report")
    with pytest.raises(UsageError, match="Not a regular file"):
        destination("/dev/full", "json", "the report")


@contextmanager
def pipe() -> Iterator[tuple[int, list[bytes]]]:
    """A pipe as a shell makes for `>(command)`: its end to write to, and what came through it."""
    reader, writer = os.pipe()
    came: list[bytes] = []
    thread = threading.Thread(target=lambda: came.append(os.read(reader, 1 << 20)))
    thread.start()
    yield writer, came
    os.close(writer)
    thread.join(timeout=10)
    os.close(reader)


@pytest.mark.parametrize("form", ["/dev/fd/{}", "/proc/self/fd/{}"])
def test_a_pipe_of_the_shell_gets_the_report(tmp_path: Path, form: str) -> None:
    run = StoredRun.read(make_run_folder(tmp_path))
    with pipe() as (writer, came):
        write([parsed(f"junit={form.format(writer)}")], [run])
    assert b"".join(came).startswith(b"<?xml")


def test_an_end_that_can_only_be_read_is_refused() -> None:
    reader, writer = os.pipe()
    try:
        with pytest.raises(UsageError, match="open for reading only"):
            parsed(f"junit=/dev/fd/{reader}")
    finally:
        os.close(reader)
        os.close(writer)
    with pytest.raises(UsageError, match="Bad file descriptor"):
        parsed("junit=/dev/fd/999")


def test_stdout_by_its_names_is_stdout_and_null_takes_everything(tmp_path: Path) -> None:
    names = ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")
    assert {destination(name, "json", "the report") for name in names} == {STDOUT}
    assert is_stream(destination("/dev/stderr", "json", "the report"))
    runs = [StoredRun.read(make_run_folder(tmp_path))] * 2
    write(wanted(["json=/dev/null", "html=/dev/null"]), runs)
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize(
    "words",
    [["run", "scenario.yaml", "--report", "html=scenario.yaml"],
     ["run", "scenario.yaml", "--events", "scenario.yaml"],
     ["report", "--html", "scenario.yaml"],
     ["merge", "scenario.yaml", "--report", "json=scenario.yaml"],
     ["trend", "shop", "--html", "scenario.yaml"]],
)  # fmt: skip
def test_every_option_that_writes_leaves_a_scenario_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "scenario.yaml"
    file.write_text(INPUTS["scenario.yaml"])
    done = CliRunner().invoke(app, words)
    assert isinstance(done.exception, UsageError)
    assert "it is there, and no earlier one of chaoskit's" in done.exception.message
    assert file.read_text() == INPUTS["scenario.yaml"]
    assert list(tmp_path.iterdir()) == [file]
