"""The program that answers look-ups: what it reads, matches and says, and hostile packets."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from chaoskit.stack import dns_program
from chaoskit.stack.dns_program import Orders, question, reply, resolvers, said

A, AAAA, TXT = 1, 28, 16

Serving = Callable[[Orders], Awaitable[int]]


def asked(name: str, type: int = A, *, end: bytes = b"") -> bytes:
    """Return a look-up, with more at its end than its question."""
    labels = b"".join(bytes([len(one)]) + one.encode() for one in name.split(".") if one)
    return b"\x12\x34\1\x10\0\1\0\0\0\0\0\0" + labels + struct.pack(">BHH", 0, type, 1) + end


def orders(*names: str, answer: str | None = "nxdomain", delay: float = 0.0) -> Orders:
    return Orders(list(names), ["corp.test", "run_default"], answer, delay, 0)


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("api", "api", True),
        ("api", "API", True),
        ("api", "api.corp.test", True),
        ("api", "Api.RUN_default", True),
        ("api", "api.run_default.corp.test", True),
        ("api", "corp.test", False),
        ("api", "api.example.com", False),
        ("api", "xapi", False),
        ("api", "api.api", False),
        ("db.example.com", "db.example.com", True),
        ("db.example.com", "db.example.com.corp.test", True),
        ("*.example.com", "a.example.com", True),
        ("*.example.com", "a.b.example.com", True),
        ("*.example.com", "example.com", False),
        ("*.example.com", "aexample.com", False),
        ("*", "anything.at.all", True),
        ("*", "", True),
    ],
)
def test_a_name_matches_whatever_its_case_and_search_domain(
    pattern: str, name: str, matches: bool
) -> None:
    made = orders(pattern)
    assert (made.take(asked(name)) is not None) is matches
    assert dict(made.asked) == ({pattern: 1} if matches else {})


def test_look_ups_of_our_own_are_answered_and_not_counted() -> None:
    made = orders("api")
    assert made.take(asked("api", end=dns_program._OPTION)) is not None
    assert not made.asked


@pytest.mark.parametrize(
    ("answer", "type", "says"),
    [
        ("nxdomain", A, "nxdomain"),
        ("servfail", AAAA, "servfail"),
        ("10.1.2.3", A, "10.1.2.3"),
        ("10.1.2.3", AAAA, "empty"),
        ("fd00::9", AAAA, "fd00::9"),
        ("fd00::9", A, "empty"),
        ("10.1.2.3", TXT, "empty"),
    ],
)
def test_an_answer_says_just_that_to_the_question_as_it_was(
    answer: str, type: int, says: str
) -> None:
    packet = asked("aPi.Example.com", type, end=b"\0\0\x29\4\xd0\0\0\0\0\0\0")
    found = question(packet)
    assert found is not None
    made = reply(packet, found, answer)
    assert said(made, type) == says
    assert made[:2] == packet[:2]
    assert made[2] & 0x80, "it is an answer"
    assert made[12 : found.end] == packet[12 : found.end], "letter by letter"
    if says == answer and answer not in ("nxdomain", "servfail"):
        assert b"\0\1\0\0\0\0" in made[found.end :], "nobody may keep it"


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"\0" * 11,
        asked("api")[:-1],
        asked("api")[:2] + b"\x81" + asked("api")[3:],  # an answer
        asked("api")[:2] + b"\x29" + asked("api")[3:],  # an update
        asked("api")[:5] + b"\2" + asked("api")[6:],  # two questions
        asked("api")[:12] + b"\xc0\x0c\0\1\0\1",  # a name that points to itself
        asked("api")[:12] + b"\4a.pi\0\0\1\0\1",  # a dot within a label
    ],
)
def test_what_is_no_plain_look_up_is_left_to_the_real_resolver(packet: bytes) -> None:
    assert question(packet) is None


def test_no_packet_of_any_bytes_breaks_it() -> None:
    rng = random.Random(14)
    made = orders("*", answer="10.1.2.3")
    real = reply(asked("api"), dns_program.Question("api", A, 21), "10.1.2.3")
    for number in range(20_000):
        packet = bytearray(rng.choice((asked("api"), asked("a.b.example.com", AAAA), real)))
        for _ in range(rng.randrange(6)):
            packet[rng.randrange(len(packet))] = rng.randrange(256)
        data = bytes(packet[: rng.randrange(len(packet) + 1)]) if number % 3 else rng.randbytes(30)
        found = made.take(data)
        if found is not None:
            reply(data, found, "10.1.2.3")
            reply(data, found, "nxdomain")
        assert said(data, A)


@pytest.mark.parametrize(
    ("text", "servers", "domains"),
    [
        ("nameserver 127.0.0.11\noptions ndots:0\n", ["127.0.0.11"], []),
        ("search A.test b.test.\nnameserver 10.0.0.1\nnameserver fd00::1", None, None),
        ("domain x\n# nameserver 1.1.1.1\nnameserver\n;search y\n", ["127.0.0.1"], ["x"]),
        ("search a\nsearch b\nsearch\n", ["127.0.0.1"], []),
    ],
)
def test_resolvers_and_search_domains_are_those_of_the_file(
    text: str, servers: list[str] | None, domains: list[str] | None
) -> None:
    wanted = (["10.0.0.1", "fd00::1"], ["a.test", "b.test"])
    assert resolvers(text) == ((servers, domains) if servers is not None else wanted)


class Resolver(asyncio.DatagramProtocol):
    """A real resolver: it says every packet once more, behind a letter."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, peer: object) -> None:
        self._transport.sendto(b"r" + data, peer)  # type: ignore[attr-defined]  # of datagrams


