"""Look-ups of names in one network namespace: answered wrongly, tried out, or made to start anew.

Runs inside helper containers in the namespace of a client, so it is nothing but the standard
library and knows nothing of the rest. A helper that joins a namespace has its `/etc/resolv.conf`
too: the resolvers are those of the client.

- `serve ORDERS` answers what is redirected to it, over UDP and TCP. `ORDERS` is JSON: `names`
  (`api`, `*.example.com`, `*`), `suffixes` that may follow them (the search domains count anyway),
  `answer` (`nxdomain`, `servfail`, `timeout`, an address, or null for the real one), `delay` in
  seconds, `mark` of its own packets, which nobody redirects. All other look-ups get the answer of
  the resolver that was asked, byte for byte. It prints `{"ports": {RESOLVER: PORT}}` when it
  listens, or `{"problem": TEXT}`; then `{"asked": {NAME: NUMBER}}` whenever the client asked for
  something that matches, at most ten times a second.
- `ask NAME TYPE WAIT` looks a name up as the client would and prints `{"said": ANSWER, "seconds":
  S}`, with `empty` for a name that has no address of this type.
- `forget` makes the kernel forget where it sent look-ups: a socket that is used again and again
  would stay on its old way for minutes.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import socket
import struct
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_DNS, _SO_MARK = 53, 36
_A, _AAAA, _OPT, _IN = 1, 28, 41, 1
_CODES = {"nxdomain": 3, "servfail": 2}
_TYPES = {"A": _A, "AAAA": _AAAA}
_HEAD = struct.Struct(">HHHHHH")
_WORST = 30.0  # seconds for which an answer of the real resolver is waited for
_EVERY = 0.1  # seconds between two lines
_BACKLOG = 512
# An EDNS option of ours, at the end of look-ups that are not the client's.
_MINE = struct.pack(">HH", 65001, 8) + b"chaoskit"
_OPTION = b"\0" + struct.pack(">HHIH", _OPT, 1232, 0, len(_MINE)) + _MINE


@dataclass(frozen=True)
class Question:
    """What one look-up asks for; `end` is where its question ends."""

    name: str
    type: int
    end: int


def question(packet: bytes) -> Question | None:
    """Read a look-up; None for anything else: the real resolver shall say what it thinks of it."""
    if len(packet) < _HEAD.size:
        return None
    _, flags, questions, *_ = _HEAD.unpack_from(packet)
    if flags & 0xF800 or questions != 1:  # an answer, or no plain query
        return None
    labels, at = [], _HEAD.size
    while at < len(packet) and packet[at]:
        size = packet[at]
        label = packet[at + 1 : at + 1 + size]
        if size > 63 or len(label) < size or b"." in label:
            return None
        labels.append(label.decode("latin-1").lower())
        at += 1 + size
    end = at + 5
    if end > len(packet):
        return None
    return Question(".".join(labels), struct.unpack_from(">H", packet, at + 1)[0], end)


def reply(packet: bytes, asked: Question, answer: str) -> bytes:
    """Answer a look-up: without a name, with a failure, or with one address (or none, where it is
    of the other family), which nobody may keep."""
    flags = struct.unpack_from(">H", packet, 2)[0] & 0x0110 | 0x8080 | _CODES.get(answer, 0)
    record = b""
    if answer not in _CODES:
        address = ipaddress.ip_address(answer)
        if asked.type == (_A if address.version == 4 else _AAAA):
            data = address.packed
            record = struct.pack(">HHHIH", 0xC00C, asked.type, _IN, 0, len(data)) + data
    head = packet[:2] + struct.pack(">HHHHH", flags, 1, bool(record), 0, 0)
    return head + packet[_HEAD.size : asked.end] + record


@dataclass
class Orders:
    """What is to be answered how, and how often it was asked for."""

    names: list[str]
    suffixes: list[str]
    answer: str | None
    delay: float
    mark: int
    asked: Counter[str] = field(default_factory=Counter)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def matching(self, packet: bytes) -> tuple[str, Question] | None:
        """Return the name of ours that a look-up asks for, and the look-up; None for others."""
        asked = question(packet)
        if asked is None:
            return None
        forms = [asked.name]
        for form in forms:  # one suffix may follow another
            shorter = (form.removesuffix(f".{suffix}") for suffix in self.suffixes)
            forms += [one for one in shorter if one not in forms]
        for name in self.names:
            if name == "*" or any(
                form.endswith(name[1:]) if name.startswith("*") else form == name for form in forms
            ):
                return name, asked
        return None

    def take(self, packet: bytes) -> Question | None:
        """Return a look-up that is to be answered by us, and count it; None for others."""
        found = self.matching(packet)
        if found is None:
            return None
        name, asked = found
        if not packet.endswith(_MINE):
            self.asked[name] += 1
            self.news.set()
        return asked


def resolvers(text: str) -> tuple[list[str], list[str]]:
    """Return the addresses and the search domains in the text of a `resolv.conf`."""
    rows = [line.split() for line in text.splitlines()]
    servers = [row[1] for row in rows if len(row) > 1 and row[0] == "nameserver"]
    domains = [row[1:] for row in rows if row[:1] in (["search"], ["domain"])]
    found = [domain.strip(".").lower() for domain in (domains[-1] if domains else ())]
    return list(dict.fromkeys(servers)) or ["127.0.0.1"], [one for one in found if one]


def configured() -> tuple[list[str], list[str]]:
    return resolvers(Path("/etc/resolv.conf").read_text("utf-8", errors="replace"))


def marked(kind: int, mark: int) -> socket.socket:
    found = socket.socket(socket.AF_INET, kind)
    found.setsockopt(socket.SOL_SOCKET, _SO_MARK, mark)
    found.setblocking(False)
    return found


class Datagrams(asyncio.DatagramProtocol):
    """Look-ups that one resolver was to get over UDP."""

    def __init__(self, orders: Orders, resolver: str) -> None:
        self._orders = orders
        self._resolver = resolver
        self._tasks: set[asyncio.Task[None]] = set()
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, peer: Any) -> None:
        asked = self._orders.take(data)
        if asked is None or self._orders.answer != "timeout":
            task = asyncio.ensure_future(self._answer(data, asked, peer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer(self, data: bytes, asked: Question | None, peer: Any) -> None:
        if asked is not None:
            await asyncio.sleep(self._orders.delay)
            if self._orders.answer is not None:
                self._transport.sendto(reply(data, asked, self._orders.answer), peer)
                return
        # What the resolver refuses is not answered, either.
        with contextlib.suppress(OSError, TimeoutError):
            self._transport.sendto(await self._real(data), peer)

    async def _real(self, data: bytes) -> bytes:
        loop = asyncio.get_running_loop()
        with marked(socket.SOCK_DGRAM, self._orders.mark) as line:
            line.connect((self._resolver, _DNS))
            await loop.sock_sendall(line, data)
            return await asyncio.wait_for(loop.sock_recv(line, 65535), _WORST)


class Stream:
    """One connection of a client that asks over TCP, and ours to its resolver if it needs one."""

    def __init__(self, orders: Orders, resolver: str, out: asyncio.StreamWriter) -> None:
        self._orders = orders
        self._resolver = resolver
        self._out = out
        self._tasks: set[asyncio.Task[None]] = set()
        self._real: asyncio.StreamWriter | None = None

    async def serve(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                packet = await _frame(reader)
                asked = self._orders.take(packet)
                if asked is None:
                    await self._forward(packet)
                elif self._orders.answer != "timeout":
                    self._start(self._late(packet, asked))
        except (OSError, EOFError):
            pass  # one of the two has hung up
        finally:
            for task in self._tasks:
                task.cancel()
            for writer in (self._out, self._real):
                if writer is not None:
                    writer.close()

    def _start(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _late(self, packet: bytes, asked: Question) -> None:
        await asyncio.sleep(self._orders.delay)
        if self._orders.answer is None:
            with contextlib.suppress(OSError):
                await self._forward(packet)
        else:
            self._say(reply(packet, asked, self._orders.answer))

    async def _forward(self, packet: bytes) -> None:
        if self._real is None:
            line = marked(socket.SOCK_STREAM, self._orders.mark)
            await asyncio.get_running_loop().sock_connect(line, (self._resolver, _DNS))
            reader, self._real = await asyncio.open_connection(sock=line)
            self._start(self._back(reader))
        self._real.write(struct.pack(">H", len(packet)) + packet)

    async def _back(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError, EOFError):
            while True:
                self._say(await _frame(reader))
        self._out.close()

    def _say(self, packet: bytes) -> None:
        self._out.write(struct.pack(">H", len(packet)) + packet)


async def _frame(reader: asyncio.StreamReader) -> bytes:
    return await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))


async def listen(orders: Orders, resolver: str) -> int:
    """Listen in the place of a resolver, on one port for both UDP and TCP; return it."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await Stream(orders, resolver, writer).serve(reader)

    loop = asyncio.get_running_loop()
    while True:
        server = await asyncio.start_server(connected, "127.0.0.1", 0, backlog=_BACKLOG)
        port: int = server.sockets[0].getsockname()[1]
        try:
            transport, _ = await loop.create_datagram_endpoint(
                lambda: Datagrams(orders, resolver), ("127.0.0.1", port)
            )
        except OSError:  # somebody has it for UDP
            server.close()
            continue
        OPEN.extend((server, transport))
        return port


