"""The `queue` workload."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from chaoskit.fields import Rate
from chaoskit.records import Json, Outcome
from chaoskit.workloads._answers import single, values
from chaoskit.workloads._base import Generator, NextStep, Step, Stream, Workload, workload
from chaoskit.workloads._keys import Numbers
from chaoskit.workloads.operations import Operation
from chaoskit.workloads.operations._base import OperationModel, fills, gives

Take = Annotated[Operation, fills("id"), gives("value", "values")]
SPARE_DRAINS = 1000  # beyond one for each message sent: a queue that never empties is left alone


@workload("queue")
class QueueWorkload(Workload):
    """Send messages that were never sent before, and take them out again.

    `send` puts in one `{value}`, a whole number. `receive` takes out one message or a list of them;
    null, or an empty list, says that there was none. Before and after the run `drain` (if it is not
    given: `receive`) is repeated until it gives nothing. `receives` is per second, by default as
    many as are sent. A `receive` without an answer may have taken its message: it is `info`.
    """

    example: ClassVar[str] = """{
  workload: queue, rate: 50/s, clients: 4,
  send: {http: "POST http://jobs:8080/jobs", json: {id: "{value}"}, ok: [202]},
  receive: {http: "POST http://jobs:8080/jobs/next", value: $.id, none: [204]},
  drain: {redis: "LPOP jobs 100", store: "redis://redis:6379/0"}
}"""

    send: Annotated[Operation, fills("value", "id", needs="value")]
    receive: Take | None = None
    drain: Take | None = None
    receives: Annotated[
        Rate | None, Field(description="Receives per second; by default the rate of sending.")
    ] = None

    @model_validator(mode="after")
    def _is_emptied(self) -> Self:
        if self.receive is None and self.drain is None:
            raise ValueError("`receive` or `drain` is needed: nobody takes the messages out")
        if self.receive is None and self.receives is not None:
            raise ValueError("`receives` is the rate of `receive`, which is not there")
        return self

    def operations(self) -> Mapping[str, OperationModel]:
        taking = {"receive": self.receive, "drain": self.drain or self.receive}
        found = {op: operation for op, operation in taking.items() if operation is not None}
        return {"send": self.send, **found}

    def generator(self, name: str, seed: int) -> Generator:
        return QueueGenerator(self, name, seed)


class QueueGenerator(Generator):
    """Rising numbers that the queue did not hold before."""

    def __init__(self, workload: QueueWorkload, name: str, seed: int) -> None:
        self._workload = workload
        self._numbers = Numbers(name, seed)
        self._drains = SPARE_DRAINS

    def streams(self) -> Sequence[Stream]:
        one = self._workload
        sends = Stream(one.rate, self._send, ramp=one.ramp)
        if one.receive is None:
            return [sends]
        rate = one.receives or one.rate
        return [sends, Stream(rate, _receive, offset=1 / rate, ramp=one.ramp)]

    def views(self, *, final: bool) -> Sequence[Step]:
        return [_DRAIN]

    def returned(self, step: Step, value: Json) -> Json:
        if step.op == "send":
            return step.value
        if isinstance(value, list):
            return values(value)
        taken = single(value)
        return ([] if taken is None else [taken]) if step.op == "drain" else taken

    def ended(self, step: Step, outcome: Outcome, value: Json) -> NextStep | None:
        if step.op != "drain" or outcome != "ok" or not value:
            return None
        self._numbers.saw(value)
        if not self._drains:
            return None
        self._drains -= 1
        return NextStep(_DRAIN)

    def _send(self, _rng: Random, _client: int) -> Step:
        value = self._numbers.take()
        self._drains += 1
        return Step("send", write=True, value=value, fields={"value": value})


# Without an answer, the message may be gone: taking one out is a write.
_RECEIVE = Step("receive", write=True, counted=False)
_DRAIN = Step("drain", write=True, counted=False)


def _receive(_rng: Random, _client: int) -> Step:
    return _RECEIVE
