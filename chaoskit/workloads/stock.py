"""The `stock` workload."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from chaoskit.fields import Rate
from chaoskit.records import Json
from chaoskit.workloads import _keys
from chaoskit.workloads._answers import amount
from chaoskit.workloads._base import Generator, Step, Stream, Workload, workload
from chaoskit.workloads._keys import Choice, Distribution, Key, Keys
from chaoskit.workloads.operations import Operation
from chaoskit.workloads.operations._base import OperationModel, fills, gives

Read = Annotated[Operation, fills("key", "id"), gives("value")]


@workload("stock")
class StockWorkload(Workload):
    """Buy what there is only so much of, until it is gone and beyond.

    `buy` takes `{quantity}`, from 1 to `most`, of item `{key}`; it ends `fail` when there is not
    enough: 4xx, or an answer listed in `refused`. `read` returns what remains of one item through
    the app, `truth` straight from where it is stored. The items have to be there; they are called
    1, 2, 3... unless `items` lists their names. Seats in a room or places in a list are stock too.
    """

    example: ClassVar[str] = """{
  workload: stock, rate: 40/s, clients: 8, items: [ticket],
  buy: {http: "POST http://shop:8080/orders", json: {item: "{key}", quantity: "{quantity}"}},
  read: {http: "GET http://shop:8080/items/{key}", value: $.remaining},
  truth: {sql: "SELECT remaining FROM items WHERE id = {key}", store: "postgres://s:s@db:5432/shop"}
}"""

    buy: Annotated[Operation, fills("key", "quantity", "id")]
    read: Read
    truth: Read | None = None
    items: Keys = 1
    distribution: Distribution = "uniform"
    most: Annotated[int, Field(ge=1, description="The largest quantity of a purchase.")] = 1
    reads: Rate = Rate(5)

    @model_validator(mode="after")
    def _says_what_it_buys(self) -> Self:
        if len(_keys.names(self.items)) > 1:
            _keys.name_keys(self.operations())
        if self.most > 1 and "quantity" not in self.buy.placeholders:
            raise ValueError("`{quantity}` has to appear in `buy`: `most` is more than 1")
        return self

    def operations(self) -> Mapping[str, OperationModel]:
        views = {"read": self.read} | ({"truth": self.truth} if self.truth is not None else {})
        return {"buy": self.buy} | views

    def generator(self, name: str, seed: int) -> Generator:
        return StockGenerator(self)


class StockGenerator(Generator):
    """Purchases of random items; reads in between."""

    def __init__(self, workload: StockWorkload) -> None:
        self._workload = workload
        self._items = _keys.names(workload.items)
        self._choice = Choice(range(len(self._items)), workload.distribution)

    def streams(self) -> Sequence[Stream]:
        one = self._workload
        return [
            Stream(one.rate, self._buy, ramp=one.ramp),
            Stream(one.reads, self._read, offset=1 / one.reads),
        ]

    def views(self, *, final: bool) -> Sequence[Step]:
        ops = [op for op in self._workload.operations() if op != "buy"]
        return _keys.reads(ops, self._items)

    def returned(self, step: Step, value: Json) -> Json:
        return step.value if step.write else amount(value)

    def _item(self, rng: Random) -> Key:
        return self._items[self._choice.pick(rng)]

    def _buy(self, rng: Random, _client: int) -> Step:
        item, quantity = self._item(rng), rng.randint(1, self._workload.most)
        fields = {"key": item, "quantity": quantity}
        return Step("buy", write=True, key=item, value=quantity, fields=fields)

    def _read(self, rng: Random, _client: int) -> Step:
        return _keys.read("read", self._item(rng))
