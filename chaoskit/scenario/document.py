"""The scenario document: what an author writes, as models."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import ConfigDict, Field

from chaoskit.checks._base import REGISTRY as CHECKS
from chaoskit.checks._base import Check
from chaoskit.faults.contract import REGISTRY as FAULTS
from chaoskit.faults.contract import Fault
from chaoskit.fields import Day, Duration, Edge, Model, Name, ServiceName
from chaoskit.probes._base import REGISTRY as PROBES
from chaoskit.probes._base import Probe
from chaoskit.scenario.kinds import OneOf
from chaoskit.scenario.quiet import with_quiet
from chaoskit.workloads._base import REGISTRY as WORKLOADS
from chaoskit.workloads._base import Workload

AnyFault: TypeAlias = Annotated[Fault, OneOf(FAULTS)]
AnyProbe: TypeAlias = Annotated[Probe, OneOf(PROBES)]
AnyWorkload: TypeAlias = Annotated[Workload, OneOf(WORKLOADS)]
AnyCheck: TypeAlias = Annotated[Check, OneOf(CHECKS)]

KINDS = {registry.category: registry for registry in (FAULTS, PROBES, WORKLOADS, CHECKS)}


class DeclaredEdge(Model):
    """An edge that detection cannot see: who connects to whom, on which port."""

    edge: Annotated[Edge, Field(description="The edge, as `client -> upstream`.")]
    port: Annotated[int, Field(ge=1, le=65535, description="The TCP port of the upstream.")]


class Preparation(Model):
    """A command that makes a service ready for the run, such as a migration."""

    service: Annotated[ServiceName, Field(description="The service in whose container it runs.")]
    run: Annotated[str, Field(min_length=1, description="The command, as a shell takes it.")]
    within: Annotated[Duration, Field(description="How long it may take.")] = Duration(60)


class Stack(Model):
    """The system under test: a Docker Compose project, used as it is."""

    compose: Annotated[
        str | Annotated[list[str], Field(min_length=1)],
        Field(description="One Compose file or a list, relative to the scenario file."),
    ]
    profiles: list[str] = Field(default_factory=list, description="Compose profiles to switch on.")
    env: dict[str, str] = Field(
        default_factory=dict, description="Environment for the Compose files; values are text."
    )
    up_timeout: Annotated[
        Duration, Field(description="How long the stack may take to become ready.")
    ] = Duration(90)
    build: Annotated[bool, Field(description="Build images before starting.")] = False
    without: list[ServiceName] = Field(
        default_factory=list[ServiceName],
        description="Services that are left out, also where others wait for them.",
    )
    empty: list[str] = Field(
        default_factory=list,
        description="Bind-mounted folders that a volume of the run's own takes the place of.",
    )
    prepare: list[Preparation] = Field(
        default_factory=list[Preparation],
        description="Commands that run one after another when the other services are ready.",
    )
    edges: list[DeclaredEdge] = Field(
        default_factory=list, description="Edges that detection cannot see."
    )
    proxy: Annotated[
        Literal["needed", "all", "none"],
        Field(description="Which edges get a proxy: those that faults touch, all, or none."),
    ] = "needed"
    native: list[Edge] = Field(
        default_factory=list[Edge],
        description="Edges that never get a proxy: their clients see the upstream's own address.",
    )
    most_proxies: Annotated[
        int,
        Field(ge=1, le=10_000, description="How many proxy containers the run may start at most."),
    ] = 200
    ports: Annotated[
        Literal["drop", "keep"],
        Field(description="What becomes of ports that the project publishes on the host."),
    ] = "drop"
    fresh: Annotated[
        Literal["always", "data", "never"] | None,
        Field(
            description="What of a stack that another scenario of a suite leaves clean must be new:"
            " everything, services and their data, or nothing; everything unless `--warm` is given."
        ),
    ] = None
    shared: list[str] = Field(
        default_factory=list,
        description="What the run may share with the host although it cannot be copied.",
    )


class AllowedDeath(Model):
    """What the containers of a service may do although no fault aims at it."""

    service: ServiceName
    may: Annotated[
        Literal["exit", "restart"],
        Field(description="End and stay down, or end and be started again by its policy."),
    ]


class Gate(Model):
    """When the steady state counts as met: every probe good for a while, within a deadline."""

    for_: Annotated[
        Duration, Field(alias="for", description="How long every probe must be good in a row.")
    ] = Duration(1)
    within: Annotated[Duration, Field(description="How long that may take.")] = Duration(15)


class QuietPeriods(Model):
    """When nothing is in force during the faults phase, so that recovery is measured each time."""

    every: Annotated[
        Duration, Field(description="When the first begins, and how far they are apart.")
    ]
    for_: Annotated[Duration, Field(alias="for", description="How long each of them is.")]


class Timeline(Model):
    """What happens when: gate, baseline, faults, settle."""

    model_config = ConfigDict(defer_build=True)

    gate: Annotated[Gate, Field(description="The steady state before anything is broken.")] = Gate()
    baseline: Annotated[Duration, Field(description="How long to measure before the faults.")] = (
        Duration(3)
    )
    faults: list[AnyFault] = Field(
        default_factory=list, description="The faults; an empty list makes it a rehearsal."
    )
    hold: Annotated[
        Duration,
        Field(
            description="How long faults without `for` are held, after the last other fault ended."
        ),
    ] = Duration(5)
    quiet: Annotated[
        QuietPeriods | None,
        Field(description="Heal everything now and then, and inject it again afterwards."),
    ] = None
    settle: Annotated[Duration, Field(description="How long to measure after the last heal.")] = (
        Duration(3)
    )


class ExpectedFailure(Model):
    """A check that is known to fail: green while it does so, for this reason, until that day."""

    check: Annotated[
        str,
        Field(
            min_length=1,
            description="The check; with its subject, as in `no_loss members`, where there are"
            " several of its kind.",
        ),
    ]
    reason: Annotated[
        str,
        Field(
            min_length=1,
            description="What the reason of its failure contains, in small or capital letters;"
            " `*` stands for anything, such as a number.",
        ),
    ]
    until: Annotated[Day, Field(description="The last day on which that is accepted.")]

    def names(self, check: Check) -> bool:
        """Return whether it is about this check."""
        return self.check in (check.check, f"{check.check} {check.subject}")


class Scenario(Model):
    """One rehearsal: a stack, what watches it, what breaks it, and what must hold."""

    model_config = ConfigDict(defer_build=True)

    name: Annotated[Name, Field(description="Names the run and its folder.")]
    description: Annotated[str, Field(description="What this scenario shows, in a sentence.")] = ""
    tags: list[str] = Field(default_factory=list, description="Words to select scenarios by.")
    stack: Annotated[Stack, Field(description="The system under test.")]
    probes: Annotated[
        dict[Name, AnyProbe],
        Field(min_length=1, description="Repeated observations, by a name of your choice."),
    ]
    workloads: dict[Name, AnyWorkload] = Field(
        default_factory=dict, description="Clients that write and read, by a name of your choice."
    )
    timeline: Annotated[Timeline, Field(description="What happens when.")]
    expect: Annotated[list[AnyCheck], Field(min_length=1, description="What must hold.")]
    expect_fail: Annotated[
        ExpectedFailure | list[ExpectedFailure],
        Field(description="Which checks are known to fail, why, and until when."),
    ] = Field(default_factory=list[ExpectedFailure])
    fail_if_unfelt: Annotated[
        bool,
        Field(description="Whether a fault that no probe or operation noticed makes it unknown."),
    ] = False
    allow: Annotated[
        AllowedDeath | list[AllowedDeath],
        Field(description="Which services may exit or restart without a fault on them."),
    ] = Field(default_factory=list[AllowedDeath])
    seed: Annotated[
        int | None, Field(description="Makes generated values and schedules repeatable.")
    ] = None

    @property
    def expected_failures(self) -> list[ExpectedFailure]:
        """Which checks are known to fail."""
        return self.expect_fail if isinstance(self.expect_fail, list) else [self.expect_fail]

    @property
    def allowed(self) -> list[AllowedDeath]:
        """Which deaths are meant."""
        return self.allow if isinstance(self.allow, list) else [self.allow]

    def may(self, service: str, what: Literal["exit", "restart"]) -> bool:
        """Return whether the containers of a service are meant to do that; who may exit may also
        be restarted."""
        return any(one.service == service and one.may in ("exit", what) for one in self.allowed)

    def written(self, injection: Fault) -> int:
        """Return which fault of the file this is, or is a repetition or a part of."""
        names = [fault.name for fault in self.timeline.faults]
        name = injection.name
        while name not in names:  # `slow-2.3`
            name = name[: max(name.rfind("-"), name.rfind("."))]
        return names.index(name)

    def injections(self) -> list[Fault]:
        """Return every fault as often as it is injected; each repetition, and each part between
        quiet periods, has its own id."""
        repeated = [one for fault in self.timeline.faults for one in fault.repetitions()]
        quiet = self.timeline.quiet
        if quiet is None:
            return repeated
        return with_quiet(repeated, quiet, self.timeline.hold)


_built: list[type] = []


def scenario_model() -> type[Scenario]:
    """Return `Scenario`, built of the kinds that are registered now."""
    kinds = [kind for registry in KINDS.values() for kind in registry]
    if kinds != _built:
        Timeline.model_rebuild(force=True)
        Scenario.model_rebuild(force=True)
        _built[:] = kinds
    return Scenario
