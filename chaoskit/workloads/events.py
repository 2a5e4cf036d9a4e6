"""The `events` workload."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from random import Random
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from chaoskit.fields import Duration
from chaoskit.records import Json, Outcome
from chaoskit.wire.paths import NoMatch, one
from chaoskit.workloads import _answers, _keys
from chaoskit.workloads._base import (
    Generator,
    NextStep,
    Step,
    Stream,
    Subscriber,
    Workload,
    workload,
)
from chaoskit.workloads._keys import Choice, Key, Keys
from chaoskit.workloads.operations import Operation
from chaoskit.workloads.operations._base import OperationModel, fills, gives
from chaoskit.workloads.operations.subscribe import Subscription


@workload("events")
class EventsWorkload(Workload):
    """Publish numbered events, and listen to them over WebSockets or Redis pub/sub.

    `publish` sends the next `{value}` of channel `{key}`; each channel has one client that
    publishes. Subscriber `{subscriber}` counts from 1: where `subscribe` names the `{key}` it hears
    that channel, else all of them. When its connection ends it connects again after `reconnect`,
    and does `resync` if that is given: it returns the numbers of a channel, or the last one;
    `{last}` is the last number that this subscriber heard. Publishing begins when all have
    subscribed. After the run they listen until they heard everything, at most for `timeout`.
    """

    example: ClassVar[str] = """{
  workload: events, rate: 20/s, clients: 2, channels: [lobby, garden], subscribers: 4,
  publish: {http: "POST http://world:8080/rooms/{key}/moves", json: {n: "{value}"}},
  subscribe: {websocket: "ws://world:8080/rooms/{key}/live?user={subscriber}", value: $.n},
  resync: {http: "GET http://world:8080/rooms/{key}/moves?after={last}", values: "$[*].n"}
}"""

    clients: int = Field(default=1, ge=1, le=256)
    publish: Annotated[Operation, fills("key", "value", "id", needs="value")]
    subscribe: Annotated[Subscription, fills("key", "subscriber", "id")]
    resync: (
        Annotated[Operation, fills("key", "subscriber", "last", "id"), gives("value", "values")]
        | None
    ) = None
    channels: Keys = 1
    subscribers: int = Field(default=2, ge=1, le=256)
    reconnect: Annotated[
        Duration, Field(description="How long a subscriber waits before it connects again.")
    ] = Duration(0.2)

    @model_validator(mode="after")
    def _everybody_has_a_channel(self) -> Self:
        count = len(_keys.names(self.channels))
        if count < self.clients:
            raise ValueError("`clients` is more than `channels`: each channel has one publisher")
        if self.reconnect <= 0:
            raise ValueError("`reconnect` must be longer than zero")
        if count == 1:
            return self
        _keys.name_keys({"publish": self.publish})
        if "key" in self.subscribe.placeholders:
            if self.subscribers < count:
                raise ValueError("`subscribers` is less than `channels`: nobody hears some of them")
        elif self.subscribe.key is None:
            raise ValueError(
                "`subscribe` hears several channels: name one with `{key}`, or give `key`, the "
                "JSONPath of the channel in a message"
            )
        if self.resync is not None:
            _keys.name_keys({"resync": self.resync})
        return self

    def operations(self) -> Mapping[str, OperationModel]:
        both: dict[str, OperationModel] = {"publish": self.publish, "subscribe": self.subscribe}
        return both | ({"resync": self.resync} if self.resync is not None else {})

    def generator(self, name: str, seed: int) -> Generator:
        return EventsGenerator(self, name, seed)


class EventsGenerator(Generator):
    """Client n publishes in the channels n, n + clients...; it knows who still misses what."""

    def __init__(self, workload: EventsWorkload, name: str, seed: int) -> None:
        self._workload = workload
        self.reconnect = float(workload.reconnect)
        self._channels = _keys.names(workload.channels)
        self._known: dict[str, Key] = {str(channel): channel for channel in self._channels}
        places = range(len(self._channels))
        self._own = [
            Choice(places[client :: workload.clients], "uniform")
            for client in range(workload.clients)
        ]
        first = _keys.first_number(name, seed)
        self._next = dict.fromkeys(self._channels, first)
        self._subscribers = [self._subscriber(number) for number in range(workload.subscribers)]
        self._last: dict[tuple[int, Json], Json] = {}
        # By subscriber: acknowledged and not heard yet, heard and not acknowledged yet.
        self._missing: dict[int, set[tuple[Json, Json]]] = defaultdict(set)
        self._early: dict[int, set[tuple[Json, Json]]] = defaultdict(set)

    def streams(self) -> Sequence[Stream]:
        return [Stream(self._workload.rate, self._publish, ramp=self._workload.ramp)]

    def returned(self, step: Step, value: Json) -> Json:
        if step.op != "resync":
            return step.value
        return _answers.values(value) if isinstance(value, list) else _answers.single(value)

    def ended(self, step: Step, outcome: Outcome, value: Json) -> NextStep | None:
        if step.op == "publish" and outcome == "ok":
            self._published((step.key, step.value))
        elif step.op == "resync" and outcome == "ok":
            number = step.fields["subscriber"]
            assert isinstance(number, int)
            self._read_back(number - 1, step.key, value)
        return None

    def subscribers(self) -> Sequence[Subscriber]:
        return self._subscribers

    def heard(self, subscriber: Subscriber, message: Json) -> tuple[Json, Json] | None:
        subscribe = self._workload.subscribe
        try:
            found = _answers.number(one(subscribe.value, message))
            named = None if subscribe.key is None else one(subscribe.key, message)
        except NoMatch:
            return None
        key: Json = self._known.get(str(named), named) if named is not None else subscriber.key
        if isinstance(found, list | dict) or isinstance(key, list | dict):
            return None
        self._last[subscriber.number, key] = found
        self._got(subscriber.number, (key, found))
        return key, found

    def resyncs(self, subscriber: Subscriber) -> Sequence[Step]:
        if self._workload.resync is None:
            return []
        channels = self._channels if subscriber.key is None else [subscriber.key]
        return [
            Step(
                "resync",
                write=False,
                key=key,
                fields={
                    "key": key,
                    "subscriber": subscriber.number + 1,
                    "last": self._last.get((subscriber.number, key), 0),
                },
            )
            for key in channels
        ]

    def complete(self) -> bool:
        return not any(self._missing.values())

    def _published(self, event: tuple[Json, Json]) -> None:
        for subscriber in self._subscribers:
            if subscriber.key not in (None, event[0]):
                continue
            early = self._early[subscriber.number]
            if event in early:
                early.remove(event)
            else:
                self._missing[subscriber.number].add(event)

    def _got(self, subscriber: int, event: tuple[Json, Json]) -> None:
        missing = self._missing[subscriber]
        if event in missing:
            missing.remove(event)
        else:
            self._early[subscriber].add(event)

    def _read_back(self, subscriber: int, key: Json, value: Json) -> None:
        """Take note of a resync: a list holds what was missed, a number says how far it goes."""
        if isinstance(value, list):
            for found in value:
                self._got(subscriber, (key, found))
        elif isinstance(value, int):
            self._last[subscriber, key] = value
            missing = self._missing[subscriber]
            missing -= {
                (channel, n)
                for channel, n in missing
                if channel == key and isinstance(n, int) and n <= value
            }

    def _subscriber(self, place: int) -> Subscriber:
        bound = len(self._channels) == 1 or "key" in self._workload.subscribe.placeholders
        key = self._channels[place % len(self._channels)] if bound else None
        fields = {"key": key, "subscriber": place + 1}
        return Subscriber(place, key, Step("subscribe", write=False, key=key, fields=fields))

    def _publish(self, rng: Random, client: int) -> Step:
        key = self._channels[self._own[client].pick(rng)]
        value = self._next[key]
        self._next[key] += 1
        fields = {"key": key, "value": value}
        return Step("publish", write=True, key=key, value=value, fields=fields)
