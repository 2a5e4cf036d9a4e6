"""Whether what was read is this workload's own: values from elsewhere are evidence for nothing.

A read may extract the wrong field, show other accounts, or a page of the data; a store may hold
what an earlier run left. Rules that compare such values with each other find nothing wrong.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import islice, pairwise
from math import inf
from typing import Any

from chaoskit.checks._schedule import ENOUGH
from chaoskit.checks.histories.bank import VIEWS
from chaoskit.checks.histories.channels import Channels
from chaoskit.checks.histories.operations import Element, about, element, plain
from chaoskit.checks.histories.queue import QueueHistory
from chaoskit.checks.histories.set import SetHistory, View
from chaoskit.checks.histories.versions import Versions
from chaoskit.records import Event, Json, Key
from chaoskit.text import count


def foreign_values(events: Sequence[Event], workload: str) -> str | None:
    """Return that values of a set were there before they were added, if they were.

    `events` are in order of time.
    """
    before: set[Element] = set()
    first = 0
    for first, event in enumerate(events):  # noqa: B007  # where the adds begin
        if event.op == "add":
            break
        if event.type == "ok" and event.op in VIEWS:
            before.update(map(element, _listed(event.value)))
    if not before:
        return None
    rest = islice(events, first, None)
    added = {element(one.value) for one in rest if one.op == "add" and one.type == "invoke"}
    found = _left_over(len(before & added), len(added), "added")
    return _said_of(workload, found)


def foreign_versions(versions: Versions, workload: str) -> str | None:
    """Return that reads showed versions nobody wrote, if they did. Ask after `reads` is through."""
    if not versions.foreign:
        return None
    key, version = versions.foreign[0]
    return (
        f"workload `{workload}`: {count(len(versions.foreign), 'read')} returned versions that "
        f"nobody wrote, such as {plain(version)}{about(key)}; see what the reads extract, and who "
        "else writes"
    )


def foreign_messages(feed: Channels, workload: str) -> str | None:
    """Return that subscribers got to know messages nobody had published, if they did."""
    known = (feed.early.keys() | feed.resynced_early) & feed.sent.keys()
    of = sum(len(one.received) + len(one.repeated) for one in feed.subscribers)
    found = (
        _left_over(len(known), len(feed.sent), "published")
        or _ahead(feed)
        or _foreign(feed.early, of, "published", "`subscribe`")
    )
    return _said_of(workload, found)


def _ahead(feed: Channels) -> str | None:
    """Return that a resync returned as the last number one that was not published yet, if so.

    A number below all that were ever published says that there was nothing.
    """
    offers = [
        (t, key, upto)
        for one in feed.subscribers
        for key, (numbers, when) in one.offered.items()
        for upto, t in zip(numbers, when, strict=True)
    ]
    if not offers:
        return None
    # By channel, and for all of them: when a number was published, and the highest until then.
    times: dict[Key, list[float]] = defaultdict(list)
    highest: dict[Key, list[float]] = defaultdict(list)
    lowest: dict[Key, float] = defaultdict(lambda: inf)
    for (channel, published), (begin, _) in feed.sent.items():
        for key in {channel, None}:
            times[key].append(feed.events[begin].t)
            highest[key].append(max([published, *highest[key][-1:]]))
            lowest[key] = min(published, lowest[key])
    for t, key, upto in offers:
        place = bisect_right(times[key], t)
        if upto >= lowest[key] and (not place or upto > highest[key][place - 1]):
            return (
                f"a resync{about(key)} returned {plain(upto)} as the last number when it had not "
                "been published; see what `resync` extracts"
            )
    return None


def hidden_values(data: SetHistory) -> str | None:
    """Return which view shows too little of what was acknowledged and is not lost, if one does.

    What it does not show may be there twice. Lost is what no view shows, or what the only view does
    not show although it is no page: its reads still grew in the end, or had shrunk before.
    """
    expected: AbstractSet[Element] = data.adds.ok.keys()
    views = [view for view in data.views.values() if view.final]
    if len(views) > 1:
        expected = expected & frozenset[Element]().union(*(view.final[-1] for view in views))
    for view in views:
        shown = len(expected & view.final[-1])
        if shown >= ENOUGH * len(expected) or (len(views) == 1 and not _may_be_a_page(view)):
            continue
        return (
            f"the last final read of `{view.name}` shows {shown} of "
            f"{count(len(expected), 'acknowledged value')}, and nothing is known of the others; "
            "see whether it gives one page of them only, or whether they are lost"
        )
    return None


def _may_be_a_page(view: View) -> bool:
    sizes = [*view.sizes, len(view.final[-1])]
    shrank = any(after < before for before, after in pairwise(sizes))
    return not shrank and sizes[-1] <= max(view.sizes, default=sizes[-1])


def foreign_jobs(queue: QueueHistory, workload: str) -> str | None:
    """Return that receivers got jobs that nobody had sent, if they did."""
    sent = queue.sent
    if all(one in sent and sent[one][0] < end for one, (_, end, _) in queue.delivered.items()):
        return None  # the usual case
    own, before, early = _early(queue.events)
    left = _left_over(len(sent.keys() & (early.keys() | before)), len(sent), "sent")
    found = left or _foreign(early, own + early.total(), "sent", "`receive`")
    return _said_of(workload, found)


def hidden_messages(queue: QueueHistory) -> str | None:
    """Return why too little was received of what was acknowledged, if so."""
    acknowledged = queue.acknowledged().keys()
    received = len(acknowledged & queue.delivered.keys())
    if received + queue.may_have_taken() >= ENOUGH * len(acknowledged):
        return None
    return (
        f"{received} of {count(len(acknowledged), 'acknowledged message')} were received, and "
        "nothing is known of the others; see whether they are lost, or `drain` the queue"
    )


def _said_of(workload: str, found: str | None) -> str | None:
    return None if found is None else f"workload `{workload}`: {found}"


def _early(events: Sequence[Event]) -> tuple[int, set[Element], Counter[Element]]:
    """Return what was received: how often what had been sent, what came before anything was sent,
    and how often each value that had not been sent until then."""
    begun: set[Element] = set()
    before: set[Element] = set()
    early: Counter[Element] = Counter()
    own = 0
    for event in events:
        if event.type == "invoke":
            if event.op == "send":
                begun.add(element(event.value))
        elif event.type == "ok" and event.op != "send":
            for one in map(element, _listed(event.value)):
                if one in begun:
                    own += 1
                elif begun:
                    early[one] += 1
                else:
                    before.add(one)
    return own, before, early


def _foreign(early: Mapping[Any, int], of: int, written: str, where: str) -> str | None:
    """Return that too much of what was received was never written, if so."""
    foreign = sum(early.values())
    if foreign <= (1 - ENOUGH) * of:
        return None
    example = next(iter(early))
    shown = f"{plain(example[1])}{about(example[0])}" if isinstance(example, tuple) else example
    return (
        f"{foreign} of {count(of, 'message')} that were received were never {written} by it, such "
        f"as {shown}; see what {where} extracts, and who else sends"
    )


def _left_over(known: int, of: int, written: str) -> str | None:
    if not known:
        return None
    return (
        f"{known} of {count(of, 'value')} were there before they were {written}, so seeing them "
        "says nothing: an earlier run left them; run it with another `--seed`, or on an empty store"
    )


def _listed(value: Json) -> Sequence[Json]:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return value
    return () if value is None else (value,)
