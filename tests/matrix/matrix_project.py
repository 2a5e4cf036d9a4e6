"""A project with two clients and four upstreams, brought up the way a run does it.

`client` reaches every upstream through a proxy, `direct` reaches them without one, as it is in a
run whose faults are on services alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml

from chaoskit import __version__
from chaoskit.docker.client import Engine
from chaoskit.docker.images import toxiproxy_image
from chaoskit.faults import Fault
from chaoskit.plan.plan import make_plan
from chaoskit.plan.refusals import refuse
from chaoskit.run.bring_up import bring_up
from chaoskit.scenario.loading import load
from chaoskit.stack.stack import Stack
from tests.compose_project import LAB, container_of, new_name
from tests.matrix import agent, protocols
from tests.matrix.protocols import PORTS
from tests.matrix.rows import CLIENT, DIRECT, SCRATCH, UPSTREAMS, Row

_DEADLINE = 60.0  # seconds for one answer of a program of ours

# Every server ends by itself at SIGTERM and SIGINT; as process 1 it would not without a handler.
_POLITE = """
import signal, sys
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda *_: sys.exit(0))
"""
_ECHO = (
    _POLITE
    + """
import socketserver
class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(65536):
            self.request.sendall(data)
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    request_queue_size = 64
Server(("", 7000), Echo).serve_forever()
"""
)
_WEB = (
    _POLITE
    + """
