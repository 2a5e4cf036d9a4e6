"""Whether the folder of a run may be acted on: who can have written what is in it."""

from __future__ import annotations

import asyncio
import os
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path

from chaoskit.clock import until
from chaoskit.docker.call import EngineGone
from chaoskit.docker.client import Engine
from chaoskit.errors import StoreFailed
from chaoskit.recovery.ledger import LEDGER, Opening, opening_of
from chaoskit.recovery.teardown import down_command, recover_command

_MOST_FILES = 10_000
_LOOK_AGAIN = 0.5  # seconds between two looks at an engine that is away


class NotTrusted(StoreFailed):
    """A run folder that somebody else may have written: nothing of it is acted on."""


def trusted(path: Path, *, named: bool) -> Opening | None:
    """Return how the ledger of a run begins, None when it was never opened.

    A user may name a run that was not signed, such as one of version 1: all that is done then is
    to what carries the run's labels. Raises `NotTrusted`, and `StoreFailed` for an unusable ledger.
    """
    _refuse_others(path)
    opening = opening_of(path / LEDGER)
    if not named:
        _refuse_unsigned(path, opening)
    return opening


async def refuse_foreign(path: Path, opening: Opening, engine: Engine, engine_back: float) -> None:
    """Raise `NotTrusted` where the Compose project of a run holds what neither it made nor the run
    whose stack it went on with."""

    project = opening.project
    own = await asyncio.to_thread(path.resolve)
    folder = own if opening.maker is None else opening.maker

    async def foreign() -> list[str] | EngineGone:
        try:
            return await engine.cleanup.foreign(project, folder)
        except EngineGone as error:
            return error

    await engine.back(engine_back)
    found = await until(
        foreign,
        met=lambda seen: not isinstance(seen, EngineGone),
        within=engine_back,
        every=_LOOK_AGAIN,
    )
    if isinstance(found, EngineGone):
        raise found
    if found:
        raise NotTrusted(
            f"the Compose project `{project}` holds what run `{path.name}` did not make:"
            f" {', '.join(found)}",
            hint=f"nothing was touched; if all of it may go: {down_command(project)}",
        )


def _refuse_others(folder: Path) -> None:
    """Raise `NotTrusted` for a folder that another user owns or can write, or that holds links or
    special files: what is written into it could go anywhere."""
    try:
        flaw = _flaw(folder)
    except OSError as error:
        flaw = f"it cannot be read: {error.strerror}", None
    if flaw is not None:
        raise NotTrusted(f"`{folder}` is not trusted: {flaw[0]}", hint=flaw[1])


def _refuse_unsigned(folder: Path, opening: Opening | None) -> None:
    """Raise `NotTrusted` for a ledger that this user's key did not sign."""
    if opening is None or not opening.signed:
        raise NotTrusted(
            f"`{folder}` is not trusted: no key of this user signed its ledger",
            hint=f"if the run is yours, name it: {recover_command(folder)}",
        )


def _flaw(folder: Path) -> tuple[str, str | None] | None:
    """Return what is wrong with a folder, and what to do about it."""
    fix = shlex.join(["chmod", "-R", "go-w", str(folder)])
    open_to_all = folder.lstat().st_mode & 0o077
    for number, path in enumerate(_everything(folder)):
        if number > _MOST_FILES:
            return f"it holds more than {_MOST_FILES} files", None
        found = path.lstat()
        if stat.S_ISLNK(found.st_mode):
            return f"`{path}` is a symbolic link", None
        if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
            return f"`{path}` is no regular file", None
        if found.st_uid != os.geteuid():
            return f"`{path}` belongs to user {found.st_uid}", "recover it as that user"
        if found.st_mode & 0o022 and (path == folder or open_to_all):
            return f"others can write `{path}`", f"if the run is yours: {fix}"
    return None


def _everything(folder: Path) -> Iterator[Path]:
    yield folder
    for parent, folders, files in os.walk(folder, onerror=_raised):
        yield from (Path(parent, name) for name in (*folders, *files))


def _raised(error: OSError) -> None:
    raise error
