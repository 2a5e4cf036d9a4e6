"""Whether anything is stored twice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from chaoskit.checks._base import History, WorkloadCheck, check
from chaoskit.checks._coverage import Need
from chaoskit.checks._own_data import foreign_values, hidden_values
from chaoskit.checks._wording import Anomaly, Judged
from chaoskit.checks.histories.operations import Element
from chaoskit.checks.histories.set import SEEN, Add, View, set_history
from chaoskit.fields import Percentage
from chaoskit.text import count, moment


@check("no_duplicates")
class NoDuplicates(WorkloadCheck):
    """No value appears more than once in one read, neither through the app nor in the store.

    `at_most` allows a share of the stored values to be there more than once, `during` picks values
    by when they were added. Usual causes: a lost reply and a retry, by a client, a proxy or a
    library.
    """

    example: ClassVar[str] = "{ check: no_duplicates, workload: members }"
    workloads: ClassVar[Mapping[str, Need]] = {"set": SEEN}
    anomalies: ClassVar[str] = "duplicated values"
    formal: ClassVar[str] = "double execution: not idempotent"
    cannot_tell: ClassVar[str] = (
        "A duplicate that the store or the read drops, such as one in a set or behind DISTINCT."
    )
    remedy: ClassVar[str] = "See that the final reads return every stored value."

    at_most: Percentage = Percentage(0)

    @property
    def bound(self) -> str:
        return f"<= {self.at_most} duplicated" if self.at_most else "none duplicated"

    def look(self, history: History) -> Judged:
        start, end = history.window
        data = set_history(history.events)
        stored = data.stored_in(start, end)
        twice: dict[Element, Anomaly] = {}
        for view in data.views.values():
            for name, t in view.duplicated_at.items():
                add = data.adds.add(name)  # where the logs are worth reading
                if name not in twice and add is not None and start <= add.ended <= end:
                    twice[name] = Anomaly(add.ended, _line(add, t, view))
        found = list(twice.values())
        return Judged(
            found,
            max(stored, len(found)),
            measured=f"{len(found)} duplicated (of {stored})",
            sentence=(
                f"{count(len(found), 'value')} of workload `{self.workload}` "
                f"{'appears' if len(found) == 1 else 'appear'} more than once in one read"
            ),
            at_most=self.at_most,
            first="oldest added",
            last="newest",
            gap=hidden_values(data) or foreign_values(history.events, self.workload),
        )


def _line(add: Add, t: float, view: View) -> str:
    name = add.element
    times = f"DUPLICATED {name}: {view.duplicated[name]} times in one read of {view.name}"
    how = {"ok": "acknowledged", "info": "left without a clear answer", "fail": "refused"}
    return (
        f"{times}, first seen at {moment(t)}; its add was {how[add.outcome]} at {moment(add.ended)}"
    )
