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
    ends: list[tuple[int, list[tuple[int, bytes]]]]  # how one command after another ends
    made: list[str]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.endswith("/start"):
            head = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
            id = int(self.path.split("/")[-2])
            self.wfile.write(head + b"".join(frame(kind, text) for kind, text in self.ends[id][1]))
            self.close_connection = True
        else:
            self.made.append(self.path)
            self.answer({"Id": str(min(len(self.made), len(self.ends)) - 1)})

    def do_GET(self) -> None:
        self.answer({"ExitCode": self.ends[int(self.path.split("/")[-2])][0]})

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
    Daemon.ends, Daemon.made = [], []
    with ThreadingHTTPServer(("127.0.0.1", 0), Daemon) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        client = APIClient(f"tcp://127.0.0.1:{server.server_port}", version="1.45")
        yield client
        client.close()
        server.shutdown()


async def run(api: APIClient) -> ExecResult:
    def call(what: str, function: Callable[[], T], /) -> Awaitable[T]:
        async def now() -> T:
            return function()

        return now()

    return await ContainerExec(api, call).run("c1", ["psql", "-c", "SHOW x"])


async def test_output_that_comes_with_the_headers_is_not_lost(api: APIClient) -> None:
    Daemon.ends = [(0, [(1, b"on"), (2, b"a warning"), (1, b"\n")])]
    assert await run(api) == ExecResult(0, "on\n", "a warning")


PROCESS = b"OCI runtime exec failed: exec failed: unable to start container process: "
LOST = (
    PROCESS + b"waiting for init preliminary setup: read init-p: connection reset by peer: unknown"
)
MISSING = PROCESS + b'exec: "psql": executable file not found in $PATH: unknown'


async def test_a_command_that_the_engine_lost_before_it_began_is_begun_again(
    api: APIClient,
) -> None:
    Daemon.ends = [(126, [(1, LOST)]), (0, [(1, b"on")])]
    assert await run(api) == ExecResult(0, "on", "")
    assert len(Daemon.made) == 2


async def test_one_that_is_lost_again_and_again_is_given_up(api: APIClient) -> None:
    Daemon.ends = [(126, [(1, LOST)])]
    assert (await run(api)).status == 126
    assert len(Daemon.made) == 3


@pytest.mark.parametrize(
    ("status", "text"), [(127, MISSING), (126, MISSING), (1, LOST)], ids=["127", "126", "its own"]
)
async def test_one_that_cannot_be_run_or_ends_by_itself_is_not_run_twice(
    api: APIClient, status: int, text: bytes
) -> None:
    Daemon.ends = [(status, [(1, text)])]
    assert (await run(api)).status == status
    assert len(Daemon.made) == 1
