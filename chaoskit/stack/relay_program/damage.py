"""What is done to the body of an answer."""

from __future__ import annotations

from .messages import Body

_HELD_MOST = 64 * 1024  # bytes of white space that may wait for what comes after them


class Cut:
    """Hands on the first half of a body, and then no more."""

    def __init__(self, body: Body) -> None:
        self._left = body.length // 2 if body.length >= 0 else -1
        self.over = False  # something was cut off, and the connection is to end

    def take(self, piece: bytes, content: bool) -> bytes:
        if not content:
            return piece
        if self._left < 0:  # nobody knows how much there is: half of what came first
            self._left = len(piece) // 2
        kept = piece[: self._left]
        self._left -= len(kept)
        self.over = len(kept) < len(piece) or not self._left
        return kept

    def end(self) -> tuple[bytes, bool]:
        """Return what is still to come, and whether that is changed."""
        return b"", False

    def give_up(self) -> bytes:
        """Return what was held back, as it came."""
        return b""


class Garble:
    """Hands on a body with a comma for its last byte that is no white space."""

    over = False

    def __init__(self) -> None:
        self._tail = b""  # from that byte on, as far as it is known

    def take(self, piece: bytes, content: bool) -> bytes:
        held = piece
        ready = b""
        if content and (told := len(piece.rstrip())):
            ready, held = self._tail + piece[: told - 1], piece[told - 1 :]
            self._tail = b""
        elif not self._tail:
            return piece
        self._tail += held
        if len(self._tail) > _HELD_MOST:
            ready, self._tail = ready + self._tail, b""
        return ready

    def end(self) -> tuple[bytes, bool]:
        changes = self._tail[:1] not in (b"", b",")
        return (b"," + self._tail[1:] if changes else self._tail), changes

    def give_up(self) -> bytes:
        tail, self._tail = self._tail, b""
        return tail
