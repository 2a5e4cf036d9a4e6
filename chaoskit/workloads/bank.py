"""The `bank` workload."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from chaoskit.fields import Rate
from chaoskit.records import Json
from chaoskit.workloads import _keys
from chaoskit.workloads._answers import amounts
from chaoskit.workloads._base import Generator, Step, Stream, Workload, workload
from chaoskit.workloads._keys import Choice, Distribution, Keys
from chaoskit.workloads.operations import Operation
from chaoskit.workloads.operations._base import OperationModel, fills, gives

Read = Annotated[Operation, fills("id"), gives("value", "values")]


@workload("bank")
class BankWorkload(Workload):
    """Move amounts between accounts, and read all balances at once.

    `transfer` moves `{amount}`, from 1 to `most`, from account `{from}` to account `{to}`. `read`
    returns every balance through the app, `truth` straight from where they are stored: an object
    of balances by account, or rows of account and balance. The accounts have to be there; they are
    called 1, 2, 3... unless `accounts` lists their names. Both are read before the first transfer
    and after the run; `read` also during it, `reads` times a second.
    """

    example: ClassVar[str] = """{
  workload: bank, rate: 30/s, clients: 4, accounts: 8,
  transfer: {http: "POST http://bank:8080/transfers",
             json: {from: "{from}", to: "{to}", amount: "{amount}"}, fail: [409]},
  read: {http: "GET http://bank:8080/accounts", values: "$[*]", columns: [id, balance]},
  truth: {sql: "SELECT id, balance FROM accounts", store: "postgres://b:b@db:5432/bank"}
}"""

    transfer: Annotated[
        Operation, fills("from", "to", "amount", "id", needs=("from", "to", "amount"))
    ]
    read: Read
    truth: Read | None = None
    accounts: Keys = 5
    distribution: Distribution = "uniform"
    most: Annotated[int, Field(ge=1, description="The largest amount of a transfer.")] = 5
    reads: Rate = Rate(5)

    @model_validator(mode="after")
    def _can_transfer(self) -> Self:
        if len(_keys.names(self.accounts)) < 2:
            raise ValueError("`accounts` must be at least 2: a transfer needs two")
        return self

    def operations(self) -> Mapping[str, OperationModel]:
        views = {"read": self.read} | ({"truth": self.truth} if self.truth is not None else {})
        return {"transfer": self.transfer} | views

    def generator(self, name: str, seed: int) -> Generator:
        return BankGenerator(self)


class BankGenerator(Generator):
    """Transfers between two different accounts; the history names accounts by text."""

    def __init__(self, workload: BankWorkload) -> None:
        self._workload = workload
        self._accounts = _keys.names(workload.accounts)
        self._choice = Choice(range(len(self._accounts)), workload.distribution)

    def streams(self) -> Sequence[Stream]:
        one = self._workload
        return [
            Stream(one.rate, self._transfer, ramp=one.ramp),
            Stream(one.reads, _read, offset=1 / one.reads),
        ]

    def views(self, *, final: bool) -> Sequence[Step]:
        return [Step(op, write=False) for op in self._workload.operations() if op != "transfer"]

    def returned(self, step: Step, value: Json) -> Json:
        return step.value if step.write else amounts(value)

    def _transfer(self, rng: Random, _client: int) -> Step:
        place = self._choice.pick(rng)
        other = (place + rng.randrange(1, len(self._accounts))) % len(self._accounts)
        source, target = self._accounts[place], self._accounts[other]
        amount = rng.randint(1, self._workload.most)
        return Step(
            "transfer",
            write=True,
            value={"from": str(source), "to": str(target), "amount": amount},
            fields={"from": source, "to": target, "amount": amount},
        )


def _read(_rng: Random, _client: int) -> Step:
    return Step("read", write=False)
