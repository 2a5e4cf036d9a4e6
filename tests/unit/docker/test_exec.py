"""What a command inside a container prints arrives whole, also when it comes with the headers."""

from __future__ import annotations

import json
import struct
import threading
from collections.abc import Awaitable, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeVar

import pytest
from docker import APIClient

from chaoskit.docker.exec import ContainerExec, ExecResult

T = TypeVar("T")


def frame(kind: int, text: bytes) -> bytes:
    return struct.pack(">BxxxL", kind, len(text)) + text


class Daemon(BaseHTTPRequestHandler):
    """As much of a Docker engine as an exec needs; answer and output leave in one piece."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.endswith("/start"):
            head = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
            self.wfile.write(head + frame(1, b"on") + frame(2, b"a warning") + frame(1, b"\n"))
            self.close_connection = True
        else:
            self.answer({"Id": "e1"})

    def do_GET(self) -> None:
        self.answer({"ExitCode": 0})

    def answer(self, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def api() -> Iterator[APIClient]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Daemon) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        client = APIClient(f"tcp://127.0.0.1:{server.server_port}", version="1.45")
        yield client
        client.close()
        server.shutdown()


async def test_output_that_comes_with_the_headers_is_not_lost(api: APIClient) -> None:
    def call(what: str, function: Callable[[], T], /) -> Awaitable[T]:
        async def now() -> T:
            return function()

        return now()

    done = await ContainerExec(api, call).run("c1", ["psql", "-c", "SHOW x"])
    assert done == ExecResult(0, "on\n", "a warning")
