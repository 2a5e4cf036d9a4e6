"""The `set` workload."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Annotated, ClassVar

from chaoskit.fields import Rate
from chaoskit.records import Json, Outcome
from chaoskit.workloads._answers import values
from chaoskit.workloads._base import Generator, NextStep, Step, Stream, Workload, workload
from chaoskit.workloads._keys import Numbers
from chaoskit.workloads.operations import Operation
from chaoskit.workloads.operations._base import OperationModel, fills, gives

Read = Annotated[Operation, fills("id"), gives("values")]


@workload("set")
class SetWorkload(Workload):
    """Add values that were never used before, and read them all back.

    `add` writes one `{value}`, a whole number. `read` returns every value through the app, `truth`
    straight from where they are stored. Both are read before the first add and after the run;
    `read` also during it, `reads` times a second.
    """

    example: ClassVar[str] = """{
  workload: set, rate: 50/s, clients: 4,
  add: {http: "POST http://chat:8082/chats/7/participants", json: {user_id: "{value}"}, ok: [201]},
  read: {http: "GET http://chat:8082/chats/7/participants", values: "$.participants[*].user_id"},
  truth: {sql: "SELECT user_id FROM participants", store: "postgres://chat:chat@postgres:5432/chat"}
}"""

    add: Annotated[Operation, fills("value", "id", needs="value")]
    read: Read
    truth: Read | None = None
    reads: Rate = Rate(1)

    def operations(self) -> Mapping[str, OperationModel]:
        views = {"read": self.read} | ({"truth": self.truth} if self.truth is not None else {})
        return {"add": self.add} | views

    def generator(self, name: str, seed: int) -> Generator:
        return SetGenerator(self, name, seed)


class SetGenerator(Generator):
    """Adds of rising numbers that the store does not hold; reads in between."""

    def __init__(self, workload: SetWorkload, name: str, seed: int) -> None:
        self._workload = workload
        self._numbers = Numbers(name, seed)

    def streams(self) -> Sequence[Stream]:
        one = self._workload
        return [
            Stream(one.rate, self._add, ramp=one.ramp),
            Stream(one.reads, _read, offset=1 / one.reads),
        ]

    def views(self, *, final: bool) -> Sequence[Step]:
        return [Step(op, write=False) for op in self._workload.operations() if op != "add"]

    def returned(self, step: Step, value: Json) -> Json:
        """Return the list of a read; whole numbers that a store returns as text are numbers."""
        return step.value if step.write else values(value)

    def ended(self, step: Step, outcome: Outcome, value: Json) -> NextStep | None:
        if not step.write:
            self._numbers.saw(value)
        return None

    def _add(self, _rng: Random, _client: int) -> Step:
        value = self._numbers.take()
        return Step("add", write=True, value=value, fields={"value": value})


def _read(_rng: Random, _client: int) -> Step:
    return Step("read", write=False)
