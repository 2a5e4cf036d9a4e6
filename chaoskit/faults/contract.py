"""What every fault shares: timing, the inject/heal/verify contract, its registration.

The order of work is always: `prepare` reads the world and returns the undo data; the undo goes to
the ledger and is fsynced; `inject` changes the world; `verify_injected` reads it back; `heal`
undoes from the undo data alone, so another process can do it days later; `verify_healed` reads
back again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Generic, Self

from pydantic import Field, PrivateAttr, model_validator
from typing_extensions import TypeVar

from chaoskit.exchange import Canary
from chaoskit.faults._start import After, Repeat, When
from chaoskit.fields import HOST, Duration, Edge, Model, Name
from chaoskit.registry import Registry

if TYPE_CHECKING:
    from chaoskit.stack.capabilities import Need
    from chaoskit.stack.project import Project
    from chaoskit.stack.proxy import Proxy
    from chaoskit.stack.stack import Stack


class Undo(Model):
    """What `heal` needs, as the ledger keeps it: every engine, and some kinds, have their own."""

    @property
    def on_host(self) -> bool:
        """Whether what it undoes outlives the stack: healing runs `commands` on this machine."""
        return False

    @property
    def commands(self) -> Sequence[str]:
        """The commands of the scenario's author that healing runs, each as a shell takes it."""
        return ()

    def masked(self, clean: Callable[[str], str]) -> Self:
        """Return it without secrets, where a text of the scenario's author may hold some.

        Names stay as they are, also those that look like a secret: what they name could not be
        found again.
        """
        return self


