"""Commands inside containers of the run: what `docker exec` does, with a deadline."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from chaoskit.docker import frames

if TYPE_CHECKING:
    from docker import APIClient

    from chaoskit.docker.call import Call

T = TypeVar("T")
_POLL = 0.005
_MOST = 1024**2  # bytes of output that are kept
_TRIES = 3
_LOST = (126, 128)  # the status of what could not be begun
# How the engine ends a command that it lost before its first step: not what it was asked to run,
# which it names as not found or not permitted.
_NOT_BEGUN = re.compile(r"OCI runtime exec failed: .*\b(init-p|init preliminary setup|EOF)\b")


@dataclass(frozen=True, slots=True)
class ExecResult:
    """How a command inside a container ended; `status` is None when it ran past its deadline."""

    status: int | None
    out: str
    err: str


class ContainerExec:
    """Runs commands in containers, as the user and with the environment of the container.

    Raises `EnvironmentFailure` when the container is stopped or paused.
    """

    def __init__(self, api: APIClient, call: Call) -> None:
        self._api = api
        self._call = call
        self._made: dict[str, Mapping[str, Any]] = {}  # of a container, it never changes

    async def run(
        self,
        container_id: str,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        within: float = 10.0,
        most: int = _MOST,
    ) -> ExecResult:
        """Run a command and return how it ended, with `most` bytes of each of its streams.

        Past `within` seconds it is given up, not killed: the engine has no call for that. One that
        the engine lost before it began is begun again.
        """
        deadline = time.monotonic() + within

        def begin() -> ExecResult:
            id = self._created(container_id, argv, environment)
            stream: Any = self._api.exec_start(id, socket=True)
            try:
                out, err = _output(stream, deadline, most)
            finally:
                frames.close(stream)
            while True:  # its output may end a moment before itself
                status = self._api.exec_inspect(id)["ExitCode"]
                if status is not None or time.monotonic() >= deadline:
                    return ExecResult(status, out, err)
                time.sleep(_POLL)

        def run() -> ExecResult:
            for _ in range(_TRIES - 1):
                done = begin()
                if done.status not in _LOST or not _NOT_BEGUN.search(done.out + done.err):
                    return done
            return begin()

        return await self._call("run a command inside", run)

    async def leave(
        self,
        container_id: str,
        argv: Sequence[str],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start a command that goes on by itself, whatever becomes of us."""

        def start() -> None:
            self._api.exec_start(self._created(container_id, argv, environment), detach=True)

        await self._call("start a command inside", start)

    async def words(self, container_id: str) -> list[str]:
        """Return the command line with which a container's main process was started."""
        made = await self._inspected(container_id)
        return [str(made.get("Path") or ""), *(str(word) for word in made.get("Args") or ())]

    async def environment(self, container_id: str) -> dict[str, str]:
        """Return the environment that a container was made with."""
        made = await self._inspected(container_id)
        pairs = (str(one).partition("=") for one in made["Config"].get("Env") or ())
        return {key: value for key, _, value in pairs}

    async def _inspected(self, container_id: str) -> Mapping[str, Any]:
        def read() -> Mapping[str, Any]:
            return cast("Mapping[str, Any]", self._api.inspect_container(container_id))

        if container_id not in self._made:
            self._made[container_id] = await self._call("inspect", read)
        return self._made[container_id]

    def _created(
        self, container_id: str, argv: Sequence[str], environment: Mapping[str, str] | None
    ) -> str:
        made = self._api.exec_create(container_id, list(argv), environment=dict(environment or {}))
        return str(made["Id"])


def _output(stream: Any, deadline: float, most: int) -> tuple[str, str]:
    """Read what a command prints until it ends or the deadline passes.

    Read through the buffer that read the headers: output that came together with them is in it, and
    docker-py, which reads the bare socket, loses it.
    """
    reader = stream._response.raw._fp.fp
    texts: dict[bool, bytearray] = {False: bytearray(), True: bytearray()}
    watchdog = threading.Timer(
        max(0.0, deadline - time.monotonic()), _shut, [frames.socket_of(stream)]
    )
    watchdog.daemon = True
    watchdog.start()
    try:
        while (found := frames.frame(reader.read)) is not None:
            kind, data = found
            text = texts[kind == frames.STDERR]
            text += data[: most - len(text)]
    finally:
        watchdog.cancel()
    return texts[False].decode(errors="replace"), texts[True].decode(errors="replace")


def _shut(raw: Any) -> None:
    with contextlib.suppress(OSError):
        raw.shutdown(socket.SHUT_RDWR)
