"""Look-ups on real containers: what `getaddrinfo` and raw questions bring before, during and after,
over UDP and TCP, from new sockets and kept ones."""

from __future__ import annotations

import contextlib
import json
import random
import re
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from chaoskit.docker.client import Engine
from chaoskit.faults import REGISTRY, Fault
from chaoskit.faults.contract import Undo
from chaoskit.stack.stack import Stack
from tests.compose_project import LAB, compose_project, container_of, docker
from tests.contract.real_servers import eventually
from tests.fakes.stored_undo import stored

# Outside of Docker: every name has the address 192.0.2.7, and the question is said once more in an
# odd place, so that it shows whether an answer came through as it is.
_OUTER = """
import socket
line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
line.bind(("", 53))
while True:
    asked, peer = line.recvfrom(65535)
    end = 12
    while asked[end]:
        end += asked[end] + 1
    question = asked[12:end + 5]
    answer = b"\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0\\x3c\\0\\4\\xc0\\0\\2\\7"
    line.sendto(asked[:2] + b"\\x85\\x90\\0\\1\\0\\1\\0\\0\\0\\0" + question + answer, peer)
"""
_SERVER = """
import socketserver
class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(4096):
            self.request.sendall(data)
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
Server(("", 7000), Echo).serve_forever()
"""
# Does one thing per line of its input. It opens a connection and a socket for look-ups at once.
_CLIENT = """
import json, socket, struct, sys, time
def question(name, type):
    labels = b"".join(bytes([len(one)]) + one.encode() for one in name.split("."))
    return b"\\x12\\x34\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0" + labels + struct.pack(">BHH", 0, type, 1)
def look_up(name):
    start = time.monotonic()
    try:
        found = sorted({row[4][0] for row in socket.getaddrinfo(name, 7000, socket.AF_INET)})
    except socket.gaierror as error:
        words = {-2: "no such name", -3: "try again", -5: "no address"}
        found = [words.get(error.errno, str(error))]
    return [*found, time.monotonic() - start]
def raw(name, type, line=None):
    line = line or socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    line.settimeout(3)
    line.connect(("127.0.0.11", 53))
    line.send(question(name, type))
    return line.recv(65535).hex()
def tcp(*names):
    with socket.create_connection(("127.0.0.11", 53), timeout=3) as line:
        for name in names:
            asked = question(name, 1)
            line.sendall(struct.pack(">H", len(asked)) + asked)
        seen, found = line.makefile("rb"), []
        for _ in names:
            found.append(seen.read(int.from_bytes(seen.read(2), "big")).hex())
        return sorted(found)
open_one = socket.create_connection(("api", 7000), timeout=3)
def talk():
    open_one.sendall(b"ping")
    return open_one.recv(4).decode()
kept = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
def again(name):
    return raw(name, 1, kept)
for text in sys.stdin:
    do, *words = json.loads(text)
    try:
        said = globals()[do](*words)
    except OSError as error:
        said = f"error: {error}"
    print(json.dumps(said), flush=True)
"""
NAMES = ["api", "*.example.com"]


@dataclass(frozen=True)
class Client:
    """The program in the client's container."""

    process: subprocess.Popen[str]

    def do(self, *words: object) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(words) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    network = f"10.214.{random.randrange(1, 255)}"
    image = {"image": LAB, "init": True, "stop_grace_period": "0s"}
    web = image | {
        "command": "sleep infinity",
        "dns": [f"{network}.53"],
        "dns_opt": ["timeout:1", "attempts:1"],
        "dns_search": ["corp.test"],
    }
    document = {
        "services": {
            "web": web,
            "api": image | {"command": ["python3", "-c", _SERVER]},
            "other": image | {"command": "sleep infinity"},
            "outer": image | {
                "command": ["python3", "-c", _OUTER],
                "networks": {"default": {"ipv4_address": f"{network}.53"}},
            },
        },
        "networks": {"default": {"ipam": {"config": [{"subnet": f"{network}.0/24"}]}}},
    }  # fmt: skip
    file = tmp_path_factory.mktemp("project") / "compose.json"
    file.write_text(json.dumps(document))
    with compose_project(file) as name:
        yield name


@contextlib.contextmanager
def started(project: str) -> Iterator[Client]:
    argv = ["docker", "exec", "-i", container_of(project, "web"), "python3", "-c", _CLIENT]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe, text=True) as process:
        yield Client(process)
        process.kill()


@pytest.fixture
def client(project: str) -> Iterator[Client]:
    with started(project) as made:
        assert made.do("talk") == "ping"
        yield made


@pytest.fixture
async def stack(engine: Engine, project: str) -> AsyncIterator[Stack]:
    made = await attached(engine, project)
    before = rules(project)
    yield made
    assert rules(project) == before
    left = docker("ps", "-aq", "--filter", f"name={project}-web-1-").split()
    assert not left, "a helper is left"