import http.server
class Pages(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = b"x" * int(self.path[1:])
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_OPTIONS(self):
        self.path = "/1"
        self.do_GET()
    def log_message(self, *_):
        pass
class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 64
Server(("", 8080), Pages).serve_forever()
"""
)
_REDIS = "redis-server --bind * --protected-mode no --dir /data --appendonly yes --save ''"
# Logging in is one question and one answer, so that a delay shows as often as elsewhere.
_POSTGRES = """
printf '%s all all trust\\n' local 'host all' > /tmp/hba.conf
exec start-postgres -c hba_file=/tmp/hba.conf -c max_connections=20 -c autovacuum=off
"""


def project(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the Compose project. A name that is gone must fail at once: hence `dns`.

    Upstreams that are taken off their network have one each: what seeks its way back to an address
    would for a moment sit on that of another, and refuse its clients.
    """
    apart = any(row.kind == "disconnect" for row in rows)
    image = {"image": LAB, "pull_policy": "never"}
    upstream = image | {
        "restart": "always",
        "stop_grace_period": "20s",
        "tmpfs": [f"{SCRATCH}:size=4m,mode=1777"],
    }
    client = image | {"command": "sleep infinity", "init": True, "dns": ["127.0.0.1"]}
    services: dict[str, dict[str, Any]] = {
        CLIENT: dict(client),
        DIRECT: dict(client),
        "redis": upstream | {"command": _REDIS, "volumes": ["redis-data:/data"]},
        "postgres": upstream | {
            "command": ["sh", "-c", _POSTGRES],
            "user": "postgres",
            "stop_signal": "SIGINT",
            "environment": {"POSTGRES_USER": "matrix", "POSTGRES_PASSWORD": "matrix-secret"},
            "volumes": ["postgres-data:/var/lib/postgresql/data"],
        },
        "web": upstream | {
            "command": ["python3", "-c", _WEB],
            "volumes": ["web-data:/data"],
            "cpus": 1.5,  # limits of its own, which must come back
            "mem_limit": "320m",
        },
        "echo": upstream | {"command": ["python3", "-c", _ECHO], "volumes": ["echo-data:/data"]},
    }  # fmt: skip
    for name, service in UPSTREAMS.items():
        services[service]["expose"] = [str(PORTS[name])]
        mine = f"to-{service}" if apart else "default"
        services[service]["networks"] = {mine: {"aliases": [f"the-{name}"]}}
    networks: dict[str, dict[str, Any]] = {
        network: {} for service in UPSTREAMS.values() for network in services[service]["networks"]
    }
    for one in (CLIENT, DIRECT):
        services[one]["networks"] = list(networks)
    return {
        "services": services,
        "networks": networks,
        "volumes": {f"{service}-data": {} for service in UPSTREAMS.values()},
    }


def scenario(faults: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the scenario; its probes say how to talk to each upstream."""
    every = {"every": "1s"}
    return {
        "name": "matrix",
        "stack": {"compose": "compose.yaml"},
        "probes": {
            "redis": {"probe": "redis", "url": "redis://redis:6379/0", **every},
            "postgres": {
                "probe": "postgres",
                "url": "postgres://matrix:matrix-secret@postgres:5432/matrix",
                **every,
            },
            "http": {"probe": "http", "url": "http://web:8080/1", **every},
            "tcp": {"probe": "tcp", "url": "tcp://echo:7000", **every},
        },
        # At no time of the file: they are injected one by one, and some exclude each other.
        "timeline": {"faults": [{"when": {"probe": "http", "is": "healthy"}, **f} for f in faults]},
        "expect": [{"check": "availability", "probe": "http", "at_least": "99%"}],
    }


@dataclass
class Agent:
    """A program of ours in a container; it answers one line at a time."""

    process: asyncio.subprocess.Process

    async def do(self, command: str, **options: Any) -> dict[str, Any]:
        return await self.ask({"do": command, **options})

    async def ask(self, question: Mapping[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(question).encode() + b"\n")
        async with asyncio.timeout(_DEADLINE):
            text = await self.process.stdout.readline()
        assert text, f"it ended at {question}: {await self._last_words()}"
        answer: dict[str, Any] = json.loads(text)
        return answer

    async def _last_words(self) -> str:
        assert self.process.stderr is not None
        return (await self.process.stderr.read()).decode()[-2000:]


@contextlib.asynccontextmanager
async def program(
    container: str, modules: Sequence[ModuleType], *words: str
) -> AsyncIterator[Agent]:
    """Run modules as one program in a container, from their source text, for as long as the block
    lasts."""
    texts = [Path(str(module.__file__)).read_text(encoding="utf-8") for module in modules]
    lines = [line for text in texts for line in text.splitlines()]
    ours = ("from __future__ ", "from tests.")
    source = "\n".join(line for line in lines if not line.startswith(ours))
    source = f"from __future__ import annotations\n{source}"
    argv = ["docker", "exec", "-i", container, "python3", "-c", source, *words]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *argv, stdin=pipe, stdout=pipe, stderr=pipe, limit=2**22
    )
    try:
        yield Agent(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 5)
        except TimeoutError:
            process.kill()
            await process.wait()


@dataclass
class MatrixProject:
    """The running project, as a run sees it, and the clients in it."""

    stack: Stack
    faults: Mapping[str, Fault]  # of every row, by id
    agents: Mapping[str, Agent]

    async def both(self, command: str, **options: Any) -> dict[str, dict[str, Any]]:
        """Let both clients do the same at once."""
        words = await asyncio.gather(*(a.do(command, **options) for a in self.agents.values()))
        return dict(zip(self.agents, words, strict=True))

    def container(self, service: str) -> str:
        return container_of(self.stack.project, service)

    async def inside(self, service: str, *argv: str) -> str:
        """Run a command in a container and return what it printed; it must succeed."""
        status, text = await self.run(service, *argv)
        assert status == 0, f"{argv} in {service}: {text}"
        return text

    async def run(self, service: str, *argv: str) -> tuple[int | None, str]:
        done = await self.stack.exec.run(self.container(service), argv, within=20)
        return done.status, f"{done.out}{done.err}".strip()

    async def versions(self) -> dict[str, str]:
        """Return what everything was measured with."""
        proxy = (await self.stack.replicas(self.stack.proxies[0].container))[0]
        redis = await self.inside("redis", "redis-server", "--version")
        postgres = await self.inside("postgres", "postgres", "--version")
        return {
            "chaoskit": __version__,
            "Docker Engine": self.stack.engine.version,
            "Toxiproxy": proxy.image.rpartition(":")[2],
            "Redis": redis.partition("v=")[2].split()[0],
            "PostgreSQL": postgres.split()[2],
            "Linux": await self.inside("redis", "uname", "-r"),
        }

    async def seed(self) -> None:
        """Put the data in place that faults may take away."""
        await asyncio.gather(
            self.inside(
                "redis", "redis-cli", "MSET", "matrix:seed", "true value", "matrix:written", "1"
            ),
            self.inside(
                "postgres", "psql", "-q", "-U", "matrix", "-c",
                "CREATE TABLE IF NOT EXISTS matrix (value text, written int)",
                "-c", "TRUNCATE matrix",
                "-c", "INSERT INTO matrix VALUES ('true value', 1)",
            ),
            *(self.inside(s, "sh", "-c", "echo true value > /data/seed") for s in ("web", "echo")),
        )  # fmt: skip


@contextlib.asynccontextmanager
async def matrix_project(directory: Path, rows: Sequence[Row]) -> AsyncIterator[MatrixProject]:
    """Bring the project up with the faults of these rows planned, and take it down again."""
    faults = [fault for row in rows for fault in row.faults]
    (directory / "compose.yaml").write_text(yaml.safe_dump(project(rows), sort_keys=False))
    (directory / "matrix.yaml").write_text(yaml.safe_dump(scenario(faults), sort_keys=False))
    name = new_name()
    loaded = load(directory / "matrix.yaml", {})
    async with Engine.connect() as engine:
        plan = await make_plan(loaded, run_project=name, engine=engine)
        await refuse(plan, engine)
        layout = plan.layout(directory / name, await toxiproxy_image(engine.images))
        overlay = directory / "overlay.yaml"
        overlay.write_text(layout.text)
        stack = Stack(engine, name, plan.protocols, seed=7)
        try:
            await bring_up(
                plan, layout, overlay, stack, say=lambda text: None, proxies_up=lambda: None
            )
            async with contextlib.AsyncExitStack() as clients:
                argument = json.dumps(UPSTREAMS)
                agents = {
                    service: await clients.enter_async_context(
                        program(container_of(name, service), (protocols, agent), argument)
                    )
                    for service in (CLIENT, DIRECT)
                }
                made = MatrixProject(stack, {fault.name: fault for fault in plan.faults}, agents)
                await made.both("open")  # every server answers
                await made.seed()
                yield made
        finally:
            left = await engine.cleanup.project(name)
            await stack.close()
            assert left == []
