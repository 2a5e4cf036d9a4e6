"""Was an edge in use? Counted where it arrives: in the network namespace of its proxy.

Toxiproxy's own byte counters move only when a connection ends, and its log knows neither bytes nor
those whom a closed listener refused. So a helper stands in the proxy's namespace and prints what
the kernel counts (`meter_program`): every connection with its bytes, every attempt.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from ipaddress import ip_address
from typing import NamedTuple, TypeAlias

from chaoskit.clock import until
from chaoskit.docker.containers import Container
from chaoskit.errors import ChaoskitError, FaultFailed
from chaoskit.exchange import Traffic
from chaoskit.fields import HOST
from chaoskit.stack.proxy import Proxy
from chaoskit.stack.stack import Stack
from chaoskit.tasks import together

_MEMORY = 128 * 1024**2
_READY, _LAG, _POLL = 10.0, 3.0, 0.1  # seconds


Key: TypeAlias = tuple[int, str, int]


class Row(NamedTuple):
    """What was new of one connection; `opened` is 0 or 1, `ended_at` 0 while it is open."""

    local_port: int
    remote_ip: str
    remote_port: int
    received: int
    sent: int
    opened: int
    moved_at: float
    ended_at: float

    @property
    def key(self) -> Key:
        return self.local_port, self.remote_ip, self.remote_port


class Packets(NamedTuple):
    """First packets of connections, or datagrams, from one address to one port."""

    source: str
    port: int
    number: int


class Strays(NamedTuple):
    """Ports to which somebody sent what no proxy can take: first packets, and datagrams."""

    attempts: frozenset[int]
    datagrams: frozenset[int]


@dataclass(frozen=True, slots=True)
class Line:
    """What a meter saw between two moments, in seconds of its engine's wall clock."""

    start: float
    end: float
    rows: tuple[Row, ...]
    attempts: tuple[Packets, ...] | None
    datagrams: tuple[Packets, ...] | None


class Meters:
    """The meters of a run's proxies: one for each network namespace."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._names: dict[tuple[str, str], str] = {}  # by container id and start
        self._of: dict[str, list[str]] = {}  # by the service name of the proxies' container
        self._failed: dict[str, str] = {}  # why there is none, by the same

    def has(self, container: str) -> bool:
        """Return whether what arrives at a proxy container is counted."""
        return container in self._of

    async def start(self, proxies: Iterable[Proxy]) -> None:
        """Return when everything that arrives at these proxies is counted, or cannot be."""

        async def one(name: str) -> None:
            try:
                await self._start(name)
            except ChaoskitError as error:
                self._failed[name] = error.message

        await together(*(one(name) for name in {p.container for p in proxies}))

    async def _start(self, name: str) -> None:
        container = self._stack.proxy_container(name)
        namespace = (container.id, container.state.started_at)
        if namespace in self._names:
            return
        meter = f"{container.name}-meter-{len(self._of.get(name, ())) + 1}"
        self._names[namespace] = meter
        program = files("chaoskit.stack").joinpath("meter_program.py").read_text("utf-8")
        await self._stack.helpers.start(
            self._stack.project,
            ["python3", "-c", program],
            name=meter,
            memory=_MEMORY,
            network_of=container.id,
            capabilities=["NET_RAW"],
        )
        self._of.setdefault(name, []).append(meter)
        if not await until(lambda: self._read(meter), within=_READY, every=_POLL):
            raise FaultFailed(f"`{meter}` counts nothing")

    async def stop(self) -> None:
        """Count no more, in a stack that stays up. Raises `ChaoskitError`."""
        meters = [meter for found in self._of.values() for meter in found]
        await together(*(self._stack.recreate.remove(one, volumes=True) for one in meters))

    async def lines(self, container: str, until_wall: float = 0.0) -> list[Line]:
        """Return what was counted at a proxy container so far, at least until a moment of the wall
        clock. Raises `ChaoskitError` where it was not counted."""
        meters = self._of.get(container)
        if not meters:
            why = self._failed.get(container, "nothing counts there")
            raise FaultFailed(f"what arrived at `{container}` was not counted: {why}")
        earlier = [line for meter in meters[:-1] for line in await self._read(meter)]
        latest = await until(
            lambda: self._read(meters[-1]),
            met=lambda found: bool(found) and found[-1].end >= until_wall,
            within=_LAG,
            every=_POLL,
        )
        if not latest or latest[-1].end < until_wall:
            raise FaultFailed(f"what arrived at `{container}` was not counted to the end")
        return earlier + latest

    async def _read(self, meter: str) -> list[Line]:
        printed = await self._stack.containers.logs(meter)
        return await asyncio.to_thread(lambda: [line for text in printed for line in parse(text)])

    async def traffic(self, proxy: Proxy, start: float, end: float) -> Traffic:
        """Return what the client of a proxy did between two moments of the wall clock. Raises
        `ChaoskitError` where that was not counted."""
        lines = await self.lines(proxy.container, end)
        if lines[0].start > start:
            raise FaultFailed(f"what arrived at `{proxy.container}` was not counted from the start")
        container = self._stack.proxy_container(proxy.container)
        others = not_clients(proxy, container)
        return await asyncio.to_thread(traffic, lines, proxy, others, start, end)


def not_clients(proxy: Proxy, container: Container) -> frozenset[str]:
    """Return the addresses from which canaries come, and not a proxy's client."""
    return frozenset() if proxy.client == HOST else frozenset(container.gateways)


