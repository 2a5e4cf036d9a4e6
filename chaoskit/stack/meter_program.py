"""What arrives in one network namespace: bytes of TCP connections, attempts, datagrams.

Runs inside a helper container in the namespace of a proxy, so it is nothing but the standard
library and knows nothing of the rest. The kernel's own books are read (`NETLINK_SOCK_DIAG`, as `ss
-i` does): what is open is looked at ten times a second, and every connection that ends is reported
by the kernel with its last numbers, so that none is too short to be counted. A packet socket, which
needs CAP_NET_RAW, counts first packets of connections and datagrams, also those that nobody takes.

Prints `{"from": T0, "to": T, "tcp": [...], "syn": [...], "udp": [...]}`, a line or more for what
was new between two moments, in wall-clock seconds. The first has all that is there; without news
there is a line now and then.

- `tcp`: [local port, remote ip, remote port, bytes received, bytes sent, opened, moved, ended]:
  the bytes since the last time, 0 or 1, when the last byte moved (or it was opened), and 0 while it
  is open;
- `syn` and `udp`: [source ip, port, packets]; null where they cannot be counted.
"""

from __future__ import annotations

import ctypes
import json
import select
import socket
import struct
import sys
import time
from typing import NamedTuple

_ROWS = 50  # in a line: the engine cuts those of 16 KiB in two
_EVERY, _ALIVE = 0.1, 0.5  # seconds between looks, and between lines without news
_NETLINK_SOCK_DIAG, _DIAG_BY_FAMILY, _DUMP = 4, 20, 0x301
_ERROR, _DONE = 2, 3
_ERROR, _DONE = 2, 3
_SOL_NETLINK, _NETLINK_ADD_MEMBERSHIP = 270, 1
_DESTROYED = (1, 3)  # groups: IPv4 and IPv6 TCP sockets that end
_LISTEN, _ALL_BUT_LISTEN = 10, 0xFFF & ~(1 << 10)
_INFO = 2  # the attribute with `struct tcp_info`
_IDLE_AT = 44  # tcpi_last_data_sent and what follows it, in milliseconds
_ACKED_AT, _INFO_NEEDED = 120, 136  # tcpi_bytes_acked, tcpi_bytes_received
# States after the end of one direction, which the kernel counts as one more byte.
_HEARD_THE_END, _SAID_THE_END = frozenset({6, 7, 8, 9, 11}), frozenset({5, 6, 7})

Key = tuple[int, str, int]
_DNS = 53
_ROOM = 4 * 1024 * 1024  # bytes of kernel messages that may wait for us

# Keeps IPv4 and IPv6 TCP packets that only open a connection, and UDP; offsets are from the IP
# header on: (code, jump if true, jump if false, operand).
_KEEP = [
    (0x30, 0, 0, 0),  # the version
    (0x54, 0, 0, 0xF0),
    (0x15, 0, 8, 0x40),
    (0x30, 0, 0, 9),  # IPv4: the protocol
    (0x15, 12, 0, 17),
    (0x15, 0, 12, 6),
    (0xB1, 0, 0, 0),  # the length of the header
    (0x50, 0, 0, 13),  # the flags of TCP
    (0x54, 0, 0, 0x12),
    (0x15, 7, 0, 0x02),
    (0x06, 0, 0, 0),
    (0x30, 0, 0, 6),  # IPv6: the next header
    (0x15, 4, 0, 17),
    (0x15, 0, 4, 6),
    (0x30, 0, 0, 53),
    (0x54, 0, 0, 0x12),
    (0x15, 0, 1, 0x02),
    (0x06, 0, 0, 96),
    (0x06, 0, 0, 0),
]


class Seen(NamedTuple):
    """One connection as the kernel shows it: bytes so far, and when the last of them moved."""

    key: Key
    received: int
    sent: int
    moved_at: float


