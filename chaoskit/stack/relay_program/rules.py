"""What is done to which requests, and how often it was."""

from __future__ import annotations

import asyncio
import hashlib
import http
import re
from collections.abc import Callable
from typing import Any

from .messages import Head

_FIRST = 5  # changed requests that are named
_ORIGIN = re.compile(r"https?://[^/?]*")  # of a target that is a whole URL


class Rule:
    """One rule, and what it has done so far."""

    def __init__(self, ports: list[int], told: dict[str, Any]) -> None:
        self.ports = ports
        self.told = told
        self.act: str = told["act"]
        match, self._pick = told.get("match", {}), told.get("pick", {})
        self._method: str | None = match.get("method")
        self._headers = {name: Pattern(text) for name, text in match.get("headers", {}).items()}
        path: str | None = match.get("path")
        self._with_query = path is not None and "?" in path
        self._path = None if path is None else Pattern(path)
        self.matched = self.changed = 0
        self.first: list[str] = []
        self.removed = False
        self.held: set[Callable[[], None]] = set()

    def matches(self, method: str, target: str, head: Head) -> bool:
        if self._method not in (None, method):
            return False
        path = _ORIGIN.sub("", target, count=1) if target[:4] == "http" else target
        path = path if self._with_query else path.partition("?")[0]
        if self._path is not None and not self._path.fits(path):
            return False
        return all(
            name in head.fields and pattern.fits(head.fields[name])
            for name, pattern in self._headers.items()
        )

    def picks(self) -> bool:
        """Return whether it picks the request that it has just matched: by its number alone."""
        if "first" in self._pick:
            return bool(self.matched <= self._pick["first"])
        if "every" in self._pick:
            return bool(self.matched % self._pick["every"] == 0)
        if "fraction" in self._pick:
            digest = hashlib.blake2b(f"{self._pick['seed']}:{self.matched}".encode(), digest_size=8)
            share = int.from_bytes(digest.digest(), "big") / 2**64
            return bool(share < self._pick["fraction"])
        return True

    def has_changed(self, exchange: Exchange) -> None:
        self.changed += 1
        if len(self.first) < _FIRST:
            self.first.append(exchange.what)

    def hold(self, exchange: Exchange, go_on: Callable[[], None]) -> None:
        """Call it once: after the delay of this rule, or when the rule is removed."""

        def once() -> None:
            if once in self.held:
                self.held.discard(once)
                timer.cancel()
                go_on()

        def in_time() -> None:
            self.has_changed(exchange)
            once()

        timer = asyncio.get_running_loop().call_later(self.told["seconds"], in_time)
        self.held.add(once)

    def remove(self) -> None:
        """Change nothing any more: what is held back goes on, what is under way stays as it is."""
        self.removed = True
        for go_on in list(self.held):
            go_on()

    def answer(self, exchange: Exchange) -> bytes:
        """Return the answer that is made here."""
        status = int(self.told["status"])
        try:
            reason = http.HTTPStatus(status).phrase
        except ValueError:
            reason = "Made"
        body = str(self.told.get("body", "")).encode()
        lines = [f"HTTP/1.1 {status} {reason}"]
        lines += [f"{name}: {value}" for name, value in self.told.get("headers", {}).items()]
        if status not in (204, 304):
            lines.append(f"Content-Length: {len(body)}")
        if exchange.closes:
            lines.append("Connection: close")
        bodyless = exchange.method == "HEAD" or status in (204, 304)
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + (b"" if bodyless else body)


class Pattern:
    """A text in which `*` stands for anything, as long as what is compared with it."""

    def __init__(self, text: str) -> None:
        self._parts = text.split("*")

    def fits(self, text: str) -> bool:
        first, *rest = self._parts
        if not rest:
            return text == first
        *middle, last = rest
        if not text.startswith(first) or not text.endswith(last):
            return False
        at, end = len(first), len(text) - len(last)
        for part in middle:  # the first place is as good as any
            at = text.find(part, at, end)
            if at < 0:
                return False
            at += len(part)
        return at <= end


class Exchange:
    """One request whose answer has not gone yet, and the rule that picked it."""

    def __init__(self, method: str, target: str, rule: Rule | None, *, closes: bool) -> None:
        self.method = method
        self.what = f"{method} {target.partition('?')[0][:200]}"
        self.rule = rule
        self.closes = closes  # the connection ends with its answer
        self.answer: bytes | None = None  # made here; it goes when its turn comes
