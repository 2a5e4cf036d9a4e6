"""Of an answer no more is read than a check needs, however much the service sends."""

from __future__ import annotations

import asyncio
import gzip
import json
import tracemalloc
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from chaoskit.probes._base import Observed
from chaoskit.probes.http import MOST_PASSED_OVER as PASSED_OVER
from chaoskit.probes.http import MOST_READ as PROBE_READS
from chaoskit.probes.http import HttpProbe
from chaoskit.records import Json
from chaoskit.wire.http import MOST_UNUSED, unpacked
from chaoskit.workloads.operations._base import Reply
from chaoskit.workloads.operations.http import MOST_READ as OPERATION_READS
from chaoskit.workloads.operations.http import HttpOperation
from tests.fakes.local_servers import Handler, Server, serve

pytestmark = pytest.mark.asyncio
MIB = 1024**2
URL = "http://chat:8082/"


def answering(head: str, *chunks: bytes, times: int = 1) -> Callable[[Server], Handler]:
    """A server that sends these header lines, and then the chunks that many times."""

    def bind(server: Server) -> Handler:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while await reader.readuntil(b"\r\n\r\n"):
                server.requests.append(0)
                writer.write(f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode())
                for _ in range(times):
                    for chunk in chunks:
                        writer.write(chunk)
                        await writer.drain()
                        server.requests[-1] += len(chunk)

        return handle

    return bind


def whole(body: bytes, head: str = "") -> Callable[[Server], Handler]:
    return answering(f"Content-Length: {len(body)}{head}", body)


def endless(head: str = "") -> Callable[[Server], Handler]:
    chunk = b"10000\r\n" + b"b" * 65536 + b"\r\n"
    return answering(f"Transfer-Encoding: chunked{head}", chunk, times=10**9)


def big() -> Callable[[Server], Handler]:
    return answering(f"Content-Length: {500 * MIB}", b"a" * MIB, times=500)


def bomb() -> Callable[[Server], Handler]:
    """Less than a megabyte that unpacks to 700."""
    packer = zlib.compressobj(9, wbits=31)
    packed = b"".join(packer.compress(b" " * MIB) for _ in range(700)) + packer.flush()
    assert len(packed) < MIB
    return whole(packed, "\r\nContent-Encoding: gzip")


async def probed(server: Server, times: int = 1, **fields: Any) -> Observed:
    session = await HttpProbe.model_validate({"probe": "http", "url": URL, **fields}).connect(
        server.routes()
    )
    try:
        for _ in range(times):
            seen = await asyncio.wait_for(session.observe(), 10)
        return seen
    finally:
        await session.close()


async def operated(server: Server, times: int = 1, **fields: Any) -> Reply:
    operation = HttpOperation.model_validate({"http": f"GET {URL}", **fields})
    session = operation.connect(server.routes())
    try:
        for _ in range(times):
            reply = await asyncio.wait_for(session.run({}), 10)
        return reply
    finally:
        await session.close()


@pytest.mark.parametrize("send", [big, endless, bomb])
async def test_where_the_status_decides_a_body_is_not_kept_and_its_size_does_not_matter(
    send: Callable[[], Callable[[Server], Handler]],
) -> None:
    handler = send()
    tracemalloc.start()
    async with serve(handler) as server:
        assert (await probed(server, 3)).ok
        assert (await operated(server, 3)).outcome == "ok"
        most = PASSED_OVER + 16 * MIB
        assert all(sent < most for sent in server.requests), "no more than buffers hold"
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30 * MIB


LARGE = f"it is larger than {PROBE_READS // MIB} MiB, and no more of it is read"
LARGER = f"it is larger than {OPERATION_READS // MIB} MiB, and no more of it is read"


