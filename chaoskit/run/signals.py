"""Ctrl-C, SIGTERM and a closed terminal: first heal and report, then hurry, then go."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Self

from chaoskit.errors import ExitCode
from chaoskit.text import printable

HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Signals:
    """Counts signals while it is entered; the first one calls `on_first` at once.

    The second sets `hurry`; the third ends the process after printing `last_words`. `relay` gets
    each of them first; `silent` is for a process whose starter says what they do. Where signals are
    blocked before and after it, one that came meanwhile counts as soon as it is entered.
    """

    def __init__(
        self,
        on_first: Callable[[], object],
        *,
        relay: Callable[[signal.Signals], object] = lambda _: None,
        silent: bool = False,
    ) -> None:
        self._on_first = on_first
        self._relay = relay
        self._silent = silent
        self.received: signal.Signals | None = None
        self.hurry = asyncio.Event()
        self.last_words = ""

    @property
    def exit_code(self) -> ExitCode | None:
        return None if self.received is None else ExitCode(128 + self.received)

    def __enter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._before = {sign: signal.getsignal(sign) for sign in HANDLED}
        for sign in HANDLED:
            loop.add_signal_handler(sign, self._handle, sign)
        self._blocked = signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._blocked)
        loop = asyncio.get_running_loop()
        for sign in HANDLED:
            loop.remove_signal_handler(sign)
            if (before := self._before[sign]) is not None:
                signal.signal(sign, before)

    def _handle(self, sign: signal.Signals) -> None:
        self._relay(sign)
        if self.received is None:
            self.received = sign
            self._say(f"chaoskit: {sign.name} - healing and tearing down, then the report")
            self._on_first()
        elif not self.hurry.is_set():
            self.hurry.set()
            self._say("chaoskit: in a hurry - only healing and tearing down")
        else:
            self._say(f"chaoskit: gone without tearing down; {self.last_words}")
            os._exit(ExitCode(128 + sign))

    def _say(self, text: str) -> None:
        if self._silent:
            return
        with contextlib.suppress(OSError):  # the terminal may be closed: healing goes on
            print(f"\n{printable(text)}", file=sys.stderr, flush=True)
