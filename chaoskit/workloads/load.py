"""The `load` workload."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Annotated, ClassVar, Self

from pydantic import ConfigDict, Field, model_validator

from chaoskit.fields import Name
from chaoskit.records import Json
from chaoskit.workloads import _keys
from chaoskit.workloads._base import Generator, Step, Stream, Workload, workload
from chaoskit.workloads._keys import Choice, Distribution, Keys
from chaoskit.workloads.operations import Operation
from chaoskit.workloads.operations._base import OperationModel, fills
from chaoskit.workloads.operations.http import HttpOperation

Loading = Annotated[Operation, fills("key", "value", "id")]


@workload("load")
class LoadWorkload(Workload):
    """Do any operations at a rate; nothing is said about the data.

    Each operation may use `{key}`, one of `keys`, and `{value}`, a number that was never used.
    `weights` says how often each is done compared with the others; without one it is 1. A GET or
    HEAD that gave nothing is `fail`, every other operation in doubt is `info`.
    """

    example: ClassVar[str] = """{
  workload: load, rate: 100/s, clients: 8, ramp: 2s, keys: 50, distribution: zipf,
  operations: {search: {http: "GET http://catalog:8080/items/{key}"},
               order: {http: "POST http://catalog:8080/orders", json: {id: "{value}"}}},
  weights: {search: 9}
}"""

    model_config = ConfigDict(populate_by_name=False)

    operations_: Annotated[dict[Name, Loading], Field(alias="operations", min_length=1)]
    weights: dict[Name, Annotated[int, Field(ge=1, le=1000)]] = Field(default_factory=dict)
    keys: Keys = 10
    distribution: Distribution = "uniform"

    @model_validator(mode="after")
    def _weighs_what_it_has(self) -> Self:
        unknown = [name for name in self.weights if name not in self.operations_]
        if unknown:
            raise ValueError(f"`weights` names `{unknown[0]}`, which is not an operation here")
        return self

    def operations(self) -> Mapping[str, OperationModel]:
        return self.operations_

    def generator(self, name: str, seed: int) -> Generator:
        return LoadGenerator(self, name, seed)


class LoadGenerator(Generator):
    """Operations drawn by their weights."""

    def __init__(self, workload: LoadWorkload, name: str, seed: int) -> None:
        self._workload = workload
        self._keys = _keys.names(workload.keys)
        self._choice = Choice(range(len(self._keys)), workload.distribution)
        self._next = _keys.first_number(name, seed)
        self._ops = list(workload.operations_)
        self._weights = [workload.weights.get(op, 1) for op in self._ops]
        self._writes = {op: _writes(one) for op, one in workload.operations_.items()}

    def streams(self) -> Sequence[Stream]:
        return [Stream(self._workload.rate, self._any, ramp=self._workload.ramp)]

    def _any(self, rng: Random, _client: int) -> Step:
        op = rng.choices(self._ops, self._weights)[0]
        uses = self._workload.operations_[op].placeholders
        value, self._next = self._next, self._next + 1
        key = self._keys[self._choice.pick(rng)]
        fields: dict[str, Json] = {"key": key, "value": value}
        said = [fields[name] if name in uses else None for name in ("key", "value")]
        return Step(op, self._writes[op], said[0], said[1], fields)


def _writes(operation: OperationModel) -> bool:
    return not isinstance(operation, HttpOperation) or operation.http.method not in ("GET", "HEAD")
