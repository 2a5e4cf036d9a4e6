"""The `counter` workload."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Annotated, ClassVar

from pydantic import Field

from chaoskit.fields import Rate
from chaoskit.records import Json
from chaoskit.workloads._answers import amount
from chaoskit.workloads._base import Generator, Step, Stream, Workload, workload
from chaoskit.workloads.operations import Operation
from chaoskit.workloads.operations._base import OperationModel, fills, gives

Read = Annotated[Operation, fills("id"), gives("value")]


@workload("counter")
class CounterWorkload(Workload):
    """Increment one number, and read it back.

    `increment` adds `amount`, which its template may name as `{amount}`. `read` returns the number
    through the app, `truth` straight from where it is stored; null counts as 0. Both are read
    before the first increment and after the run; `read` also during it, `reads` times a second.
    """

    example: ClassVar[str] = """{
  workload: counter, rate: 50/s, clients: 4,
  increment: {http: "POST http://shop:8080/visits", ok: [204]},
  read: {http: "GET http://shop:8080/visits", value: "$.count"},
  truth: {redis: GET visits, store: "redis://redis:6379/0"}
}"""

    increment: Annotated[Operation, fills("amount", "id")]
    read: Read
    truth: Read | None = None
    amount: int = Field(default=1, ge=1, le=1_000_000)
    reads: Rate = Rate(2)

    def operations(self) -> Mapping[str, OperationModel]:
        views = {"read": self.read} | ({"truth": self.truth} if self.truth is not None else {})
        return {"increment": self.increment} | views

    def generator(self, name: str, seed: int) -> Generator:
        return CounterGenerator(self)


class CounterGenerator(Generator):
    """Increments of one amount; reads in between."""

    def __init__(self, workload: CounterWorkload) -> None:
        self._workload = workload
        by = workload.amount
        self._increment = Step("increment", write=True, value=by, fields={"amount": by})

    def streams(self) -> Sequence[Stream]:
        one = self._workload
        return [
            Stream(one.rate, lambda _rng, _client: self._increment, ramp=one.ramp),
            Stream(one.reads, _read, offset=1 / one.reads),
        ]

    def views(self, *, final: bool) -> Sequence[Step]:
        return [Step(op, write=False) for op in self._workload.operations() if op != "increment"]

    def returned(self, step: Step, value: Json) -> Json:
        return step.value if step.write else amount(0 if value in (None, []) else value)


def _read(_rng: Random, _client: int) -> Step:
    return Step("read", write=False)
