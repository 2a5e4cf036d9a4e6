"""Whether anything is there that was never added."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from chaoskit.checks._base import WorkloadCheck, check, fault_at, unknown
from chaoskit.checks._set_history import SetHistory, gap, set_history
from chaoskit.checks._text import count, moment
from chaoskit.checks._witness import capped
from chaoskit.records import Evidence, Finding, Verdict

BOUND = "no phantom"


@check("no_phantoms")
class NoPhantoms(WorkloadCheck):
    """No value appears that was never added, or whose add was refused.

    What a read showed before the first add was there already and is no phantom; neither is a value
    whose add had no clear answer.
    """

    example: ClassVar[str] = "{ check: no_phantoms, workload: members }"
    workloads: ClassVar[tuple[str, ...]] = ("set",)

    during: Literal["all"] = "all"

    def judge(self, evidence: Evidence) -> Finding:
        events = evidence.history.get(self.workload)
        if not events:
            return unknown(BOUND, f"workload `{self.workload}` has no history")
        history = set_history(events)
        seen: dict[str, tuple[float, str]] = {}
        for view in history.views.values():
            for name, t in view.unexplained_at.items():
                seen[name] = min((t, view.name), seen.get(name, (t, view.name)))
        measured = f"{count(len(seen), 'phantom')} (of {len(history.stored())})"
        if seen:
            first = min(seen, key=lambda name: seen[name])
            add = history.adds.add(first)
            return Finding(
                Verdict.FAIL,
                measured,
                BOUND,
                self._sentence(seen, history),
                capped(
                    [
                        _line(name, seen, history, evidence)
                        for name in sorted(seen, key=seen.__getitem__)
                    ]
                ),
                seen[first][0] if add is None else add.ended,
            )
        problem = gap(history, self.workload, evidence.faults)
        if problem is not None:
            return unknown(BOUND, problem)
        return Finding(Verdict.PASS, measured, BOUND)

    def _sentence(self, seen: Mapping[str, tuple[float, str]], history: SetHistory) -> str:
        refused = sum(name in history.adds.ids for name in seen)
        strange = len(seen) - refused
        parts = []
        if refused:
            are = "was" if refused == 1 else "were"
            parts.append(f"{count(refused, 'value')} {are} refused but stored")
        if strange:
            are = "was" if strange == 1 else "were"
            parts.append(f"{count(strange, 'value')} {are} never added and yet read")
        text = f"workload `{self.workload}`: {' and '.join(parts)}"
        if strange and not history.read_before_adds:
            text += "; no read came before the first add, so they may have been there already"
        return text


def _line(
    name: str, seen: Mapping[str, tuple[float, str]], history: SetHistory, evidence: Evidence
) -> str:
    t, view = seen[name]
    where = f"first seen at {moment(t)} in {view}"
    add = history.adds.add(name)
    if add is None:
        return f"PHANTOM {name}: never added, {where}"
    error = f" ({add.error})" if add.error else ""
    refused = f"refused{error} at {moment(add.ended)}, {fault_at(evidence, add.ended)}"
    return f"REFUSED BUT STORED {name}: {refused}, {where}"