class Connections:
    """The TCP connections of the namespace and what they carried so far."""

    def __init__(self) -> None:
        self._ask = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG)
        self.ended = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG)
        self.ended.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _ROOM)
        self.ended.bind((0, 0))
        for group in _DESTROYED:
            self.ended.setsockopt(_SOL_NETLINK, _NETLINK_ADD_MEMBERSHIP, group)
        self.ended.setblocking(False)
        self._known: dict[Key, tuple[int, int]] = {}
        self._endings: list[tuple[Seen, float]] = []

    def wait(self, seconds: float) -> None:
        """Return after some time; what ends meanwhile is noted when it does."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if select.select([self.ended], [], [], left)[0]:
                self._note_endings()

    def news(self) -> list[list[object]]:
        """Return a row for every connection that opened, moved bytes or ended."""
        self._note_endings()
        rows = [self._row(seen, at) for seen, at in self._endings]
        self._endings = []
        for seen in self._open():
            before = self._known.get(seen.key)
            if before != (seen.received, seen.sent):
                rows.append(self._row(seen, 0))
                self._known[seen.key] = seen.received, seen.sent
        return rows

    def _row(self, seen: Seen, ended: float) -> list[object]:
        before = self._known.pop(seen.key, None) if ended else self._known.get(seen.key)
        received, sent = before or (0, 0)
        moved = [max(0, seen.received - received), max(0, seen.sent - sent)]
        return [*seen.key, *moved, int(before is None), seen.moved_at, ended]

    def _open(self) -> list[Seen]:
        found = []
        for family in (socket.AF_INET, socket.AF_INET6):
            wanted = struct.pack(
                "=BBBBI48x", family, socket.IPPROTO_TCP, 1 << (_INFO - 1), 0, _ALL_BUT_LISTEN
            )
            head = struct.pack("=IHHII", 16 + len(wanted), _DIAG_BY_FAMILY, _DUMP, 1, 0)
            self._ask.send(head + wanted)
            more = True
            while more:
                for kind, body in _messages(self._ask.recv(1 << 18)):
                    if kind == _ERROR:
                        raise OSError(f"the kernel does not show its sockets: {body[:4].hex()}")
                    more = more and kind != _DONE
                    if kind == _DIAG_BY_FAMILY and (seen := _seen(body)) is not None:
                        found.append(seen)
        return found

    def _note_endings(self) -> None:
        while True:
            try:
                data = self.ended.recv(1 << 16)
            except BlockingIOError:
                return
            now = round(time.time(), 4)
            for kind, body in _messages(data):
                if kind == _DIAG_BY_FAMILY and (seen := _seen(body)) is not None:
                    self._endings.append((seen, now))


def _messages(data: bytes) -> list[tuple[int, bytes]]:
    found, at = [], 0
    while at + 16 <= len(data):
        length, kind = struct.unpack_from("=IH", data, at)
        found.append((kind, data[at + 16 : at + length]))
        at += (length + 3) & ~3
    return found


def _seen(body: bytes) -> Seen | None:
    """Read one `struct inet_diag_msg`; None for what is no connection."""
    family, state = body[0], body[1]
    local, remote = struct.unpack_from(">HH", body, 4)
    if state == _LISTEN or not remote:
        return None
    size = 4 if family == socket.AF_INET else 16
    address = plain(socket.inet_ntop(family, body[24 : 24 + size]))
    at = 72
    while at + 4 <= len(body):
        length, kind = struct.unpack_from("=HH", body, at)
        if kind == _INFO and length - 4 >= _INFO_NEEDED:
            sent, received = struct.unpack_from("=QQ", body, at + 4 + _ACKED_AT)
            received -= bool(received) and state in _HEARD_THE_END
            sent -= bool(sent) and state in _SAID_THE_END
            said, _, heard, _ = struct.unpack_from("=IIII", body, at + 4 + _IDLE_AT)
            moved_at = time.time() - min(said, heard) / 1000
            return Seen((local, address, remote), received, sent, round(moved_at, 4))
        at += max(4, (length + 3) & ~3)
    return None


def plain(address: str) -> str:
    return address.removeprefix("::ffff:")


class Packets:
    """First packets of connections and datagrams, by who sent them to which port."""

    def __init__(self) -> None:
        every = socket.htons(3)  # ETH_P_ALL
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, every)
        code = b"".join(struct.pack("=HBBI", *one) for one in _KEEP)
        room = ctypes.create_string_buffer(code)
        program = struct.pack("HL", len(_KEEP), ctypes.addressof(room))
        self.socket.setsockopt(socket.SOL_SOCKET, 26, program)  # SO_ATTACH_FILTER
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _ROOM)
        self.socket.setblocking(False)
        self._room = room

    def news(self) -> tuple[list[list[object]], list[list[object]]]:
        counts: tuple[dict[tuple[str, int], int], ...] = ({}, {})
        while True:
            try:
                data, where = self.socket.recvfrom(128)
            except BlockingIOError:
                return tuple([[*key, n] for key, n in one.items()] for one in counts)  # type: ignore[return-value]  # two of them
            if where[0] == "lo" or where[2] != 0:  # to this host, not from it and not to all
                continue
            four = data[0] >> 4 == 4
            header = (data[0] & 15) * 4 if four else 40
            source = socket.inet_ntop(
                socket.AF_INET if four else socket.AF_INET6, data[12:16] if four else data[8:24]
            )
            udp = (data[9] if four else data[6]) == socket.IPPROTO_UDP
            sender, port = struct.unpack_from(">HH", data, header)
            if udp and sender == _DNS:  # an answer: who is here asked for a name
                continue
            key = (plain(source), port)
            counts[udp][key] = counts[udp].get(key, 0) + 1


def main() -> None:
    connections = Connections()
    try:
        packets = Packets()
    except OSError:
        packets = None
    before, said = time.time(), 0.0
    while True:
        reading = time.time()
        tcp = connections.news()
        syn, udp = (None, None) if packets is None else packets.news()
        now = time.time()
        if tcp or syn or udp or now - said >= _ALIVE:
            longest = max(len(rows) for rows in (tcp, syn or (), udp or ()))
            for at in range(0, max(longest, 1), _ROWS):
                part = [rows and rows[at : at + _ROWS] for rows in (tcp, syn, udp)]
                line = {
                    "from": before,
                    "to": now,
                    **dict(zip(("tcp", "syn", "udp"), part, strict=True)),
                }
                sys.stdout.write(json.dumps(line, separators=(",", ":")) + "\n")
            sys.stdout.flush()
            said = now
        before = reading
        connections.wait(_EVERY)


if __name__ == "__main__":
    main()
