"""Whether anything is stored twice."""

from __future__ import annotations

from typing import ClassVar, Literal

from chaoskit.checks._base import WorkloadCheck, check, fault_at, unknown
from chaoskit.checks._set_history import SetHistory, View, gap, set_history
from chaoskit.checks._text import count, moment
from chaoskit.checks._witness import capped
from chaoskit.records import Evidence, Finding, Verdict

BOUND = "none duplicated"


@check("no_duplicates")
class NoDuplicates(WorkloadCheck):
    """No value appears more than once in one read, neither through the app nor in the store.

    Usual causes: a lost reply and a retry, by a client, a proxy or a library.
    """

    example: ClassVar[str] = "{ check: no_duplicates, workload: members }"
    workloads: ClassVar[tuple[str, ...]] = ("set",)

    during: Literal["all"] = "all"

    def judge(self, evidence: Evidence) -> Finding:
        events = evidence.history.get(self.workload)
        if not events:
            return unknown(BOUND, f"workload `{self.workload}` has no history")
        history = set_history(events)
        stored = len(history.stored())
        twice = sorted(
            (t, name, view)
            for view in history.views
            for name, t in history.views[view].duplicated_at.items()
        )
        names = list(dict.fromkeys(name for _, name, _ in twice))
        measured = f"{len(names)} duplicated (of {stored})"
        if names:
            reason = (
                f"{count(len(names), 'value')} of workload `{self.workload}` "
                f"{'appears' if len(names) == 1 else 'appear'} more than once in one read: "
                f"{names[0]} first, at {moment(twice[0][0])}"
            )
            lines = [
                _line(name, t, history.views[view], history, evidence) for t, name, view in twice
            ]
            return Finding(
                Verdict.FAIL,
                measured,
                BOUND,
                reason,
                capped(lines),
                _cause(names[0], history, twice[0][0]),
            )
        problem = gap(history, self.workload, evidence.faults)
        if problem is not None:
            return unknown(BOUND, problem)
        return Finding(Verdict.PASS, measured, BOUND)


def _cause(name: str, history: SetHistory, seen: float) -> float:
    """Return when the add ended, where the logs are worth reading, or else when it was seen."""
    add = history.adds.add(name)
    return seen if add is None else add.ended


def _line(name: str, t: float, view: View, history: SetHistory, evidence: Evidence) -> str:
    times = f"DUPLICATED {name}: {view.duplicated[name]} times in one read of {view.name}"
    seen = f"first seen at {moment(t)}"
    add = history.adds.add(name)
    if add is None:
        return f"{times}, {seen}, never added by this workload"
    how = {"ok": "acknowledged", "info": "left without a clear answer", "fail": "refused"}
    when = f"{how[add.outcome]} at {moment(add.ended)}, {fault_at(evidence, add.ended)}"
    return f"{times}, {seen}; its add was {when}"
