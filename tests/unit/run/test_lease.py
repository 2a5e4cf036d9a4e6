"""How long a fault is in force: for its `for`, whatever looking at it and feeling it take."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, cast

import pytest

from chaoskit.exchange import Canary, Exchange
from chaoskit.faults.contract import Fault, Forecast, Receipt, Undo
from chaoskit.fields import Duration
from chaoskit.record.events import CanaryExchanged, FaultHealed, FaultRechecked
from chaoskit.run.injector import Injection, Injector
from chaoskit.stack.proxy import Proxy
from tests.fakes.virtual_time import clock, now, virtual

PROXY = Proxy("chaoskit-chat", "chat", "redis", 6379, 6379)
ANSWERED = Exchange("redis PING", "answered", 0.002, 14, 7)


class Slow(Fault[Undo]):
    """A fault that takes 2 s to put in force, and each look at it takes `look` seconds."""

    kind: ClassVar[str] = "slow"
    undo_model = Undo
    look: ClassVar[float] = 0.0
    healed: ClassVar[list[float]] = []

    @property
    def target(self) -> str:
        return "web"

    def forecast(self) -> Forecast:
        return Forecast("", "", "")

    async def prepare(self, stack: Any) -> Undo:
        return Undo()

    async def inject(self, stack: Any, undo: Undo) -> None:
        await asyncio.sleep(2.0)

    @classmethod
    async def verify_injected(cls, stack: Any, undo: Undo) -> Receipt:
        await asyncio.sleep(cls.look)
        return Receipt(True, "in force")

    @classmethod
    async def heal(cls, stack: Any, undo: Undo) -> None:
        cls.healed.append(now())

    @classmethod
    async def verify_healed(cls, stack: Any, undo: Undo) -> Receipt:
        return Receipt(True, "healed")

    def canary(self) -> Canary:
        return Canary(deadline=1.0)


class Nothing:
    """A ledger, a guard: they take what they are told."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_args, **_more: None


class Stack:
    """Answers a canary after as many seconds as it was told."""

    def __init__(self, takes: float) -> None:
        self._takes = takes

    async def exchange(self, *_: Any, **__: Any) -> Exchange:
        await asyncio.sleep(self._takes)
        return ANSWERED


class Events:
    def __init__(self) -> None:
        self.seen: list[tuple[float, Any]] = []

    def emit(self, event: Any, t: float | None = None) -> None:
        self.seen.append((now(), event))

    def times(self, kind: type) -> list[float]:
        return [round(t, 6) for t, event in self.seen if isinstance(event, kind)]


async def ran(lasts: float, look: float, canary: float = 0.01) -> Events:
    """Run one injection, which is in force from 2 s on."""
    Slow.look, events, nothing = look, Events(), cast("Any", Nothing())
    Slow.healed.clear()
    stack = cast("Any", Stack(canary))
    injector = Injector(stack, nothing, nothing, cast("Any", events), clock())
    injection = Injection(Slow(fault="slow", **{"for": Duration(lasts)}))
    injection.before = {PROXY: ANSWERED}

    async def at_once() -> None:
        return None

    counting: Any = injector
    counting._count = counting._count_connected = nobody
    await injector.run(injection, at_once, asyncio.Event())
    return events


async def nobody(_: Any) -> None:
    """Count nobody who is connected, or used the edge."""


@pytest.mark.parametrize("look", [0.0, 0.1, 0.5])
@virtual
async def test_looks_take_a_part_of_the_lease(look: float) -> None:
    events = await ran(2.0, look)
    assert Slow.healed == [4.0]
    assert events.times(FaultHealed) == [4.0]
    assert events.times(FaultRechecked) == [4.0]


@virtual
async def test_the_last_look_begins_after_three_quarters_of_a_lease_at_the_earliest() -> None:
    await ran(2.0, 0.8)
    assert Slow.healed == [2.0 + 1.5 + 0.8]


@virtual
async def test_a_canary_may_feel_a_fault_until_its_lease_is_over() -> None:
    assert (await ran(2.0, 0.5, canary=1.4)).times(CanaryExchanged) == [2.0 + 0.5 + 1.4]
    assert (await ran(2.0, 0.5, canary=1.6)).times(CanaryExchanged) == []
