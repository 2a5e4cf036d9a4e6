"""What is done to the body of an answer."""

from __future__ import annotations

from .messages import Body


class Cut:
    """Hands on the first half of a body, and then no more."""

    def __init__(self, body: Body) -> None:
        self._left = body.length // 2 if body.length >= 0 else -1
        self.over = False

    def take(self, piece: bytes, content: bool) -> bytes:
        if self.over:
            return b""
        if not content:
            return piece
        if self._left < 0:  # nobody knows how much there is: half of what came first
            self._left = len(piece) // 2
        kept = piece[: self._left]
        self._left -= len(kept)
        self.over = len(kept) < len(piece) or not self._left
        return kept

    def end(self) -> bytes:
        return b""


class Garble:
    """Hands on a body with a comma for its last byte."""

    over = False

    def __init__(self) -> None:
        self._tail = b""

    def take(self, piece: bytes, content: bool) -> bytes:
        if not content:
            if self._tail:  # it may still be followed by nothing but this
                self._tail += piece
                return b""
            return piece
        ready = self._tail + piece[:-1]
        self._tail = piece[-1:]
        return ready

    def end(self) -> bytes:
        return b"," + self._tail[1:] if self._tail else b""
