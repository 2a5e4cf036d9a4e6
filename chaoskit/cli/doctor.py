"""`chaoskit doctor`: one row per need, with the command that fixes it."""

from __future__ import annotations

import asyncio
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from chaoskit.errors import ChaoskitError, EnvironmentFailure
from chaoskit.stack.compose import run
from chaoskit.stack.engine import Engine
from chaoskit.stack.images import toxiproxy_image
from chaoskit.stack.overlay import RUN_LABEL

EXIT_ENVIRONMENT = 4
_OLDEST_COMPOSE = (2, 24)  # `!reset` and `!override` in overlays


@dataclass(frozen=True, slots=True)
class Row:
    """One need: whether it is met, what was found, and what fixes it."""

    state: Literal["ok", "warn", "fail"]
    need: str
    found: str
    fix: str = ""


def examine(*, fix: bool) -> int:
    """Print a row per need; return 4 when something fails, else 0."""
    rows = asyncio.run(_rows(fix))
    width = max(len(row.need) for row in rows)
    for row in rows:
        print(f"{row.state:<4}  {row.need:<{width}}  {row.found}")
        if row.fix and row.state != "ok":
            print(f"{'':<4}  {'':<{width}}  fix: {row.fix}")
    return EXIT_ENVIRONMENT if any(row.state == "fail" for row in rows) else 0


async def _rows(fix: bool) -> list[Row]:
    rows = [Row("ok", "python", platform.python_version()), await _compose()]
    try:
        engine = await asyncio.to_thread(Engine)
    except EnvironmentFailure as error:
        return [*rows, Row("fail", "docker engine", error.message, error.hint or "")]
    rows.append(Row("ok", "docker engine", engine.version))
    rows.append(await _toxiproxy(engine, pull=fix))
    rows.append(await _leftovers(engine))
    rows.append(_tcp_tables())
    return rows


async def _compose() -> Row:
    fix = "install the Compose plugin: docs.docker.com/compose/install, or `make setup`"
    try:
        text = (await run(["docker", "compose", "version", "--short"], within=10)).strip()
    except ChaoskitError as error:
        return Row("fail", "docker compose", error.message.splitlines()[0], fix)
    numbers = tuple(int(part) for part in text.lstrip("v").split("-")[0].split(".")[:2])
    if numbers < _OLDEST_COMPOSE:
        return Row("fail", "docker compose", f"{text} is older than 2.24", fix)
    return Row("ok", "docker compose", text)


async def _toxiproxy(engine: Engine, *, pull: bool) -> Row:
    try:
        return Row("ok", "toxiproxy image", await toxiproxy_image(engine, pull=pull))
    except EnvironmentFailure as error:
        return Row("fail", "toxiproxy image", error.message, "chaoskit doctor --fix, or make setup")


async def _leftovers(engine: Engine) -> Row:
    """Name projects of runs whose containers, networks or volumes are still there."""
    projects = await engine.labelled_projects(RUN_LABEL)
    if not projects:
        return Row("ok", "leftovers", "nothing of an earlier run")
    commands = "; ".join(f"docker compose -p {p} down --volumes" for p in projects)
    return Row("warn", "leftovers", f"running or kept: {', '.join(projects)}", commands)


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
