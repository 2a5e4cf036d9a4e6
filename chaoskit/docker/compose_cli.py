"""The `docker compose` command line: reading a project and bringing a copy of it up."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chaoskit.errors import CommandFailed, EnvironmentFailure, UsageError
from chaoskit.files import read_bytes
from chaoskit.records import Json
from chaoskit.scripts import script
from chaoskit.tasks import whole

OLDEST = (2, 24, 6)  # `!override` came with 2.24.4, and two mistakes with it
CONFIG_DEADLINE = 30.0
_CONFIG_MEMORY = 1024**2  # KiB; the largest projects take a tenth of it
_OUT_OF_MEMORY = re.compile(r"^fatal error: .*memory", re.MULTILINE)  # as Go programs say it
_LARGEST = 16 * 1024**2  # bytes of one Compose file
PROJECT_VARIABLE = "CHAOSKIT_PROJECT"  # marks every process that is started for a run


@dataclass(frozen=True, slots=True)
class Compose:
    """One project name over a list of Compose files; `env` is added to this process' own."""

    files: tuple[Path, ...]
    project: str
    profiles: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)

    def argv(self, *arguments: str) -> list[str]:
        """Return the full command line; the user's directory stays the project directory."""
        argv = ["docker", "compose", "--project-directory", str(self.files[0].parent.resolve())]
        if self.project:  # else the user's own name, as `docker compose` works it out
            argv += ["--project-name", self.project]
        for file in self.files:
            argv += ["--file", str(file)]
        for profile in self.profiles:
            argv += ["--profile", profile]
        return [*argv, *arguments]

    async def config(self) -> Mapping[str, Json]:
        """Return the project as Compose resolves it. Needs the command, not the engine.

        Raises `UsageError` when Compose does not accept the files.
        """
        await asyncio.to_thread(_refuse_special, self.files)
        argv = self.argv("config", "--format", "json")
        try:
            text = await run(argv, within=CONFIG_DEADLINE, env=self.env, memory=_CONFIG_MEMORY)
        except CommandFailed as error:
            if _OUT_OF_MEMORY.search(error.stderr):
                raise UsageError(
                    f"Compose finds no end of what {_named(self.files)} include",
                    hint="look at `env_file`, `include`, `extends` and the `.env` beside them",
                ) from None
            if error.status is None or "is not a docker command" in error.stderr:
                raise
            raise UsageError(
                f"Compose does not accept {_named(self.files)}:\n{error.stderr.strip()[-1500:]}",
                hint=f"try `docker compose -f {self.files[0]} config`",
            ) from None
        parsed: Mapping[str, Json] = json.loads(text)
        return parsed

    async def build(self, services: Sequence[str], *, within: float) -> None:
        """Build the images of these services. Raises `CommandFailed`."""
        env = {**self.env, PROJECT_VARIABLE: self.project}
        await run(self.argv("build", "--quiet", *services), within=within, env=env)

    async def up(
        self, services: Sequence[str] = (), *, within: float, dependencies: bool = True
    ) -> None:
        """Create and start services in their start order. Raises `CommandFailed`."""
        options = ["up", "--detach", "--quiet-pull", *([] if dependencies else ["--no-deps"])]
        argv = self.argv(*options, *services)
        await run(argv, within=within, env={**self.env, PROJECT_VARIABLE: self.project})


async def version() -> str:
    """Return the version of Compose. Raises `CommandFailed`, `EnvironmentFailure` for one that is
    too old."""
    text = (await run(["docker", "compose", "version", "--short"], within=10)).strip()
    numbers = re.match(r"v?([0-9]+)\.([0-9]+)\.([0-9]+)", text)
    if numbers is None or tuple(map(int, numbers.groups())) < OLDEST:
        raise EnvironmentFailure(
            f"Docker Compose {text} is older than {'.'.join(map(str, OLDEST))}",
            hint="install a newer one: docs.docker.com/compose/install",
        )
    return text


def _refuse_special(files: Sequence[Path]) -> None:
    """Raise `UsageError` for a file that Compose would read for ever, or wait for."""
    for file in files:
        try:
            read_bytes(file, _LARGEST)
        except OSError as error:
            raise UsageError(f"cannot read `{file}`: {error.strerror}") from None


def _named(files: Sequence[Path]) -> str:
    return ", ".join(str(file) for file in files)


async def run(
    argv: Sequence[str],
    *,
    within: float,
    env: Mapping[str, str] | None = None,
    memory: int | None = None,
) -> str:
    """Run a command in its own session and return its stdout.

    The own session keeps a Ctrl-C at the terminal away from it: chaoskit decides what stops when.
    Past the deadline, or when the caller is cancelled, its process group is stopped for certain
    before this returns; when this process is killed, it is killed too. Each of its processes gets
    `memory` KiB at most. Raises `CommandFailed`.
    """
    if shutil.which(argv[0]) is None:
        raise EnvironmentFailure(
            f"`{argv[0]}` is not installed", hint="run `chaoskit doctor` to see what is missing"
        )
    leash, ours = os.pipe()  # closed by the kernel when this process ends
    try:
        return await _leashed(argv, leash, within, env, memory)
    finally:
        os.close(ours)


async def _leashed(
    argv: Sequence[str],
    leash: int,
    within: float,
    env: Mapping[str, str] | None,
    memory: int | None,
) -> str:
    """Run a command that ends with the pipe `leash` leads to; takes that over."""
    starting = asyncio.create_subprocess_exec(
        *("sh", "-c", script("host/leash.sh"), "leash", str(memory or ""), *argv),
        stdin=leash,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **(env or {})},
        start_new_session=True,
    )
    try:
        process = await whole(starting, _stop)
    finally:
        os.close(leash)
    try:
        out, err = await asyncio.wait_for(process.communicate(), within)
    except TimeoutError:
        await _stop(process)
        raise CommandFailed(argv, None, f"no result within {within:.0f} s") from None
    except asyncio.CancelledError:
        await asyncio.shield(_stop(process))
        raise
    if process.returncode != 0:
        raise CommandFailed(argv, process.returncode, err.decode(errors="replace"))
    return out.decode(errors="replace")


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Ask the process group to stop, then make it: Compose may be in the middle of a create."""
    for sign, grace in ((signal.SIGINT, 1.0), (signal.SIGKILL, 5.0)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        try:
            await asyncio.wait_for(process.wait(), grace)
        except TimeoutError:
            continue
        break
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(TimeoutError):  # to the end of its output: nothing of it stays open
        await asyncio.wait_for(process.communicate(), 1.0)
