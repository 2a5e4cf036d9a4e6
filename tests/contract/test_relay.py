"""The relay between real clients and HTTP servers that nobody here wrote: nginx, Node, Go."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from chaoskit.records import Json
from chaoskit.stack.relay import RelayControl
from tests.compose_project import LAB
from tests.contract.real_servers import LOCAL, container, eventually, free_port, published

RELAYED = 28001
_NGINX = """
daemon off; error_log /dev/null; pid /tmp/nginx.pid;
events {}
http {
  access_log off; client_max_body_size 0;
  server {
    listen 8080;
    location /file { alias /etc/passwd; }
    location /sink { proxy_pass http://127.0.0.1:8080/swallow; }
    location /swallow { client_body_in_single_buffer on; return 200 swallowed; }
    location / { return 200 '{"nginx": true}'; }
  }
}
"""
_NODE = """
require("http").createServer((request, response) => {
  let size = 0;
  request.on("data", piece => size += piece.length);
  request.on("end", () => {
    if (request.url == "/chunks") { response.write("one"); response.end("two"); return; }
    response.setHeader("X-Size", size);
    response.end(JSON.stringify({node: true}));
  });
}).on("checkContinue", (request, response) => {
  response.writeContinue(); request.resume(); request.on("end", () => response.end("went on"));
}).listen(+process.argv[1], "127.0.0.1");
"""
_GO = """
package main
import ("fmt"; "io"; "net/http"; "os")
func main() {
  http.HandleFunc("/chunks", func(w http.ResponseWriter, r *http.Request) {
    fmt.Fprint(w, "one"); w.(http.Flusher).Flush(); fmt.Fprint(w, "two")
  })
  http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
    n, _ := io.Copy(io.Discard, r.Body); fmt.Fprintf(w, "{\\"size\\": %d}", n)
  })
  http.ListenAndServe("127.0.0.1:" + os.Args[1], nil)
}
"""
SERVERS = ["nginx", *(name for name in ("node", "go") if shutil.which(name))]


@dataclass(frozen=True)
class Way:
    """One server, and the relay in front of it."""

    server: int
    relay: int
    control: RelayControl

    @property
    def url(self) -> str:
        return f"http://{LOCAL}:{self.relay}"


@contextlib.contextmanager
def process(*argv: str, port: int) -> Iterator[None]:
    """Run a program that serves a port, for as long as the block lasts."""
    with subprocess.Popen(argv) as started:
        try:
            eventually(f"{argv[0]} listens", lambda: _listens(port))
            yield
        finally:
            started.kill()


def _listens(port: int) -> bool:
    import socket

    with socket.socket() as probe:
        return probe.connect_ex((LOCAL, port)) == 0


@contextlib.contextmanager
def server(name: str, directory: Path) -> Iterator[int]:
    if name == "nginx":
        command = ("sh", "-c", 'printf "%s" "$CONF" > /tmp/n.conf; exec nginx -c /tmp/n.conf')
        options = ("--env", f"CONF={_NGINX}", "--publish", f"{LOCAL}::8080", "--init")
        with container(*options, LAB, *command) as started:
            port = published(started, 8080)
            eventually("nginx answers", lambda: _answers(port))
            yield port
        return
    port = free_port()
    if name == "node":
        with process("node", "-e", _NODE, str(port), port=port):
            yield port
        return
    (directory / "main.go").write_text(_GO)
    binary = directory / "server"
    build = ["go", "build", "-o", str(binary), str(directory / "main.go")]
    subprocess.run(build, check=True, timeout=120)
    with process(str(binary), str(port), port=port):
        yield port


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://{LOCAL}:{port}/").is_success
    except httpx.HTTPError:
        return False


@pytest.fixture(scope="module", params=SERVERS)
def path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Way]:
    with server(request.param, tmp_path_factory.mktemp("server")) as port:
        control, relay = free_port(), free_port()
        told = json.dumps({relay: [LOCAL, port]})
        program = [sys.executable, "-m", "chaoskit.stack.relay_program", str(control), told]
        with process(*program, port=control):
            yield Way(port, relay, RelayControl(LOCAL, control))


@pytest.fixture(autouse=True)
async def without_rules(path: Way) -> None:
    for id in (await path.control.look()).rules:
        await path.control.remove(id)


async def said(port: int, request: bytes) -> bytes:
    """Send bytes and return all that comes until the end, or until it has been still for a while;
    without what differs from one answer to the next."""
    reader, writer = await asyncio.open_connection(LOCAL, port)
    writer.write(request)
    got = b""
    with contextlib.suppress(TimeoutError):
        while piece := await asyncio.wait_for(reader.read(65536), 0.3):
            got += piece
    writer.close()
    return re.sub(rb"Date: [^\r]*", b"Date:", got)


@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/1.1\r\nhOsT: a\r\nX-oDD:  b \r\n\r\n" * 3,
        b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\nGET /chunks HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET /file HTTP/1.1\r\nHost: a\r\nRange: bytes=3-9\r\n\r\n",
        b"PUT /sink HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        b"POST /sink HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
        b"BREW\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    ],
    ids=["kept-alive", "head-chunks", "http-1.0", "range", "upload", "continue", "none", "close"],
)
async def test_answers_are_byte_for_byte_those_of_the_server(path: Way, request_: bytes) -> None:
    through, direct = await asyncio.gather(said(path.relay, request_), said(path.server, request_))
    assert through == direct


async def test_a_big_upload_arrives_whole(path: Way) -> None:
    async with httpx.AsyncClient() as client:
        done = await client.post(f"{path.url}/sink", content=b"x" * 20_000_000, timeout=30)
    assert done.is_success, done.text
    assert str(20_000_000) in done.text + done.headers.get("X-Size", "") or "swallowed" in done.text


async def test_a_fraction_meets_the_same_requests_again_for_the_same_seed(path: Way) -> None:
    rule: dict[str, Json] = {"act": "answer", "status": 503, "pick": {"fraction": 0.3, "seed": "7"}}

    async def statuses() -> list[int]:
        await path.control.add("some", [path.relay], rule)
        async with httpx.AsyncClient() as client:
            return [(await client.get(f"{path.url}/{n}")).status_code for n in range(200)]

    once = await statuses()
    assert once.count(503) == 200 - once.count(200) - once.count(404) > 40
    assert await statuses() == once
    state = (await path.control.look()).rules["some"]
    assert (state.matched, state.changed) == (200, once.count(503))


async def test_damage_is_what_a_real_client_sees(path: Way) -> None:
    async with httpx.AsyncClient(timeout=1) as client:
        await path.control.add("one", [path.relay], {"act": "cut"})
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get(path.url)
        await path.control.add("one", [path.relay], {"act": "garble"})
        with pytest.raises(ValueError, match="Expecting"):
            (await client.get(path.url)).json()
        await path.control.add("one", [path.relay], {"act": "lengthen"})
        with pytest.raises(httpx.ReadTimeout):
            await client.get(path.url)
        await path.control.add("one", [path.relay], {"act": "lose", "status": None})
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get(path.url)
        await path.control.remove("one")
        assert (await client.get(path.url)).is_success


async def test_many_clients_at_once_lose_nothing(path: Way) -> None:
    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=50), timeout=20) as client:
        answers = await asyncio.gather(*(client.get(path.url) for _ in range(500)))
    assert all(answer.is_success for answer in answers)
    assert (await path.control.look()).errors == ()
