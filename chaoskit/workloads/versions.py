"""The `versions` workload."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from random import Random
from typing import Annotated, ClassVar, Self

from pydantic import model_validator

from chaoskit.fields import Rate
from chaoskit.records import Json, Outcome
from chaoskit.workloads import _keys
from chaoskit.workloads._answers import whole
from chaoskit.workloads._base import Generator, NextStep, Step, Stream, Workload, workload
from chaoskit.workloads._keys import Choice, Distribution, Key, Keys, Pool
from chaoskit.workloads.operations import Operation
from chaoskit.workloads.operations._base import OperationModel, fills, gives

Read = Annotated[Operation, fills("key", "id"), gives("value")]


@workload("versions")
class VersionsWorkload(Workload):
    """Write rising versions of keys, one writer for each key, and read them.

    `write` stores `{version}` (also called `{value}`) under `{key}`, whole numbers both unless
    `keys` lists names. `read` returns the version of one key through the app (null: there is none),
    `truth` straight from where it is stored. A key whose write ended `info` is not written again; a
    generated one is replaced by a new key. `reads` is per second; a client reads its own keys half
    of the time.
    """

    example: ClassVar[str] = """{
  workload: versions, rate: 40/s, reads: 80/s, clients: 4, keys: 20, distribution: zipf,
  write: {http: "PUT http://docs:8080/docs/{key}", json: {version: "{version}"}},
  read: {http: "GET http://docs:8080/docs/{key}", value: $.version, none: [404]},
  truth: {sql: "SELECT version FROM docs WHERE id = {key}", store: "postgres://d:d@db:5432/docs"}
}"""

    write: Annotated[Operation, fills("key", "version", "value", "id", needs="version")]
    read: Read
    truth: Read | None = None
    keys: Keys = 20
    distribution: Distribution = "uniform"
    reads: Rate = Rate(20)

    @model_validator(mode="after")
    def _every_key_has_one_writer(self) -> Self:
        if _keys.count(self.keys) < self.clients:
            raise ValueError(
                "`keys` must be at least as many as `clients`: each key has one writer"
            )
        if not isinstance(self.keys, list) or len(self.keys) > 1:
            _keys.name_keys(self.operations())
        return self

    def operations(self) -> Mapping[str, OperationModel]:
        return {"write": self.write, **self.views()}

    def views(self) -> Mapping[str, OperationModel]:
        """Return the ways to read a key, by name."""
        return {"read": self.read} | ({"truth": self.truth} if self.truth is not None else {})

    def generator(self, name: str, seed: int) -> Generator:
        return VersionsGenerator(self, name, seed)


class VersionsGenerator(Generator):
    """Client n writes the keys at places n, n + clients...; everybody reads all of them."""

    def __init__(self, workload: VersionsWorkload, name: str, seed: int) -> None:
        self._workload = workload
        self._pool = Pool(workload.keys, _keys.first_number(name, seed))
        self._versions: dict[Key, int] = defaultdict(int)  # the highest known or sent
        self._written: set[Key] = set()
        places = range(len(self._pool.live))
        self._any = Choice(places, workload.distribution)
        self._own = [
            Choice(places[client :: workload.clients], workload.distribution)
            for client in range(workload.clients)
        ]

    def streams(self) -> Sequence[Stream]:
        one = self._workload
        return [
            Stream(one.rate, self._write, ramp=one.ramp),
            Stream(one.reads, self._read, offset=1 / one.reads, ramp=one.ramp),
        ]

    def views(self, *, final: bool) -> Sequence[Step]:
        return _keys.reads(list(self._workload.views()), self._pool.to_read())

    def returned(self, step: Step, value: Json) -> Json:
        return step.value if step.write else whole(value)

    def ended(self, step: Step, outcome: Outcome, value: Json) -> NextStep | None:
        key = step.key
        if not isinstance(key, int | str):
            return None
        if step.write:
            if outcome == "ok":
                self._pool.used(key)
            fresh = self._pool.retire(key) if outcome == "info" else None
            return None if fresh is None else NextStep(_keys.read("read", fresh))
        if outcome == "ok" and isinstance(value, int) and key not in self._written:
            self._versions[key] = max(self._versions[key], value)  # what was there before the run
        self._pool.was_read(key)
        return None

    def _write(self, rng: Random, client: int) -> Step | None:
        key = self._pool.live[self._own[client].pick(rng)]
        if key is None:
            return None
        self._written.add(key)
        self._versions[key] += 1
        version = self._versions[key]
        fields = {"key": key, "version": version, "value": version}
        return Step("write", write=True, key=key, value=version, fields=fields)

    def _read(self, rng: Random, client: int) -> Step:
        place = (self._own[client] if rng.random() < 0.5 else self._any).pick(rng)
        return _keys.read("read", self._pool.newest[place])
