"""Where HTTP/1 messages begin and end."""

from __future__ import annotations

import re

_HEAD_MOST, _LINE_MOST = 256 * 1024, 64 * 1024  # bytes; more is no HTTP

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]"
BEGINS = re.compile(_TOKEN + rb"{1,32}(?: |\Z)")  # how a request does
REQUEST = re.compile(rb"(" + _TOKEN + rb"+) (\S+) HTTP/1\.([01])\r?\n")
STATUS = re.compile(rb"HTTP/1\.[01] ([1-9][0-9][0-9])[ \r\n]")
_DECIMAL, _HEX = re.compile(r"[0-9]{1,18}"), re.compile(rb"[0-9A-Fa-f]{1,15}")
_HEAD_END = re.compile(rb"\r?\n\r?\n")


class NotHttp(Exception):
    """What came is not HTTP/1, or nothing that we can find the end of."""


class Head:
    """The first line and the headers of a message, as they came."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self._fields: dict[str, str] | None = None

    @property
    def fields(self) -> dict[str, str]:
        """The headers by their names in lower case; repeated ones are joined by a comma."""
        if self._fields is None:
            self._fields = {}
            for line in self.raw.splitlines()[1:]:
                name, colon, value = line.decode("latin-1").partition(":")
                if colon:
                    known = self._fields.get(name.lower())
                    text = value.strip()
                    self._fields[name.lower()] = text if known is None else f"{known}, {text}"
        return self._fields

    def body(self, *, otherwise: int) -> Body:
        """Return where the body ends; `otherwise` is its length where the headers say nothing."""
        if self.fields.get("transfer-encoding", "").lower().endswith("chunked"):
            return Chunked()
        length = self.fields.get("content-length")
        if length is None:
            return Sized(otherwise)
        said = {part.strip() for part in length.split(",")}  # more than once is fine if it agrees
        if len(said) > 1 or not _DECIMAL.fullmatch(length := said.pop()):
            raise NotHttp
        return Sized(int(length))

    def asks_to_close(self, minor: str) -> bool:
        said = self.fields.get("connection", "").lower()
        return "close" in said or (minor == "0" and "keep-alive" not in said)


def take_head(buffer: bytearray, first: re.Pattern[bytes]) -> Head | None:
    """Take a whole head off the buffer; None while it is not all there. What is no head stays."""
    if b"\n" in buffer and not first.match(buffer):
        raise NotHttp
    end = _HEAD_END.search(buffer)
    if end is None:
        if len(buffer) > _HEAD_MOST:
            raise NotHttp
        return None
    raw = bytes(buffer[: end.end()])
    head = Head(raw)
    head.body(otherwise=0)  # or it is not HTTP that we can find the end of
    del buffer[: end.end()]
    return head


class Sized:
    """A body of so many bytes; without an end where that is negative."""

    def __init__(self, length: int) -> None:
        self.length = self.left = length

    @property
    def done(self) -> bool:
        return self.left == 0

    def take(self, buffer: bytearray) -> list[tuple[bytes, bool]]:
        """Take what belongs to it off the buffer: pieces, and whether each is content."""
        piece = bytes(buffer if self.left < 0 else buffer[: self.left])
        del buffer[: len(piece)]
        if self.left > 0:
            self.left -= len(piece)
        return [(piece, True)] if piece else []


class Chunked:
    """A body in chunks, with whatever trailers."""

    length = -1

    def __init__(self) -> None:
        self.done = False
        self._left = 0
        self._after_data = self._trailers = False

    def take(self, buffer: bytearray) -> list[tuple[bytes, bool]]:
        """As for `Sized`. Raises `NotHttp` at what is no chunk, which stays in the buffer."""
        found: list[tuple[bytes, bool]] = []
        while not self.done and buffer:
            if self._left:
                piece = bytes(buffer[: self._left])
                del buffer[: len(piece)]
                self._left -= len(piece)
                self._after_data = not self._left
                found.append((piece, True))
                continue
            end = buffer.find(b"\n") + 1
            if not end:
                if len(buffer) > _LINE_MOST and not found:
                    raise NotHttp
                break
            line = bytes(buffer[:end])
            try:
                self._line(line.strip())
            except NotHttp:
                if found:
                    break  # it is the next call's
                raise
            del buffer[:end]
            found.append((line, False))
        return found

    def _line(self, text: bytes) -> None:
        if self._trailers:
            self.done = not text
        elif self._after_data:
            if text:
                raise NotHttp
            self._after_data = False
        else:
            size = text.partition(b";")[0].strip()
            if not _HEX.fullmatch(size):
                raise NotHttp
            self._left = int(size, 16)
            self._trailers = not self._left


Body = Sized | Chunked
