"""Copying the logs of containers into the run folder, line by line, in a thread of their own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass

from chaoskit.clock import parse_stamp
from chaoskit.docker.client import Engine
from chaoskit.docker.logs import LogStream
from chaoskit.errors import ChaoskitError
from chaoskit.record.folder import RunFolder
from chaoskit.record.logs import LogWriter

TAIL = 10  # lines that explain an end
_WIDTH = 400  # characters of each
_BEHIND = 1.0  # seconds; what was printed longer ago may have been rotated away meanwhile
_SOON = 5.0  # seconds in which a busy engine and a busy chaoskit surely get to what was printed
_MOMENT = 0.2  # seconds whose lines are counted together: a flood has millions of them
_ENTRY = 50  # bytes that the engine adds to a line
_QUIET, _LATE_QUIET = 0.1, 1.0  # seconds without a line that say there is none
_WITHIN = 15.0  # seconds for what is left of a log


@dataclass(slots=True)
class _Moment:
    """How many bytes were printed in a moment from `start`, Unix seconds, and the time of the line
    `before` it."""

    start: float
    before: str
    size: int = 0


class ContainerLog:
    """How far the log of one container was copied into the file of its service.

    `complete` says that all of it was read, `read_at` when the last line was, on the monotonic
    clock (0 before reading begins), and `late` that it was printed a good while before that.
    `cut_at` is the time of the line at which the file was full; between the two of `overtaken`
    the engine may have dropped lines before they were read.
    """

    def __init__(self, writer: LogWriter, last: str = "") -> None:
        """`last` is the time of the last line that the file has of it already."""
        self.tail: deque[str] = deque(maxlen=TAIL)
        self.complete = False
        self.read_at = 0.0
        self.late = False
        self.cut_at: str | None = None
        self.overtaken: tuple[str, str] | None = None
        self.last = last
        self._writer = writer
        self._at_last = 0  # lines that were copied with this very time
        self._bytes = 0
        self._recent: deque[_Moment] = deque()

    @property
    def since(self) -> float:
        """From when it must be read, Unix seconds; a little earlier, for the rounding."""
        when = parse_stamp(self.last)
        return 0.0 if when is None else when.timestamp() - 1e-5

    def read(self, stream: LogStream) -> None:
        """Copy what comes until its end, in this thread. Raises `ChaoskitError`."""
        skip = self._at_last
        known = self.last
        self.read_at = time.monotonic()
        for line in stream:
            stamp, _, text = line.partition(" ")
            if stamp < known:
                continue
            if stamp == known and skip:
                skip -= 1
                continue
            self._look_behind(line, stamp, stream.keeps)
            self._at_last = self._at_last + 1 if stamp == self.last else 1
            self.last = stamp
            self.tail.append(text[:_WIDTH])
            if self.cut_at is None and not self._writer.write(stamp, text):
                self.cut_at = stamp
                stream.close()
                return
            self.read_at = time.monotonic()
        self.complete = not stream.closed

    def _look_behind(self, line: str, stamp: str, keeps: int | None) -> None:
        """Note that more was printed than the engine keeps before it was surely read.

        What is missing leaves no trace: the engine's own reader may have been overtaken as well.
        So it counts as overtaken where half of what is kept comes within `_SOON`, and where more
        came and this line is late.
        """
        when = parse_stamp(stamp)
        now = 0.0 if when is None else when.timestamp()
        self.late = when is not None and time.time() - now > _BEHIND
        if keeps is None:
            return
        size = len(line) + _ENTRY
        self._bytes += size
        if not self._recent or now - self._recent[-1].start > _MOMENT:
            self._recent.append(_Moment(now, self.last))
            while self._recent[0].start < now - _SOON:
                self._recent.popleft()
        self._recent[-1].size += size
        recent = sum(moment.size for moment in self._recent)
        begin = self._recent[0].before if recent > keeps / 2 else None
        if begin is None and self.late and self._bytes > keeps:
            begin = self.last
        if begin is not None:
            self.overtaken = begin if self.overtaken is None else self.overtaken[0], stamp

    def caught_up(self, wall: float) -> bool:
        """Return whether it was read as far as `wall`, Unix seconds: by a later line, or because
        none came for a while."""
        if not self.read_at:
            return False
        when = parse_stamp(self.last)
        if when is not None and when.timestamp() >= wall:
            return True
        return time.monotonic() - self.read_at >= (_LATE_QUIET if self.late else _QUIET)


async def copied(log: ContainerLog, stream: LogStream) -> None:
    """Read a stream to its end in a thread of its own: there may be many, for long. Raises what
    reading raises; cancelled, it closes the stream."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[Exception | None] = loop.create_future()

    def tell(error: Exception | None) -> None:
        if not ended.done():
            ended.set_result(error)

    def read() -> None:
        error: Exception | None = None
        try:
            log.read(stream)
        except Exception as raised:  # noqa: BLE001  # raised again by who waits for it
            error = raised
        with contextlib.suppress(RuntimeError):  # the loop may be gone
            loop.call_soon_threadsafe(tell, error)

    threading.Thread(target=read, name="log", daemon=True).start()
    try:
        error = await ended
    finally:
        stream.close()
    if error is not None:
        raise error


async def save_logs(
    engine: Engine,
    project: str,
    folder: RunFolder,
    so_far: Mapping[str, ContainerLog] | None = None,
) -> dict[str, str]:
    """Append to the run folder what it lacks of the logs of a run's services.

    `so_far` are those that were followed, by container; the complete ones are left out. Returns
    why logs could not be read, by container. Raises `ChaoskitError` when nothing can.
    """
    known = so_far or {}
    failed: dict[str, str] = {}
    with contextlib.ExitStack() as files:
        writers: dict[str, tuple[LogWriter, str]] = {}
        for container in await engine.containers.of(project):
            service = container.state.service
            if not service:
                continue  # a helper
            try:
                log = known.get(container.id)
                if log is None:
                    if service not in writers:
                        writer = files.enter_context(closing(LogWriter.of(folder, service)))
                        writers[service] = writer, writer.last_stamp()
                    log = ContainerLog(*writers[service])
                elif log.complete or log.cut_at is not None:
                    continue
                stream = await engine.logs.open(container.id, since=log.since, follow=False)
                await asyncio.wait_for(copied(log, stream), _WITHIN)
            except TimeoutError:
                failed[container.id] = f"it was not read to its end within {_WITHIN:.0f} s"
            except ChaoskitError as error:
                failed[container.id] = error.message
    return failed
