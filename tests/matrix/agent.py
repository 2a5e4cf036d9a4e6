"""The client of the fault matrix: runs inside a client container and says in words what it sees.

It holds a kept connection (used before the fault) and an idle one (opened before it, silent since)
to every upstream, opens new ones, and speaks the real protocols. It takes one command per line of
JSON and answers with one line. It is started from its source text and that of
`protocols`, so it imports nothing else of ours.

Words must not depend on how busy the machine is: an answer is only late when three in a row are.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.matrix.protocols import ANSWERS, PORTS, STORES, answered, request

LATE = 0.2  # seconds
MANY = 10  # pieces; a web server alone makes two, a slow line a few
ASKS, THOROUGH_ASKS = 3, 50
PATIENCE = 1.0  # seconds without an answer that count as silence
LONG = 20.0  # seconds: TCP retransmits at growing distances, servers start
PAUSE = 0.02
_TOTAL_RETRANSMITS = 100  # offset in struct tcp_info

SILENCE = "silence"


@dataclass
class Seen:
    """How one question ended."""

    word: str
    seconds: float = 0.0
    pieces: int = 0
    closing: float = 0.0  # seconds until the other side had ended too, where it was closed


class Line(asyncio.Protocol):
    """One connection."""

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.got = b""
        self.pieces = 0
        self.ended: str | None = None
        self.transport: asyncio.Transport | None = None
        self._news = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.got += data
        self.pieces += 1
        self._news.set()

    def eof_received(self) -> bool:
        self.ended = self.ended or "closed"
        self._news.set()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = self.ended or ("closed" if exc is None else _word_of(exc))
        self._news.set()

    async def ask(self, what: str, patience: float = PATIENCE) -> Seen:
        """Send one question and wait for all of its answer; what the server said by itself
        before counts as one."""
        if self.ended is None and self.transport is not None:
            self.transport.write(request(self.upstream, what))
        return await self.answer(what, patience)

    async def answer(self, what: str, patience: float = PATIENCE) -> Seen:
        start = time.monotonic()
        while True:
            word = answered(self.upstream, what, self.got)
            if word is None and self.ended is not None:
                word = f"half an answer, {self.ended}" if self.got else self.ended
            if word is None:
                self._news.clear()
                left = start + patience - time.monotonic()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), max(left, 0.0))
                    continue
                word = SILENCE
            seen = Seen(word, time.monotonic() - start, self.pieces)
            if word != SILENCE:
                self.got, self.pieces = b"", 0
            return seen

    async def close(self) -> float:
        """Half-close it and return the seconds until the other side has ended too."""
        start = time.monotonic()
        if self.transport is not None and self.ended is None:
            self.transport.write_eof()
        while self.ended is None and time.monotonic() - start < PATIENCE:
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), PATIENCE)
        return time.monotonic() - start

    def retransmits(self) -> int:
        if self.transport is None or self.ended is not None:
            return 0
        sock = self.transport.get_extra_info("socket")
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        return int(struct.unpack_from("I", info, _TOTAL_RETRANSMITS)[0])

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()


def _word_of(error: BaseException) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    if isinstance(error, ConnectionError):
        return "reset"
    if isinstance(error, socket.gaierror):
        return "no such name"
    return "no route"


class Client:
    """Every connection of this container."""

    def __init__(self, hosts: dict[str, str]) -> None:
        self.hosts = hosts
        self.kept: dict[str, Line] = {}
        self.idle: dict[str, Line] = {}
        self.data: dict[str, Line] = {}
        self._seen: dict[str, Seen] = {}
        self._left: Line | None = None
        self._watching: dict[str, asyncio.Task[None]] = {}
        self._watched: dict[str, list[str]] = {}

    async def _connect(self, upstream: str, patience: float = PATIENCE) -> Line | str:
        """Return a connection that is logged in, or the word for why there is none."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(patience):
                _, line = await loop.create_connection(
                    lambda: Line(upstream), self.hosts[upstream], PORTS[upstream]
                )
        except TimeoutError as error:
            return "no connection" if error.errno is None else _word_of(error)
        except OSError as error:
            return _word_of(error)
        if upstream == "postgres":
            seen = await line.ask("login", patience)
            if seen.word != ANSWERS:
                line.abort()
                return seen.word
        return line

    async def _surely(self, upstream: str) -> Line:
        end = time.monotonic() + LONG
        while isinstance(line := await self._connect(upstream), str):
            if time.monotonic() > end:
                raise RuntimeError(f"{upstream}: {line}")
            await asyncio.sleep(PAUSE)
        return line

    # -- commands --------------------------------------------------------------------------------

    async def open(self) -> dict[str, object]:
        """Open everything that must be there before the fault."""
        for line in [*self.kept.values(), *self.idle.values(), *self.data.values()]:
            line.abort()

        async def one(upstream: str) -> str:
            self.kept[upstream] = await self._surely(upstream)
            self.idle[upstream] = await self._surely(upstream)
            if upstream in STORES:
                self.data[upstream] = await self._surely(upstream)
            return (await self.kept[upstream].ask("say", LONG)).word

        return await self._everywhere(one)

    async def watch(self) -> dict[str, str]:
        """Open one new connection after another until told to stop."""

        async def go(upstream: str) -> None:
            while True:
                self._watched[upstream].append(await self._new(upstream))
                await asyncio.sleep(PAUSE)

        self._watched = {upstream: [] for upstream in PORTS}
        self._watching = {up: asyncio.create_task(go(up)) for up in PORTS}
        while not all(self._watched.values()):
            await asyncio.sleep(PAUSE)
        return {}

    async def unwatch(self) -> dict[str, object]:
        """Stop as soon as new connections are answered again; say how they fared meanwhile."""

        async def one(upstream: str) -> str:
            before, end = len(self._watched[upstream]), time.monotonic() + LONG
            words = self._watched[upstream]
            while (len(words) == before or words[-1] != ANSWERS) and time.monotonic() < end:
                await asyncio.sleep(PAUSE)
            self._watching.pop(upstream).cancel()
            if words[-1] != ANSWERS:
                return words[-1]
            return ANSWERS if set(words) == {ANSWERS} else "fails, then answers"

        return await self._everywhere(one)

    async def _new(self, upstream: str) -> str:
        line = await self._connect(upstream)
        if isinstance(line, str):
            return line
        seen = await line.ask("say")
        line.abort()
        return seen.word

    async def observe(self, *, thorough: bool, stores: list[str]) -> dict[str, object]:
        """Use every connection and say how it went; of some stores also writing and reading."""

        async def one(upstream: str) -> dict[str, str]:
            kept, new, stored = await asyncio.gather(
                self._kept(upstream, thorough),
                self._fresh(upstream, thorough),
                self._stored(upstream) if upstream in stores else _nothing(),
            )
            return {"new": new, "kept": kept, "idle": self.idle[upstream].ended or "open", **stored}

        return await self._everywhere(one)

    async def _kept(self, upstream: str, thorough: bool) -> str:
        line = self.kept[upstream]

        async def ask() -> Seen:
            self._seen[upstream] = await line.ask("say", LONG if thorough else PATIENCE)
            return self._seen[upstream]

        before = line.retransmits()
        return await _series(ask, lambda: line.retransmits() > before, thorough)

    async def _fresh(self, upstream: str, thorough: bool) -> str:
        lost = False

        async def ask() -> Seen:
            nonlocal lost
            start = time.monotonic()
            line = await self._connect(upstream)
            if isinstance(line, str):
                return Seen(line)
            seen = await line.ask("say")
            seen.seconds = time.monotonic() - start
            lost = lost or line.retransmits() > 0
            if seen.word == ANSWERS:
                seen.closing = await line.close()
            line.abort()
            return seen

        return await _series(ask, lambda: lost, thorough)

    async def _stored(self, upstream: str) -> dict[str, str]:
        words = {}
        for what in ("write", "read"):
            words[what] = (await self.data[upstream].ask(what)).word
            if words[what] == SILENCE:  # the next question needs a connection of its own
                line = await self._connect(upstream)
                if isinstance(line, str):
                    words.setdefault("read", line)
                    break
                self.data[upstream] = line
        return words

    async def leave(self) -> dict[str, object]:
        """Ask for something to be done and do not wait for an answer."""
        line = self.data["redis"]
        if line.transport is not None and line.ended is None:
            line.transport.write(request("redis", "leave"))
            self._left = line
        return {}

    async def after(self) -> dict[str, object]:
        """After the heal: what has become of the old connections, and do new ones work?"""

        async def one(upstream: str) -> dict[str, str]:
            new, kept, idle = await asyncio.gather(
                self._again(upstream), self._late(upstream), self._woken(upstream)
            )
            return {"new": new, "kept": kept, "idle": idle}

        if self._left is not None:  # what is still on its way is done before anybody looks
            await self._left.answer("leave", LONG)
            self._left = None
        return await self._everywhere(one)

    async def _again(self, upstream: str) -> str:
        """Try until a new connection is answered: a server that was started may need a moment."""
        end = time.monotonic() + LONG
        while (word := await self._new(upstream)) != ANSWERS and time.monotonic() < end:
            await asyncio.sleep(PAUSE)
        return word

    async def _late(self, upstream: str) -> str:
        line, before = self.kept[upstream], self._seen[upstream]
        if before.word == SILENCE:
            seen = await line.answer("say", LONG)
            return "answers after the heal" if seen.word == ANSWERS else f"{seen.word} at the heal"
        seen = await line.ask("say", LONG)
        return "lives on" if seen.word == ANSWERS else seen.word

    async def _woken(self, upstream: str) -> str:
        seen = await self.idle[upstream].ask("say", LONG)
        return "lives on" if seen.word == ANSWERS else f"{seen.word} at the heal"

    @staticmethod
    async def _everywhere(one: Callable[[str], Awaitable[object]]) -> dict[str, object]:
        words = await asyncio.gather(*(one(upstream) for upstream in PORTS))
        return dict(zip(PORTS, words, strict=True))


