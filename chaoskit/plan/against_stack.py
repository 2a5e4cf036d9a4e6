"""What is wrong with a scenario on this very stack: services, edges and replicas it has not."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace

from chaoskit.errors import Problem
from chaoskit.fields import HOST, Edge
from chaoskit.scenario import nodes
from chaoskit.scenario.loading import Loaded
from chaoskit.scenario.nodes import Scalar
from chaoskit.scenario.source import MOST_PROBLEMS
from chaoskit.scenario.suggest import did_you_mean
from chaoskit.stack.canary import protocol_of
from chaoskit.stack.edges import EdgeMap
from chaoskit.stack.project import Project
from chaoskit.text import count, listed

_NONE: Mapping[str, str] = {}


def against_stack(
    loaded: Loaded,
    services: Collection[str],
    edge_problem: Callable[[Edge], str | None],
    inactive: Mapping[str, str] = _NONE,
) -> list[Problem]:
    """Return what does not fit the Compose project: unknown services, impossible edges.

    `edge_problem` says why an edge cannot be put behind a proxy, or None when it can; `inactive`
    are the services that the project has only with a profile, each with that.
    """
    scenario = loaded.scenario
    named: list[tuple[nodes.Path, Iterable[str]]] = []
    named += [(("probes", name), probe.services()) for name, probe in scenario.probes.items()]
    named += [(("workloads", name), one.services()) for name, one in scenario.workloads.items()]
    for index, declared in enumerate(scenario.stack.edges):
        named.append((("stack", "edges", index), _ends([declared.edge])))
    for index, edge in enumerate(scenario.stack.native):
        named.append((("stack", "native", index), _ends([edge])))
    for index, one in enumerate(scenario.stack.prepare):
        named.append((("stack", "prepare", index), (one.service,)))
    for index, fault in enumerate(scenario.timeline.faults):
        own = getattr(fault, "service", None)  # never the host, which is only the end of an edge
        inside = [n for n in fault.services() if n != HOST or n in services or n == own]
        named.append((("timeline", "faults", index), [*inside, *_ends(fault.edges())]))
    for index, check in enumerate(scenario.expect):
        service = getattr(check, "service", None)
        named.append((("expect", index), [service] if isinstance(service, str) else service or ()))
        used = getattr(check, "edge", None)
        named.append((("expect", index), () if used is None else _ends([used])))
    named += [(("allow",), (one.service for one in scenario.allowed))]
    problems = [
        _no_service(loaded, path, name, services, inactive.get(name))
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
    return list(dict.fromkeys(problems))[:MOST_PROBLEMS]


def host_side_ports(
    loaded: Loaded, project: Project, served: Mapping[str, Collection[int]]
) -> list[Problem]:
    """Return a warning for each port of a probe or workload that only the host has: `80:8080`.

    `served` are the ports that are known otherwise, by image or declared.
    """
    scenario = loaded.scenario
    asked = [(("probes", name), probe.targets()) for name, probe in scenario.probes.items()]
    asked += [(("workloads", name), one.targets()) for name, one in scenario.workloads.items()]
    found = []
    for path, targets in asked:
        for service, port in dict.fromkeys((target.service, target.port) for target in targets):
            one = project.services[service]
            own = one.published.get(port)
            if own is None or port in (*one.ports, *served.get(service, ())):
                continue
            message = f"{port} is only the host's side of `{port}:{own}`: `{service}` is on {own}"
            place = _naming(loaded, path, service)
            found.append(replace(loaded.problem(place, message, word=service), code="host-port"))
    return list(dict.fromkeys(found))


def proxy_problems(loaded: Loaded, edges: EdgeMap) -> list[Problem]:
    """Return what cannot be put behind a proxy although a fault needs it there."""
    problems = []
    joined = edges.joined()
    blocked = {e.pair: e.obstacle for e in edges.edges if e.obstacle and e.evidence}
    for index, fault in enumerate(loaded.scenario.timeline.faults):
        where = ("timeline", "faults", index, "fault")
        needed = [e for e in fault.proxied(joined) if e.client != HOST]
        if needed and loaded.scenario.stack.proxy == "none":
            problems.append(
                loaded.problem(where, f"`{fault.fault}` needs proxies, but `stack.proxy` is `none`")
            )
        native = {(e.client, e.upstream): e for e in loaded.scenario.stack.native}
        for edge in needed:
            if (edge.client, edge.upstream) in native:
                text = f"`{fault.fault}` needs a proxy on `{edge}`, which is under `stack.native`"
                problems.append(loaded.problem(where, text))
        if getattr(fault, "engine", None) != "proxy":
            continue
        if not fault.proxied(joined):
            problems.append(
                loaded.problem(where, f"no edge that can be proxied crosses {fault.target}")
            )
        for edge in fault.proxied(blocked):
            why = blocked[edge.client, edge.upstream]
            problems.append(
                loaded.problem(where, f"`{edge}` would not be cut: {why}; try `engine: netfilter`")
            )
    return problems


def http_problems(
    loaded: Loaded, edges: EdgeMap, protocols: Mapping[tuple[str, int], str]
) -> list[Problem]:
    """Return what no HTTP fault can act on: ports that are not known, or speak something else."""
    problems = []
    for index, fault in enumerate(loaded.scenario.timeline.faults):
        for edge in fault.relayed():
            found = edges.with_ports(edge)
            ports = [one.port or 0 for one in found]
            told = [protocol_of(port, protocols.get((edge.upstream, port))) for port in ports]
            if any(protocol in ("http", "tcp") for protocol in told):
                continue
            hint = None
            if not found:
                text = f"no port of `{edge.upstream}` is known, and `{fault.fault}` acts on HTTP"
                hint = f"declare it: `stack: {{edges: [{{edge: {edge}, port: 80}}]}}`"
            elif "tls" in told:
                text = f"`{edge}` speaks TLS: nobody but its two ends can read what is asked there"
                hint = "faults that need not read it do work: latency, reset, refuse, truncate, ..."
            else:
                text = f"`{edge}` speaks {told[0]}, and `{fault.fault}` acts on HTTP"
            where = _edge_field(loaded, ("timeline", "faults", index))
            problems.append(loaded.problem(where, text, hint))
    return problems


def replica_problems(loaded: Loaded, project: Project) -> list[Problem]:
    """Return the replicas that are named and that no service has."""
    problems = []
    for index, fault in enumerate(loaded.scenario.timeline.faults):
        replica = getattr(getattr(fault, "replica", None), "number", None)
        service = project.services.get(getattr(fault, "service", ""))
        if replica is not None and service is not None and replica > service.replicas:
            has = f"`{service.name}` has {count(service.replicas, 'replica')}"
            message = f"{has}, there is no {replica}"
            problems.append(loaded.problem(("timeline", "faults", index, "replica"), message))
        for place, name, number in fault.named_replicas():
            service = project.services.get(name)
            if number is not None and service is not None and number > service.replicas:
                has = f"`{name}` has {count(service.replicas, 'replica')}"
                message = f"{has}, there is no {number}"
                problems.append(loaded.problem(("timeline", "faults", index, *place), message))
    return problems


def _ends(edges: Iterable[Edge]) -> list[str]:
    return [
        end
        for edge in edges
        for end in ((edge.upstream,) if edge.client == HOST else (edge.client, edge.upstream))
    ]


def _no_service(
    loaded: Loaded, path: nodes.Path, name: str, services: Collection[str], profile: str | None
) -> Problem:
    place = _naming(loaded, path, name)
    if profile is not None:
        text = f"`{name}` is not in the Compose project: its profile `{profile}` is not active"
        return loaded.problem(place, text, f"write `stack: {{profiles: [{profile}]}}`", word=name)
    suggestion = did_you_mean(name, services)
    hint = None
    if not suggestion:
        hint = f"it has {listed(sorted(services))}" if services else "it has no service at all"
    text = f"no service `{name}` in the Compose project{suggestion}"
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