def parse(text: str) -> list[Line]:
    """Parse one line of a meter's log, which has a stamp before it; none for anything else."""
    _, _, body = text.partition(" ")
    try:
        row = json.loads(body)
        return [
            Line(
                float(row["from"]),
                float(row["to"]),
                tuple(Row(*one) for one in row["tcp"]),
                None if row["syn"] is None else tuple(Packets(*one) for one in row["syn"]),
                None if row["udp"] is None else tuple(Packets(*one) for one in row["udp"]),
            )
        ]
    except (ValueError, KeyError, TypeError):
        return []


def traffic(
    lines: Sequence[Line], proxy: Proxy, others: frozenset[str], start: float, end: float
) -> Traffic:
    """Return what the client of a proxy did between two moments, by what its meter saw.

    `others` are addresses that are not the client's.
    """
    open_before: set[Key] = set()  # towards the proxy, and from it
    times: Counter[Key] = Counter()  # how often it was opened: a port number may come back
    bytes_of: dict[tuple[Key, int], list[int]] = {}
    opened = pushed = 0
    for row in (row for line in lines for row in line.rows):
        towards = row.local_port == proxy.listen and row.remote_ip not in others
        onwards = row.local_port != proxy.listen and row.remote_port == proxy.port
        if _is_loopback(row.remote_ip) or not (towards or onwards):
            continue
        times[row.key] += row.opened
        if row.opened and row.moved_at < start:
            open_before.add(row.key)
        if 0 < row.ended_at < start:
            open_before.discard(row.key)
        if not start <= row.moved_at <= end:
            continue
        if towards:
            opened += row.opened
            sizes = bytes_of.setdefault((row.key, times[row.key]), [0, 0])
            sizes[0] += row.received
            sizes[1] += row.sent
        elif row.key in open_before:
            pushed += row.received
    moved = list(bytes_of.values())
    return Traffic(
        seconds=end - start,
        open_before=sum(port == proxy.listen for port, _, _ in open_before),
        opened=opened,
        attempts=_attempts(lines, proxy, others, start, end),
        active=sum(any(sizes) for sizes in moved),
        requested=sum(received for received, _ in moved),
        replied=sum(sent for _, sent in moved),
        largest_request=max((received for received, _ in moved), default=0),
        largest_reply=max((sent for _, sent in moved), default=0),
        pushed=pushed,
    )


def _attempts(
    lines: Sequence[Line], proxy: Proxy, others: frozenset[str], start: float, end: float
) -> int | None:
    """Return how many connections the client asked for; a look that only touches an end of the
    stretch does not count."""
    number = 0
    for line in lines:
        if start <= line.start and line.end <= end:
            if line.attempts is None:
                return None
            mine = (one for one in line.attempts if one.port == proxy.listen)
            number += sum(one.number for one in mine if one.source not in others)
    return number


def strays(lines: Iterable[Line], others: frozenset[str], served: Collection[int]) -> Strays:
    """Return what the client of a proxy container sent where no proxy can take it."""
    attempts: set[int] = set()
    datagrams: set[int] = set()
    for line in lines:
        for found, packets in ((attempts, line.attempts), (datagrams, line.datagrams)):
            found.update(
                one.port
                for one in packets or ()
                if one.source not in others and not _is_loopback(one.source)
            )
    return Strays(frozenset(attempts - set(served)), frozenset(datagrams))


def _is_loopback(address: str) -> bool:
    return ip_address(address).is_loopback


async def accepted(stack: Stack, proxies: Sequence[Proxy]) -> dict[Proxy, int]:
    """Return how many connections each proxy accepted from its real client (not from a canary)."""
    found = dict.fromkeys(proxies, 0)
    for name in {proxy.container for proxy in proxies}:
        mine = {p.name: p for p in proxies if p.container == name}
        container = stack.proxy_container(name)
        others = not_clients(next(iter(mine.values())), container)
        for line in await stack.containers.logs(container.id):
            _, _, text = line.partition(" ")
            if "Accepted client" not in text:
                continue
            try:
                row = json.loads(text)
                host = str(row["client"]).rpartition(":")[0].strip("[]").removeprefix("::ffff:")
                real = not _is_loopback(host) and host not in others
            except (ValueError, KeyError):
                continue
            if real and row.get("name") in mine:
                found[mine[row["name"]]] += 1
    return found
