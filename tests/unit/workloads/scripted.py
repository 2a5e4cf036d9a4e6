"""Workloads whose operations go to a function instead of a stack."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, cast

import yaml

from chaoskit.records import Event, Json, Schedule
from chaoskit.stack.routes import Routes
from chaoskit.workloads._base import REGISTRY, Generator, Workload
from chaoskit.workloads.driver import Driver
from chaoskit.workloads.operations._base import FeedEnded, OperationModel, Reply
from tests.fakes import virtual_time
from tests.fakes.fixed_routes import FixedRoutes

Fields = Mapping[str, Json]
Answer = Callable[[str, Fields], "Reply | float"]


def example(kind: str, **fields: Any) -> Workload:
    """Return the example of a kind with some fields changed; None takes one away."""
    found = REGISTRY.get(kind)
    assert found is not None
    document = yaml.safe_load(found.example) | fields
    return found.model_validate({name: one for name, one in document.items() if one is not None})


def made(kind: str, seed: int = 1, **fields: Any) -> Generator:
    return example(kind, **fields).generator("w", seed)


class Scripted(OperationModel):
    """Asks `answer`; a number is how many seconds it takes until it is `ok`."""

    op: str
    answer: Any
    refused: list[Any]

    def connect(self, routes: Routes) -> Session:
        return Session(self)


class Session:
    def __init__(self, operation: Scripted) -> None:
        self._operation = operation
        self.messages: asyncio.Queue[Json | FeedEnded] = asyncio.Queue()
        self.closed = False

    async def run(self, fields: Fields) -> Reply:
        said = self._operation.answer(self._operation.op, {**fields, "session": self})
        if isinstance(said, Reply):
            return said
        await asyncio.sleep(said)
        return Reply("ok")

    @property
    def over(self) -> bool:
        return False

    async def next(self) -> Json:
        heard = await self.messages.get()
        if isinstance(heard, FeedEnded):
            raise heard
        return heard

    async def close(self) -> None:
        self.closed = True


def scripted(workload: Workload, answer: Answer) -> Workload:
    """Return the workload with operations that ask `answer`, by name and fields."""
    kind = type(workload)

    class With(kind):  # type: ignore[misc,valid-type]  # a subclass of whatever kind it is
        def operations(self) -> Mapping[str, OperationModel]:
            return {
                op: Scripted(op=op, answer=answer, refused=getattr(real, "refused", []))
                for op, real in super().operations().items()
            }

    fields = {name: getattr(workload, name) for name in kind.model_fields}
    return cast("Workload", With.model_construct(**fields))


def driver(workload: Workload, answer: Answer, history: list[Event]) -> Driver:
    return Driver(
        "w", scripted(workload, answer), FixedRoutes({}), virtual_time.clock(), history.append, 1
    )


async def ran(subject: Driver, seconds: float) -> Schedule:
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, stop.set)
    return await subject.run(stop)


def seen(history: list[Event], op: str, kind: str = "ok") -> list[tuple[float, Json, Json]]:
    """Return (time, key, value) of the events of one sort."""
    return [(e.t, e.key, e.value) for e in history if (e.op, e.type) == (op, kind)]
