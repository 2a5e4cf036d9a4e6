"""The `lock` workload."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from chaoskit.fields import Duration
from chaoskit.records import Json, Outcome
from chaoskit.workloads import _keys
from chaoskit.workloads._answers import whole
from chaoskit.workloads._base import Generator, NextStep, Step, Stream, Workload, workload
from chaoskit.workloads._keys import Choice, Distribution, Keys
from chaoskit.workloads.operations import Operation
from chaoskit.workloads.operations._base import OperationModel, fills
from chaoskit.workloads.operations.sql import SqlOperation


@workload("lock")
class LockWorkload(Workload):
    """Take a lock, hold it for a while, give it back; several clients want it at once.

    `acquire` asks for lock `{key}` once, for the `{owner}`, a number that is new each time; it ends
    `fail` when somebody else has the lock: 4xx, or an answer listed in `refused`. What it returns
    is the fencing token, a whole number, if there is one. The client holds the lock for `hold` and
    does `release`, which may name the `{token}` and the `{owner}`. The lock has to outlive `hold`:
    one that expires earlier ends up with two holders. `rate` counts the attempts.
    """

    example: ClassVar[str] = """{
  workload: lock, rate: 20/s, clients: 4, hold: 100ms, locks: [sync],
  acquire: {redis: "SET lock:{key} {owner} NX PX 5000", store: "redis://redis:6379/0",
            refused: [null]},
  release: {http: "DELETE http://sync:8080/locks/{key}?owner={owner}"}
}"""

    acquire: Annotated[Operation, fills("key", "owner", "id")]
    release: Annotated[Operation, fills("key", "owner", "token", "id")]
    locks: Keys = 1
    distribution: Distribution = "uniform"
    hold: Annotated[Duration, Field(description="How long a client holds the lock.")] = Duration(
        0.05
    )

    @model_validator(mode="after")
    def _says_what_it_locks(self) -> Self:
        if len(_keys.names(self.locks)) > 1:
            _keys.name_keys(self.operations())
        answers = getattr(self.acquire, "value", None) or not hasattr(self.acquire, "value")
        if "token" in self.release.placeholders and not answers:
            raise ValueError("`release` names the `{token}`: `acquire` needs `value`, its JSONPath")
        return self

    def operations(self) -> Mapping[str, OperationModel]:
        return {"acquire": self.acquire, "release": self.release}

    def generator(self, name: str, seed: int) -> Generator:
        return LockGenerator(self, name, seed)


class LockGenerator(Generator):
    """Attempts to take a lock; a successful one is followed by its release."""

    def __init__(self, workload: LockWorkload, name: str, seed: int) -> None:
        self._workload = workload
        self._locks = _keys.names(workload.locks)
        self._choice = Choice(range(len(self._locks)), workload.distribution)
        self._owner = _keys.first_number(name, seed)

    def streams(self) -> Sequence[Stream]:
        return [Stream(self._workload.rate, self._acquire, ramp=self._workload.ramp)]

    def returned(self, step: Step, value: Json) -> Json:
        """Return the fencing token of an acquire, None where there is none."""
        counts_rows = isinstance(self._workload.acquire, SqlOperation) and isinstance(value, int)
        if step.op == "release":
            return step.value
        token = None if value == "OK" or counts_rows else whole(value)
        if token is not None and token == step.fields.get("owner"):
            raise ValueError(f"acquire returned {token}, the owner it was sent, and not a token")
        return token

    def ended(self, step: Step, outcome: Outcome, value: Json) -> NextStep | None:
        if step.op != "acquire" or outcome != "ok":
            return None
        fields = {**step.fields, "token": value}
        release = Step("release", True, step.key, value, fields, counted=False)
        return NextStep(release, delay=self._workload.hold)

    def _acquire(self, rng: Random, _client: int) -> Step:
        key = self._locks[self._choice.pick(rng)]
        self._owner += 1
        return Step("acquire", write=True, key=key, fields={"key": key, "owner": self._owner})
