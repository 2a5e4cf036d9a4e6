"""Canaries as plain data: what one asked, how it went, and what a fault makes of that.

Nothing here talks to anybody: the exchanges themselves are done by `stack.canary`, and judging
reads them from the record.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from chaoskit.text import seconds_text

Outcome = Literal["answered", "silent", "closed", "reset", "refused"]

LARGEST_PAYLOAD = 1_000_000  # bytes: it lives in the server's memory while it is echoed


@dataclass(frozen=True, slots=True)
class Ask:
    """What a canary should do beyond one small exchange.

    `payload` is the number of bytes to push through in each direction, as far as the protocol
    can: Redis echoes any number; Postgres echoes up to 9.5 KB of unknown options; HTTP servers get
    up to 32 pipelined requests with a padded header, and choose the size of their answers. Then
    the exchange lasts until the last byte of the answer, not the first. `close` ends the
    connection from this side after the answer and times how long the other side takes to end it.
    `greeting` waits for the first word of a server that speaks first, as long as for an answer.
    """

    payload: int = 0
    close: bool = False
    greeting: bool = False


BRIEFLY = Ask()


@dataclass(frozen=True, slots=True)
class Exchange:
    """How one canary exchange went; `seconds` from connecting to the first byte back, with a
    payload to the last. `sent` and `received` count bytes, `pieces` how many reads they took.
    `closing` is how long the connection took to end after this side had closed it, `spread` by how
    many seconds half of the canaries of its kind were slower than this one."""

    what: str
    outcome: Outcome
    seconds: float
    sent: int = 0
    received: int = 0
    pieces: int = 0
    closing: float | None = None
    spread: float = 0.0

    @property
    def answered(self) -> bool:
        return self.outcome == "answered"

    @property
    def speechless(self) -> bool:
        """Nothing was asked and nothing was said: all that is known is that it stayed open."""
        return self.answered and not self.sent and not self.received

    def __str__(self) -> str:
        took = seconds_text(self.seconds)
        after = f" after {self.received} bytes" if self.received else ""
        end = "" if self.closing is None else f" and {seconds_text(self.closing)} to end"
        if self.speechless:
            return f"no word in {took}{end}"
        if self.answered:
            pieces = f" in {self.pieces} pieces" if self.pieces > 1 else ""
            return f"{took}{pieces}{end}"
        return {
            "silent": f"{'silence' + after if after else 'no answer'} in {took}",
            "closed": f"closed{after or ' at once'}",
            "reset": f"reset{after}",
            "refused": "refused",
        }[self.outcome]


@dataclass(frozen=True, slots=True)
class Traffic:
    """What the real client of an edge did at its proxy in a stretch of time; sizes in bytes.

    `open_before` counts its connections that were open when the stretch began, `opened` those that
    it opened, `attempts` those that it tried to open (None where they cannot be counted), `active`
    those on which anything moved. What it said is `requested`, what it was told is `replied`;
    `largest_request` and `largest_reply` are of one connection. `pushed` is what the upstream said
    to the proxy on connections from before, whether or not it was passed on.
    """

    seconds: float
    open_before: int = 0
    opened: int = 0
    attempts: int | None = 0
    active: int = 0
    requested: int = 0
    replied: int = 0
    largest_request: int = 0
    largest_reply: int = 0
    pushed: int = 0

    def largest(self, direction: str) -> int:
        """Return the most bytes that one connection moved in a direction: request, reply, both."""
        found = {"request": self.largest_request, "reply": self.largest_reply}
        return found.get(direction, max(found.values()))


def _no_answer(_before: Exchange, during: Exchange) -> bool:
    return not during.answered


def _never(_before: Exchange, _during: Exchange) -> bool:
    return False


def _sighted(_before: Exchange) -> str | None:
    return None


def _anybody(_traffic: Traffic) -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class Canary:
    """What a canary must do to feel one fault, and how to tell from its exchanges that it did.

    `deadline` is how many seconds it waits for its answer while the fault is in force; `tries` is
    how many may go, one after another, until one feels it. Clients that feel a `traceless` fault
    leave no trace at the proxy. The four functions are pure:

    - `felt(before, during)` returns whether the second exchange felt the fault,
    - `doubtful(before, during)` whether a busy machine alone could have made that difference,
    - `blind(before)` why a canary that went like this before the fault could not feel it, if it
      could not; asked only when none did,
    - `spared(traffic)` why nothing that the real client did can have met it, if nothing did.
    """

    ask: Ask = BRIEFLY
    deadline: float = 1.0
    tries: int = 1
    traceless: bool = False
    felt: Callable[[Exchange, Exchange], bool] = _no_answer
    doubtful: Callable[[Exchange, Exchange], bool] = _never
    blind: Callable[[Exchange], str | None] = _sighted
    spared: Callable[[Traffic], str | None] = _anybody


def typical(exchanges: Sequence[Exchange]) -> Exchange:
    """Return the fastest exchange, or a failed one where half of them failed.

    The fastest says what the path takes; what the others take longer is the machine's.
    """
    ordered = sorted(exchanges, key=lambda e: (not e.answered, e.seconds))
    middle = ordered[len(ordered) // 2]
    if not middle.answered:
        return middle
    return replace(ordered[0], spread=middle.seconds - ordered[0].seconds)
