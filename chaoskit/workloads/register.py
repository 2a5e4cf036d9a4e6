"""The `register` workload."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from random import Random
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from chaoskit.fields import Rate
from chaoskit.records import Json, Outcome
from chaoskit.workloads import _keys
from chaoskit.workloads._answers import single
from chaoskit.workloads._base import Generator, NextStep, Step, Stream, Workload, workload
from chaoskit.workloads._keys import Choice, Distribution, Key, Keys, Pool
from chaoskit.workloads.operations import Operation
from chaoskit.workloads.operations._base import OperationModel, fills, gives


@workload("register")
class RegisterWorkload(Workload):
    """Read, write and compare-and-set single values, by several clients at once.

    `write` stores `{value}` under `{key}`; every value of a key is written once, counting from 1,
    or from what was there before.
    `read` returns the value of one key. `cas` replaces `{old}` by `{new}`, and ends `fail` when the
    value was another: 4xx, or an answer listed in `refused`. With a `cas`, half of the writes are
    one. `initial` is what a key holds before it is written. A generated key whose write ended
    `info` is replaced by a new one.
    """

    example: ClassVar[str] = """{
  workload: register, rate: 20/s, reads: 20/s, clients: 4, keys: 5,
  write: {redis: "SET flag:{key} {value}", store: "redis://redis:6379/0"},
  read: {redis: "GET flag:{key}", store: "redis://redis:6379/0"},
  cas: {http: "POST http://flags:8080/flags/{key}", json: {old: "{old}", new: "{new}"}, fail: [409]}
}"""

    write: Annotated[Operation, fills("key", "value", "id", needs="value")]
    read: Annotated[Operation, fills("key", "id"), gives("value")]
    cas: Annotated[Operation, fills("key", "old", "new", "id", needs=("old", "new"))] | None = None
    keys: Keys = 5
    distribution: Distribution = "uniform"
    initial: Annotated[
        int | str | None, Field(description="What a key holds before its first write.")
    ] = None
    reads: Rate = Rate(20)

    @model_validator(mode="after")
    def _every_operation_has_a_key(self) -> Self:
        if not isinstance(self.keys, list) or len(self.keys) > 1:
            _keys.name_keys(self.operations())
        return self

    def operations(self) -> Mapping[str, OperationModel]:
        both = {"write": self.write, "read": self.read}
        return both | ({"cas": self.cas} if self.cas is not None else {})

    def generator(self, name: str, seed: int) -> Generator:
        return RegisterGenerator(self, name, seed)


class RegisterGenerator(Generator):
    """Any client uses any key; a cas expects the value that was seen last."""

    def __init__(self, workload: RegisterWorkload, name: str, seed: int) -> None:
        self._workload = workload
        self._pool = Pool(workload.keys, _keys.first_number(name, seed))
        self._choice = Choice(range(len(self._pool.live)), workload.distribution)
        self._written: dict[Key, int] = defaultdict(int)
        self._seen: dict[Key, Json] = {}

    def streams(self) -> Sequence[Stream]:
        one = self._workload
        return [
            Stream(one.rate, self._write, ramp=one.ramp),
            Stream(one.reads, self._read, offset=1 / one.reads, ramp=one.ramp),
        ]

    def views(self, *, final: bool) -> Sequence[Step]:
        return _keys.reads(["read"], self._pool.to_read())

    def returned(self, step: Step, value: Json) -> Json:
        return step.value if step.write else single(value)

    def ended(self, step: Step, outcome: Outcome, value: Json) -> NextStep | None:
        key = step.key
        if not isinstance(key, int | str):
            return None
        if outcome == "ok" and not step.write and isinstance(value, int):
            self._written.setdefault(key, value)  # what was there before the run
        if outcome == "ok":
            self._seen[key] = step.fields.get("new", value)
            if step.write:
                self._pool.used(key)
        if not step.write:
            self._pool.was_read(key)
        elif outcome == "info" and self._pool.generated:
            # Each doubtful write doubles what a checker has to consider.
            fresh = self._pool.retire(key)
            return None if fresh is None else NextStep(_keys.read("read", fresh))
        return None

    def _write(self, rng: Random, _client: int) -> Step | None:
        key = self._pool.live[self._choice.pick(rng)]
        if key is None:
            return None
        swap = self._workload.cas is not None and rng.random() < 0.5
        old = self._seen.get(key, self._workload.initial)
        self._written[key] += 1
        new = self._written[key]
        if swap and old is not None:
            fields = {"key": key, "old": old, "new": new}
            return Step("cas", write=True, key=key, value=[old, new], fields=fields)
        return Step("write", write=True, key=key, value=new, fields={"key": key, "value": new})

    def _read(self, rng: Random, _client: int) -> Step:
        return _keys.read("read", self._pool.newest[self._choice.pick(rng)])
