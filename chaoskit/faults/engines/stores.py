"""Faults inside a store: they act with the store's own command-line client in its own container.

Why not over the network: that path needs a route and the password, and the undo must work days
later, in another process, from a ledger that never holds a password. Inside the container the
client and the credentials are there already (the image's own variables, a trusted local socket),
nothing leaves it, and no proxy, partition or packet loss is in the way of the heal. The price: the
image must have a shell and `redis-cli` or `psql`, as every official one has, and a container that
is paused must be thawed before the heal can act.

The undo is `{"fault", "service", "port", ..., "replicas": [{"replica", ...}]}`; what was read from
each store is in its row. Replicas are looked up by number again at heal time.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, cast
from weakref import WeakKeyDictionary

from pydantic import Field

from chaoskit.errors import FaultFailed
from chaoskit.faults.contract import Fault, Receipt, Undo
from chaoskit.fields import ServiceName
from chaoskit.records import Json
from chaoskit.text import last_words

if TYPE_CHECKING:
    from chaoskit.docker.containers import Container
    from chaoskit.docker.exec import ExecResult
    from chaoskit.stack.proxy import Proxy
    from chaoskit.stack.stack import Stack

HELD = "CHAOSKIT_HOLD"  # marks every process that holds a fault in force inside a container
# Signals the processes of a holder: what they hold ends with them. None of them outlives its shell,
# or a database that is the container's first process would inherit it and mind its death.
RELEASE = """
for file in $(grep -lsF "CHAOSKIT_HOLD=$1" /proc/[0-9]*/environ); do
  pid=${file#/proc/}
  kill -s "$2" "${pid%/environ}" 2>/dev/null
done
exit 0
"""
_in_force: WeakKeyDictionary[Stack, dict[tuple[str, str], str]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Place:
    """One store: a running container, what the undo says of all replicas, and of this one."""

    stack: Stack
    container: Container
    undo: Mapping[str, Any]
    row: Mapping[str, Any]

    @property
    def port(self) -> str:
        return str(self.undo["port"] or "")

    @property
    def holder(self) -> str:
        """The name of what holds this fault in force; Postgres allows 63 characters for it."""
        name = f"chaoskit-{self.undo['fault']}"
        if len(name) <= 63:
            return name
        return f"{name[:54]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"

    async def run(
        self,
        script: str,
        *words: str,
        environment: Mapping[str, str] | None = None,
        within: float = 10.0,
    ) -> ExecResult:
        """Run a shell script in the container; `words` are its arguments."""
        argv = ["sh", "-c", script, "chaoskit", *words]
        inside = self.stack.exec
        return await inside.run(self.container.id, argv, environment=environment, within=within)

    async def hold(
        self, script: str, *words: str, environment: Mapping[str, str] | None = None
    ) -> None:
        """Start a shell script that goes on until it is released or its own time is over."""
        argv = ["sh", "-c", script, "chaoskit", *words]
        marked = {**(environment or {}), HELD: f"{self.holder};"}
        await self.stack.exec.leave(self.container.id, argv, marked)

    async def release(self, signal: str = "TERM") -> None:
        """Signal what `hold` started; that it is gone already is fine."""
        await self.run(RELEASE, f"{self.holder};", signal)


class StoreFault(Fault):
    """A fault inside the store of one service: of every replica, or of one.

    A kind says what it reads before (`read`), does (`act`), how that shows (`shown`), how it is
    undone (`lift`) and how that shows (`lifted`), each for one store.
    """

    lasting: ClassVar[bool] = False  # True: what it changes outlives the store's process
    alone: ClassVar[bool] = False  # True: two at once on one service would undo each other

    service: ServiceName
    replica: Annotated[int | None, Field(ge=1, le=1000)] = None
    port: Annotated[int | None, Field(ge=1, le=65535)] = None

    @property
    def target(self) -> str:
        return self.service if self.replica is None else f"{self.service}[{self.replica}]"

    def services(self) -> Sequence[str]:
        return [self.service]

    def listeners(self, stack: Stack) -> Sequence[Proxy]:
        return stack.proxies_to(self.service)[:1] if self.replica is None else ()

    def told(self) -> Mapping[str, Json]:
        """Return what the undo must know of the fault itself."""
        return {}

    async def read(self, place: Place) -> Mapping[str, Json]:
        """Read what was before; changes nothing. Raises `FaultFailed`."""
        raise NotImplementedError

    async def act(self, place: Place) -> None:
        raise NotImplementedError

    @classmethod
    async def shown(cls, place: Place) -> Receipt:
        raise NotImplementedError

    @classmethod
    async def lift(cls, place: Place) -> None:
        raise NotImplementedError

    @classmethod
    async def lifted(cls, place: Place) -> Receipt:
        raise NotImplementedError

    async def prepare(self, stack: Stack) -> Undo:
        other = _in_force.get(stack, {}).get((self.kind, self.service), self.name)
        if self.alone and other != self.name:
            raise FaultFailed(
                f"`{other}` is in force on `{self.service}`: two `{self.kind}` at once would undo"
                " each other"
            )
        found = await stack.replicas(self.service, self.replica)
        for container in found:
            if not container.state.running:
                raise FaultFailed(f"`{container.name}` is {container.state.status}, not running")
        undo: dict[str, Json] = {
            "fault": self.name,
            "service": self.service,
            "port": self.port,
            **self.told(),
        }
        read = await asyncio.gather(*(self.read(Place(stack, c, undo, {})) for c in found))
        rows = [
            {"replica": container.state.replica, **row}
            for container, row in zip(found, read, strict=True)
        ]
        return {**undo, "replicas": rows}

    async def inject(self, stack: Stack, undo: Undo) -> None:
        _in_force.setdefault(stack, {})[self.kind, self.service] = self.name
        await asyncio.gather(*(self.act(place) for place in await places_of(stack, undo)))

    @classmethod
    async def verify_injected(cls, stack: Stack, undo: Undo) -> Receipt:
        places = await places_of(stack, undo)
        return _joined(places, await asyncio.gather(*(cls.shown(place) for place in places)))

    @classmethod
    async def heal(cls, stack: Stack, undo: Undo) -> None:
        places = await places_of(stack, undo, dead_too=not cls.lasting)
        results = await asyncio.gather(*(cls.lift(p) for p in places), return_exceptions=True)
        for result in results:  # one that fails must not keep the others from being healed
            if isinstance(result, BaseException):
                raise result
        forces = _in_force.get(stack, {})
        if forces.get((cls.kind, str(undo["service"]))) == undo["fault"]:
            del forces[cls.kind, str(undo["service"])]

    @classmethod
    async def verify_healed(cls, stack: Stack, undo: Undo) -> Receipt:
        places = await places_of(stack, undo, dead_too=not cls.lasting)
        if not places:
            return Receipt(True, "the process that it was in is gone")
        return _joined(places, await asyncio.gather(*(cls.lifted(place) for place in places)))


async def places_of(stack: Stack, undo: Undo, *, dead_too: bool = False) -> list[Place]:
    """Return the stores of the undo data as they run now.

    One that is stopped is left out where `dead_too` says that its fault died with it. Raises
    `FaultFailed` for others that do not run.
    """
    rows = {row["replica"]: row for row in cast("Sequence[Mapping[str, Any]]", undo["replicas"])}
    found = await stack.containers.of(stack.project, str(undo["service"]))
    places = []
    for container in found:
        row = rows.pop(container.state.replica, None)
        if row is None:
            continue
        if container.state.running:
            places.append(Place(stack, container, undo, row))
        elif not (dead_too and container.state.status in ("exited", "dead", "created")):
            raise FaultFailed(
                f"`{container.name}` is {container.state.status}: nothing can be done inside it"
            )
    if rows and not dead_too:
        raise FaultFailed(f"`{undo['service']}` has lost {len(rows)} of its containers")
    return places


def _joined(places: Sequence[Place], receipts: Sequence[Receipt]) -> Receipt:
    if len(receipts) == 1:
        return receipts[0]
    said = [f"{p.container.name}: {r.detail}" for p, r in zip(places, receipts, strict=True)]
    holds = bool(receipts) and all(receipt.holds for receipt in receipts)
    return Receipt(holds, "; ".join(said) or "no container left")


def refused(done: ExecResult, what: str, place: Place) -> FaultFailed:
    """Return the error for a command that did not end well inside a container."""
    words = last_words(done.err or done.out, 300)
    if done.status is None:
        words = "no answer in time"
    elif done.status in (126, 127):
        words = f"the container has no shell or no client for it ({words})"
    return FaultFailed(f"`{place.container.name}`: {what}: {words or f'status {done.status}'}")
