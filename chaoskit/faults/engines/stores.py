"""Faults inside a store: they act with the store's own command-line client in its own container.

Why not over the network: that path needs a route and the password, and the undo must work days
later, in another process, from a ledger that never holds a password. Inside the container the
client and the credentials are there already (the image's own variables, a trusted local socket),
nothing leaves it, and no proxy, partition or packet loss is in the way of the heal. The price: the
image must have a shell and `redis-cli` or `psql`, as every official one has, and a container that
is paused must be thawed before the heal can act.

What was read from each store before is in its row of the undo. Replicas are looked up by number
again at heal time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Generic, cast

from pydantic import Field
from typing_extensions import TypeVar

from chaoskit.clock import until
from chaoskit.errors import FaultFailed
from chaoskit.faults.contract import Fault, Hold, Receipt, Undo
from chaoskit.fields import Model, ServiceName
from chaoskit.records import Json
from chaoskit.scripts import script
from chaoskit.tasks import together
from chaoskit.text import last_words

if TYPE_CHECKING:
    from chaoskit.docker.containers import Container
    from chaoskit.docker.exec import ExecResult
    from chaoskit.stack.proxy import Proxy
    from chaoskit.stack.stack import Stack

HELD = "CHAOSKIT_HOLD"  # marks every process that holds a fault in force inside a container
_POLL = 0.05


class StoreRow(Model):
    """One store, and what a kind read of it before its fault."""

    replica: int


R_co = TypeVar("R_co", bound=StoreRow, default=StoreRow, covariant=True)


class StoreUndo(Undo, Generic[R_co]):
    """What a fault knows of itself, and of each store that it is in."""

    fault: str
    service: str
    port: int | None
    replicas: tuple[R_co, ...] = ()

    def of(self, store: Store[Any]) -> R_co:
        """Return what was read of one store."""
        return next(row for row in self.replicas if row.replica == store.replica)


S_co = TypeVar("S_co", bound=StoreUndo, default=StoreUndo, covariant=True)


@dataclass(frozen=True, slots=True)
class Store(Generic[S_co]):
    """One store: a running container, and what the undo says of the fault in it."""

    stack: Stack
    container: Container
    undo: S_co

    @property
    def replica(self) -> int:
        return self.container.state.replica

    @property
    def port(self) -> str:
        return str(self.undo.port or "")

    @property
    def holder(self) -> str:
        """The name of what holds this fault in force; Postgres allows 63 characters for it."""
        name = f"chaoskit-{self.undo.fault}"
        if len(name) <= 63:
            return name
        return f"{name[:54]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"

    async def run(
        self,
        text: str,
        *words: str,
        environment: Mapping[str, str] | None = None,
        within: float = 10.0,
    ) -> ExecResult:
        """Run a shell script in the container; `words` are its arguments."""
        argv = ["sh", "-c", text, "chaoskit", *words]
        inside = self.stack.exec
        return await inside.run(self.container.id, argv, environment=environment, within=within)

    async def hold(
        self, text: str, *words: str, environment: Mapping[str, str] | None = None
    ) -> None:
        """Start a shell script that goes on until it is released or its own time is over."""
        argv = ["sh", "-c", text, "chaoskit", *words]
        marked = {**(environment or {}), HELD: f"{self.holder};"}
        await self.stack.exec.leave(self.container.id, argv, marked)

    async def release(self, signal: str = "TERM") -> None:
        """Signal what `hold` started; that it is gone already is fine."""
        await self.run(script("processes/release.sh"), f"{self.holder};", signal)


S = TypeVar("S", bound=StoreUndo, default=StoreUndo)


class StoreFault(Fault[S], Generic[S]):
    """A fault inside the store of one service: of every replica, or of one.

    A kind reads, injects, verifies and heals one store; this class does so with all of them.
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

    def holds(self) -> Sequence[Hold]:
        if not self.alone:
            return ()
        reason = f"two `{self.kind}` at once on `{self.service}` would undo each other"
        return [Hold(self.kind, self.service, "", reason)]

    def wants(self) -> Sequence[Hold]:
        return [Hold.running(self.service, str(self.replica or ""))]

    def listeners(self, stack: Stack) -> Sequence[Proxy]:
        return stack.proxies_to(self.service)[:1] if self.replica is None else ()

    def undo_fields(self) -> Mapping[str, Json]:
        """Return what the undo must know of the fault itself: its fields that both have."""
        both = self.undo_model.model_fields.keys() & type(self).model_fields.keys()
        return {name: getattr(self, name) for name in both}

    async def read_one(self, store: Store[S]) -> StoreRow:
        """Read what was before; changes nothing. Raises `FaultFailed`."""
        raise NotImplementedError

    async def inject_one(self, store: Store[S]) -> None:
        raise NotImplementedError

    @classmethod
    async def verify_one(cls, store: Store[S]) -> Receipt:
        raise NotImplementedError

    @classmethod
    async def heal_one(cls, store: Store[S]) -> None:
        raise NotImplementedError

    @classmethod
    async def verify_healed_one(cls, store: Store[S]) -> Receipt:
        raise NotImplementedError

    async def until_in_force(self, store: Store[S], within: float) -> Receipt:
        """Wait until the fault shows in one store; return the last receipt in any case."""
        return await until(
            lambda: self.verify_one(store), met=lambda seen: seen.holds, within=within, every=_POLL
        )

    async def prepare(self, stack: Stack) -> S:
        if not self.alone:
            return await self._read(stack)
        key = self.kind, self.service
        for other in stack.claims.others(key, self.name):
            raise FaultFailed(f"`{other}` is in force: {self.holds()[0].reason}")
        stack.claims.hold(key, self.name)
        try:
            return await self._read(stack)
        except BaseException:
            stack.claims.give_up(key, self.name)
            raise

    async def _read(self, stack: Stack) -> S:
        found = await stack.replicas(self.service, self.replica)
        for container in found:
            if not container.state.running:
                raise FaultFailed(f"`{container.name}` is {container.state.status}, not running")
        fields = {**self.undo_fields(), "fault": self.name}
        undo = cast("S", self.undo_model.model_validate(fields))
        rows = await together(*(self.read_one(Store(stack, c, undo)) for c in found))
        return undo.model_copy(update={"replicas": tuple(rows)})

    async def inject(self, stack: Stack, undo: S) -> None:
        await together(*(self.inject_one(store) for store in await stores_of(stack, undo)))

    @classmethod
    async def verify_injected(cls, stack: Stack, undo: S) -> Receipt:
        stores = await stores_of(stack, undo)
        return _joined(stores, await together(*(cls.verify_one(store) for store in stores)))

    @classmethod
    async def heal(cls, stack: Stack, undo: S) -> None:
        stores = await stores_of(stack, undo, dead_too=not cls.lasting)
        await together(*(cls.heal_one(store) for store in stores))
        stack.claims.give_up((cls.kind, undo.service), undo.fault)

    @classmethod
    async def verify_healed(cls, stack: Stack, undo: S) -> Receipt:
        stores = await stores_of(stack, undo, dead_too=not cls.lasting)
        if not stores:
            return Receipt(True, "the process that it was in is gone")
        healed = await together(*(cls.verify_healed_one(store) for store in stores))
        return _joined(stores, healed)


