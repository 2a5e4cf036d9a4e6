"""Whether a balance ever falls below zero."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from chaoskit.checks._base import History, WorkloadCheck, check
from chaoskit.checks._coverage import Need
from chaoskit.checks._wording import Anomaly, Judged
from chaoskit.checks.histories.bank import NEED, Bank
from chaoskit.checks.histories.operations import plain
from chaoskit.text import count, moment


@check("never_negative")
class NeverNegative(WorkloadCheck):
    """No account is ever seen below `floor`, which is 0.

    Usual causes: two transfers that each check the same balance and then both take from it.
    """

    example: ClassVar[str] = "{ check: never_negative, workload: bank }"
    workloads: ClassVar[Mapping[str, Need]] = {"bank": NEED}
    anomalies: ClassVar[str] = "reads below the floor"
    formal: ClassVar[str] = "write skew: Berenson et al. 1995"
    cannot_tell: ClassVar[str] = (
        "A balance that was below the floor between two reads only; and accounts so rich that no "
        "transfer could take them there."
    )
    remedy: ClassVar[str] = "Start with small balances and read often."

    floor: int | float = 0

    @property
    def bound(self) -> str:
        return f">= {plain(self.floor)}"

    def look(self, history: History) -> Judged:
        found: list[Anomaly] = []
        judged = 0
        lowest = float("inf")
        start, stop = history.window
        bank = Bank(history.events)
        for begin, end, balances, *_ in bank.reads:
            if not start <= begin.t <= stop:
                continue
            judged += 1
            held = min(balances.values())
            lowest = min(lowest, held)
            if held < self.floor:
                account = min(balances, key=balances.__getitem__)
                text = f"BELOW account {account}: {plain(held)}, {begin.op} at {moment(end.t)}"
                found.append(Anomaly(end.t, text, self.floor - held))
        low = "nothing" if judged == 0 else plain(lowest)
        return Judged(
            found,
            judged,
            measured=f"lowest {low} (of {count(judged, 'read')})",
            sentence=(
                f"{len(found)} of {count(judged, 'read')} of workload `{self.workload}` "
                f"{'shows' if len(found) == 1 else 'show'} an account below {plain(self.floor)}"
            ),
            worst=f"down to {low}",
            gap=bank.foreign_accounts(self.workload),
        )
