"""`dns`: names that a service cannot look up, or that lead it astray."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from ipaddress import ip_address
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from chaoskit.docker.call import NoSuchContainer
from chaoskit.docker.helper import helper_labels
from chaoskit.errors import FaultFailed
from chaoskit.exchange import Canary
from chaoskit.faults.contract import Forecast, Hold, Receipt, fault
from chaoskit.faults.engines import containers, limits
from chaoskit.faults.engines.containers import ContainersUndo, ReplicaRow, ServiceFault
from chaoskit.fields import Duration
from chaoskit.stack import names, netfilter
from chaoskit.tasks import together
from chaoskit.text import listed, seconds_text

if TYPE_CHECKING:
    from chaoskit.docker.containers import Container
    from chaoskit.stack.names import Answer
    from chaoskit.stack.project import Project
    from chaoskit.stack.proxy import Proxy
    from chaoskit.stack.stack import Stack

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAMES = rf"^(?:\*|(?:\*\.)?{_LABEL}(?:\.{_LABEL})*\.?)$"
_SAID = {"nxdomain": "no such name", "servfail": "a failure", "timeout": "no answer"}
_LONGEST = 30.0  # seconds of `delay`: no resolver waits for longer
_PATIENCE = 2.0  # seconds in which a resolver answers
_SILENCE = 1.0  # seconds after which a look-up that is not answered will not be
_EARLY = 0.05  # seconds that timers may be off


def _name(value: str) -> str:
    if not re.fullmatch(_NAMES, value) or len(value) > 253:
        raise ValueError(
            f"`{value}` is no name that is looked up: write it like api, db.example.com,"
            " *.example.com, or * for every name"
        )
    if re.fullmatch(r"[0-9.]+", value):
        raise ValueError(f"`{value}` is an address, which nobody looks up")
    return value.rstrip(".").lower()


def _answer(value: str) -> str:
    if value in _SAID:
        return value
    with contextlib.suppress(ValueError):
        if "%" not in value:  # a zone cannot be told in an answer
            return str(ip_address(value))
    raise ValueError(f"`{value}` is no answer: write {', '.join(_SAID)} or an address")


class DnsRow(ReplicaRow):
    """A client: the container that answers its look-ups, and what a look-up brought before."""

    responder: str
    before: str


class DnsUndo(ContainersUndo[DnsRow]):
    """The iptables chain; the look-up that is tried, and what it should bring (empty: the real
    answer) after how many seconds."""

    chain: str
    name: str
    answer: str
    delay: float


@fault("dns")
class Dns(ServiceFault[DnsUndo]):
    """Answer a service's look-ups of names wrongly, late or not at all.

    `names` are those that are hit, whatever their case and search domain: `api`, `*.example.com`
    (everything below it), `*`. `answer` is `nxdomain` (no such name), `servfail`, `timeout` (none
    at all) or an address, which nobody may keep (TTL 0); `delay` alone is the real answer, late.
    Other names are answered as ever. Only look-ups feel it: open connections go on, and so does
    what the service, its language or its pool has cached (Docker's answers may be kept for 600 s),
    or has in `/etc/hosts`. A fault during which the service asked for none of the names is
    unproven. How long a `timeout` takes is up to its resolver: with their defaults glibc gives up
    after 10 s, musl after 5 s, once more for each search domain.
    On a proxied edge the name of the upstream is that of its proxy: an address as answer leads
    around the proxy. A resolver that is not in `/etc/resolv.conf`, or is asked over HTTPS or TLS,
    is not hit. One at a time for each container.
    """

    undo_model = DnsUndo
    restarts = False
    needs = ("nat",)
    example = "{ at: 2s, for: 4s, fault: dns, service: chat, names: [redis], answer: nxdomain }"

    names: Annotated[
        list[
            Annotated[
                str,
                AfterValidator(_name),
                WithJsonSchema(
                    {"type": "string", "pattern": _NAMES, "examples": ["*.example.com"]}
                ),
            ]
        ],
        Field(min_length=1, max_length=100),
    ]
    answer: Annotated[str, AfterValidator(_answer)] | None = None
    delay: Annotated[Duration | None, Field(gt=0, le=_LONGEST)] = None

    @model_validator(mode="after")
    def _does_something(self) -> Dns:
        if self.answer is None and self.delay is None:
            raise ValueError("`dns` needs an `answer`, a `delay`, or both")
        if self.answer == "timeout" and self.delay is not None:
            raise ValueError("`answer: timeout` never answers: it takes no `delay`")
        return self

    def impossible_because(self, project: Project) -> str | None:
        service = project.services.get(self.service)
        if service is None or not service.network_mode:
            return None
        return (
            f"`{service.name}` has `network_mode: {service.network_mode}`, so it shares its"
            " look-ups with others, or asks no resolver of Docker's"
        )

    def holds(self) -> Sequence[Hold]:
        reason = f"look-ups of `{self.service}` are answered by one fault at a time"
        return [Hold("dns", self.service, self._some, reason)]

    def forecast(self) -> Forecast:
        what = "the real answer" if self.answer is None else _SAID.get(self.answer, self.answer)
        late = "" if self.delay is None else f", after {self.delay}"
        return Forecast(
            f"{self.target} gets {what}{late} when it looks up {listed(self.names)}",
            "remove the redirection of its look-ups and the helper that answers them",
            "names that it has cached, and connections that are open: it asks for nothing then",
        )

    def listeners(self, stack: Stack) -> Sequence[Proxy]:
        return ()

    def canary(self) -> Canary:
        return Canary()  # through no listener: look-ups are counted where they are answered

    async def ready(self, stack: Stack) -> None:
        hit, _ = await self.chosen(stack)
        await together(*(netfilter.stand_by(stack.helpers, stack.project, c) for c in hit))

    async def prepare(self, stack: Stack) -> DnsUndo:
        hit, whole = await self.chosen(stack)
        for container in hit:
            if not container.addresses:
                raise FaultFailed(f"`{container.name}` has no separate network namespace")
        name = self.names[0].replace("*", "chaoskit")
        answer = self.answer or ""
        chain = netfilter.chain_name(stack.project, self.name)
        before = await together(*(_look_up(stack, c, name, answer, _PATIENCE) for c in hit))
        rows = [
            DnsRow.of(c, responder=f"{c.name}-{chain.lower()}", before=seen.said)
            for c, seen in zip(hit, before, strict=True)
        ]
        limits.claim(stack, "dns", self.name, hit, "the look-ups of `{1}` are answered")
        delay = float(self.delay or 0)
        return self.undo_for(rows, whole, chain=chain, name=name, answer=answer, delay=delay)

    async def inject(self, stack: Stack, undo: DnsUndo) -> None:
        async def one(row: DnsRow, now: Container | None) -> None:
            if now is None:
                raise FaultFailed(f"`{row.name}` is gone")
            ports = await names.respond(
                stack,
                now,
                row.responder,
                names=self.names,
                suffixes=await stack.networks.of(now.id),
                answer=self.answer,
                delay=undo.delay,
            )
            await names.redirect(stack.helpers, stack.project, now, undo.chain, ports)

        await together(*(one(*pair) for pair in await containers.pairs(stack, undo)))

    @classmethod
    async def heal(cls, stack: Stack, undo: DnsUndo) -> None:
        async def one(row: DnsRow, now: Container | None) -> None:
            if now is not None and now.state.running:  # else its rules went with its namespace
                await names.direct(stack.helpers, stack.project, now, undo.chain)
            responder = await _responder(stack, row)
            if responder is not None:
                await stack.recreate.remove(responder.id, volumes=True)

        await together(*(one(*pair) for pair in await containers.pairs(stack, undo)))
        limits.give_up(stack, "dns", undo)

    @classmethod
    async def verify_injected(cls, stack: Stack, undo: DnsUndo) -> Receipt:
        async def one(row: DnsRow, now: Container | None) -> Receipt:
            if now is None or not now.state.running:
                return Receipt(False, f"{row.name} does not run")
            responder = await _responder(stack, row)
            if responder is None or not responder.state.running:
                return Receipt(False, f"nobody answers for {row.name}: no {row.responder}")
            if not (await names.read(stack.helpers, stack.project, now, undo.chain)).whole:
                return Receipt(False, f"the look-ups of {now.name} are not redirected")
            wait = _SILENCE if undo.answer == "timeout" else undo.delay + _PATIENCE
            seen = await _look_up(stack, now, undo.name, undo.answer, wait)
            said = undo.answer or seen.said  # the real answer may be another one by now
            due = seen.said == said and seen.seconds >= undo.delay - _EARLY
            text = f"{_words(seen.said)} after {seconds_text(seen.seconds)}"
            before = f"({_words(row.before)} before)"
            return Receipt(due, f"{now.name} looks up {undo.name}: {text} {before}")

        found = await together(*(one(*pair) for pair in await containers.pairs(stack, undo)))
        return Receipt(all(r.holds for r in found), "; ".join(r.detail for r in found))

    @classmethod
    async def verify_healed(cls, stack: Stack, undo: DnsUndo) -> Receipt:
        async def left(row: DnsRow, now: Container | None) -> str:
            if await _responder(stack, row) is not None:
                return f"{row.responder} is there"
            if now is None or not now.state.running:
                return ""
            found = await names.read(stack.helpers, stack.project, now, undo.chain)
            return f"chain {undo.chain} is still in {now.name}" if found.any else ""

        found = await together(*(left(*pair) for pair in await containers.pairs(stack, undo)))
        problems = [problem for problem in found if problem]
        return Receipt(not problems, "; ".join(problems) or "look-ups go where they went before")

    async def effect(self, stack: Stack, undo: DnsUndo) -> Receipt | None:
        counts = await together(*(names.asked(stack, row.responder) for row in undo.replicas))
        parts = [
            f"{number} of {name} by {row.name}"
            for row, count in zip(undo.replicas, counts, strict=True)
            for name, number in count.items()
        ]
        if not parts:
            text = f"{self.target} asked for none of {listed(self.names)}"
            return Receipt(False, f"{text}: what it has cached, and open connections, hide it")
        return Receipt(True, f"look-ups hit: {', '.join(parts)}")


async def _look_up(
    stack: Stack, container: Container, name: str, answer: str, wait: float
) -> Answer:
    six = ":" in answer
    return await names.look_up(stack.helpers, stack.project, container, name, six=six, wait=wait)


async def _responder(stack: Stack, row: DnsRow) -> Container | None:
    with contextlib.suppress(NoSuchContainer):
        found = await stack.containers.inspect(row.responder)
        if helper_labels(stack.project).items() <= found.labels.items():
            return found
    return None


def _words(said: str) -> str:
    return {**_SAID, "empty": "no address"}.get(said, said)
