"""Only regular files are read, never more than fits; no link of a checkout is written through."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from chaoskit import files


def a_pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def a_socket(path: Path) -> Path:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))
    return path


def an_endless_device(path: Path) -> Path:
    path.symlink_to("/dev/zero")
    return path


@pytest.mark.parametrize("make", [a_pipe, a_socket, an_endless_device])
@pytest.mark.parametrize("read", [files.read_bytes, lambda path: list(files.lines(path))])
def test_what_is_no_regular_file_is_refused_at_once(
    make: Callable[[Path], Path], read: Callable[[Path], object], tmp_path: Path
) -> None:
    with pytest.raises(OSError, match="Not a regular file"):
        read(make(tmp_path / "x"))


def test_a_directory_is_called_one(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        files.read_text(tmp_path)


def test_a_file_is_read_through_a_link_up_to_its_limit(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("ä" * 10)
    (tmp_path / "link").symlink_to("real")
    assert files.read_text(tmp_path / "link", 20) == "ä" * 10
    with pytest.raises(OSError, match="Larger than 0 MiB"):
        files.read_text(tmp_path / "link", 19)


def test_a_line_without_an_end_is_not_kept_in_memory(tmp_path: Path) -> None:
    with (tmp_path / "x").open("wb") as file:
        file.write(b"one\n")
        file.truncate(10**10)  # sparse: it takes no room
    found = files.lines(tmp_path / "x")
    assert next(found) == b"one\n"
    with pytest.raises(OSError, match="Line 2 is longer than 16 MiB"):
        next(found)


@pytest.mark.parametrize("absolute", [False, True])
def test_a_link_in_the_working_directory_is_not_written_through(
    absolute: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    (here / "out").mkdir(parents=True)
    elsewhere.mkdir()
    (here / "out" / "link").symlink_to(elsewhere)
    monkeypatch.chdir(here)
    base = here if absolute else Path()
    files.refuse_link(base / "out" / "new" / "x.xml")
    files.refuse_link(elsewhere / "x.xml")
    for name in ("out/link", "out/link/x.xml", "out/../out/link/x.xml"):
        with pytest.raises(OSError, match=r"out/link` is a symbolic link"):
            files.refuse_link(base / name)


def test_a_link_outside_of_it_is_whoever_s_owns_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "elsewhere").symlink_to(tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    files.refuse_link(tmp_path / "elsewhere" / "x.xml")


def test_a_whole_file_is_never_written_through_what_lies_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine")
    monkeypatch.setattr("secrets.token_hex", lambda _: "beef")
    (tmp_path / ".page.html.beef.part").symlink_to(precious)
    with pytest.raises(FileExistsError):
        files.write_whole(tmp_path / "page.html", "ours")
    assert precious.read_text() == "mine"
    assert (tmp_path / ".page.html.beef.part").is_symlink()


def test_a_whole_file_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(OSError, match="Is a directory"):
        files.write_whole(tmp_path / "there", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
