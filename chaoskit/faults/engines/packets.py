"""Faults made of dropped packets: who drops what of whom, worked out again at every look.

The undo holds no addresses, because a container that restarts may get others; then what is in
force no longer fits, and that is said.

Packets that go through a proxy carry the proxy's address. Where a proxy stands between two sides,
the leg between it and its client is cut, on the one port of that edge: the client feels lost
handshakes and retransmits as it would without the proxy, and Toxiproxy never dials into silence.

Every look takes a helper container per namespace. A change is read back by the helper that made it,
and the receipt that follows takes that reading; the counters come from the last receipt's reading.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal
from weakref import WeakKeyDictionary

from pydantic import Field

from chaoskit.errors import ChaoskitError, FaultFailed
from chaoskit.faults.contract import Receipt, Undo
from chaoskit.fields import HOST, Model
from chaoskit.stack import netfilter
from chaoskit.stack.netfilter import Drop
from chaoskit.tasks import together

if TYPE_CHECKING:
    from chaoskit.docker.containers import Container
    from chaoskit.stack.project import Project
    from chaoskit.stack.proxy import Proxy
    from chaoskit.stack.stack import Stack

_MEMBER = r"^([A-Za-z0-9][A-Za-z0-9_.-]*)(?:\[([1-9][0-9]{0,3})\])?$"

Member = Annotated[str, Field(pattern=_MEMBER, max_length=136)]
"""A service, or one replica of it: `chat`, `"chat[1]"`."""

_FRESH = 2.0  # seconds for which a reading may stand for another that follows at once


class PacketRow(Model):
    """The container `at` (`chat[1]`) drops what `source` sends it, or only TCP packets to or from a
    port; `flow` says which way that goes."""

    at: str
    source: str
    to_port: int | None = None
    from_port: int | None = None
    flow: str


class PacketsUndo(Undo):
    """The iptables chain, the share of packets that it drops, and where."""

    chain: str
    share: float
    rows: tuple[PacketRow, ...]


@dataclass(frozen=True, slots=True)
class _Place:
    """One namespace: what it should drop, with the flow of each, and the rules that it has."""

    at: Container
    flows: Mapping[Drop, str]
    rules: netfilter.Rules


@dataclass(frozen=True, slots=True)
class _Look:
    after: Literal["inject", "heal", "receipt"]
    t: float
    places: list[_Place]


_LOOKS: WeakKeyDictionary[Stack, dict[str, _Look]] = WeakKeyDictionary()


def service_of(member: str) -> str:
    return member.partition("[")[0]


def replica_of(member: str) -> int | None:
    """Return the number of the one replica that is meant, None for a whole service."""
    match = re.match(_MEMBER, member)
    return int(match[2]) if match and match[2] else None


def overlap(sides: Sequence[Sequence[str]]) -> str | None:
    """Return which service or replica is named twice, None where none is.

    A service on one side and single replicas of it on others is fine: the service then means its
    other replicas.
    """
    seen: dict[str, int] = {}
    for number, side in enumerate(sides):
        for member in side:
            if member in seen:
                where = "twice in one group" if seen[member] == number else "in two groups"
                return f"`{member}` is {where}"
            seen[member] = number
    for member, number in seen.items():
        if replica_of(member) is not None and seen.get(service_of(member)) == number:
            return f"`{member}` is in one group with all of `{service_of(member)}`"
    return None


def impossible_because(project: Project, sides: Sequence[Sequence[str]]) -> str | None:
    """Return why packets between these sides cannot be dropped on this stack, None if they can."""
    named = {member for side in sides for member in side}
    for member in sorted(named):
        service = project.services.get(service_of(member))
        if service is None:
            continue
        if service.network_mode:
            return (
                f"`{service.name}` has `network_mode: {service.network_mode}`, so it has no"
                " separate network namespace to drop packets in"
            )
        alone = {replica_of(m) for m in named if service_of(m) == member} - {None}
        if replica_of(member) is None and len(alone) >= service.replicas:
            return f"every replica of `{member}` is named on its own, none is left for `{member}`"
    joined = any(
        set(project.services[service_of(one)].networks)
        & set(project.services[service_of(other)].networks)
        for number, side in enumerate(sides)
        for one in side
        for rest in sides[number + 1 :]
        for other in rest
        if service_of(one) in project.services and service_of(other) in project.services
    )
    if not joined:
        return f"no two services of {' | '.join(', '.join(side) for side in sides)} share a network"
    return None


async def describe(
    stack: Stack,
    holder: str,
    sides: Sequence[Sequence[str]],
    flows: Iterable[tuple[int, int]],
    share: float = 1.0,
) -> PacketsUndo:
    """Return the undo data for dropping what side i sends to side j, for each flow (i, j).

    Raises `FaultFailed` when a member does not run, or a proxy is shared by both sides.
    """
    containers = await stack.containers.of(stack.project)
    found = [_resolve(containers, sides, side) for side in sides]
    rows: list[PacketRow] = []
    for i, j in flows:
        rows += [
            _row(receiver, sender, f"{sender.state.service} -> {receiver.state.service}")
            for sender in found[i]
            for receiver in found[j]
        ]
        for proxy in stack.proxies:
            if proxy.client != HOST:
                rows += _through(containers, proxy, found[i], found[j])
    chain = netfilter.chain_name(stack.project, holder)
    return PacketsUndo(chain=chain, share=share, rows=tuple(rows))


def _resolve(
    containers: Sequence[Container], sides: Sequence[Sequence[str]], side: Sequence[str]
) -> list[Container]:
    singled = {member for any_side in sides for member in any_side if replica_of(member)}
    found = []
    for member in side:
        service, replica = service_of(member), replica_of(member)
        mine = [
            c
            for c in containers
            if c.state.service == service
            and (_label(c) not in singled if replica is None else c.state.replica == replica)
        ]
        if not mine:
            raise FaultFailed(f"`{member}` has no container")
        for container in mine:
            if not _there(container):
                raise FaultFailed(f"`{container.name}` is {container.state.status}, not running")
        found += mine
    return found


def _through(
    containers: Sequence[Container],
    proxy: Proxy,
    senders: Sequence[Container],
    receivers: Sequence[Container],
) -> list[PacketRow]:
    """Return the rows for one proxied edge: requests if its client is among the senders, replies
    if its upstream is."""
    between = [c for c in containers if c.state.service == proxy.container]
    clients = [c for c in containers if c.state.service == proxy.client]
    upstreams = [c for c in containers if c.state.service == proxy.upstream]
    rows: list[PacketRow] = []
    for requests in (True, False):
        near, far = (senders, receivers) if requests else (receivers, senders)
        near = [c for c in clients if c in near]
        far = [c for c in upstreams if c in far]
        if not near or not far:
            continue
        if len(far) == len(upstreams):
            ends, port = near, proxy.listen
        elif len(near) == len(clients):
            ends, port = far, proxy.port
        else:
            raise FaultFailed(
                f"all replicas of `{proxy.client}` share one proxy to `{proxy.upstream}`: one of"
                f" them cannot be cut off from one replica of `{proxy.upstream}`",
                hint="without a proxy on this edge it is possible: leave out its edge faults",
            )
        # On the client's leg requests arrive at the proxy, on the upstream's at the upstream.
        to_proxy = requests is (ends is near)
        for middle in between:
            for end in ends:
                at, source = (middle, end) if to_proxy else (end, middle)
                if requests:
                    flow = f"{proxy.client} -> {proxy.upstream}"
                    rows.append(_row(at, source, flow, to_port=port))
                else:
                    flow = f"{proxy.upstream} -> {proxy.client}"
                    rows.append(_row(at, source, flow, from_port=port))
    return rows


def _row(
    at: Container,
    source: Container,
    flow: str,
    *,
    to_port: int | None = None,
    from_port: int | None = None,
) -> PacketRow:
    return PacketRow(
        at=_label(at), source=_label(source), to_port=to_port, from_port=from_port, flow=flow
    )


async def ready(stack: Stack, undo: PacketsUndo) -> None:
    """Have helpers stand by in every namespace; one that cannot is started when it is needed."""

    async def stand_by(at: Container) -> None:
        with contextlib.suppress(ChaoskitError):
            await netfilter.stand_by(stack.helpers, stack.project, at)

    places = await _there_now(stack, undo)
    await together(*(stand_by(at) for at, _ in places if at.addresses))


async def inject(stack: Stack, undo: PacketsUndo) -> None:
    """Put the rules in force, all namespaces side by side."""
    places = await _there_now(stack, undo)
    rules = await together(
        *(
            netfilter.add(stack.helpers, stack.project, at, undo.chain, list(flows))
            for at, flows in places
        )
    )
    _keep(stack, undo, "inject", places, rules)


async def heal(stack: Stack, undo: PacketsUndo) -> None:
    """Remove the rules wherever they may be; a container that restarted has none any more."""
    places = await _there_now(stack, undo)
    rules = await together(
        *(netfilter.remove(stack.helpers, stack.project, at, undo.chain) for at, _ in places)
    )
    _keep(stack, undo, "heal", places, rules)


async def present(stack: Stack, undo: PacketsUndo) -> Receipt:
    """Read back that every namespace drops exactly what it should, by the addresses of now.

    A container that is down drops nothing and receives nothing: it is left out.
    """
    looked = await _look(stack, undo, "inject")
    seen = []
    for place in looked:
        missing = place.rules.lacks(place.flows)
        if missing:
            lost = {f"{place.flows[drop]} (from {drop.source})" for drop in missing}
            text = f"{place.at.name} does not drop packets of {', '.join(sorted(lost))}"
            return Receipt(False, text)
        seen.append(f"{place.at.name} drops what {_senders(undo, place.at)} sends")
    text = "; ".join(seen) or "no container is left that could drop packets"
    return Receipt(bool(seen), text)


async def absent(stack: Stack, undo: PacketsUndo) -> Receipt:
    """Read back that no namespace has the chain any more."""
    looked = await _look(stack, undo, "heal")
    left = [place.at.name for place in looked if place.rules.chain or place.rules.jump]
    if left:
        return Receipt(False, f"chain {undo.chain} is still in {', '.join(left)}")
    names = ", ".join(place.at.name for place in looked)
    return Receipt(True, f"no rule of it left in {names or 'any place'}")


async def counted(stack: Stack, undo: PacketsUndo) -> Receipt:
    """Read how many packets were dropped, by who sent them to whom."""
    dropped: dict[str, int] = {row.flow: 0 for row in undo.rows}
    seen = dict(dropped)
    for place in await _look(stack, undo, "receipt"):
        for drop, flow in place.flows.items():
            count = place.rules.count(drop)
            if count is not None:
                dropped[flow] += count.dropped
                seen[flow] += count.seen
    parts = [
        f"{number} {flow}" + ("" if undo.share == 1 else f" of {seen[flow]}")
        for flow, number in dropped.items()
    ]
    return Receipt(sum(dropped.values()) > 0, f"packets dropped: {', '.join(parts)}")


async def _look(
    stack: Stack, undo: PacketsUndo, after: Literal["inject", "heal", "receipt"]
) -> list[_Place]:
    """Return what every namespace has now, or what the helper saw that made the change just now."""
    places = await _there_now(stack, undo)
    kept = _LOOKS.get(stack, {}).pop(undo.chain, None)
    if kept is not None and kept.after == after and time.monotonic() - kept.t < _FRESH:
        known = {netfilter.namespace(place.at): place.rules for place in kept.places}
        if all(netfilter.namespace(at) in known for at, _ in places):
            return [_Place(at, flows, known[netfilter.namespace(at)]) for at, flows in places]
    rules = await together(
        *(netfilter.read(stack.helpers, stack.project, at, undo.chain) for at, _ in places)
    )
    if after == "inject":
        _keep(stack, undo, "receipt", places, rules)
    return [_Place(at, flows, found) for (at, flows), found in zip(places, rules, strict=True)]


def _keep(
    stack: Stack,
    undo: PacketsUndo,
    after: Literal["inject", "heal", "receipt"],
    places: Sequence[tuple[Container, Mapping[Drop, str]]],
    rules: Sequence[netfilter.Rules],
) -> None:
    made = [_Place(at, flows, found) for (at, flows), found in zip(places, rules, strict=True)]
    _LOOKS.setdefault(stack, {})[undo.chain] = _Look(after, time.monotonic(), made)


async def _there_now(stack: Stack, undo: PacketsUndo) -> list[tuple[Container, dict[Drop, str]]]:
    """Return every place that has a namespace now; what is down drops and receives nothing."""
    places = _places(undo, await stack.containers.of(stack.project))
    return [(at, flows) for at, flows in places if _there(at)]


def _places(
    undo: PacketsUndo, containers: Sequence[Container]
) -> list[tuple[Container, dict[Drop, str]]]:
    """Return every container that has to drop something, and what (with its flow), by the
    containers and addresses of now."""
    by_label = {_label(c): c for c in containers}
    places: dict[str, dict[Drop, str]] = {}
    for row in undo.rows:
        mine = places.setdefault(row.at, {})
        source = by_label.get(row.source)
        for address in source.addresses if source is not None else ():
            drop = Drop(address, row.to_port, row.from_port, undo.share)
            mine.setdefault(drop, row.flow)
    return [(by_label[label], flows) for label, flows in places.items() if label in by_label]


def _senders(undo: PacketsUndo, at: Container) -> str:
    senders = {row.source for row in undo.rows if row.at == _label(at)}
    return ", ".join(sorted(senders))


def _label(container: Container) -> str:
    return f"{container.state.service}[{container.state.replica}]"


def _there(container: Container) -> bool:
    """Return whether it has a network namespace now."""
    return container.state.status in ("running", "paused")