@pytest.fixture
async def serving(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Serving]:
    """A resolver on a free port, and the program in its place, without a mark on packets."""

    def unmarked(kind: int, _: int) -> socket.socket:
        made = socket.socket(socket.AF_INET, kind)
        made.setblocking(False)
        return made

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(EOFError, OSError):
            while True:
                size = await reader.readexactly(2)
                data = await reader.readexactly(int.from_bytes(size, "big"))
                writer.write(struct.pack(">H", len(data) + 1) + b"r" + data)
        writer.close()

    loop = asyncio.get_running_loop()
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    transport, _ = await loop.create_datagram_endpoint(Resolver, ("127.0.0.1", port))
    monkeypatch.setattr(dns_program, "_DNS", port)
    monkeypatch.setattr(dns_program, "marked", unmarked)

    async def start(made: Orders) -> int:
        return await dns_program.listen(made, "127.0.0.1")

    yield start
    for one in (transport, server, *dns_program.OPEN):
        one.close()
    dns_program.OPEN.clear()
    # Whoever serves a connection notices that its client has gone.
    serving = asyncio.all_tasks() - {asyncio.current_task()}
    if serving:
        await asyncio.wait(serving, timeout=2.0)
    await asyncio.sleep(0.01)  # and then its transport ends


async def over_udp(port: int, packet: bytes, wait: float = 2.0) -> bytes | None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.setblocking(False)
        line.connect(("127.0.0.1", port))
        line.send(packet)
        with contextlib.suppress(TimeoutError):
            loop = asyncio.get_running_loop()
            return await asyncio.wait_for(loop.sock_recv(line, 65535), wait)
    return None


async def over_tcp(port: int, packets: list[bytes], wait: float = 2.0) -> set[bytes]:
    """Ask everything at once over one connection; return what came."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    found = set()
    with contextlib.suppress(TimeoutError, EOFError):
        async with asyncio.timeout(wait):
            for packet in packets:
                writer.write(struct.pack(">H", len(packet)) + packet)
            for _ in packets:
                size = int.from_bytes(await reader.readexactly(2), "big")
                found.add(await reader.readexactly(size))
    writer.close()
    await writer.wait_closed()
    return found


async def test_what_does_not_match_comes_back_as_the_resolver_said_it(
    serving: Serving,
) -> None:
    port = await serving(orders("api"))
    others = [asked("other"), b"", b"\xff" * 40, asked("other", end=b"x" * 1000)]
    for packet in others:
        assert await over_udp(port, packet) == b"r" + packet
    assert await over_tcp(port, others) == {b"r" + packet for packet in others}


async def test_what_matches_is_answered_late_and_never_blocks_others(
    serving: Serving,
) -> None:
    port = await serving(orders("api", answer="10.1.2.3", delay=0.3))
    loop = asyncio.get_running_loop()
    start = loop.time()
    late = asyncio.ensure_future(over_udp(port, asked("api")))
    assert await over_udp(port, asked("other")) == b"r" + asked("other")
    assert loop.time() - start < 0.25
    assert said(await late or b"", A) == "10.1.2.3"
    assert loop.time() - start >= 0.3
    both = await over_tcp(port, [asked("api"), asked("other")])
    assert {said(one, A) for one in both if one[:1] != b"r"} == {"10.1.2.3"}
    assert b"r" + asked("other") in both


async def test_without_an_answer_of_ours_the_real_one_is_late(
    serving: Serving,
) -> None:
    port = await serving(orders("api", answer=None, delay=0.2))
    assert await over_udp(port, asked("api"), wait=0.1) is None
    assert await over_udp(port, asked("api")) == b"r" + asked("api")
    assert await over_tcp(port, [asked("api")]) == {b"r" + asked("api")}


async def test_a_timeout_is_silence_for_what_matches_alone(
    serving: Serving,
) -> None:
    made = orders("api", answer="timeout")
    port = await serving(made)
    assert await over_udp(port, asked("api"), wait=0.2) is None
    found = await over_tcp(port, [asked("api"), asked("other")], wait=0.3)
    assert found == {b"r" + asked("other")}
    assert made.asked == {"api": 2}
