"""Faults on single HTTP requests of one edge: rules in the relay behind its proxies.

What a rule matched and changed is counted where it acts, so that is the proof: a rule that changed
nothing is unproven, whoever used the edge.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field, model_validator

from chaoskit.exchange import Canary
from chaoskit.faults.contract import OneEdge, Receipt, Undo
from chaoskit.fields import Edge, Model, Percentage
from chaoskit.records import Json
from chaoskit.stack.relay import SUFFIX, RelayControl, RelayState, RuleState
from chaoskit.tasks import together
from chaoskit.text import count

if TYPE_CHECKING:
    from chaoskit.stack.stack import Stack

LARGEST_BODY = 1024 * 1024  # bytes of an answer that is made
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105  # RFC 9110, section 5.6.2


def _header_value(text: str) -> str:
    """Check the value of a header, as a field's validator."""
    if any(ord(letter) < 32 or ord(letter) > 255 or letter == "\x7f" for letter in text):
        raise ValueError(f"{text!r} cannot be the value of a header")
    return text


def _header_name(text: str) -> str:
    if not re.fullmatch(_TOKEN, text):
        raise ValueError(f"`{text}` cannot be the name of a header")
    return text


HeaderName = Annotated[str, Field(max_length=200), AfterValidator(_header_name)]
HeaderValue = Annotated[str, Field(max_length=4000), AfterValidator(_header_value)]


def _method(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z]+", text):
        raise ValueError(f"a method is a word such as GET: `{text}` is none")
    return text.upper()


def _path(text: str) -> str:
    if text[:1] not in ("/", "*"):
        raise ValueError(f"a path starts with `/` or `*`: `{text}` does not")
    return text


class Match(Model):
    """Which requests: all of these must fit. `*` stands for anything; a path without `?` is
    compared with that of the request without its query."""

    method: Annotated[str, AfterValidator(_method)] | None = None
    path: Annotated[str, AfterValidator(_path)] | None = None
    header: dict[HeaderName, HeaderValue] = Field(default_factory=dict)

    def rule(self) -> dict[str, Json]:
        found: dict[str, Json] = {}
        if self.method is not None:
            found["method"] = self.method
        if self.path is not None:
            found["path"] = self.path
        if self.header:
            found["headers"] = {name.lower(): value for name, value in self.header.items()}
        return found

    def __str__(self) -> str:
        headers = [f"{name}: {value}" for name, value in self.header.items()]
        words = [word for word in (self.method, self.path) if word]
        return " ".join(words) + "".join(f" with {one}" for one in headers)


class RelayRow(Model):
    """The ports of one relay on which a rule acts."""

    container: str
    ports: tuple[int, ...]


class HttpUndo(Undo):
    """The rule that a fault puts into relays; `digest` is of the rule, to read it back."""

    rule: str
    digest: str
    rows: tuple[RelayRow, ...]