U = TypeVar("U", bound=Undo, default=Any)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was read back from the system: is it as it should be, and in which words."""

    holds: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Forecast:
    """What `plan` says about a fault before anything runs."""

    hits: str
    undo: str
    not_tested: str = ""


@dataclass(frozen=True, slots=True)
class Hold:
    """Something that a fault keeps to itself while it is in force; `reason` says in words why
    nobody else can have it meanwhile.

    `replica` is empty for every replica, a number for one, and any other text for some that only
    the run will choose.
    """

    what: str
    service: str
    replica: str
    reason: str

    @classmethod
    def running(cls, service: str, replica: str) -> Hold:
        """Return what a fault holds that keeps containers from running."""
        return cls("running", service, replica, f"`{service}` does not run then")

    def excludes(self, other: Hold) -> bool:
        """Return whether the two can certainly not be held at the same time."""
        same = (self.what, self.service) == (other.what, other.service)
        return same and (self.replica == other.replica or "" in (self.replica, other.replica))


class Fault(Model, Generic[U]):
    """A condition: when it starts, how long it lasts, and how to inject, verify and heal it."""

    kind: ClassVar[str]
    undo_model: ClassVar[type[Undo]]
    example: ClassVar[str] = ""
    instant: ClassVar[bool] = False  # over as soon as it is injected (restart): takes no `for`
    ends_processes: ClassVar[bool] = False  # of the service: what was only in memory is lost
    risks_processes: ClassVar[bool] = False  # of the service: they may end by it, as is meant
    needs: ClassVar[Sequence[Need]] = ()  # what the host must be able to do for it
    needs_when: ClassVar[str] = ""  # in words, where it does not always need that

    fault: str
    id: Name | None = None
    at: Duration | None = None
    when: When | None = None
    after: After | None = None
    repeat: Repeat | None = None
    for_: Annotated[Duration | None, Field(alias="for")] = None
    _previous: str | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _lease_makes_sense(self) -> Fault:
        if self.instant and self.for_ is not None:
            raise ValueError(f"`{self.fault}` is over at once and takes no `for`")
        if self.for_ is not None and self.for_ <= 0:
            raise ValueError("`for` must be longer than zero")
        if sum(start is not None for start in (self.at, self.when, self.after)) > 1:
            raise ValueError("a fault starts by one of `at`, `when` and `after`, not by several")
        if self.repeat is not None and self.for_ is not None and self.repeat.every <= self.for_:
            raise ValueError("`repeat.every` must be longer than `for`: it counts between starts")
        return self

    @property
    def start(self) -> str:
        """Its start in words."""
        return str(self.when or self.after or f"at {self.at or Duration.zero()}")

    def repetitions(self) -> list[Fault]:
        """Return one fault per injection: itself, then `ID-2`, `ID-3`, ... without `repeat`."""
        if self.repeat is None:
            return [self]
        once = self.model_copy(update={"repeat": None})
        found = [once]
        for number in range(2, self.repeat.times + 1):
            later = Duration(self.repeat.every * (number - 1))
            update: dict[str, object] = {"id": f"{self.name}-{number}"}
            if self.when is None and self.after is None:
                update["at"] = Duration((self.at or 0.0) + later)
            else:
                gate = After(fault=self.name, injected=True, delay=later, timeout=Duration(3600))
                update |= {"when": None, "after": gate}
            repetition = once.model_copy(update=update)
            repetition._previous = found[-1].name
            found.append(repetition)
        return found

    def part(self, number: int, at: float, lasts: float, previous: str | None) -> Fault:
        """Return the part of itself that starts at a time, after the one called `previous`; the
        first has its own name, the others are `ID.2`, `ID.3`, ..."""
        update: dict[str, object] = {"at": Duration(at), "for_": Duration(lasts)}
        if number > 1:
            update["id"] = f"{self.name}.{number}"
        found = self.model_copy(update=update)
        if previous is not None:
            found._previous = previous
        return found

    @property
    def previous(self) -> str | None:
        """The repetition before this one, which must be healed before this one starts."""
        return self._previous

    @property
    def name(self) -> str:
        """Its id; loading gives every fault a unique one."""
        return self.id or self.fault

    @property
    def target(self) -> str:
        """What it hits, in words: a service, an edge, groups."""
        raise NotImplementedError

    def services(self) -> Sequence[str]:
        """Return every service it names."""
        raise NotImplementedError

    def named_replicas(self) -> Sequence[tuple[tuple[str | int, ...], str, int | None]]:
        """Return each service or replica that stands in a list of it: its place in the block, the
        service, the replica (None for all)."""
        return ()

    def holds(self) -> Sequence[Hold]:
        """Return what it keeps to itself while it is in force: who holds the same is refused."""
        return ()

    def wants(self) -> Sequence[Hold]:
        """Return what else no other fault may keep when it starts, or it is refused then."""
        return ()

    def restarts_services(self) -> Sequence[str]:
        """Return the services whose containers it stops, restarts or freezes."""
        return ()

    def edges(self) -> Sequence[Edge]:
        """Return the edges it names, which must exist."""
        return ()

    def proxied(self, joined: Collection[tuple[str, str]]) -> Sequence[Edge]:
        """Return the edges that must be behind a proxy for it; `joined` holds every (client,
        upstream) pair of the project that has a possible edge."""
        return self.edges()

    def moves(self) -> Sequence[str]:
        """Return the services whose address it changes: a proxy would hide it from its client."""
        return ()

    def relayed(self) -> Sequence[Edge]:
        """Return the edges that must go through a relay that knows HTTP, for it."""
        return ()

    def forecast(self) -> Forecast:
        """Return what it will hit, how it is undone and what it does not test."""
        raise NotImplementedError

    async def ready(self, stack: Stack) -> None:
        """Start what makes the injection quick, before the first fault is due. It must leave no
        trace in the stack, and nothing may depend on it. Raises `ChaoskitError`."""

    async def prepare(self, stack: Stack) -> U:
        """Read what `heal` will need. Changes nothing. Raises `FaultFailed`."""
        raise NotImplementedError

    async def inject(self, stack: Stack, undo: U) -> None:
        """Put the fault in force; it may stop half-way, `heal` copes."""
        raise NotImplementedError

    @classmethod
    async def heal(cls, stack: Stack, undo: U) -> None:
        """Undo it: idempotent, also after a half-done inject, also in another process."""
        raise NotImplementedError

    @classmethod
    async def verify_injected(cls, stack: Stack, undo: U) -> Receipt:
        """Read back that the fault is in force."""
        raise NotImplementedError

    @classmethod
    async def verify_healed(cls, stack: Stack, undo: U) -> Receipt:
        """Read back that the fault is gone."""
        raise NotImplementedError

    def needed(self) -> Sequence[Need]:
        """Return which of its kind's needs it has; checked before anything starts."""
        return self.needs

    @property
    def runs_on_host(self) -> bool:
        """Whether it runs commands of the scenario's author on this machine."""
        return False

    def impossible_because(self, project: Project) -> str | None:
        """Return why this stack makes it impossible (no such mount, no restart policy), None where
        it does not; checked before anything starts."""
        return None

    # -- effect ----------------------------------------------------------------------------------

    def listeners(self, stack: Stack) -> Sequence[Proxy]:
        """Return the proxies through which a canary can feel this fault."""
        return ()

    def canary(self) -> Canary | None:
        """Return how a canary feels it; None: the engine's own state is the effect."""
        return None

    async def effect(self, stack: Stack, undo: U) -> Receipt | None:
        """Read, right before the heal, what counted the effect: packet counters, throttling, an
        error of the store. None where the canary or the engine's state says it already."""
        return None


class OneEdge(Fault[U], Generic[U]):
    """A fault on one edge."""

    edge: Edge

    @property
    def target(self) -> str:
        return str(self.edge)

    def services(self) -> Sequence[str]:
        return [s for s in (self.edge.client, self.edge.upstream) if s != HOST]

    def edges(self) -> Sequence[Edge]:
        return [self.edge]


REGISTRY: Registry[Fault] = Registry("fault", "chaoskit.faults")
fault = REGISTRY.register