async def stores_of(stack: Stack, undo: S, *, dead_too: bool = False) -> list[Store[S]]:
    """Return the stores of the undo data as they run now.

    One that is stopped is left out where `dead_too` says that its fault died with it. Raises
    `FaultFailed` for others that do not run.
    """
    missing = {row.replica for row in undo.replicas}
    stores = []
    for container in await stack.containers.of(stack.project, undo.service):
        if container.state.replica not in missing:
            continue
        missing.remove(container.state.replica)
        if container.state.running:
            stores.append(Store(stack, container, undo))
        elif not (dead_too and container.state.status in ("exited", "dead", "created")):
            raise FaultFailed(
                f"`{container.name}` is {container.state.status}: nothing can be done inside it"
            )
    if missing and not dead_too:
        raise FaultFailed(f"`{undo.service}` has lost {len(missing)} of its containers")
    return stores


def _joined(stores: Sequence[Store], receipts: Sequence[Receipt]) -> Receipt:
    if len(receipts) == 1:
        return receipts[0]
    said = [f"{s.container.name}: {r.detail}" for s, r in zip(stores, receipts, strict=True)]
    holds = bool(receipts) and all(receipt.holds for receipt in receipts)
    return Receipt(holds, "; ".join(said) or "no container left")


def refused(done: ExecResult, what: str, store: Store) -> FaultFailed:
    """Return the error for a command that did not end well inside a container."""
    words = last_words(done.err or done.out, 300)
    if done.status is None:
        words = "no answer in time"
    elif done.status in (126, 127):
        words = f"the container has no shell or no client for it ({words})"
    return FaultFailed(f"`{store.container.name}`: {what}: {words or f'status {done.status}'}")
