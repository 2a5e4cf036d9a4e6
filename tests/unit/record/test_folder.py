"""Run folders: files survive a kill, never hold a secret, and say when they cannot be written."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chaoskit.errors import StoreFailed, UsageError
from chaoskit.record.folder import NdjsonFile, RunFolder, find_run, read_ndjson
from chaoskit.records import Json
from chaoskit.secrets import Redactor

STARTED = datetime(2026, 11, 21, 9, 25, 48, tzinfo=UTC)


def folder(runs: Path, token: str = "abc123", redactor: Redactor | None = None) -> RunFolder:
    return RunFolder.create(runs, "redis-restart", STARTED, redactor or Redactor(), token)


def test_a_run_is_named_by_time_scenario_and_token_and_latest_points_to_it(tmp_path: Path) -> None:
    runs = tmp_path / "deep" / "runs"
    assert folder(runs, "one").id == "20261121T092548Z-redis-restart-one"
    newest = folder(runs, "two")
    assert (runs / "latest").resolve() == newest.path.resolve()
    assert sorted(p.name for p in runs.iterdir()) == [
        ".gitignore",
        "20261121T092548Z-redis-restart-one",
        "20261121T092548Z-redis-restart-two",
        "latest",
    ]


def test_only_its_user_can_look_into_it(tmp_path: Path) -> None:
    assert folder(tmp_path / "runs").path.stat().st_mode & 0o777 == 0o700


def test_a_file_system_that_keeps_nothing_private_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Path.mkdir
    monkeypatch.setattr(Path, "mkdir", lambda self, mode=0o777, **more: made(self, 0o777, **more))
    with pytest.raises(StoreFailed, match="Its file system keeps no folder private"):
        folder(tmp_path / "runs")


def test_what_the_user_has_in_the_runs_directory_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("node_modules/\n")
    (tmp_path / "latest").write_text("mine")
    before = {p.name for p in tmp_path.iterdir()}
    made = folder(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == before | {made.id}
    assert (tmp_path / ".gitignore").read_text() == "node_modules/\n"
    assert (tmp_path / "latest").read_text() == "mine"


@pytest.mark.parametrize("name", [".gitignore", "latest"])
def test_a_link_of_the_user_s_is_neither_followed_nor_replaced(tmp_path: Path, name: str) -> None:
    runs, precious = tmp_path / "runs", tmp_path / "precious"
    runs.mkdir()
    precious.write_text("mine")
    (runs / name).symlink_to(precious)
    folder(runs)
    assert precious.read_text() == "mine"
    assert (runs / name).readlink() == precious


def test_a_directory_with_the_user_s_files_is_not_hidden_from_git(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("")
    folder(tmp_path)
    assert not (tmp_path / ".gitignore").exists()


@pytest.mark.parametrize("link", [".chaoskit", ".chaoskit/runs"])
def test_a_runs_directory_that_a_checkout_leads_elsewhere_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, link: str
) -> None:
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    (here / link).parent.mkdir(parents=True)
    (elsewhere / "runs").mkdir(parents=True)
    (here / link).symlink_to(elsewhere)
    monkeypatch.chdir(here)
    with pytest.raises(StoreFailed, match="is a symbolic link") as caught:
        folder(Path(".chaoskit/runs"))
    assert "--runs-dir" in str(caught.value.hint)
    assert list((elsewhere / "runs").iterdir()) == []


def test_where_latest_is_something_else_it_means_the_newest_run(tmp_path: Path) -> None:
    (tmp_path / "latest").write_text("mine")
    for token in ("a", "b"):
        folder(tmp_path, token).write("scenario.yaml", "")
    assert find_run(tmp_path, "latest").name.endswith("-b")
    with pytest.raises(UsageError, match=r"no run `x+`"):
        find_run(tmp_path, "x" * 300)


def test_a_folder_that_cannot_be_made_is_an_error_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreFailed, match="cannot make a run folder") as caught:
        folder(tmp_path / "file" / "runs")
    assert "--runs-dir" in str(caught.value.hint)


def test_the_same_run_is_never_written_into_twice(tmp_path: Path) -> None:
    folder(tmp_path)
    with pytest.raises(StoreFailed, match="File exists"):
        folder(tmp_path)


def test_a_file_is_replaced_as_a_whole_and_leaves_no_parts(tmp_path: Path) -> None:
    made = folder(tmp_path)
    made.write("summary.md", "one")
    with (made.path / "summary.md").open() as reader:
        made.write("summary.md", "two and more")
        assert reader.read() == "one"
    assert (made.path / "summary.md").read_text() == "two and more"
    assert {p.name for p in made.path.iterdir()} == {"lock", "logs", "summary.md"}


def test_a_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    made = folder(tmp_path)
    with pytest.raises(StoreFailed, match="cannot write"):
        made.write("no-such-folder/x", "text")
    with pytest.raises(StoreFailed, match="cannot write"):
        made.ndjson("no-such-folder/x.ndjson")


def test_a_full_disk_is_an_error_and_not_a_crash() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("only Linux has a disk that is always full")
    file = NdjsonFile(full, Redactor())
    with pytest.raises(StoreFailed, match="No space left"):
        file.append({"a": 1})
    file.close()


def test_lines_are_there_as_soon_as_they_are_appended(tmp_path: Path) -> None:
    file = folder(tmp_path).ndjson("events.ndjson", durable=True)
    rows: list[Json] = [{"t": 0.5, "event": "ä\u2028\n"}, {"t": 1, "value": [None, True]}]
    for number, row in enumerate(rows, 1):
        assert isinstance(row, dict)
        file.append(row)
        assert list(read_ndjson(file._path)) == rows[:number]
    file.close()


def test_a_missing_file_has_no_lines(tmp_path: Path) -> None:
    assert list(read_ndjson(tmp_path / "none.ndjson")) == []


@pytest.mark.parametrize("torn", ['{"t":2,"ev', '{"t":2}', "\xff"])
def test_a_torn_last_line_is_left_out_and_the_next_writer_starts_a_new_one(
    tmp_path: Path, torn: str
) -> None:
    path = tmp_path / "ledger.ndjson"
    path.write_bytes(b'{"t":1}\n' + torn.encode("latin-1"))
    assert list(read_ndjson(path)) == [{"t": 1}]
    file = NdjsonFile(path, Redactor())
    file.append({"t": 3})
    file.close()
    rows = list(read_ndjson(path))
    assert (rows[0], rows[-1]) == ({"t": 1}, {"t": 3})


def test_a_lone_surrogate_from_somebody_s_json_is_kept(tmp_path: Path) -> None:
    file = folder(tmp_path).ndjson("samples.ndjson")
    row: dict[str, Json] = {"value": json.loads('"\\ud800"')}
    file.append(row)
    file.close()
    assert list(read_ndjson(file._path)) == [row]


def test_secrets_are_masked_in_texts_and_nothing_else_changes(tmp_path: Path) -> None:
    redactor = Redactor(["123456", "outcome", "s3cr3t-1"])
    made = folder(tmp_path, redactor=redactor)
    row: dict[str, Json] = {
        "t": 1.123456,
        "outcome": "ok",
        "value": 123456,
        "error": "no s3cr3t-1 at redis://:pw@redis",
    }
    clean = {**row, "error": "no *** at redis://:***@redis"}
    file = made.ndjson("samples.ndjson")
    file.append(row)
    file.close()
    assert list(read_ndjson(file._path)) == [clean]
    for written in (made.write_json("a.json", row), made.write("b.json", json.dumps(row))):
        assert json.loads(written.read_text()) == clean
    assert "s3cr3t-1" not in made.write("logs/x.log", "s3cr3t-1").read_text()
