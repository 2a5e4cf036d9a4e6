"""The plan: what a run will do to which stack, worked out before anything is touched."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from os.path import normpath
from pathlib import Path
from typing import Any, cast

from chaoskit.docker.client import Engine
from chaoskit.docker.compose_cli import Compose
from chaoskit.docker.helper import helper_image
from chaoskit.errors import ChaoskitError, Problem, ScenarioInvalid, UsageError
from chaoskit.faults import Fault
from chaoskit.fields import HOST, Edge, Target
from chaoskit.plan.against_stack import (
    against_stack,
    host_side_ports,
    http_problems,
    proxy_problems,
    replica_problems,
)
from chaoskit.plan.secret_values import Secrets, before_compose, secrets_of
from chaoskit.record.events import EdgeSeen, EdgesObserved
from chaoskit.records import Json
from chaoskit.scenario.document import DeclaredEdge
from chaoskit.scenario.loading import Loaded
from chaoskit.scenario.masking import masked_file
from chaoskit.scenario.suggest import did_you_mean
from chaoskit.secrets import without_secrets
from chaoskit.stack.edges import EdgeMap, PossibleEdge
from chaoskit.stack.overlay import Layout, build_layout
from chaoskit.stack.project import Project, parse
from chaoskit.stack.uncopyable import Uncopyable, uncopyable_things


@dataclass(frozen=True, slots=True)
class Plan:
    """A scenario against its stack. `faults` are those of the scenario that will be injected."""

    loaded: Loaded
    compose: Compose
    project: Project
    user_project: str
    edges: EdgeMap
    proxied: tuple[PossibleEdge, ...]
    targets: tuple[Target, ...]
    faults: tuple[Fault, ...]
    shared: tuple[Uncopyable, ...]
    refused: tuple[Uncopyable, ...]
    secrets: Secrets
    config: str  # a digest of the project as Compose reads it
    warnings: tuple[Problem, ...] = ()

    @property
    def directory(self) -> Path:
        return self.loaded.compose_files[0].parent.resolve()

    @property
    def all_edges(self) -> list[PossibleEdge]:
        """Return every edge that is possible or proxied. One whose port nothing tells and nothing
        points to is there only when it is proxied."""
        return [*self.edges.edges, *(e for e in self.proxied if e not in self.edges.edges)]

    @property
    def protocols(self) -> dict[tuple[str, int], str]:
        """Return how to talk to each port that a URL of the scenario or of a client names."""
        told = [target for target in self.targets if target.protocol != "tcp"]
        return {
            **self.edges.protocols,
            **{(target.service, target.port): target.protocol for target in told},
        }

    def layout(self, folder: Path, image: str) -> Layout:
        """Return the proxies and the overlay for the run with this folder."""
        return self._layout(folder, image, self.targets)

    def digest(self, folder: Path, image: str) -> str:
        """Return a digest of the stack that the run with this folder makes, but for what reaches
        it from the host: who has the same has the same stack."""
        block = self.loaded.scenario.stack.model_dump(mode="json", exclude={"fresh", "up_timeout"})
        layout = self._layout(folder, image, ())
        return sha256(json.dumps([self.config, block, layout.text]).encode()).hexdigest()

    def _layout(self, folder: Path, image: str, targets: Sequence[Target]) -> Layout:
        return build_layout(
            self.project,
            folder=folder,
            edges=self.proxied,
            targets=targets,
            image=image,
            relayed=self.relayed,
            relay_image=helper_image(),
            felt={service for fault in self.faults for service in fault.services()},
            keep_ports=self.loaded.scenario.stack.ports == "keep",
            user_project=self.user_project,
        )

    @property
    def relayed(self) -> frozenset[Edge]:
        """Return the edges, each with its port, that go through a relay which knows HTTP."""
        asked = [edge for fault in self.faults for edge in fault.relayed()]
        return frozenset(one for edge in asked for one in self.edges.with_ports(edge))

    @property
    def alone(self) -> bool:
        """Whether its stack has something that there can be only once on a machine."""
        return bool(self.shared or self.project.fixed_networks)

    def edges_seen(self, connections: Mapping[Edge, int]) -> EdgesObserved:
        """Return the map of edges with how many connections each proxy accepted from its client."""
        left, seen = dict(connections), []
        for one in self.all_edges:
            number = left.pop(Edge(one.client, one.upstream, one.port), None)
            proxied = one in self.proxied
            seen.append(EdgeSeen(*one.pair, one.port, one.evidence, proxied, number))
        for edge, number in left.items():
            if edge.client != HOST:
                told = "its sockets"
                seen.append(EdgeSeen(edge.client, edge.upstream, edge.port, told, True, number))
        return EdgesObserved(tuple(seen))

    def document(self) -> dict[str, Json]:
        """Return the plan as the JSON of `plan.json`."""
        return {
            "scenario": self.loaded.scenario.name,
            "document": without_secrets(
                self.loaded.scenario.model_dump(mode="json", by_alias=True, exclude_unset=True)
            ),
            "compose": [str(file) for file in self.loaded.compose_files],
            "services": sorted(self.project.services),
            "faults": [
                {
                    "id": fault.name,
                    "fault": fault.fault,
                    "target": fault.target,
                    "start": fault.start,
                    "for": None if fault.for_ is None else str(fault.for_),
                    "hits": fault.forecast().hits,
                    "undo": fault.forecast().undo,
                    "not_tested": fault.forecast().not_tested,
                }
                for fault in self.faults
            ],
            "edges": [
                {
                    "client": edge.client,
                    "upstream": edge.upstream,
                    "port": edge.port,
                    "evidence": edge.evidence,
                    "obstacle": edge.obstacle,
                    "proxied": edge in self.proxied,
                    "udp": self.edges.udp(*edge.pair),
                }
                for edge in self.all_edges
            ],
            "host": [f"{target.service}:{target.port}" for target in self.targets],
            "shared": [
                {"name": thing.name, "what": thing.what, "allowed": thing not in self.refused}
                for thing in self.shared
            ],
        }


async def make_plan(
    loaded: Loaded,
    *,
    run_project: str,
    engine: Engine | None = None,
    only_faults: Sequence[str] = (),
    also: Sequence[Target] = (),
) -> Plan:
    """Read the Compose project under the run's name and check the scenario against it.

    What is `also` to be reached from the host is for later runs on the same stack.

    Without an engine, ports that only images know are missing. Raises `ScenarioInvalid` for
    references that do not fit the stack, `UsageError` when Compose refuses its files.
    """
    scenario = loaded.scenario
    stack = scenario.stack
    compose = Compose(
        tuple(loaded.compose_files), run_project, tuple(stack.profiles), dict(stack.env)
    )
    try:
        own, mine = await asyncio.gather(compose.config(), replace(compose, project="").config())
    except ChaoskitError as error:  # it quotes the files
        clean = before_compose(loaded).redactor().clean
        error.message = masked_file(clean(error.message))
        raise
    project = _chosen(parse(own), loaded)
    faults = _selected(scenario.injections(), only_faults)
    targets = [target for probe in scenario.probes.values() for target in probe.targets()]
    targets += [target for one in scenario.workloads.values() for target in one.targets()]
    known = await _known_ports(project, stack.edges, engine)
    edges = EdgeMap(project, _asked_too(known, targets))
    problems = against_stack(loaded, project.services, edges.problem)
    if problems:
        inactive = await _inactive(compose, project)
        problems = against_stack(loaded, project.services, edges.problem, inactive)
    problems += replica_problems(loaded, project)
    if not problems:
        problems += proxy_problems(loaded, edges)
        told = {(t.service, t.port): t.protocol for t in targets if t.protocol != "tcp"}
        problems += http_problems(loaded, edges, {**edges.protocols, **told})
    if problems:
        raise ScenarioInvalid(problems)
    warnings = host_side_ports(loaded, project, known)
    for fault in faults:
        for edge in fault.edges():
            if edge.client == HOST:
                ports = [edge.port] if edge.port else edges.ports[edge.upstream]
                targets += [Target(edge.upstream, port) for port in ports]
    targets += [target for target in also if target.service in project.services]
    shared = uncopyable_things(project, loaded.compose_files[0].parent)
    return Plan(
        loaded=loaded,
        compose=compose,
        project=project,
        user_project=str(mine["name"]),
        edges=edges,
        proxied=tuple(_proxied(edges, faults, stack.proxy, stack.native)),
        targets=tuple(_unique(targets)),
        faults=faults,
        shared=tuple(shared),
        refused=tuple(thing for thing in shared if not thing.allowed_by(stack.shared)),
        secrets=secrets_of(loaded, project, own),
        config=sha256(json.dumps(own, sort_keys=True, default=str).encode()).hexdigest(),
        warnings=tuple(warnings),
    )


def _chosen(project: Project, loaded: Loaded) -> Project:
    """Return the project without the services that the scenario leaves out, and with empty volumes
    where it wants them."""
    names = loaded.scenario.stack.without
    problems = [
        loaded.problem(
            ("stack", "without", index),
            f"no service `{name}` in the Compose project{did_you_mean(name, project.services)}",
        )
        for index, name in enumerate(names)
        if name not in project.services
    ]
    mounts = [m for service in project.services.values() for m in service.mounts]
    binds = {mount.source for mount in mounts if mount.type == "bind"}
    directory, folders = loaded.compose_files[0].parent.resolve(), list[str]()
    for index, written in enumerate(loaded.scenario.stack.empty):
        folders.append(normpath(directory / written))
        what = "no service mounts the folder" if folders[-1] not in binds else ""
        if Path(folders[-1]).is_file():
            what = "only a folder can be empty, not"
        if what:
            problems.append(loaded.problem(("stack", "empty", index), f"{what} `{written}`"))
    if problems:
        raise ScenarioInvalid(problems)
    return project.without(names).emptied(folders)


async def _inactive(compose: Compose, project: Project) -> dict[str, str]:
    """Return the services that are there only with a profile, each with one it has."""
    try:
        everything = await replace(compose, profiles=("*",)).config()
    except ChaoskitError:
        return {}  # what is wrong with the others is nobody's question
    services = cast("Mapping[str, Any]", everything)["services"]
    return {
        name: str(service["profiles"][0])
        for name, service in services.items()
        if name not in project.services and service.get("profiles")
    }


def _selected(faults: Sequence[Fault], only: Sequence[str]) -> tuple[Fault, ...]:
    unknown = sorted(set(only) - {fault.name for fault in faults})
    if unknown:
        known = ", ".join(fault.name for fault in faults) or "none"
        raise UsageError(f"no fault `{unknown[0]}` in this scenario", hint=f"it has: {known}")
    return tuple(fault for fault in faults if not only or fault.name in only)


def _unique(targets: Sequence[Target]) -> list[Target]:
    """Return one target per port, preferring one that says how to talk to it."""
    by_port: dict[tuple[str, int], Target] = {}
    for target in targets:
        known = by_port.get((target.service, target.port))
        if known is None or known.protocol == "tcp":
            by_port[target.service, target.port] = target
    return sorted(by_port.values())


async def _known_ports(
    project: Project, declared: Sequence[DeclaredEdge], engine: Engine | None
) -> dict[str, set[int]]:
    """Return the ports of each service that the scenario declares or its image names."""
    known: dict[str, set[int]] = {}
    for one in declared:
        known.setdefault(one.edge.upstream, set()).add(one.port)
    if engine is not None:
        images = {name: s.image for name, s in project.services.items() if s.image}
        found = await asyncio.gather(*(engine.images.ports(image) for image in images.values()))
        for name, ports in zip(images, found, strict=True):
            known.setdefault(name, set()).update(ports)
    return known


def _asked_too(known: Mapping[str, set[int]], targets: Sequence[Target]) -> dict[str, set[int]]:
    """Return the known ports, and those that probes and workloads talk to."""
    served = {name: set(ports) for name, ports in known.items()}
    for target in targets:
        served.setdefault(target.service, set()).add(target.port)
    return served


def _proxied(
    edges: EdgeMap, faults: Sequence[Fault], mode: str, native: Sequence[Edge]
) -> list[PossibleEdge]:
    """Return the edges to put behind proxies; an upstream's ports go together, because a link
    takes over its whole name."""
    if mode == "none":
        return []
    joined = edges.joined()
    pairs = {(e.client, e.upstream) for fault in faults for e in fault.proxied(joined)} & joined
    if mode == "all":
        moved = {service for fault in faults for service in fault.moves()}
        free = {(edge.client, edge.upstream) for edge in native}
        free |= {pair for pair in joined - pairs if pair[1] in moved}
        possible = [edge for edge in edges.edges if edge.obstacle is None and edge.networks]
        return [edge for edge in possible if edge.pair not in free]
    return [edge for pair in sorted(pairs) for edge in edges.between(*pair)]