class HttpFault(OneEdge[HttpUndo]):
    """A fault on the HTTP/1 requests of one edge that fit `match`: all of them, or some.

    `fraction` is chosen by the run's seed and the number of the request: the same requests in the
    same order meet it again. `first` are the first so many, `every` is each so-many-th.
    """

    undo_model = HttpUndo
    needs = ("helper",)  # its image holds the relay

    match: Match = Match()
    fraction: Annotated[Percentage | None, Field(gt=0)] = None
    first: Annotated[int | None, Field(ge=1)] = None
    every: Annotated[int | None, Field(ge=2)] = None

    @model_validator(mode="after")
    def _one_choice(self) -> HttpFault:
        if sum(one is not None for one in (self.fraction, self.first, self.every)) > 1:
            raise ValueError("only one of `fraction`, `first` and `every` can choose the requests")
        return self

    def relayed(self) -> Sequence[Edge]:
        return [self.edge]

    def act(self) -> Mapping[str, Json]:
        """Return what is done to a request that is picked, as the relay is told it."""
        raise NotImplementedError

    @property
    def done(self) -> str:
        """What was done to a request, as the receipt says it: `answered with 503`."""
        raise NotImplementedError

    @property
    def hit(self) -> str:
        """Which requests it hits, as a forecast says it."""
        which = "requests"
        if self.fraction is not None:
            which = f"{self.fraction} of the requests"
        elif self.first is not None:
            which = f"the first {count(self.first, 'request')}"
        elif self.every is not None:
            which = f"every {_ordinal(self.every)} request"
        return f"{which} {self.match}".rstrip() + f" of {self.target}"

    def canary(self) -> Canary:
        return Canary()  # through no listener: requests are counted where they are changed

    def _rule(self, stack: Stack) -> dict[str, Json]:
        pick: dict[str, Json] = {}
        if self.fraction is not None:
            pick = {"fraction": float(self.fraction), "seed": f"{stack.seed}:{self.name}"}
        elif self.first is not None:
            pick = {"first": self.first}
        elif self.every is not None:
            pick = {"every": self.every}
        return {"match": self.match.rule(), "pick": pick, **self.act()}

    async def prepare(self, stack: Stack) -> HttpUndo:
        ports: dict[str, list[int]] = {}
        for proxy in stack.proxies_of(self.edge):
            if proxy.relay:
                ports.setdefault(proxy.container, []).append(proxy.relay)
        rows = tuple(RelayRow(container=name, ports=tuple(some)) for name, some in ports.items())
        return HttpUndo(rule=self.name, digest=_digest(self._rule(stack)), rows=rows)

    async def inject(self, stack: Stack, undo: HttpUndo) -> None:
        rule = self._rule(stack)
        await together(
            *(stack.relay(row.container).add(undo.rule, row.ports, rule) for row in undo.rows)
        )

    @classmethod
    async def heal(cls, stack: Stack, undo: HttpUndo) -> None:
        async def one(row: RelayRow) -> None:
            if (relay := await _running(stack, row)) is not None:
                await relay.remove(undo.rule)

        await together(*(one(row) for row in undo.rows))

    @classmethod
    async def verify_injected(cls, stack: Stack, undo: HttpUndo) -> Receipt:
        for row in undo.rows:
            state = await stack.relay(row.container).look()
            if state.errors:
                return Receipt(False, f"the relay of {row.container} failed: {state.errors[0]}")
            rule = state.rules.get(undo.rule)
            if rule is None or _digest(rule.rule) != undo.digest or rule.ports != row.ports:
                return Receipt(False, f"the relay of {row.container} lacks rule `{undo.rule}`")
        names = ", ".join(row.container for row in undo.rows)
        return Receipt(bool(names), f"rule `{undo.rule}` is in force at {names or 'no relay'}")

    @classmethod
    async def verify_healed(cls, stack: Stack, undo: HttpUndo) -> Receipt:
        for row in undo.rows:
            relay = await _running(stack, row)
            if relay is not None and undo.rule in (await relay.look()).rules:
                return Receipt(False, f"the relay of {row.container} still has `{undo.rule}`")
        names = ", ".join(row.container for row in undo.rows)
        return Receipt(True, f"no rule of it left at {names or 'any relay'}")

    async def effect(self, stack: Stack, undo: HttpUndo) -> Receipt:
        states = [(row, await stack.relay(row.container).look()) for row in undo.rows]
        rules = [state.rules[undo.rule] for _, state in states if undo.rule in state.rules]
        changed = sum(rule.changed for rule in rules)
        return Receipt(changed > 0, self._counted(changed, rules) or _why_none(states))

    def _counted(self, changed: int, rules: Sequence[RuleState]) -> str:
        matched = sum(rule.matched for rule in rules)
        if not matched:
            return ""
        fit = f"{changed} of {count(matched, 'request')}"
        fit += f" {self.match}" if str(self.match) else f" of {self.target}"
        first = dict.fromkeys(name for rule in rules for name in rule.first)
        named = f" (first: {', '.join(first)})" if first and str(self.match) not in first else ""
        return f"{fit} {'were' if changed != 1 else 'was'} {self.done}{named}"


async def _running(stack: Stack, row: RelayRow) -> RelayControl | None:
    """Return a relay that is there: one that is gone, or its proxies, took the rules along."""
    found = await stack.containers.of(stack.project)
    running = {container.state.service for container in found if container.state.running}
    there = {row.container, f"{row.container}{SUFFIX}"} <= running
    return stack.relay(row.container) if there else None


def _why_none(states: Sequence[tuple[RelayRow, RelayState]]) -> str:
    """Return what went through instead of a request that matched."""
    requests = sum(state.requests[port] for row, state in states for port in row.ports)
    others = sum(state.others[port] for row, state in states for port in row.ports)
    if requests:
        return f"no request matched; {count(requests, 'other')} passed since the start of the stack"
    if others:
        said = f"{count(others, 'connection')} did not speak HTTP/1 (TLS? HTTP/2?)"
        return f"no request could be read there: {said}"
    return "no request at all came that way"


def _digest(rule: Mapping[str, Json]) -> str:
    return sha256(json.dumps(rule, sort_keys=True).encode()).hexdigest()[:16]


def _ordinal(number: int) -> str:
    return {2: "second", 3: "third", 4: "fourth", 5: "fifth"}.get(number, f"{number}th")