OPEN: list[asyncio.AbstractServer | asyncio.BaseTransport] = []  # they end when nobody holds them


async def serve(orders: Orders) -> None:
    servers, domains = configured()
    other = [one for one in servers if ":" in one]
    if other:
        _print(problem=f"its resolver {other[0]} is reached over IPv6, which is not redirected")
        return
    orders.suffixes += domains
    _print(ports={server: await listen(orders, server) for server in servers})
    while await orders.news.wait():
        orders.news.clear()
        _print(asked=orders.asked)
        await asyncio.sleep(_EVERY)


def _print(**row: Any) -> None:
    print(json.dumps(row), flush=True)


def said(packet: bytes, type: int) -> str:
    """Return what an answer says: a code, the addresses, `empty`, or `unreadable`."""
    try:
        _, flags, questions, answers, *_ = _HEAD.unpack_from(packet)
        code = flags & 15
        if code:
            names = {number: name for name, number in _CODES.items()}
            return names.get(code, f"code {code}")
        at, found = _HEAD.size, []
        for number in range(questions + answers):
            while packet[at] and packet[at] < 0xC0:
                at += 1 + packet[at]
            at += 2 if packet[at] else 1
            if number < questions:
                at += 4
                continue
            kind, _, _, size = struct.unpack_from(">HHIH", packet, at)
            if kind == type:
                found.append(str(ipaddress.ip_address(packet[at + 10 : at + 10 + size])))
            at += 10 + size
        return ", ".join(sorted(found)) or "empty"
    except (IndexError, ValueError, struct.error):
        return "unreadable"


