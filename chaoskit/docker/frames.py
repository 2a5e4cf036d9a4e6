"""The engine's frames: what a container prints, each piece with the stream it is of.

As the Engine API's reference tells it under "Attach to a container".
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

STDERR = 2
_HEADER = struct.Struct(">BxxxL")  # which stream, how many bytes follow


def frame(read: Callable[[int], bytes]) -> tuple[int, bytes] | None:
    """Read one frame; None at the end. `read` returns as many bytes as asked for, less there."""
    header = read(_HEADER.size)
    if len(header) < _HEADER.size:
        return None
    stream, length = _HEADER.unpack(header)
    return stream, read(length)


def socket_of(stream: Any) -> Any:
    """Return the bare socket under what docker-py gives."""
    return getattr(stream, "_sock", stream)


def close(stream: Any) -> None:
    """Close it: the answer, what reads it and the socket each hold a reference of their own."""
    for part in (getattr(stream, "_response", None), stream, socket_of(stream)):
        if part is not None:
            part.close()
