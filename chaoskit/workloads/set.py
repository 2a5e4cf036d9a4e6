"""The `set` workload."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Annotated, ClassVar

from pydantic import AfterValidator

from chaoskit.fields import Rate
from chaoskit.records import Json
from chaoskit.workloads._base import Generator, Step, Stream, Workload, workload
from chaoskit.workloads.operations import Operation
from chaoskit.workloads.operations._base import OperationModel, fills
from chaoskit.workloads.operations.http import HttpOperation

FIRST = 1_000_000  # out of the way of what a stack is seeded with


def _gives_values(operation: OperationModel | None) -> OperationModel | None:
    if isinstance(operation, HttpOperation) and operation.values is None:
        raise ValueError("a read over http needs `values:`, the JSONPath of the list it returns")
    return operation


Read = Annotated[Operation, fills("id"), AfterValidator(_gives_values)]


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

    def operations(self) -> Mapping[str, Operation]:
        views = {"read": self.read} | ({"truth": self.truth} if self.truth is not None else {})
        return {"add": self.add} | views

    def generator(self, name: str, seed: int) -> Generator:
        return SetGenerator(self, name, seed)


class SetGenerator:
    """Adds of rising numbers, from a start that differs between seeds; reads in between."""

    def __init__(self, workload: SetWorkload, name: str, seed: int) -> None:
        self._workload = workload
        self._next = FIRST + Random(f"{seed} {name}").randrange(900_000)

    def streams(self) -> Sequence[Stream]:
        reads = self._workload.reads
        return [Stream(self._workload.rate, self._add), Stream(reads, _read, offset=1 / reads)]

    def views(self) -> Sequence[Step]:
        return [Step(op, write=False) for op in self._workload.operations() if op != "add"]

    def returned(self, step: Step, value: Json) -> Json:
        """Return the list of a read; whole numbers that a store returns as text are numbers."""
        if step.write:
            return step.value
        if not isinstance(value, list):
            raise ValueError("the read did not return a list")
        if any(isinstance(item, list | dict) for item in value):
            raise ValueError("the read returned rows or objects, not values")
        return [_number(item) for item in value]

    def _add(self, rng: Random, process: int) -> Step:
        value, self._next = self._next, self._next + 1
        return Step("add", write=True, value=value, fields={"value": value})


def _read(_rng: Random, _process: int) -> Step:
    return Step("read", write=False)


def _number(item: Json) -> Json:
    return int(item) if isinstance(item, str) and item.isascii() and item.isdigit() else item
