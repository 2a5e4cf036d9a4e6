"""The relay behind proxies: idle it changes nothing, and a rule changes what it picks alone."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaoskit.stack.relay_program.connections import Connection
from chaoskit.stack.relay_program.messages import Head
from chaoskit.stack.relay_program.relay import Relay

PORT = 28001
GET = b"GET /x?y=1 HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /orders HTTP/1.1\r\nhOsT: a\r\nContent-Length: 5\r\n\r\nhello"
OK = b'HTTP/1.1 200 OK\r\nX-Up: 1\r\nContent-Length: 8\r\n\r\n{"a": 1}'
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b'5\r\n{"a":\r\n3;x=y\r\n 1}\r\n0\r\nTrailer: t\r\n\r\n'
)


class Wire:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.written = b""
        self.closed = self.paused = False

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.written += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


class Line:
    """A connection through a relay, without sockets."""

    def __init__(self, relay: Relay | None = None) -> None:
        self.relay = relay or Relay({PORT: ("up", 80)})
        self._connection = Connection(self.relay, PORT)
        self.client, self.upstream = Wire(), Wire()
        self._connection.client.connection_made(cast("asyncio.Transport", self.client))
        self._connection.upstream.connection_made(cast("asyncio.Transport", self.upstream))

    def ask(self, *pieces: bytes) -> None:
        for piece in pieces:
            self._connection.client.data_received(piece)

    def answer(self, *pieces: bytes) -> None:
        for piece in pieces:
            self._connection.upstream.data_received(piece)

    def end_upstream(self) -> None:
        self._connection.upstream.eof_received()

    def end_client(self) -> None:
        self._connection.client.eof_received()

    def stall(self, side: str, stalled: bool) -> None:
        one = getattr(self._connection, side)
        (one.pause_writing if stalled else one.resume_writing)()

    def rule(self, act: str, **fields: Any) -> None:
        self.relay.control(
            {"do": "add", "id": "rule", "ports": [PORT], "rule": {"act": act, **fields}}
        )

    def counted(self) -> tuple[int, int]:
        row = self.relay.control({"do": "look"})["rules"]["rule"]
        return row["matched"], row["changed"]


def pieces_of(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    return [data[a:b] for a, b in pairwise(places)]


# -- nothing is changed ----------------------------------------------------------------------------

BODY = st.binary(max_size=40)
CUTS = st.lists(st.integers(min_value=0, max_value=2000), max_size=12)


@st.composite
def chunked(draw: st.DrawFn) -> bytes:
    chunks = draw(st.lists(st.binary(min_size=1, max_size=20), max_size=4))
    trailers = draw(st.sampled_from([b"", b"X-Sum: 1\r\n"]))
    ext = draw(st.sampled_from([b"", b";a=b"]))
    body = b"".join(b"%X%b\r\n%b\r\n" % (len(chunk), ext, chunk) for chunk in chunks)
    return body + b"0\r\n" + trailers + b"\r\n"


@st.composite
def exchanges(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """One request and the answer to it."""
    method = draw(st.sampled_from([b"GET", b"HEAD", b"POST", b"PURGE"]))
    end = draw(st.sampled_from([b"\r\n", b"\n"]))
    head = method + draw(st.sampled_from([b" / HTTP/1.1", b" http://a/b?c HTTP/1.0"])) + end
    head += b"X-MiXed:  a  " + end
    if method == b"POST":
        if draw(st.booleans()):
            request = head + b"Transfer-Encoding: chunked" + end + end + draw(chunked())
        else:
            body = draw(BODY)
            request = head + b"content-length: %d" % len(body) + end + end + body
    else:
        request = head + end
    answer = draw(
        st.sampled_from([b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 X\r\n\r\n"])
    )
    kind = draw(st.sampled_from(["sized", "chunked", "204", "304"]))
    body = draw(BODY)
    if kind in ("204", "304"):
        return request, answer + b"HTTP/1.1 %b X\r\nContent-Length: 7\r\n\r\n" % kind.encode()
    if kind == "sized" or method == b"HEAD":
        answer += b"HTTP/1.1 200 OK\r\nCONTENT-length: %d\r\n\r\n" % len(body)
        return request, answer + (b"" if method == b"HEAD" else body)
    return request, answer + b"HTTP/1.1 500 No\r\ntransfer-encoding: Chunked\r\n\r\n" + draw(
        chunked()
    )


@given(st.lists(exchanges(), min_size=1, max_size=5), CUTS, CUTS, st.booleans())
@settings(max_examples=400, deadline=None)
def test_idle_it_hands_on_every_byte_of_http_as_it_came(
    talk: list[tuple[bytes, bytes]], cuts: list[int], more: list[int], pipelined: bool
) -> None:
    line = Line()
    if pipelined:
        line.ask(*pieces_of(b"".join(request for request, _ in talk), cuts))
        line.answer(*pieces_of(b"".join(answer for _, answer in talk), more))
    else:
        for request, answer in talk:
            line.ask(*pieces_of(request, cuts))
            line.answer(*pieces_of(answer, more))
    assert line.upstream.written == b"".join(request for request, _ in talk)
    assert line.client.written == b"".join(answer for _, answer in talk)
    seen = line.relay.control({"do": "look"})["seen"][str(PORT)]
    assert seen == {"requests": len(talk), "others": 0}
    line.end_client()
    assert line.upstream.closed


@given(st.lists(st.binary(max_size=60), max_size=6), st.lists(st.binary(max_size=60), max_size=6))
@settings(max_examples=400, deadline=None)
def test_idle_it_hands_on_any_bytes_at_all(said: list[bytes], told: list[bytes]) -> None:
    line = Line()
    for one, other in zip([*said, b""] * 2, [*told, b""] * 2, strict=False):
        line.ask(one)
        line.answer(other)
    sent = b"".join(one for one, _ in zip([*said, b""] * 2, [*told, b""] * 2, strict=False))
    back = b"".join(one for _, one in zip([*said, b""] * 2, [*told, b""] * 2, strict=False))
    assert sent.startswith(line.upstream.written)  # the rest is a head that is not all there
    assert back.startswith(line.client.written)
    line.end_upstream()
    assert line.client.written == back


@given(st.lists(exchanges(), min_size=1, max_size=3), CUTS, st.data())
@settings(max_examples=400, deadline=None)
def test_idle_it_hands_on_what_is_not_quite_http(
    talk: list[tuple[bytes, bytes]], cuts: list[int], data: st.DataObject
) -> None:
    def spoilt(text: bytes) -> bytes:
        at = data.draw(st.integers(min_value=0, max_value=len(text)))
        return text[:at] + data.draw(st.binary(max_size=3)) + text[at + 1 :]

    said = spoilt(b"".join(request for request, _ in talk))
    told = spoilt(b"".join(answer for _, answer in talk))
    line = Line()
    line.ask(*pieces_of(said, cuts))
    line.answer(*pieces_of(told, cuts))
    assert said.startswith(line.upstream.written)
    rest = said[len(line.upstream.written) :]
    assert not re.search(rb"\n\r?\n", rest), "only a head or a line that is not all there waits"
    line.end_upstream()
    assert line.client.written == told


@pytest.mark.parametrize(
    "hello",
    [
        b"get key\r\n",
        b"EHLO host\r\n",
        b"GET /\r\n",
        b'CONNECT {"verbose": false}\r\nPING\r\n',
        b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"*1\r\n$4\r\nPING\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x00\x00\x00\x08\x04\xd2\x16\x2f",
    ],
    ids=["memcached", "SMTP", "HTTP/0.9", "NATS", "SSH", "TLS", "Redis", "HTTP/2", "Postgres"],
)
def test_what_is_not_http_1_is_handed_on_unread_and_counted(hello: bytes) -> None:
    line = Line()
    line.rule("answer", status=503)
    line.ask(*pieces_of(hello, [1, 2, 3, 4, 5]))
    line.answer(b"whatever")
    line.ask(GET)
    assert (line.upstream.written, line.client.written) == (hello + GET, b"whatever")
    seen = line.relay.control({"do": "look"})["seen"][str(PORT)]
    assert seen == {"requests": 0, "others": 1}


@pytest.mark.parametrize("size", [b"-1", b"+1", b"0x1", b"1_0", b"", b"f" * 40])
def test_what_is_no_size_of_a_chunk_is_handed_on_unread(size: bytes) -> None:
    line = Line()
    said = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + size + b"\r\na"
    line.ask(said, GET)
    assert line.upstream.written == said + GET
    line.answer(b"HTTP/1.1 400 Bad\r\n\r\n")
    assert line.client.written == b"HTTP/1.1 400 Bad\r\n\r\n"


def test_a_length_that_is_said_twice_is_fine_and_two_lengths_are_handed_on_unread() -> None:
    for second in (b"5", b"6", b"9" * 5000):
        line = Line()
        line.ask(GET)
        told = (
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: " + second + b"\r\n\r\nhello"
        )
        line.answer(told)
        assert line.client.written == told


def test_a_server_that_speaks_first_is_heard() -> None:
    line = Line()
    line.answer(b"220 smtp ready\r\n")
    assert line.client.written == b"220 smtp ready\r\n"


def test_after_an_upgrade_nothing_is_read_any_more() -> None:
    line = Line()
    line.ask(b"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
    line.answer(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x01a")
    line.rule("answer", status=503)
    line.ask(b"GET / HTTP/1.1\r\n\r\n")
    assert line.upstream.written.endswith(b"GET / HTTP/1.1\r\n\r\n")
    assert line.client.written.endswith(b"\x81\x01a")


def test_an_answer_without_a_length_ends_with_its_connection() -> None:
    line = Line()
    line.ask(GET)
    line.answer(b"HTTP/1.0 200 OK\r\n\r\nabc", b"def")
    line.end_upstream()
    assert line.client.written.endswith(b"abcdef")
    assert line.client.closed


def test_who_is_slow_to_read_slows_down_the_other_side_and_not_itself() -> None:
    for slow, other in (("client", "upstream"), ("upstream", "client")):
        line = Line()
        line.stall(slow, True)
        assert getattr(line, other).paused
        assert not getattr(line, slow).paused
        line.stall(slow, False)
        assert not getattr(line, other).paused


def test_who_does_not_read_answers_that_are_made_here_may_ask_for_no_more() -> None:
    line = Line()
    line.rule("answer", status=503)
    line.stall("client", True)
    line.ask(GET)
    assert (line.client.written, line.client.paused) == (b"", True)
    line.stall("client", False)
    assert line.client.written.startswith(b"HTTP/1.1 503")
    assert not line.client.paused


# -- which requests --------------------------------------------------------------------------------


def picked(pick: dict[str, Any], number: int) -> list[int]:
    relay = Relay({PORT: ("up", 80)})
    told = {"act": "answer", "status": 503, "pick": pick}
    relay.control({"do": "add", "id": "r", "ports": [PORT], "rule": told})
    head = Head(GET)
    return [n for n in range(1, number + 1) if relay.rule_for(PORT, "GET", "/x", head)]


def test_first_and_every_choose_by_the_number_of_the_request() -> None:
    assert picked({"first": 3}, 10) == [1, 2, 3]
    assert picked({"every": 4}, 10) == [4, 8]
    assert picked({}, 3) == [1, 2, 3]


def test_a_fraction_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    once = picked({"fraction": 0.3, "seed": "7:f"}, 2000)
    assert 540 <= len(once) <= 660
    assert picked({"fraction": 0.3, "seed": "7:f"}, 2000) == once
    assert picked({"fraction": 0.3, "seed": "8:f"}, 2000) != once


@pytest.mark.parametrize(
    ("match", "target", "fits"),
    [
        ({"path": "/orders"}, "/orders", True),
        ({"path": "/orders"}, "/orders?page=2", True),
        ({"path": "/orders?page=*"}, "/orders?page=2", True),
        ({"path": "/orders?page=*"}, "/orders", False),
        ({"path": "/orders"}, "/orders/7", False),
        ({"path": "/orders*"}, "/orders/7", True),
        ({"path": "*/7"}, "http://api:80/orders/7", True),
        ({"path": "/a.b"}, "/aXb", False),
        ({"method": "POST"}, "/orders", False),
        ({"headers": {"x-tenant": "a*"}}, "/", True),
        ({"headers": {"x-tenant": "b"}}, "/", False),
        ({"headers": {"x-none": "*"}}, "/", False),
        ({"path": "/a*b*c"}, "/axbxc", True),
        ({"path": "/a*b*c"}, "/acb", False),
        ({"path": "/ab*b"}, "/ab", False),
        ({"path": "*"}, "/", True),
        ({"path": "*a*a*a*a*a*a*a*a*b"}, "/" + "a" * 5000, False),
    ],
)
def test_all_of_a_match_must_fit(match: dict[str, Any], target: str, fits: bool) -> None:
    line = Line()
    line.rule("answer", status=503, match=match)
    line.ask(f"GET {target} HTTP/1.1\r\nX-Tenant: acme\r\n\r\n".encode())
    assert line.client.written.startswith(b"HTTP/1.1 503") is fits
    assert line.counted() == (int(fits), int(fits))


# -- what is done ----------------------------------------------------------------------------------


def test_an_answer_made_here_keeps_its_place_and_the_upstream_never_sees_the_request() -> None:
    line = Line()
    line.rule("answer", status=503, headers={"Retry-After": "1"}, body="no", pick={"every": 2})
    line.ask(GET, POST, GET)
    assert line.client.written == b""
    assert line.upstream.written == GET + GET
    line.answer(OK)
    made = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 2\r\n\r\nno"
    assert line.client.written == OK + made
    line.answer(OK)
    assert line.client.written == OK + made + OK
    assert not line.client.closed


def test_an_upload_that_is_answered_here_is_read_to_its_end() -> None:
    line = Line()
    line.rule("answer", status=500)
    line.ask(POST[:-3])
    assert line.client.written == b""
    line.ask(POST[-3:])
    line.ask(GET)
    assert line.client.written.count(b"HTTP/1.1 500") == 2
    assert line.upstream.written == b""


def test_who_waits_for_100_continue_is_answered_at_once_and_the_connection_ends() -> None:
    line = Line()
    line.rule("answer", status=500)
    line.ask(b"PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n")
    assert b"Connection: close" in line.client.written
    assert line.client.closed


def test_an_answer_to_head_has_no_body_and_http_1_0_ends() -> None:
    line = Line()
    line.rule("answer", status=503, body="sorry")
    line.ask(b"HEAD / HTTP/1.0\r\n\r\n")
    assert line.client.written.endswith(b"Content-Length: 5\r\nConnection: close\r\n\r\n")
    assert line.client.closed


def test_a_lost_answer_ends_the_connection_after_the_upstream_has_done_its_work() -> None:
    line = Line()
    line.rule("lose", status=None)
    line.ask(POST)
    assert line.upstream.written == POST
    line.answer(OK)
    assert (line.client.written, line.client.closed) == (b"", True)


def test_a_lost_answer_may_be_replaced_and_the_next_one_arrives() -> None:
    line = Line()
    line.rule("lose", status=502, pick={"first": 1})
    line.ask(POST, GET)
    line.answer(CHUNKED, OK)
    assert line.client.written == b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n" + OK


def test_half_a_body_and_then_the_end() -> None:
    for answer, half in ((OK, OK[:-4]), (CHUNKED, CHUNKED[: CHUNKED.index(b'{"a":') + 2])):
        line = Line()
        line.rule("cut")
        line.ask(GET)
        line.answer(*pieces_of(answer, [len(answer) - 20]))
        assert (line.client.written, line.client.closed) == (half, True)


@pytest.mark.parametrize("cuts", [[], [1, 60, 70, 75, 80, 85, 90], list(range(200))])
def test_the_last_byte_of_a_body_is_a_comma_whatever_its_framing(cuts: list[int]) -> None:
    line = Line()
    line.rule("garble")
    line.ask(GET, GET)
    line.answer(*pieces_of(OK + CHUNKED, cuts))
    assert line.client.written == OK[:-1] + b"," + CHUNKED.replace(b" 1}", b" 1,")


def test_a_length_that_promises_more_than_comes() -> None:
    line = Line()
    line.rule("lengthen")
    line.ask(GET, GET)
    line.answer(OK, CHUNKED)
    assert line.client.written == OK.replace(b"Length: 8", b"Length: 21") + CHUNKED
    assert line.counted() == (2, 1)


def test_white_space_after_a_value_is_not_what_breaks_it() -> None:
    line = Line()
    line.rule("garble")
    line.ask(GET)
    line.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", b'{"ok":1', b"}", b"\r", b"\n")
    assert line.client.written.endswith(b'{"ok":1,\r\n')


@pytest.mark.parametrize("act", ["cut", "garble"])
def test_what_was_not_changed_does_not_count(act: str) -> None:
    line = Line()
    line.rule(act)
    empty = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    line.ask(GET)
    line.answer(empty)
    assert (line.client.written, line.counted()) == (empty, (1, 0))


@pytest.mark.parametrize("act", ["cut", "garble"])
def test_an_answer_under_way_is_left_alone_once_its_rule_is_gone(act: str) -> None:
    line = Line()
    line.rule(act)
    line.ask(GET)
    line.answer(OK[:-6])
    line.relay.control({"do": "remove", "id": "rule"})
    line.answer(OK[-6:])
    assert (line.client.written, line.client.closed) == (OK, False)


def test_answers_without_a_body_cannot_be_damaged_and_do_not_count() -> None:
    for act in ("cut", "lengthen", "garble"):
        line = Line()
        line.rule(act)
        line.ask(b"HEAD / HTTP/1.1\r\n\r\n", GET)
        line.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n", b"HTTP/1.1 204 No\r\n\r\n")
        assert line.client.written.endswith(b"Length: 8\r\n\r\nHTTP/1.1 204 No\r\n\r\n")
        assert line.counted() == (2, 0)


@pytest.mark.parametrize("request_", [True, False], ids=["request", "reply"])
async def test_what_is_delayed_goes_on_when_its_rule_is_removed(request_: bool) -> None:
    line = Line()
    line.rule("delay", seconds=3600, request=request_)
    line.ask(GET)
    if not request_:
        line.answer(OK)
    assert (line.upstream.written, line.client.written) == (b"" if request_ else GET, b"")
    line.relay.control({"do": "remove", "id": "rule"})
    if request_:
        line.answer(OK)
    assert (line.upstream.written, line.client.written) == (GET, OK)


async def test_what_is_delayed_goes_on_after_its_time_and_nothing_overtakes_it() -> None:
    line = Line()
    line.rule("delay", seconds=0.02, request=True, pick={"first": 1})
    line.ask(GET, POST)
    assert line.upstream.written == b""
    await asyncio.sleep(0.1)
    assert line.upstream.written == GET + POST


async def test_a_request_whose_client_gave_up_in_its_delay_never_arrives() -> None:
    line = Line()
    line.rule("delay", seconds=0.02, request=True)
    line.ask(POST)
    assert not line.client.paused, "or nobody would see that it ends"
    line.end_client()
    await asyncio.sleep(0.1)
    assert line.upstream.written == b""


def test_an_answer_that_comes_after_its_rule_is_gone_is_left_alone() -> None:
    line = Line()
    line.rule("lose", status=None)
    line.ask(POST)
    line.relay.control({"do": "remove", "id": "rule"})
    line.answer(OK)
    assert line.client.written == OK


async def test_who_is_answered_here_needs_no_upstream() -> None:
    relay = Relay({PORT: ("127.0.0.1", 1)})
    told = {"act": "answer", "status": 503}
    relay.control({"do": "add", "id": "r", "ports": [PORT], "rule": told})
    server = await asyncio.get_running_loop().create_server(lambda: relay.accept(PORT), "127.0.0.1")
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
        writer.write(GET)
        assert (await reader.readline()).startswith(b"HTTP/1.1 503")
        relay.control({"do": "remove", "id": "r"})
        writer.write(GET)
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.read() == b"", "what is left is the upstream's, which is not there"
        writer.close()
        await writer.wait_closed()


async def test_the_control_port_answers_nonsense_with_an_error() -> None:
    relay = Relay({PORT: ("up", 80)})
    server = await asyncio.start_server(relay.controlled, "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
        for nonsense in (b"[]\n", b"nonsense\n", b'{"do": "add"}\n'):
            writer.write(nonsense)
            assert "error" in json.loads(await reader.readline())
        writer.write(b'{"do": "look"}\n')
        assert json.loads(await reader.readline())["rules"] == {}
        writer.close()
        await writer.wait_closed()
        assert await reader.read() == b""
        await asyncio.sleep(0.05)  # the other side closes, too
