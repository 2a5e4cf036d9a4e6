"""The key of a user: made once, private, and of no use to anybody else."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chaoskit.errors import StoreFailed
from chaoskit.records import Json
from chaoskit.recovery.signing import Signer, key_path, known_key, own_key

ROW: dict[str, Json] = {"t": 0.1, "step": "intent", "undo": {"text": "ä\ud800", "n": [1, None]}}


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def test_it_is_made_once_and_only_its_user_can_read_it(state: Path) -> None:
    assert known_key() is None
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: own_key(), range(8)))
    assert len(keys) == 1
    assert len(keys.pop()) == 32
    assert key_path().stat().st_mode & 0o777 == 0o600
    assert state.joinpath("chaoskit").stat().st_mode & 0o777 == 0o700
    assert [path.name for path in (state / "chaoskit").iterdir()] == ["key"], "no drafts stay"


@pytest.mark.parametrize("given", ["", "relative/state"])
def test_without_a_valid_state_directory_it_is_in_the_home(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", given)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert key_path() == tmp_path / ".local/state/chaoskit/key"


def test_one_that_others_can_read_is_no_key() -> None:
    own_key()
    key_path().chmod(0o640)
    with pytest.raises(StoreFailed, match="is no key of this user alone") as caught:
        own_key()
    assert "remove it" in str(caught.value.hint)


def test_one_of_another_length_is_no_key() -> None:
    own_key()
    key_path().write_bytes(b"")
    with pytest.raises(StoreFailed, match="is no key of this user alone"):
        known_key()


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    key_path().parent.mkdir(parents=True)
    (tmp_path / "theirs").write_bytes(b"x" * 32)
    key_path().symlink_to(tmp_path / "theirs")
    with pytest.raises(StoreFailed, match="cannot read the key"):
        own_key()


def test_a_state_directory_that_cannot_be_made_is_an_error_with_a_way_out(state: Path) -> None:
    state.write_text("a file")
    with pytest.raises(StoreFailed, match=r"cannot (make|read) the key") as caught:
        own_key()
    assert "XDG_STATE_HOME" in str(caught.value.hint)


def test_a_row_is_signed_for_one_key_and_one_folder(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    row = Signer(b"a", one).sign(ROW)
    assert Signer(b"a", one).signed(row)
    assert not Signer(b"a", other).signed(row), "a copy in another place"
    assert not Signer(b"b", one).signed(row), "another user"
    assert not Signer(b"a", one).signed(ROW)


@pytest.mark.parametrize("changed", [{"t": 0.2}, {"step": "done"}, {"more": 1}, {"signature": "ä"}])
def test_a_row_that_was_changed_is_not_signed(tmp_path: Path, changed: dict[str, Json]) -> None:
    signer = Signer(b"a", tmp_path)
    assert not signer.signed({**signer.sign(ROW), **changed})
