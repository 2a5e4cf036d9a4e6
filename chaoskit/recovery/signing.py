"""Whose a ledger is: every line of it is signed with a key that only this user has.

A ledger says what is run and removed later, and it is a file: a checkout, an archive or another
user can bring one. The signature covers the real path of the run folder, so that a ledger that was
published is of no use anywhere else.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path

from chaoskit.errors import StoreFailed
from chaoskit.records import Json

FIELD = "signature"
_SIZE = 32  # bytes
_ELSEWHERE = "set XDG_STATE_HOME to a directory that only you can write"


class Signer:
    """Signs and checks the rows of one run folder's ledger."""

    def __init__(self, key: bytes, folder: Path) -> None:
        """`folder` must exist."""
        self._key = _mac(key, b"chaoskit ledger " + os.fsencode(folder.resolve()))

    def sign(self, row: Mapping[str, Json]) -> dict[str, Json]:
        """Return the row with its signature."""
        return {**row, FIELD: self._signature(row)}

    def signed(self, row: Mapping[str, Json]) -> bool:
        """Return whether the row is as this user's key signed it."""
        given = row.get(FIELD)
        return (
            isinstance(given, str)
            and given.isascii()
            and hmac.compare_digest(given, self._signature(row))
        )

    def _signature(self, row: Mapping[str, Json]) -> str:
        plain = {name: value for name, value in row.items() if name != FIELD}
        text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
        return _mac(self._key, text.encode()).hex()


def _mac(key: bytes, text: bytes) -> bytes:
    return hmac.new(key, text, hashlib.sha256).digest()


def key_path() -> Path:
    """Return where this user's key is. Raises `StoreFailed` for a user without a home."""
    given = os.environ.get("XDG_STATE_HOME", "")
    try:  # a relative one is not valid, says its specification
        base = Path(given) if given.startswith("/") else Path.home() / ".local" / "state"
    except RuntimeError as error:
        raise StoreFailed(f"no place for the key of this user: {error}", hint=_ELSEWHERE) from None
    return base / "chaoskit" / "key"


def own_key() -> bytes:
    """Return this user's key, made when it is first needed. Raises `StoreFailed`."""
    path = key_path()
    key = known_key()
    if key is not None:
        return key
    draft = path.with_name(f".{path.name}-{secrets.token_hex(6)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(draft, flags, 0o600), "wb") as file:
            file.write(secrets.token_bytes(_SIZE))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # another process was quicker
            os.link(draft, path)
    except OSError as error:
        raise StoreFailed(
            f"cannot make the key `{path}`, which signs what a run must undo: {error.strerror}",
            hint=_ELSEWHERE,
        ) from error
    finally:
        with contextlib.suppress(OSError):
            draft.unlink()
    key = known_key()
    if key is None:
        raise StoreFailed(f"the key `{path}` is gone as soon as it is made", hint=_ELSEWHERE)
    return key


def known_key() -> bytes | None:
    """Return this user's key, None where there is none yet.

    Raises `StoreFailed` for one that others could have read or written.
    """
    path = key_path()
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreFailed(
            f"cannot read the key `{path}`: {error.strerror}", hint=_ELSEWHERE
        ) from error
    try:
        found = os.fstat(descriptor)
        private = stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid()
        if private and not found.st_mode & 0o077 and found.st_size == _SIZE:
            return os.read(descriptor, _SIZE)
    finally:
        os.close(descriptor)
    raise StoreFailed(
        f"`{path}` is no key of this user alone",
        hint="remove it: a new one is made, and runs that were killed before are recovered by name",
    )
