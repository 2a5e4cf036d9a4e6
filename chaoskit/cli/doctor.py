"""`chaoskit doctor`: one row per need, with the command that fixes it."""

from __future__ import annotations

import asyncio
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from chaoskit.cli.output import say
from chaoskit.cli.recover import orphans
from chaoskit.docker.client import Engine
from chaoskit.docker.compose_cli import version
from chaoskit.docker.images import toxiproxy_image
from chaoskit.docker.labels import FOLDER_LABEL
from chaoskit.errors import ChaoskitError, EnvironmentFailure, ExitCode
from chaoskit.faults import REGISTRY
from chaoskit.record.folder import RESULT
from chaoskit.record.lock import LOCK, live_owner
from chaoskit.recovery.teardown import recover_command
from chaoskit.recovery.trust import trusted
from chaoskit.stack.capabilities import CAPABILITIES, Need, has_netem, is_rootless, missing


@dataclass(frozen=True, slots=True)
class Row:
    """One need: whether it is met, what was found, and what fixes it."""

    state: Literal["ok", "warn", "fail"]
    need: str
    found: str
    fix: str = ""


def examine(*, fix: bool) -> ExitCode:
    """Print a row per need; return 4 when something fails, else 0."""
    rows = asyncio.run(_rows(fix))
    width = max(len(row.need) for row in rows)
    for row in rows:
        say(f"{row.state:<4}  {row.need:<{width}}  {row.found}")
        if row.fix and row.state != "ok":
            say(f"{'':<4}  {'':<{width}}  fix: {row.fix}")
    return ExitCode.ENVIRONMENT if any(row.state == "fail" for row in rows) else ExitCode.PASSED


async def _rows(fix: bool) -> list[Row]:
    rows = [Row("ok", "python", platform.python_version()), await _compose()]
    try:
        async with Engine.connect() as engine:
            return rows + await _of_engine(engine, fix)
    except EnvironmentFailure as error:
        return [*rows, Row("fail", "docker engine", error.message, error.hint or "")]


async def _of_engine(engine: Engine, fix: bool) -> list[Row]:
    return [
        Row("ok", "docker engine", engine.version),
        await _toxiproxy(engine, pull=fix),
        await _leftovers(engine),
        _tcp_tables(),
        *await asyncio.gather(*(_need(engine, need) for need in CAPABILITIES)),
        *await _kernel(engine),
    ]


async def _need(engine: Engine, need: Need) -> Row:
    """Try what some faults need; without it they are refused before anything starts."""
    wanted = CAPABILITIES[need]
    users = ", ".join(_users(need))
    found = await missing(engine, [need])
    if need not in found:
        return Row("ok", wanted.name, f"works ({users})")
    fix = wanted.fix
    if wanted.by_helper and await missing(engine, ["helper"]):
        fix = CAPABILITIES["helper"].fix  # without the image it could not even be tried
    return Row("warn", wanted.name, f"{found[need]}; not possible: {users}", fix)


def _users(need: Need) -> Iterator[str]:
    """Yield the kinds that need this of the host, or something that takes it."""
    for kind in REGISTRY:
        by_helper = any(CAPABILITIES[mine].by_helper for mine in kind.needs)
        if need in kind.needs or (need == "helper" and by_helper):
            yield f"{kind.kind} {kind.needs_when}".strip()


async def _kernel(engine: Engine) -> list[Row]:
    """Return rows that explain those above; no fault needs them."""
    host, rootless, netem = await asyncio.gather(
        engine.machine.info(), is_rootless(engine), has_netem(engine)
    )
    words = {True: "in this kernel", False: "not in this kernel", None: "unknown"}
    return [
        Row("ok", "rootless", "yes" if rootless else "no"),
        Row("ok", "cgroups", f"v{host.cgroups}" if host.cgroups else "unknown"),
        Row("ok", "netem", f"{words[netem]}; no fault needs it"),
    ]


async def _compose() -> Row:
    fix = "install the Compose plugin: docs.docker.com/compose/install, or `make setup`"
    try:
        return Row("ok", "docker compose", await version())
    except ChaoskitError as error:
        return Row("fail", "docker compose", error.message.splitlines()[0], fix)


async def _toxiproxy(engine: Engine, *, pull: bool) -> Row:
    try:
        return Row("ok", "toxiproxy image", await toxiproxy_image(engine.images, pull=pull))
    except EnvironmentFailure as error:
        return Row("fail", "toxiproxy image", error.message, "chaoskit doctor --fix, or make setup")


async def _leftovers(engine: Engine) -> Row:
    """Return a row about runs that left something here, with the commands that remove it."""
    folders = await engine.cleanup.label_values(FOLDER_LABEL)
    if not folders:
        return Row("ok", "leftovers", "nothing of an earlier run")
    found, commands = [], []
    for folder in map(Path, folders):
        if live_owner(folder) is not None:
            found.append(f"{folder.name} goes on")
            continue
        kept = (folder / RESULT).exists() and not (folder / LOCK).exists()
        found.append(f"{folder.name} {'was kept' if kept else 'was killed'}")
        if folder.is_dir():
            try:
                trusted(folder, named=True)
                commands.append(recover_command(folder))
                continue
            except ChaoskitError as error:
                found[-1] += f", {error.message}"
        else:
            found[-1] += ", its run folder is gone"
        commands += [thing.command for thing in await orphans(folder, engine)]
    state: Literal["ok", "warn"] = "warn" if commands else "ok"
    return Row(state, "leftovers", ", ".join(found), "; ".join(commands))


def _tcp_tables() -> Row:
    """Reading other containers' TCP tables needs root; else `cat` is run inside the containers."""
    readable: Callable[[], bool] = lambda: bool(Path("/proc/1/net/tcp").read_text())  # noqa: E731
    try:
        ok = sys.platform == "linux" and readable()
    except OSError:
        ok = False
    if ok:
        return Row("ok", "connection tables", "readable on this host")
    return Row(
        "warn",
        "connection tables",
        "not readable here; bypassed proxies are noticed only where containers have `cat`",
        "run as root on the engine's host, if that matters",
    )