@pytest.mark.parametrize("send", [big, endless, bomb])
async def test_a_body_that_is_needed_and_larger_is_said(
    send: Callable[[], Callable[[Server], Handler]],
) -> None:
    handler = send()
    tracemalloc.start()
    async with serve(handler) as server:
        seen = await probed(server, expect={"body": {"$.ok": True}})
        reply = await operated(server, value="$.ok")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (seen.ok, seen.error, seen.broken) == (False, f"body: {LARGE}", False)
    assert (reply.outcome, reply.error) == ("info", f"the answer: {LARGER}")
    assert peak < 100 * MIB


@pytest.mark.parametrize(
    ("kind", "expect"),
    [
        ("text/event-stream; charset=utf-8", {}),
        ("multipart/x-mixed-replace;boundary=frame", {}),
        ("application/x-ndjson", {"endless": True}),
    ],
)
async def test_an_answer_that_never_ends_is_judged_by_its_headers(
    kind: str, expect: dict[str, object]
) -> None:
    head = f"Content-Type: {kind}\r\nTransfer-Encoding: chunked"
    async with serve(answering(head, b"7\r\ndata: 1\r\n")) as server:
        start = asyncio.get_running_loop().time()
        header = {"Transfer-Encoding": "chunked"}
        assert (await probed(server, 3, expect={"header": header, **expect})).ok
        assert asyncio.get_running_loop().time() - start < 5
        refused = await probed(server, expect={"status": 204, **expect})
    assert (refused.ok, refused.error) == (False, "status 200")


async def test_an_endless_answer_has_no_body_to_look_at() -> None:
    for fields in ({"expect": {"endless": True, "body": {"$.ok": True}}},
                   {"expect": {"endless": True}, "value": "$.n"}):  # fmt: skip
        with pytest.raises(ValueError, match="an `endless` answer has no body to look at"):
            HttpProbe.model_validate({"probe": "http", "url": "http://web/", **fields})


async def test_what_did_not_come_in_time_is_named() -> None:
    probe = HttpProbe.model_validate({"probe": "http", "url": URL})
    async with serve(answering("Content-Length: 10", b"half")) as server:
        session = await probe.connect(server.routes())
        assert session.waiting_for == "answer"
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await session.observe()
        assert session.waiting_for == "end of the answer with status 200"
        await session.close()


async def test_an_answer_that_is_cut_short_is_felt_although_only_its_status_counts() -> None:
    async with serve(answering("Content-Length: 10\r\nConnection: close", b"half")) as server:
        asyncio.get_running_loop().call_later(0.3, server.break_connections)
        assert not (await probed(server)).ok


async def test_a_body_within_the_limit_keeps_its_connection() -> None:
    async with serve(whole(b"x" * (MOST_UNUSED - 1))) as server:
        assert (await probed(server, 3)).ok
        assert server.connections == 1
    async with serve(whole(b"x" * (MOST_UNUSED - 1))) as server:
        assert (await operated(server, 3)).outcome == "ok"
        assert server.connections == 1


VALUES: Json = {"ok": True, "text": "ä" * 1000}
RAW = zlib.compressobj(wbits=-15)


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", lambda text: RAW.compress(text) + RAW.flush()),
        ("identity", lambda text: text),
    ],
)
async def test_packed_answers_are_read(encoding: str, pack: Callable[[bytes], bytes]) -> None:
    packed = pack(json.dumps(VALUES).encode())
    async with serve(whole(packed, f"\r\nContent-Encoding: {encoding}")) as server:
        assert (await probed(server, expect={"body": {"$.ok": True}})).ok
        reply = await operated(server, value="$.text")
    assert (reply.outcome, reply.value) == ("ok", "ä" * 1000)


@pytest.mark.parametrize(
    ("body", "encoding", "says"),
    [
        (b"x", "br", "its encoding `br` was not asked for"),
        (b"x", "gzip, gzip", "its encoding `gzip, gzip` was not asked for"),
        (b"x", "gzip", "it is not gzip"),
        (gzip.compress(b"whole", mtime=0)[:-9], "gzip", "it is not gzip"),
    ],
)
async def test_what_cannot_be_unpacked_is_said(body: bytes, encoding: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        unpacked(body, encoding, 100)