def ask(name: str, type: str, wait: float) -> None:
    server = configured()[0][0]
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    head = _HEAD.pack(0x636B, 0x0100, 1, 0, 0, 1)
    packet = head + labels + b"\0" + struct.pack(">HH", _TYPES[type], _IN) + _OPTION
    start, answer = time.monotonic(), "timeout"
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as line:
        line.settimeout(wait)
        try:
            line.connect((server, _DNS))
            line.send(packet)
            answer = said(line.recv(65535), _TYPES[type])
        except TimeoutError:
            pass  # nobody answered: that is what `answer` says
        except OSError as error:
            answer = str(error)
    _print(said=answer, seconds=round(time.monotonic() - start, 3))


# Netlink: the kernel's table of flows, and what is in its messages.
_NETFILTER, _GET, _DELETE = 12, 0x101, 0x102
_ERROR, _DONE = 2, 3
_TUPLE, _PROTO, _PROTO_NUMBER, _PROTO_PORT = 1, 2, 1, 3
_NESTED = 0x3FFF


def attributes(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(data):
        size, kind = struct.unpack_from("=HH", data, at)
        found[kind & _NESTED] = data[at + 4 : at + size]
        at += max(4, (size + 3) & ~3)
    return found


def forget() -> None:
    """Raises `OSError` where the kernel does not say or do it."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETFILTER) as line:
        for flow in [one for one in _flows(line) if _is_lookup(one)]:
            attribute = struct.pack("=HH", 4 + len(flow), 0x8000 | _TUPLE) + flow
            line.send(_message(_DELETE, 0x5, attribute))
            line.recv(1 << 16)  # that it is done, or was gone


def _message(kind: int, flags: int, body: bytes = b"") -> bytes:
    head = struct.pack("=IHHII", 20 + len(body), kind, flags, 1, 0)
    return head + bytes([socket.AF_INET, 0, 0, 0]) + body


def _flows(line: socket.socket) -> list[bytes]:
    """Return the first tuple of every flow of the namespace."""
    line.send(_message(_GET, 0x301))
    found: list[bytes] = []
    while True:
        data, at = line.recv(1 << 18), 0
        while at + 16 <= len(data):
            size, kind = struct.unpack_from("=IH", data, at)
            body = data[at + 16 : at + size]
            if kind == _DONE:
                return found
            if kind == _ERROR:
                raise OSError(-struct.unpack_from("=i", body)[0], "the kernel shows no flows")
            found.append(attributes(body[4:]).get(_TUPLE, b""))
            at += (size + 3) & ~3


def _is_lookup(flow: bytes) -> bool:
    ends = attributes(attributes(flow).get(_PROTO, b""))
    udp = ends.get(_PROTO_NUMBER) == bytes([socket.IPPROTO_UDP])
    return udp and ends.get(_PROTO_PORT) == struct.pack(">H", _DNS)


def main(command: str, *words: str) -> None:
    if command == "serve":
        asyncio.run(serve(Orders(**json.loads(words[0]))))
    elif command == "ask":
        ask(words[0], words[1], float(words[2]))
    else:
        forget()


if __name__ == "__main__":
    main(*sys.argv[1:])
