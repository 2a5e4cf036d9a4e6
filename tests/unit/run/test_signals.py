"""A signal that comes before a run begins is not lost."""

from __future__ import annotations

import asyncio
import signal
import threading
from pathlib import Path

import pytest

from chaoskit.run.signals import HANDLED, Signals
from chaoskit.suite.pool import _Pool


@pytest.mark.parametrize("sign", HANDLED)
async def test_what_came_while_signals_were_blocked_counts_when_they_are_handled(
    sign: signal.Signals,
) -> None:
    heard: list[bool] = []
    before = signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
    try:
        signal.pthread_kill(threading.get_ident(), sign)  # other threads do not block it
        with Signals(lambda: heard.append(True), silent=True) as signals:
            await asyncio.sleep(0.05)
            assert signals.received is sign
            assert heard == [True]
        assert set(HANDLED) <= signal.pthread_sigmask(signal.SIG_BLOCK, ())
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


async def test_a_process_of_a_suite_keeps_a_signal_from_its_first_moment_on() -> None:
    pool = _Pool.__new__(_Pool)
    pool._processes = []
    process, other = await asyncio.gather(pool._started(), pool._started())
    assert set(HANDLED).isdisjoint(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
    assert other.stdin is not None
    other.stdin.close()
    try:
        for sign in HANDLED:
            process.send_signal(sign)
        await asyncio.sleep(0.3)
        assert process.returncode is None
        status = Path(f"/proc/{process.pid}/status").read_text()
        rows = dict(line.split(":\t") for line in status.splitlines() if ":\t" in line)
        for name in ("SigBlk", "ShdPnd"):
            found = int(rows[name], 16)
            assert all(found & 1 << sign - 1 for sign in HANDLED), (name, rows[name])
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await asyncio.gather(process.wait(), other.wait())
    ends = {one.returncode for one in (process, other)}
    assert ends == {0}, "idle, they end with their stdin"
