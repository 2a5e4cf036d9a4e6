"""Whether anything is stored twice."""

from __future__ import annotations

from typing import ClassVar

from chaoskit.checks._base import WorkloadCheck, check, unknown
from chaoskit.checks._enough import gap
from chaoskit.checks._text import count, moment
from chaoskit.checks._told import Anomaly, Wording, finding, history_of
from chaoskit.checks.histories.operations import Element
from chaoskit.checks.histories.set import SEEN, SetHistory, View, set_history
from chaoskit.fields import Percentage
from chaoskit.records import Evidence, Finding


@check("no_duplicates")
class NoDuplicates(WorkloadCheck):
    """No value appears more than once in one read, neither through the app nor in the store.

    `at_most` allows a share of the stored values to be there more than once, `during` picks values
    by when they were added. Usual causes: a lost reply and a retry, by a client, a proxy or a
    library.
    """

    example: ClassVar[str] = "{ check: no_duplicates, workload: members }"
    workloads: ClassVar[tuple[str, ...]] = ("set",)
    formal: ClassVar[str] = "double execution: not idempotent"
    cannot_tell: ClassVar[str] = (
        "A duplicate that the store or the read drops, such as one in a set or behind DISTINCT."
    )
    remedy: ClassVar[str] = "See that the final reads return every stored value."

    at_most: Percentage = Percentage(0)

    def judge(self, evidence: Evidence) -> Finding:
        bound = f"<= {self.at_most} duplicated" if self.at_most else "none duplicated"
        given = history_of(self, evidence)
        if isinstance(given, str):
            return unknown(bound, given)
        events, window = given
        history = set_history(events)
        stored = len(history.stored())
        twice: dict[Element, Anomaly] = {}
        for view in history.views.values():
            for name, t in view.duplicated_at.items():
                at = _cause(name, history, t)
                if name not in twice and window[0] <= at <= window[1]:
                    twice[name] = Anomaly(at, _line(name, t, view, history))
        found = list(twice.values())
        told = Wording(
            noun="duplicated value",
            of=max(stored, len(found)),
            sentence=(
                f"{count(len(found), 'value')} of workload `{self.workload}` "
                f"{'appears' if len(found) == 1 else 'appear'} more than once in one read"
            ),
            formal=self.formal,
            first="oldest added",
            last="newest",
        )
        problem = gap(events, self, evidence.faults, SEEN)
        measured = f"{len(found)} duplicated (of {stored})"
        return finding(
            evidence, found, told, bound, problem, at_most=self.at_most, measured=measured
        )


def _cause(name: Element, history: SetHistory, seen: float) -> float:
    """Return when the add ended, where the logs are worth reading, or else when it was seen."""
    add = history.adds.add(name)
    return seen if add is None else add.ended


def _line(name: Element, t: float, view: View, history: SetHistory) -> str:
    times = f"DUPLICATED {name}: {view.duplicated[name]} times in one read of {view.name}"
    seen = f"first seen at {moment(t)}"
    add = history.adds.add(name)
    if add is None:
        return f"{times}, {seen}, never added by this workload"
    how = {"ok": "acknowledged", "info": "left without a clear answer", "fail": "refused"}
    return f"{times}, {seen}; its add was {how[add.outcome]} at {moment(add.ended)}"
