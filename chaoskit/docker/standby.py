"""Helper containers that stand by: a shell that runs one command after another for us.

Starting a container takes longer than most of what helpers do. One that stands by does it in the
time of the command alone. It reads its commands from a connection that only this process holds, and
removes itself when that ends: whatever becomes of this process, none is left.
"""

from __future__ import annotations

import contextlib
import secrets
import shlex
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from chaoskit.docker import frames

if TYPE_CHECKING:
    from docker import APIClient

    from chaoskit.docker.call import Call


class StandbyHelper:
    """One container that stands by. Its calls block."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._raw: socket.socket = frames.socket_of(stream)
        self._one_at_a_time = threading.Lock()

    def run(self, argv: Sequence[str], within: float) -> tuple[int, str]:
        """Run a command; return its exit status and everything it printed.

        Raises `OSError` when the shell has ended, or the command has not within `within` seconds:
        then it is of no use any more.
        """
        end = f"end-{secrets.token_hex(8)}"
        command = f"{shlex.join(argv)} </dev/null 2>&1; printf '\\n%s %s\\n' {end} $?\n"
        with self._one_at_a_time:
            deadline = time.monotonic() + within
            self._raw.settimeout(within)
            self._raw.sendall(command.encode())
            text = bytearray()
            while f"\n{end} ".encode() not in text or not text.endswith(b"\n"):
                self._raw.settimeout(max(0.001, deadline - time.monotonic()))
                found = frames.frame(self._exactly)
                if found is None:
                    raise ConnectionResetError("the helper has ended")
                text += found[1]
        printed, _, status = text.decode(errors="replace").rpartition(f"\n{end} ")
        return int(status), printed

    def _exactly(self, size: int) -> bytes:
        found = bytearray()
        while len(found) < size:
            part = self._raw.recv(size - len(found))
            if not part:
                break
            found += part
        return bytes(found)

    def close(self) -> None:
        """End it; the engine removes its container."""
        with contextlib.suppress(OSError):
            self._raw.shutdown(socket.SHUT_RDWR)
        frames.close(self._stream)


class StandbyHelpers:
    """The helpers that stand by, each under a key that its owner chose."""

    def __init__(self, api: APIClient, call: Call) -> None:
        self._api = api
        self._call = call
        self._open: dict[tuple[str, ...], StandbyHelper] = {}

    async def open(
        self,
        key: tuple[str, ...],
        image: str,
        *,
        labels: Mapping[str, str],
        network: str,
        capabilities: Sequence[str],
    ) -> None:
        """Start one, unless there is one under this key."""

        def start() -> StandbyHelper:
            host = self._api.create_host_config(
                network_mode=network,
                cap_drop=["ALL"],
                cap_add=list(capabilities),
                auto_remove=True,
            )
            made = self._api.create_container(
                image,
                ["sh"],
                entrypoint="",
                stdin_open=True,  # once: at the end of our connection it reads the end
                labels=dict(labels),
                host_config=host,
            )
            try:
                flags = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
                stream = self._api.attach_socket(made["Id"], params=flags)
                self._api.start(made["Id"])
            except BaseException:
                self._api.remove_container(made["Id"], force=True)
                raise
            return StandbyHelper(stream)

        if key not in self._open:
            self._open[key] = await self._call("start a helper", start)

    async def run(
        self, key: tuple[str, ...], argv: Sequence[str], within: float = 10.0
    ) -> tuple[int, str] | None:
        """Run a command in the one under this key; None when there is none, or none that works."""
        helper = self._open.get(key)
        if helper is None:
            return None

        def run() -> tuple[int, str] | None:
            try:
                return helper.run(argv, within)
            except (OSError, ValueError):
                return None

        done = await self._call("run a helper", run)
        if done is None:
            self._open.pop(key, None)
            helper.close()
        return done

    def close(self) -> None:
        """End all of them."""
        for helper in self._open.values():
            helper.close()
        self._open.clear()