async def _nothing() -> dict[str, str]:
    return {}


async def _series(
    ask: Callable[[], Awaitable[Seen]], lost: Callable[[], bool], thorough: bool
) -> str:
    """Ask until it is clear how it goes; what a busy machine may do now and then does not count."""
    seen: list[Seen] = []
    for _ in range(THOROUGH_ASKS if thorough else ASKS):
        seen.append(await ask())
        if seen[-1].word != ANSWERS and not thorough:
            return seen[-1].word
        if thorough and lost() and any(one.word == ANSWERS for one in seen):
            return "answers after retransmissions"
        if not thorough and _plain(seen) == ANSWERS:
            return ANSWERS
    return seen[-1].word if thorough else _plain(seen)


def _plain(seen: list[Seen]) -> str:
    """Return the word for answers by the best of them."""
    if max(one.pieces for one in seen) >= MANY:
        return "answers in pieces"
    if min(one.seconds for one in seen) >= LATE:
        return "answers late"
    return "answers, ends late" if min(one.closing for one in seen) >= LATE else ANSWERS


async def main() -> None:
    client = Client(json.loads(sys.argv[1]))
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while text := await reader.readline():
        order = json.loads(text)
        words = await getattr(client, order.pop("do"))(**order)
        print(json.dumps(words), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
