"""Whether a register behaves as if there were one copy of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from pydantic import JsonValue

from chaoskit.checks._base import History, NotJudged, WorkloadCheck, check
from chaoskit.checks._coverage import Need
from chaoskit.checks._search import FOREVER, STEPS_PER_SECOND, Call, decide
from chaoskit.checks._wording import Anomaly, Judged
from chaoskit.checks._zones import Broken, Value, broken, first_values, frozen, zones
from chaoskit.checks.histories.operations import about, name
from chaoskit.checks.histories.register import Keyed, searches
from chaoskit.fields import Duration
from chaoskit.records import Event, Key
from chaoskit.text import count, moment, seconds_text

NEED = Need(writes=("write", "cas"), reads=("read", "cas", "truth"), after_write=True)


@check("linearizable")
class Linearizable(WorkloadCheck):
    """Every read returns the latest value: the register behaves like one copy.

    There must be one order of all operations of a key, each between its invocation and its
    completion, in which every read returns what was written last and every `cas` finds its old
    value. An operation without a clear answer may have happened at any later time, or never. A key
    starts with `initial`, or with what was read before its first write, or with null. Keys without
    `cas` whose values are all different are decided in one pass; others by a search that gives up
    after `budget`.
    """

    example: ClassVar[str] = "{ check: linearizable, workload: register, budget: 10s }"
    workloads: ClassVar[Mapping[str, Need]] = {"register": NEED}
    anomalies: ClassVar[str] = "violations"
    formal: ClassVar[str] = "linearizability: Herlihy & Wing 1990"
    cannot_tell: ClassVar[str] = (
        "Whether several keys together are consistent: transactions over keys are not judged. "
        "`truth` reads are not part of the order, and a refused `cas` says nothing about the value."
    )
    remedy: ClassVar[str] = (
        "Give a larger budget, use more keys or a lower rate, write values that are all different, "
        "or find out why so many operations got no clear answer."
    )

    during: Literal["all"] = "all"
    initial: JsonValue = None
    budget: Duration = Duration(10)

    @property
    def bound(self) -> str:
        return "linearizable"

    def look(self, history: History) -> Judged:
        events = history.events
        given = "initial" in self.model_fields_set
        initial = self.initial if given else history.initial
        zoned = zones(events, initial, infer=not given)
        wrong = broken(zoned)
        firsts: Mapping[Key, Value] = {}
        if not given and (zoned.unfit or wrong):  # look closer at how keys began
            firsts = first_values(events, frozen(initial))
            zoned = zones(events, initial, firsts=firsts)
            wrong = broken(zoned)
        try:
            keyed = searches(events, zoned.unfit, initial, firsts) if zoned.unfit else []
        except ValueError as error:
            raise NotJudged(f"workload `{self.workload}`: {error}") from error
        found = [_anomaly(one, events) for one in wrong]
        steps = int(self.budget * STEPS_PER_SECOND)
        bad, undecided = decide([one.search for one in keyed], steps)
        found += [_stuck(keyed[place], events) for place in bad]
        keys = count(len(zoned.keys.keys() | zoned.unfit.keys()), "key")
        gap = None
        if undecided:
            gap = self._undecided([keyed[place] for place in undecided])
        measured = f"linearizable ({count(zoned.total, 'operation')}, {keys})"
        if found:
            measured = f"{count(len(found), 'violation')} (of {keys})"
        elif undecided:
            measured = f"undecided on {len(undecided)} of {keys}"
        return Judged(
            found,
            zoned.total,
            measured,
            sentence=self._sentence(found, keys),
            worst=_worst(found),
            gap=gap,
        )

    def _sentence(self, found: Sequence[Anomaly], keys: str) -> str:
        if not found:
            return ""
        first = min(found, key=lambda one: one.at)
        text = f"workload `{self.workload}` is not linearizable"
        if len(found) > 1:
            text += f" ({count(len(found), 'violation')} on {keys})"
        return f"{text}: {first.text}"

    def _undecided(self, keyed: Sequence[Keyed]) -> str:
        worst = max(keyed, key=lambda one: one.search.optional)
        key = "" if worst.key is None else f" on key {name(worst.key)}"
        many = worst.search.optional
        why = f"{count(worst.operations, 'operation')}{key}"
        if many:
            why += (
                f", {many} of them without a clear answer (each may have happened any time later)"
            )
        others = f" and {count(len(keyed) - 1, 'more key')}" if len(keyed) > 1 else ""
        return (
            f"could not decide in {int(self.budget * STEPS_PER_SECOND)} steps (`budget: "
            f"{self.budget}`): {why}{others}; "
            "use more keys or a lower rate, write values that are all different, "
            "or give a larger `budget`"
        )


def _worst(found: Sequence[Anomaly]) -> str | None:
    """Return how old the oldest value was that was read; one violation says so itself."""
    oldest = max((one.size for one in found), default=0.0)
    return f"stale by up to {seconds_text(oldest)}" if oldest and len(found) > 1 else None


def _anomaly(one: Broken, events: Sequence[Event]) -> Anomaly:
    """Return one broken zone in a developer's words."""
    value, other = _shown(one.value), _shown(one.other)
    places = sorted({place for place in one.places if 0 <= place < len(events)})
    size = 0.0
    if one.how == "stale":
        size = events[one.places[2]].t - events[one.places[1]].t
    text = {
        "unwritten": f"a read{about(one.key)} returned {value}, which nobody wrote",
        "refused": f"a read{about(one.key)} returned {value}, whose write was refused",
        "early": f"a read{about(one.key)} returned {value} before its write began",
        "stale": (
            f"{value} was read{about(one.key)} after {other} had replaced it (stale by "
            f"{seconds_text(size)})"
        ),
    }[one.how]
    lines = tuple(_line(events, place) for place in places)
    return Anomaly(events[places[-1]].t, text, size, lines)


