"""Whether a balance ever falls below zero."""

from __future__ import annotations

from typing import ClassVar

from chaoskit.checks._base import WorkloadCheck, check, unknown
from chaoskit.checks._enough import Need, gap
from chaoskit.checks._text import count, moment
from chaoskit.checks._told import Anomaly, Wording, finding, history_of
from chaoskit.checks.histories.bank import saw, snapshots
from chaoskit.checks.histories.operations import plain
from chaoskit.records import Evidence, Finding

NEED = Need(writes=("transfer",), reads=("read", "truth"), final=True, saw=saw)


@check("never_negative")
class NeverNegative(WorkloadCheck):
    """No account is ever seen below `floor`, which is 0.

    Usual causes: two transfers that each check the same balance and then both take from it.
    """

    example: ClassVar[str] = "{ check: never_negative, workload: bank }"
    workloads: ClassVar[tuple[str, ...]] = ("bank",)
    formal: ClassVar[str] = "write skew: Berenson et al. 1995"
    cannot_tell: ClassVar[str] = (
        "A balance that was below the floor between two reads only; and accounts so rich that no "
        "transfer could take them there."
    )
    remedy: ClassVar[str] = "Start with small balances and read often."

    floor: int | float = 0

    def judge(self, evidence: Evidence) -> Finding:
        bound = f">= {plain(self.floor)}"
        given = history_of(self, evidence)
        if isinstance(given, str):
            return unknown(bound, given)
        events, window = given
        found: list[Anomaly] = []
        judged = 0
        lowest = float("inf")
        for begin, end, balances, _ in snapshots(events):
            if not window[0] <= begin.t <= window[1]:
                continue
            judged += 1
            held = min(balances.values())
            lowest = min(lowest, held)
            if held < self.floor:
                account = min(balances, key=balances.__getitem__)
                text = f"BELOW account {account}: {plain(held)}, {begin.op} at {moment(end.t)}"
                found.append(Anomaly(end.t, text, self.floor - held))
        told = Wording(
            noun="read below the floor",
            plural="reads below the floor",
            of=judged,
            sentence=(
                f"{len(found)} of {count(judged, 'read')} of workload `{self.workload}` "
                f"{'shows' if len(found) == 1 else 'show'} an account below {plain(self.floor)}"
            ),
            worst=f"down to {plain(lowest)}" if found else None,
            formal=self.formal,
        )
        problem = gap(events, self, evidence.faults, NEED)
        low = "nothing" if judged == 0 else plain(lowest)
        measured = f"lowest {low} (of {count(judged, 'read')})"
        return finding(evidence, found, told, bound, problem, measured=measured)
