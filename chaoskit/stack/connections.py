"""Who is connected to whom, read from the containers' own TCP tables.

This is how a bypassed proxy is noticed, and how a connection that stays open for the whole run is
known to be in use. Linux keeps closed connections in the table for a minute (TIME_WAIT), so short
ones are seen too.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from chaoskit.docker.containers import Container
from chaoskit.docker.exec import ContainerExec
from chaoskit.errors import ChaoskitError

_ESTABLISHED = 0x01
_LISTEN = 0x0A


@dataclass(frozen=True, slots=True)
class Connection:
    """One row of a TCP table, seen from inside the container."""

    remote_ip: str
    remote_port: int
    state: int

    @property
    def established(self) -> bool:
        return self.state == _ESTABLISHED


async def connections_of(exec: ContainerExec, container: Container) -> list[Connection] | None:
    """Return the TCP connections of a container, None when they cannot be read.

    Reads `/proc` of the host where the engine is local, else asks `cat` inside the container.
    """
    if not container.state.running:
        return []
    # In threads: a busy container has thousands of rows.
    text = await asyncio.to_thread(proc_of, container, "net/tcp", "net/tcp6")
    if text is None:
        try:
            argv = ["cat", "/proc/net/tcp", "/proc/net/tcp6"]
            text = (await exec.run(container.id, argv)).out
        except ChaoskitError:
            return None
    rows = await asyncio.to_thread(parse_table, text)
    return rows if rows or "local_address" in text else None


def parse_table(text: str) -> list[Connection]:
    """Parse `/proc/net/tcp` and `tcp6` text: all rows but the listening ones."""
    found = []
    for line in text.splitlines():
        columns = line.split()
        if len(columns) < 4 or ":" not in columns[2] or columns[0] == "sl":
            continue
        address, _, port = columns[2].partition(":")
        state = int(columns[3], 16)
        if state != _LISTEN:
            found.append(Connection(_address(address), int(port, 16), state))
    return found


def _address(text: str) -> str:
    raw = bytes.fromhex(text)
    words = b"".join(raw[i : i + 4][::-1] for i in range(0, len(raw), 4))  # host byte order
    if len(words) == 4:
        return socket.inet_ntoa(words)
    address = ipaddress.IPv6Address(words)
    return str(address.ipv4_mapped or address)


def proc_of(container: Container, *names: str) -> str | None:
    """Return files of `/proc/PID` of a container's main process, one after the other.

    None where this host does not show them, or PID is not this container's.
    """
    base = Path(f"/proc/{container.pid}")
    try:
        if container.id not in (base / "cgroup").read_text():
            return None
        return "".join((base / name).read_text() for name in names)
    except OSError:
        return None


def towards(rows: Iterable[Connection], addresses: Iterable[str], ports: Iterable[int]) -> int:
    """Count the connections to any of these addresses on any of these ports."""
    wanted_addresses, wanted_ports = set(addresses), set(ports)
    return sum(r.remote_ip in wanted_addresses and r.remote_port in wanted_ports for r in rows)