def _shown(value: Value) -> str:
    return value[1] if isinstance(value, tuple) else name(value)


def _stuck(keyed: Keyed, events: Sequence[Event]) -> Anomaly:
    """Return where the search of a key got furthest, with the operations before it."""
    stuck = keyed.search.stuck
    if stuck is None:  # a search that fails has tried something
        return Anomaly(0.0, f"no order{about(keyed.key)} explains what was seen")
    call = stuck.call
    end = events[int(call.end)] if call.end != FOREVER else events[call.label]
    text = (
        f"no order of the operations{about(keyed.key)} explains {_operation_text(events, call)}: "
        f"at best the value was {_shown(keyed.states[stuck.state])} then"
    )
    lines = [f"before: {_operation_text(events, one)}" for one in stuck.taken[-4:]]
    return Anomaly(end.t, text, 0.0, (*lines, f"does not fit: {_operation_text(events, call)}"))


def _operation_text(events: Sequence[Event], call: Call) -> str:
    begin = events[call.label]
    ends = call.end != FOREVER and float(call.end).is_integer()
    end = events[int(call.end)] if ends else None
    what = f"{begin.op} {name(begin.value)}" if begin.op != "read" else "read"
    if end is not None and begin.op == "read":
        what = f"read -> {name(end.value)}"
    when = f"{begin.t:.2f} - {moment(end.t)}" if end is not None else f"from {moment(begin.t)}"
    return f"{what} ({when}, process {begin.process})"


def _line(events: Sequence[Event], place: int) -> str:
    event = events[place]
    if event.type == "invoke" and event.op == "read":  # what it returned says more
        later = (events[n] for n in range(place + 1, len(events)))
        end = next((one for one in later if one.id == event.id), event)
        when = f"{event.t:.2f} - {moment(end.t)}"
        return f"{when}: read{about(event.key)} {name(end.value)} ok (process {event.process})"
    done = {"invoke": "invoked", "ok": "ok", "fail": "refused", "info": "no clear answer"}
    what = f"{event.op}{about(event.key)} {name(event.value)}"
    return f"{moment(event.t)}: {what} {done[event.type]} (process {event.process})"
