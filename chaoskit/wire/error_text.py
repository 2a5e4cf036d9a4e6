"""Errors of client libraries in a few words that are the same for every library."""

from __future__ import annotations

import errno
import socket

from chaoskit.errors import causes
from chaoskit.text import one_line

REFUSED = "connection refused"
RESET = "connection reset"
CLOSED = "connection closed"
TIMEOUT = "timeout"
NO_NAME = "name not found"
NO_ROUTE = "no route to host"
LONGEST = 200  # characters of an error on one line

_TYPES: tuple[tuple[type[BaseException], str], ...] = (
    (ConnectionRefusedError, REFUSED),
    (ConnectionResetError, RESET),
    (ConnectionAbortedError, RESET),
    (BrokenPipeError, RESET),
    (EOFError, CLOSED),
    (TimeoutError, TIMEOUT),
    (socket.gaierror, NO_NAME),
)
_NUMBERS = {
    errno.EHOSTUNREACH: NO_ROUTE,
    errno.ENETUNREACH: NO_ROUTE,
    errno.ECONNREFUSED: REFUSED,
    errno.ECONNRESET: RESET,
}
# What libpq, redis-py, httpx and aiohttp say when they wrap no OSError; in order of preference.
_TEXTS = (
    ("connection refused", REFUSED),
    ("connection reset", RESET),
    ("no route to host", NO_ROUTE),
    ("could not translate host name", NO_NAME),
    ("closed the connection", CLOSED),
    ("closed by server", CLOSED),
    ("disconnected", CLOSED),
    ("connection lost", CLOSED),
    ("closing transport", CLOSED),
    ("unexpected eof", CLOSED),
    ("incomplete", CLOSED),
    ("not completed", CLOSED),
    ("timed out", TIMEOUT),
    ("timeout", TIMEOUT),
)


def error_words(error: BaseException) -> str:
    """Return `connection refused`, `connection reset`... or the class and message on one line."""
    chain = list(causes(error))
    for cause in chain:
        for sort, words in _TYPES:
            if isinstance(cause, sort):
                return words
        if isinstance(cause, OSError) and cause.errno in _NUMBERS:
            return _NUMBERS[cause.errno]
    for cause in chain:
        text = str(cause).lower()
        for part, words in _TEXTS:
            if part in text:
                return words
    return unexpected(error)


def unexpected(error: BaseException) -> str:
    """Return the class and message of an error on one line of at most 200 characters."""
    return one_line(f"{type(error).__name__}: {error}".removesuffix(": "), LONGEST)
