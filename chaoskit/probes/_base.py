"""What every probe shares: a schedule, a deadline, a session, its registration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

from chaoskit.fields import Duration, Model, Target
from chaoskit.records import Json
from chaoskit.registry import Registry
from chaoskit.stack.routes import Routes


@dataclass(frozen=True, slots=True)
class Observed:
    """What one observation saw. `error` says why it is not `ok`, in a few words.

    `broken` says that the session cannot be used again.
    """

    ok: bool
    error: str | None = None
    value: Json = None
    broken: bool = False


class Session(Protocol):
    """One connection's worth of state. Used by one observation at a time.

    `waiting_for` says what has not come yet, in the words "no ... within 1s".
    """

    waiting_for: str = "answer"

    async def observe(self) -> Observed:
        """Observe once. What the system does wrong is returned or raised as an ordinary error of
        the client library; it becomes a failed sample. The caller enforces the deadline."""

    async def close(self) -> None:
        """Close at once, also in the middle of an observation that ran past its deadline; what is
        still running after that is cancelled by the caller."""


class Probe(Model):
    """A repeated observation with fixed due times and its own deadline."""

    kind: ClassVar[str]
    example: ClassVar[str] = ""

    probe: str
    every: Duration = Duration(0.1)
    timeout: Duration = Duration(1)
    connection: Literal["keep", "new"] = "keep"

    def targets(self) -> Sequence[Target]:
        """Return the service ports it must reach from the host."""
        return ()

    def asks(self) -> str:
        """Return what it asks for, as its author can find it again: a URL without its password;
        empty where its services say it all."""
        return ""

    def services(self) -> Sequence[str]:
        """Return every service it names."""
        return [target.service for target in self.targets()]

    def load(self) -> None:
        """Import the client library, so that no observation has to wait for it."""

    async def connect(self, routes: Routes) -> Session:
        """Return a session; connecting lazily, inside `observe`, is right for most kinds."""
        raise NotImplementedError


REGISTRY: Registry[Probe] = Registry("probe", "chaoskit.probes")
probe = REGISTRY.register
