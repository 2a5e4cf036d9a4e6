"""The log of a container as a stream of lines: what it printed, and what it prints from now on."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from chaoskit.docker.errors import translated
from chaoskit.errors import EnvironmentFailure

if TYPE_CHECKING:
    from docker import APIClient

    from chaoskit.docker.call import Call

_UNITS = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3}  # of `max-size`, as the engine counts
_BY_DEFAULT = {"local": {"max-size": "20m", "max-file": "5"}}  # of drivers that rotate unasked
_PIECE = 65536


class LogStream:
    """The lines of one container, each starting with its RFC 3339 time. One thread reads it, any
    other may close it; `keeps` is how many bytes the engine keeps of this log, None for all."""

    def __init__(self, stream: Any, pieces: Iterator[bytes], keeps: int | None) -> None:
        """`Logs.open` makes it."""
        self.keeps = keeps
        self._stream = stream
        self._pieces = pieces
        self.closed = False

    def __iter__(self) -> Iterator[str]:
        """Yield the lines until the container ends, or until it is closed. Raises what `Call` says
        when the engine breaks off."""
        while (piece := self._next()) is not None:
            for line in piece.split(b"\n"):
                if line:
                    yield line.rstrip(b"\r").decode(errors="replace")

    def _next(self) -> bytes | None:
        try:
            return translated("read logs", lambda: next(self._pieces, None), "its socket")
        except Exception:
            if self.closed:
                return None
            raise

    def close(self) -> None:
        """End it: its reader sees the end."""
        self.closed = True
        with contextlib.suppress(Exception):  # the engine may have ended it already
            self._stream.close()


class Logs:
    """The engine's calls about logs. Raises what `Call` says."""

    def __init__(self, api: APIClient, call: Call) -> None:
        self._api = api
        self._call = call

    async def open(self, container_id: str, *, since: float = 0.0, follow: bool) -> LogStream:
        """Open the log of a container from `since`, Unix seconds; with `follow` until it ends.

        Raises `EnvironmentFailure` where its log driver gives nothing to read.
        """

        def opened() -> LogStream:
            api = cast("Any", self._api)  # its stubs know no fractions of seconds
            data = self._api.inspect_container(container_id)
            config: Mapping[str, Any] = data["HostConfig"].get("LogConfig") or {}
            if config.get("Type") == "none":
                raise EnvironmentFailure("its log driver `none` keeps nothing to read")
            stream = api.logs(
                container_id,
                stream=True,
                follow=follow,
                timestamps=True,
                since=since if since > 0 else None,
            )
            pieces: Iterator[bytes] = stream
            if data["Config"].get("Tty"):  # no frames, and docker-py would read it byte by byte
                raw = api._stream_raw_result(stream._response, chunk_size=_PIECE, decode=False)
                pieces = _whole_lines(raw)
            return LogStream(stream, pieces, kept(config))

        return await self._call("read logs", opened)


def kept(config: Mapping[str, Any]) -> int | None:
    """Return how many bytes of a log the engine keeps, by its `LogConfig`; None for all."""
    options = {**_BY_DEFAULT.get(config.get("Type", ""), {}), **(config.get("Config") or {})}
    size = re.fullmatch(r"([0-9]+)([kmg]?)b?", str(options.get("max-size", "")).lower())
    if size is None:
        return None
    files = options.get("max-file", "1")
    return int(size[1]) * _UNITS[size[2]] * (int(files) if files.isdigit() else 1)


def _whole_lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    left = b""
    for piece in pieces:
        lines, separator, left = (left + piece).rpartition(b"\n")
        if separator:
            yield lines
        elif len(left) > _PIECE:  # a line without an end
            yield left
            left = b""
    if left:
        yield left
