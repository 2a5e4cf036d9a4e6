"""Load a scenario file: all of its problems at once, or a scenario that can be planned."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from chaoskit.errors import Problem, ScenarioInvalid
from chaoskit.fields import HOST, Edge
from chaoskit.scenario import lints, nodes
from chaoskit.scenario.document import Scenario, scenario_model
from chaoskit.scenario.ids import fault_ids
from chaoskit.scenario.nodes import Scalar
from chaoskit.scenario.pydantic_errors import problems_of
from chaoskit.scenario.source import MOST_PROBLEMS, Source, read
from chaoskit.scenario.suggest import did_you_mean
from chaoskit.text import listed


@dataclass(frozen=True, slots=True)
class Loaded:
    """A valid scenario, the file it came from, and the Compose files it names."""

    scenario: Scenario
    path: Path
    compose_files: list[Path]
    source: Source

    def problem(
        self, path: nodes.Path, message: str, hint: str | None = None, *, word: str | None = None
    ) -> Problem:
        """Return a problem at a place such as `("probes", "chat", "url")`.

        A place that is not in the file stands for the nearest block around it; `word` narrows the
        caret to a part of the value.
        """
        return self.source.problem(path, message, hint, word=word)


def load(path: Path, environ: Mapping[str, str], *, compose: bool = True) -> Loaded:
    """Read and check a scenario file; `environ` is what `${VAR}` is replaced from.

    Without `compose`, the Compose files need not be there: a stored run is only judged again.
    Raises `ScenarioInvalid` with every problem of the file, `UsageError` when there is no file.
    """
    source = read(path, environ)
    problems = list(source.problems)
    scenario: Scenario | None = None
    model = scenario_model()
    try:
        # as JSON, so that strict mode still takes a list where a model wants a tuple
        scenario = model.model_validate_json(
            json.dumps(source.data), strict=True, by_alias=True, by_name=False
        )
    except ValidationError as error:
        problems += problems_of(error, source, model)
    else:
        problems += lints.timing(source, scenario)
        problems += lints.order(source, _with_ids(scenario))
    problems += lints.references(source)
    files, missing = lints.compose_files(source, path.parent) if compose else ([], [])
    problems += missing
    if scenario is None or problems:
        raise ScenarioInvalid(_distinct(problems))
    return Loaded(_with_ids(scenario), path, files, source)


def _distinct(problems: Iterable[Problem]) -> list[Problem]:
    """Drop repetitions: content under an alias is wrong once, however often it is used."""
    return list(dict.fromkeys(problems))[:MOST_PROBLEMS]


def _with_ids(scenario: Scenario) -> Scenario:
    faults = scenario.timeline.faults
    ids = fault_ids([(fault.id, fault.fault) for fault in faults])
    named = [
        fault.model_copy(update={"id": fault_id})
        for fault, fault_id in zip(faults, ids, strict=True)
    ]
    timeline = scenario.timeline.model_copy(update={"faults": named})
    return scenario.model_copy(update={"timeline": timeline})


def against_stack(
    loaded: Loaded, services: Collection[str], edge_problem: Callable[[Edge], str | None]
) -> list[Problem]:
    """Return what does not fit the Compose project: unknown services, impossible edges.

    `edge_problem` says why an edge cannot be put behind a proxy, or None when it can.
    """
    scenario = loaded.scenario
    named: list[tuple[nodes.Path, Iterable[str]]] = []
    named += [(("probes", name), probe.services()) for name, probe in scenario.probes.items()]
    named += [(("workloads", name), one.services()) for name, one in scenario.workloads.items()]
    for index, declared in enumerate(scenario.stack.edges):
        named.append((("stack", "edges", index), _ends([declared.edge])))
    for index, fault in enumerate(scenario.timeline.faults):
        inside = [name for name in fault.services() if name != HOST or name in services]
        named.append((("timeline", "faults", index), [*inside, *_ends(fault.edges())]))
    for index, check in enumerate(scenario.expect):
        service = getattr(check, "service", None)
        named.append((("expect", index), [service] if isinstance(service, str) else service or ()))
    problems = [
        _no_service(loaded, path, name, services)
        for path, names in named
        for name in dict.fromkeys(names)
        if name not in services
    ]
    for index, fault in enumerate(scenario.timeline.faults):
        path = ("timeline", "faults", index)
        known = [edge for edge in fault.edges() if all(end in services for end in _ends([edge]))]
        said = dict.fromkeys(edge_problem(edge) for edge in known)
        place = _edge_field(loaded, path)
        problems += [loaded.problem(place, text) for text in said if text is not None]
    return _distinct(problems)


def _ends(edges: Iterable[Edge]) -> list[str]:
    return [
        end
        for edge in edges
        for end in ((edge.upstream,) if edge.client == HOST else (edge.client, edge.upstream))
    ]


def _no_service(loaded: Loaded, path: nodes.Path, name: str, services: Collection[str]) -> Problem:
    suggestion = did_you_mean(name, services)
    hint = None
    if not suggestion:
        hint = f"it has {listed(sorted(services))}" if services else "it has no service at all"
    text = f"no service `{name}` in the Compose project{suggestion}"
    place = _naming(loaded, path, name)
    return loaded.problem(place, text, hint, word=name)


def _naming(loaded: Loaded, path: nodes.Path, name: str) -> nodes.Path:
    """Return the field at or below `path` whose value names a service."""
    node = loaded.source.node(path)
    candidates = [
        (place, scalar)
        for place, scalar in (nodes.scalars(node, path) if node else ())
        if isinstance(scalar.value, str) and place[len(path) :] not in (("id",), ("fault",))
    ]
    for matches in (_is_exactly, _is_end_or_host):
        for place, scalar in candidates:
            if matches(scalar, name):
                return place
    return path


def _is_exactly(scalar: Scalar, name: str) -> bool:
    return scalar.value == name


def _is_end_or_host(scalar: Scalar, name: str) -> bool:
    text = str(scalar.value)
    if text.endswith("]") and text.partition("[")[0] == name:  # one replica: `chat[1]`
        return True
    try:
        return name in _ends([Edge.parse(text)])
    except ValueError:
        authority = text.partition("://")[2].partition("/")[0]
        return authority.rpartition("@")[2].partition(":")[0] == name


def _edge_field(loaded: Loaded, path: nodes.Path) -> nodes.Path:
    for key in ("edge", "groups"):
        if loaded.source.node((*path, key)) is not None:
            return (*path, key)
    return path
