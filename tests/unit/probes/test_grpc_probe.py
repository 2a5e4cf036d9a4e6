"""The `grpc` probe against servers that speak HTTP/2, in part or not at all."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from typing import Any

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded
from pydantic import ValidationError

from chaoskit.probes._base import Observed
from chaoskit.probes.grpc import GrpcProbe
from tests.fakes.local_servers import Handler, Server, http, misbehaving, refused_routes, serve

Answer = Callable[[H2Connection, int, bytes], None]


def made(**fields: Any) -> GrpcProbe:
    base = {"probe": "grpc", "url": "grpc://chat:8082"}
    return GrpcProbe.model_validate(base | fields)


def grpc(answer: Answer, goodbye_after: int | None = None) -> Callable[[Server], Handler]:
    """An HTTP/2 server; what is asked of it is in `requests`: the headers, then the message."""

    def bind(server: Server) -> Handler:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connection = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
            connection.initiate_connection()
            bodies: dict[int, bytes] = {}
            answered = 0
            while data := await reader.read(65536):
                for event in connection.receive_data(data):
                    if isinstance(event, RequestReceived):
                        server.requests.append(dict(event.headers or ()))
                        bodies[event.stream_id] = b""
                    elif isinstance(event, DataReceived):
                        bodies[event.stream_id] += event.data or b""
                    elif isinstance(event, StreamEnded):
                        server.requests.append(bodies[event.stream_id])
                        answer(connection, event.stream_id, bodies[event.stream_id])
                        answered += 1
                        if answered == goodbye_after:
                            connection.close_connection()
                writer.write(connection.data_to_send())

        return handle

    return bind


def health(message: bytes, status: str = "0", said: str = "") -> Answer:
    def answer(connection: H2Connection, stream: int, _: bytes) -> None:
        connection.send_headers(stream, [(":status", "200"), ("content-type", "application/grpc")])
        connection.send_data(stream, struct.pack(">BI", 0, len(message)) + message)
        trailers = [("grpc-status", status)] + ([("grpc-message", said)] if said else [])
        connection.send_headers(stream, trailers, end_stream=True)

    return answer


def only_headers(**headers: str) -> Answer:
    pairs = [(":status", headers.pop("status", "200"))]
    pairs += [(name.replace("_", "-"), value) for name, value in headers.items()]
    return lambda connection, stream, _: connection.send_headers(stream, pairs, end_stream=True)


async def observed(answer: Answer, **fields: Any) -> Observed:
    async with serve(grpc(answer)) as server:
        session = await made(**fields).connect(server.routes())
        try:
            return await session.observe()
        finally:
            await session.close()


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        (health(b"\x08\x01"), Observed(True)),
        (health(b"\x08\x02"), Observed(False, "is NOT_SERVING")),
        (health(b"\x08\x03"), Observed(False, "is SERVICE_UNKNOWN")),
        (health(b""), Observed(False, "is UNKNOWN")),
        (health(b"\x08\x09"), Observed(False, "the answer is no health")),
        (health(b"\x12\x01x"), Observed(False, "the answer is no health")),
        (
            health(b"x" * 5000),
            Observed(False, "the answer is no health: it is too long", broken=True),
        ),
        (
            only_headers(grpc_status="5", grpc_message="unknown%20service"),
            Observed(False, "NOT_FOUND: unknown service"),
        ),
        (only_headers(grpc_status="12"), Observed(False, "UNIMPLEMENTED")),
        (only_headers(grpc_status="99", grpc_message="x"), Observed(False, "99: x")),
        (only_headers(status="502"), Observed(False, "status 502 instead of gRPC")),
        (
            lambda connection, stream, _: connection.reset_stream(stream, 8),
            Observed(False, "the call was reset (HTTP/2 error 8)"),
        ),
    ],
)
async def test_only_serving_is_good_and_the_rest_is_said(answer: Answer, result: Observed) -> None:
    assert await observed(answer) == result


@pytest.mark.parametrize("name", ["", "shop.Orders", "x" * 300])
async def test_it_asks_as_the_protocol_has_it(name: str) -> None:
    async with serve(grpc(health(b"\x08\x01"))) as server:
        session = await made(service=name, timeout="1500ms").connect(server.routes())
        assert (await session.observe()).ok
        await session.close()
    headers, body = server.requests
    assert headers[":path"] == "/grpc.health.v1.Health/Check"
    assert (headers[":authority"], headers["grpc-timeout"]) == ("chat:8082", "1500m")
    length = struct.pack("B", len(name)) if len(name) < 128 else b"\xac\x02"
    message = b"\x0a" + length + name.encode() if name else b""
    assert body == struct.pack(">BI", 0, len(message)) + message


async def test_a_connection_is_kept_and_opened_again_after_the_servers_goodbye() -> None:
    async with serve(grpc(health(b"\x08\x01"), goodbye_after=3)) as server:
        session = await made().connect(server.routes())
        results = []
        for _ in range(5):
            results.append(await session.observe())
            await asyncio.sleep(0.01)
        await session.close()
    assert results == [Observed(True)] * 5
    assert server.connections == 2


async def test_a_connection_that_broke_while_it_was_idle_is_opened_again() -> None:
    async with serve(grpc(health(b"\x08\x01"))) as server:
        session = await made().connect(server.routes())
        assert (await session.observe()).ok
        server.break_connections()
        await asyncio.sleep(0.02)
        assert (await session.observe()).ok
        await session.close()


async def test_servers_that_speak_no_http2_and_nobody_at_all_are_told_apart() -> None:
    async with serve(http(lambda _: (400, "no"))) as server:
        session = await made().connect(server.routes())
        spoke = await session.observe()
        await session.close()
    assert spoke.error in ("the server does not speak HTTP/2", "connection closed")
    for behaviour, error in (
        (misbehaving("close", read=True), "connection closed"),
        (misbehaving("reset", read=True), "connection reset"),
    ):
        async with serve(behaviour) as server:
            session = await made().connect(server.routes())
            assert await session.observe() == Observed(False, error, broken=True)
            await session.close()
    session = await made().connect(refused_routes())
    assert await session.observe() == Observed(False, "connection refused", broken=True)


async def test_an_answer_in_http1_is_said() -> None:
    def bind(_: Server) -> Handler:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(65536)
            writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            await reader.read(65536)

        return handle

    async with serve(bind) as server:
        session = await made().connect(server.routes())
        result = await session.observe()
        await session.close()
    assert result == Observed(False, "the server does not speak HTTP/2", broken=True)


def test_the_port_must_be_given() -> None:
    with pytest.raises(ValidationError, match="needs a port, such as grpc://api:5672"):
        made(url="grpc://api")
