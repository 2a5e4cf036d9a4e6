"""How the client of the fault matrix speaks to each upstream, and the words for its answers.

Like the client itself it runs inside a container, from its source text.
"""

from __future__ import annotations

import struct

PORTS = {"redis": 6379, "postgres": 5432, "http": 8080, "tcp": 7000}
STORES = ("redis", "postgres")
SIZE = 2000  # bytes of an answer: enough to show slow lines, pieces and cuts
USER, DATABASE = "matrix", "matrix"

ANSWERS = "answers"


def request(upstream: str, what: str) -> bytes:
    if upstream == "redis":
        words = {
            "say": [b"ECHO", b"x" * SIZE],
            "write": [b"SET", b"matrix:written", b"1"],
            "read": [b"GET", b"matrix:seed"],
            "leave": [b"SET", b"matrix:asked", b"1"],
        }[what]
        return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(w), w) for w in words)
    if upstream == "http":
        return b"GET /%d HTTP/1.1\r\nHost: web\r\n\r\n" % SIZE
    if upstream == "tcp":
        return b"x" * SIZE
    if what == "login":
        names = b"user\0%b\0database\0%b\0\0" % (USER.encode(), DATABASE.encode())
        return struct.pack("!ii", len(names) + 8, 196608) + names
    query = {
        "say": f"SELECT repeat('x', {SIZE})",
        "write": "UPDATE matrix SET written = written",
        "read": "SELECT value FROM matrix",
    }[what].encode() + b"\0"
    return b"Q" + struct.pack("!i", len(query) + 4) + query


def answered(upstream: str, what: str, got: bytes) -> str | None:
    """Return the word for a whole answer, None while something is missing."""
    if upstream == "redis":
        return _answer_of_redis(what, got)
    if upstream == "postgres":
        return _answer_of_postgres(what, got)
    if upstream == "http":
        head, blank, body = got.partition(b"\r\n\r\n")
        if not blank or len(body) < int(head.lower().partition(b"content-length:")[2].split()[0]):
            return None
        status = head.split()[1].decode()
        if status != "200":
            return f"error {status}"
        return ANSWERS if body == b"x" * SIZE else "another body"
    return ANSWERS if len(got) >= SIZE else None


def _answer_of_redis(what: str, got: bytes) -> str | None:
    if not got.endswith(b"\r\n"):
        return None
    if got.startswith(b"-"):
        return f"error {got[1:].split()[0].decode()}"
    if what == "say":
        return ANSWERS if len(got) > SIZE else None
    if what in ("write", "leave"):
        return "done"
    if got == b"$-1\r\n":
        return "nothing"
    if got.count(b"\r\n") < 2:
        return None
    return "the value" if b"true value" in got else "another value"


def _answer_of_postgres(what: str, got: bytes) -> str | None:
    error, ready, rows, at = None, False, b"", 0
    while len(got) >= at + 5:
        kind, length = got[at : at + 1], struct.unpack_from("!i", got, at + 1)[0]
        body = got[at + 5 : at + 1 + length]
        if len(body) < length - 4:
            break
        if kind == b"E":
            fields = {field[:1]: field[1:].decode() for field in body.split(b"\0") if field}
            error = f"error {fields[b'C']}"
            ready = ready or fields[b"S"] == "FATAL"
        rows += body if kind == b"D" else b""
        ready = ready or kind == b"Z"
        at += 1 + length
    if not ready:
        return None
    if error is not None:
        return error
    if what == "read":
        return "the value" if b"true value" in rows else "nothing"
    return "done" if what == "write" else ANSWERS
