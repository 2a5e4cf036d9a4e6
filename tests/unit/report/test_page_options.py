"""The page by the command line: where it is asked for, and what cannot be written."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from chaoskit.cli import complete
from chaoskit.cli.main import app
from chaoskit.cli.reports import FORMATS, KINDS, parsed, write
from chaoskit.errors import UsageError
from chaoskit.judge.stored import StoredRun
from chaoskit.report.html import page, trace
from tests.fakes.run_folder import make_run_folder


def test_report_writes_the_page_as_one_file_and_as_a_folder(tmp_path: Path) -> None:
    folder = make_run_folder(tmp_path)
    alone, parts = tmp_path / "out" / "page.html", tmp_path / "site"
    words = ["report", str(folder), "--html", str(alone), "--html-dir", str(parts)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert alone.read_text() == page.render(folder)
    assert {p.name for p in parts.iterdir()} == {"index.html", "report.css", "report.js"}


def test_report_kinds_write_the_same(tmp_path: Path) -> None:
    folder = make_run_folder(tmp_path)
    out = tmp_path / "trace.json"
    done = CliRunner().invoke(app, ["report", str(folder), "--report", f"trace={out}"])
    assert done.exit_code == 0, done.output
    assert out.read_text() == trace.render(folder)


def test_pages_of_several_runs_have_their_ids_in_their_names(tmp_path: Path) -> None:
    one, two = make_run_folder(tmp_path / "a"), make_run_folder(tmp_path / "b")
    two = two.rename(two.with_name("20260301T130000Z-chat-c3d4"))
    write([parsed(f"html={tmp_path}/page.html")], [StoredRun.read(one), StoredRun.read(two)])
    names = {path.name for path in tmp_path.glob("page*.html")}
    assert names == {"page.html", f"page-{one.name}.html", f"page-{two.name}.html"}


def test_a_place_that_cannot_be_written_is_refused_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for kind in ("html", "html-dir", "trace"):
        assert kind in KINDS
        with pytest.raises(UsageError, match="cannot write the report"):
            parsed(f"{kind}={tmp_path}/file/below")


def test_stdout_takes_one_trace_and_no_directory(tmp_path: Path) -> None:
    run = StoredRun.read(make_run_folder(tmp_path))
    with pytest.raises(UsageError, match="shows one run"):
        write([parsed("trace=-")], [run, run])
    with pytest.raises(UsageError, match="makes a directory"):
        parsed("html-dir=-")


def test_the_shell_completes_every_kind() -> None:
    assert complete.formats("") == sorted(FORMATS)
    assert complete.reports("") == [f"{kind}=" for kind in sorted(KINDS)]