def rules(project: str) -> str:
    """Return the rules in the client's namespace, but for Docker's ports, new with every start."""
    network = f"container:{container_of(project, 'web')}"
    options = ("--rm", "--cap-drop", "ALL", "--cap-add", "NET_ADMIN", "--network", network)
    text = docker("run", *options, LAB, "sh", "-c", "iptables-save; ip6tables-save")
    kept = [line.partition(" [")[0] for line in text.splitlines() if not line.startswith("#")]
    return re.sub(r"(?<=127.0.0.11:)\d+|(?<=--sport )\d+", "PORT", "\n".join(kept))


async def attached(engine: Engine, project: str) -> Stack:
    made = Stack(engine, project)
    await made.attach()
    return made


def dns(**fields: object) -> Fault:
    kind = REGISTRY.get("dns")
    assert kind is not None
    return kind.model_validate(
        {"fault": "dns", "id": "a-dns", "service": "web", "names": NAMES, **fields}
    )


@contextlib.asynccontextmanager
async def injected(made: Fault, stack: Stack) -> AsyncIterator[Undo]:
    """Have a fault in force for as long as the block lasts."""
    undo: Undo = await made.prepare(stack)
    try:
        await made.inject(stack, undo)
        receipt = await made.verify_injected(stack, undo)
        assert receipt.holds, receipt.detail
        yield undo
    finally:
        await healed(made, stack.project, undo)


async def healed(made: Fault, project: str, undo: Undo) -> None:
    """Heal as another process does, from what the ledger holds alone, twice."""
    async with Engine.connect() as engine:
        stack = await attached(engine, project)
        for _ in range(2):
            await type(made).heal(stack, stored(undo))
        receipt = await type(made).verify_healed(stack, stored(undo))
        assert receipt.holds, receipt.detail


@pytest.mark.parametrize(
    ("fields", "said", "least"),
    [
        ({"answer": "nxdomain"}, "no such name", 0.0),
        ({"answer": "servfail"}, "try again", 0.0),
        ({"answer": "192.0.2.99", "delay": "400ms"}, "192.0.2.99", 0.4),
        ({"answer": "timeout"}, "try again", 1.0),  # as long as its resolver waits
        ({"delay": "300ms"}, None, 0.3),
    ],
)
async def test_names_are_answered_like_this_and_others_as_ever(
    fields: dict[str, str], said: str | None, least: float, project: str, stack: Stack,
    client: Client,
) -> None:  # fmt: skip
    def others() -> list[str]:
        return [
            client.do("raw", "other", 1),
            client.do("raw", "example.com", 1),
            client.do("raw", "a.example.org", 16),
        ]

    before, kept, usual = others(), client.do("again", "api"), client.do("look_up", "api")[0]
    outside = client.do("look_up", "www.example.com")[0]
    assert outside == "192.0.2.7"
    made = dns(**fields)
    async with injected(made, stack) as undo:
        assert client.do("talk") == "ping", "an open connection feels nothing of it"
        assert others() == before, "byte for byte"
        effect = await made.effect(stack, undo)
        assert effect is not None
        assert not effect.holds, "it asked for none of the names"
        for name, real in (("API", usual), ("www.example.com", outside)):
            found, seconds = client.do("look_up", name)
            assert found == (said or real), name
            assert least <= seconds < 2 * least + 0.5
        if least < 0.5:  # a socket that was used before is redirected, too
            assert (client.do("again", "api") == kept) is (said is None)
        effect = await made.effect(stack, undo)
        assert effect is not None
        assert effect.holds
        assert " of api by " in effect.detail
        assert " of *.example.com by " in effect.detail
    assert client.do("again", "api") == kept
    assert client.do("look_up", "api")[0] == usual
    assert client.do("look_up", "www.example.com")[0] == outside


async def test_look_ups_over_tcp_and_by_longer_names_are_answered_too(
    project: str, stack: Stack, client: Client
) -> None:
    usual = client.do("tcp", "other", "api", "other")
    made = dns(answer="nxdomain")
    async with injected(made, stack):
        seen = client.do("tcp", "other", "api", "other")
        assert [one for one in seen if one in usual] == [one for one in usual if one in seen] != []
        assert [int(one[4:8], 16) & 15 for one in seen].count(3) == 1
        for name in (f"api.{project}_default", "api.corp.test", "Api."):
            assert client.do("look_up", name)[0] == "no such name", name
    assert client.do("tcp", "other", "api", "other") == usual


async def test_a_client_that_restarts_is_free_of_it_and_that_is_seen(
    project: str, stack: Stack
) -> None:
    made = dns(answer="servfail")
    async with injected(made, stack) as undo:
        docker("stop", "--time", "0", container_of(project, "web"))
        docker("start", container_of(project, "web"))
        receipt = await made.verify_injected(stack, undo)
        assert not receipt.holds
        assert "not redirected" in receipt.detail
    with started(project) as client:
        eventually("it looks up", lambda: client.do("look_up", "api")[1] < 0.5)


async def test_a_helper_that_dies_is_seen_and_healed(project: str, stack: Stack) -> None:
    made = dns(answer="servfail")
    async with injected(made, stack) as undo:
        docker("kill", docker("ps", "-q", "--filter", f"name={project}-web-1-"))
        receipt = await made.verify_injected(stack, undo)
        assert not receipt.holds
        assert "nobody answers" in receipt.detail
