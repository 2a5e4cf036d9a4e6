"""Whether anything is there that was never written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from chaoskit.checks._base import ALL, History, WorkloadCheck, check
from chaoskit.checks._coverage import Need
from chaoskit.checks._own_data import hidden_messages, hidden_values
from chaoskit.checks._wording import Anomaly, Judged
from chaoskit.checks.histories.operations import Element, name, pairs
from chaoskit.checks.histories.queue import SEEN as SEEN_QUEUE
from chaoskit.checks.histories.queue import queue_history
from chaoskit.checks.histories.set import SEEN, set_history
from chaoskit.checks.histories.versions import NEED as VERSIONS
from chaoskit.checks.histories.versions import VIEWS
from chaoskit.records import Event, Key
from chaoskit.text import count, moment


@dataclass(frozen=True, slots=True)
class _Strange:
    """What was read without a reason: refused values, values never written, and how many were read.

    `unsure` says that nobody looked before the first write, so they may have been there already,
    `gap` why not enough was read.
    """

    refused: Sequence[Anomaly]
    unknown: Sequence[Anomaly]
    of: int
    unsure: bool = False
    gap: str | None = None

    def within(self, window: tuple[float, float]) -> _Strange:
        """Return what of it is about a moment inside the window."""
        return replace(
            self,
            refused=[one for one in self.refused if window[0] <= one.at <= window[1]],
            unknown=[one for one in self.unknown if window[0] <= one.at <= window[1]],
        )


@check("no_phantoms")
class NoPhantoms(WorkloadCheck):
    """No value appears that was never written, or whose write was refused.

    What a read showed before the first write was there already and is no phantom; neither is a
    value whose write had no clear answer. `during` picks values by when they were refused, or else
    first read.
    """

    example: ClassVar[str] = "{ check: no_phantoms, workload: members }"
    workloads: ClassVar[Mapping[str, Need]] = {
        "set": SEEN,
        "queue": SEEN_QUEUE,
        "versions": VERSIONS,
    }
    anomalies: ClassVar[str] = "phantoms"
    formal: ClassVar[str] = "integrity: a read from nowhere"
    cannot_tell: ClassVar[str] = "A wrong value that happens to be one that was written."
    remedy: ClassVar[str] = "See that the final reads return what is stored."

    @property
    def bound(self) -> str:
        return "no phantom"

    def look(self, history: History) -> Judged:
        look = {"set": _in_set, "queue": _in_queue, "versions": _in_versions}[history.kind]
        strange = look(history.events, history.window).within(history.window)
        found = [*strange.refused, *strange.unknown]
        return Judged(
            found,
            max(strange.of, len(found)),
            measured=f"{count(len(found), 'phantom')} (of {strange.of})",
            sentence=f"workload `{self.workload}`: {_parts(strange)}",
            tail="; nobody looked before the first write, so they may have been there already"
            if strange.unsure and strange.unknown
            else "",
            gap=strange.gap,
        )


def _parts(strange: _Strange) -> str:
    parts = []
    if strange.refused:
        many = len(strange.refused)
        parts.append(f"{count(many, 'value')} {'was' if many == 1 else 'were'} refused but stored")
    if strange.unknown:
        many = len(strange.unknown)
        were = "was" if many == 1 else "were"
        parts.append(f"{count(many, 'value')} {were} never written and yet read")
    return " and ".join(parts)


def _in_set(events: Sequence[Event], window: tuple[float, float]) -> _Strange:
    history = set_history(events)
    seen: dict[Element, tuple[float, str]] = {}
    for view in history.views.values():
        for value, t in view.unexplained_at.items():
            seen[value] = min((t, view.name), seen.get(value, (t, view.name)))
    refused, strange = [], []
    for value, (t, view_name) in seen.items():
        add = history.adds.add(value)
        where = f"first seen at {moment(t)} in {view_name}"
        if add is None:
            strange.append(_never(value, where, t))
        else:
            refused.append(_refused(value, add.error, add.ended, where))
    many = len(history.stored()) if window == ALL else history.stored_in(*window)
    unsure, gap = not history.read_before_adds, hidden_values(history)
    return _Strange(refused, strange, many, unsure, gap)


def _in_queue(events: Sequence[Event], window: tuple[float, float]) -> _Strange:
    history = queue_history(events)
    before = next((n for n, event in enumerate(events) if event.op == "send"), len(events))
    refused, strange = [], []
    unsure = True
    many = 0
    for value, (_, place, _) in history.delivered.items():
        end = events[place]
        many += window[0] <= end.t <= window[1]
        where = f"received at {moment(end.t)}"
        if place < before:
            unsure = False
            continue
        if value not in history.sent:
            strange.append(_never(value, where, end.t))
            continue
        sent = history.ended(value)
        if sent is not None and sent.type == "fail":
            refused.append(_refused(value, sent.error, sent.t, where))
    return _Strange(refused, strange, many, unsure, hidden_messages(history))


def _in_versions(events: Sequence[Event], window: tuple[float, float]) -> _Strange:
    written: dict[tuple[Key, str], Event] = {}
    for begin, end in pairs(events, ("write",)):
        place = (begin.key, name(begin.value))
        if end is None or end.type != "fail":
            written[place] = begin
        else:
            written.setdefault(place, end)
    firsts: dict[Key, set[str]] = {}  # what reads of a key showed before its first write
    touched: set[Key] = set()
    begun: dict[int, Event] = {}
    found: dict[tuple[Key, str], Anomaly] = {}
    reads = 0
    for event in events:
        key = event.key
        if event.op == "write":
            touched.add(key)
        elif event.op in VIEWS and event.type == "invoke":
            begun[event.id] = event
        elif event.op in VIEWS and event.type == "ok" and event.id in begun:
            begin = begun[event.id]
            value = name(event.value)
            if key not in touched:
                firsts.setdefault(key, set()).add(value)
            if event.value is None:
                continue
            reads += window[0] <= begin.t <= window[1]
            place = (key, value)
            if place not in found and value not in firsts.get(key, ()):
                one = _unexplained(written, place, begin, event)
                if one is not None:
                    found[place] = one
    # A key that nobody read in time began like those that were read, where these agree.
    shown = set().union(*firsts.values())
    fresh = shown if len(shown) == 1 else set()
    found = {
        place: one for place, one in found.items() if place[0] in firsts or place[1] not in fresh
    }
    refused = [one for place, one in found.items() if place in written]
    strange = [one for place, one in found.items() if place not in written]
    return _Strange(refused, strange, reads, not firsts)


def _unexplained(
    written: Mapping[tuple[Key, str], Event], place: tuple[Key, str], begin: Event, end: Event
) -> Anomaly | None:
    write = written.get(place)
    key = begin.key
    value = place[1] if key is None else f"{place[1]} of {name(key)}"
    where = f"{begin.op} at {moment(end.t)}"
    if write is None:
        return _never(value, where, end.t)
    return _refused(value, write.error, write.t, where) if write.type == "fail" else None


def _never(value: Element, where: str, t: float) -> Anomaly:
    return Anomaly(t, f"PHANTOM {value}: never written, {where}")


def _refused(value: Element, error: str | None, t: float, where: str) -> Anomaly:
    why = f" ({error})" if error else ""
    return Anomaly(t, f"REFUSED BUT STORED {value}: {where}, refused{why} at {moment(t)}")
