"""How many canaries a fault gets, and that a busy machine does not pass for a fault."""

from __future__ import annotations

from typing import Any, cast

import pytest

from chaoskit.exchange import Canary, Exchange
from chaoskit.faults import REGISTRY
from chaoskit.run.injector import feel, undisturbed
from chaoskit.stack.proxy import Proxy
from chaoskit.stack.stack import Stack

PROXY = Proxy("chaoskit-chat", "chat", "redis", 6379, 6379)
BEFORE = Exchange("redis PING", "answered", 0.002, 14, 7)
QUICK = BEFORE
SPIKE = Exchange("redis PING", "answered", 0.05, 14, 7)
LATE = Exchange("redis PING", "answered", 0.3, 14, 7)
OPEN = Exchange("connection", "answered", 0.05)
CLOSING = Exchange("connection", "answered", 0.05, closing=0.03)
SILENT = Exchange("redis PING", "silent", 0.1, 14)


class Listener:
    """Answers canaries as it was told, the last one again and again."""

    def __init__(self, *answers: Exchange) -> None:
        self._answers = list(answers)
        self.asked = 0

    async def exchange(self, *_: Any, **__: Any) -> Exchange:
        self.asked += 1
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


def canary(kind: str, **fields: str) -> Canary:
    found = REGISTRY.get(kind)
    assert found is not None
    made = found.model_validate({"fault": kind, "edge": "chat -> redis", **fields}).canary()
    assert made is not None
    return made


@pytest.mark.parametrize(
    ("made", "answers", "felt", "asked"),
    [
        (canary("latency", delay="40ms"), [SPIKE, QUICK], False, 2),
        (canary("latency", delay="40ms"), [SPIKE, SPIKE, QUICK], False, 3),
        (canary("latency", delay="40ms"), [SPIKE], True, 3),
        (canary("latency", delay="300ms"), [LATE], True, 1),
        (canary("latency", delay="300ms"), [QUICK], False, 1),
        (canary("latency", delay="1ms"), [SPIKE], False, 1),
        (canary("latency", delay="300ms", jitter="300ms"), [QUICK], False, 1),
        (canary("blackhole"), [SILENT], True, 1),
        (canary("blackhole"), [QUICK, SILENT], False, 1),
        (canary("drop_replies", fraction="50%"), [QUICK, QUICK, SILENT, QUICK], True, 3),
        (canary("drop_replies", fraction="50%"), [QUICK], False, 10),
    ],
)
async def test_canaries_go_on_until_one_feels_it_and_a_doubtful_one_must_be_confirmed(
    made: Canary, answers: list[Exchange], felt: bool, asked: int
) -> None:
    listener = Listener(*answers)
    during = await feel(cast("Stack", listener), made, PROXY, BEFORE, 5.0)
    assert made.felt(BEFORE, during) is felt
    assert listener.asked == asked


async def test_the_canaries_of_a_fraction_end_with_their_deadline() -> None:
    listener = Listener(QUICK)
    await feel(cast("Stack", listener), canary("drop_replies", fraction="1%"), PROXY, BEFORE, 0.0)
    assert listener.asked == 1


@pytest.mark.parametrize(
    ("made", "answers", "best", "asked"),
    [
        (canary("latency", delay="40ms"), [QUICK], QUICK, 3),
        (canary("latency", delay="40ms"), [SPIKE, SPIKE, SPIKE, SPIKE, QUICK], QUICK, 9),
        (canary("latency", delay="40ms"), [SPIKE], SPIKE, 12),
        (canary("latency", delay="300ms"), [SPIKE], SPIKE, 3),
        (canary("latency", delay="1ms"), [QUICK], QUICK, 3),
        (canary("blackhole"), [LATE], LATE, 3),
        (canary("latency", delay="40ms"), [SILENT], SILENT, 3),
        (canary("latency", delay="40ms"), [OPEN], OPEN, 3),
        (canary("slow_close", delay="40ms"), [CLOSING], CLOSING, 12),
    ],
)
async def test_before_a_fault_canaries_go_on_until_a_busy_machine_could_not_pass_for_it(
    made: Canary, answers: list[Exchange], best: Exchange, asked: int
) -> None:
    listener = Listener(*answers)
    assert await undisturbed(cast("Stack", listener), made, PROXY) == best
    assert listener.asked == asked
