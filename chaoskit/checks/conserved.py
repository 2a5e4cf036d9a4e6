"""Whether money is neither made nor lost by moving it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from chaoskit.checks._base import History, NotJudged, WorkloadCheck, check
from chaoskit.checks._coverage import Need
from chaoskit.checks._wording import Anomaly, Judged
from chaoskit.checks.histories.bank import NEED, Bank, Snapshot, ranges
from chaoskit.checks.histories.operations import plain
from chaoskit.text import count, moment

CENT = 1e-6  # sums of decimal fractions are not exact in binary


@check("conserved")
class Conserved(WorkloadCheck):
    """The sum of all balances never changes, and ends where the transfers put it.

    Every read returns all accounts at once, so its sum is the total: what the first read before any
    transfer showed, or `total`. The final reads must also fit the transfers account by account: an
    acknowledged one moved its amount once. Usual causes: debit and credit that are not one
    transaction, a crash in between, a read that is not one snapshot.
    """

    example: ClassVar[str] = "{ check: conserved, workload: bank }"
    workloads: ClassVar[Mapping[str, Need]] = {"bank": NEED}
    anomalies: ClassVar[str] = "reads that do not add up"
    formal: ClassVar[str] = "atomicity / read skew: Berenson et al. 1995"
    cannot_tell: ClassVar[str] = "A wrong order of transfers that leads to the same balances."
    remedy: ClassVar[str] = "Give the `total`, or read all balances before the first transfer."

    total: int | float | None = None

    @property
    def bound(self) -> str:
        return "the total stays" if self.total is None else f"the total is {plain(self.total)}"

    def look(self, history: History) -> Judged:
        window, bank = history.window, Bank(history.events)
        first = next((balances for _, _, balances, early, _ in bank.reads if early), None)
        if self.total is None and first is None:
            raise NotJudged(
                f"no read of workload `{self.workload}` came before the first transfer, so the "
                "total is not known; give it as `total`"
            )
        total = sum(first.values()) if first and self.total is None else self.total or 0
        judged = [read for read in bank.reads if window[0] <= read[0].t <= window[1]]
        sums = ((read, sum(read[2].values())) for read in judged)
        found = [_off(read, sum_, total) for read, sum_ in sums if abs(sum_ - total) > CENT]
        off_total = bool(found)
        if first is not None and not found:
            found += _misplaced(bank, judged, first)
        what = "do not add up to" if off_total else "do not fit the transfers although they sum to"
        return Judged(
            found,
            len(judged),
            measured=f"{len(found)} wrong (of {count(len(judged), 'read')}, total {plain(total)})",
            sentence=(
                f"{len(found)} of {count(len(judged), 'read')} of workload `{self.workload}` "
                f"{what} {plain(total)}"
            ),
            worst=f"off by up to {plain(max((one.size for one in found), default=0.0))}",
            gap=bank.foreign_accounts(self.workload),
            formal=self.formal if off_total else "lost update / double execution",
        )


def _off(read: Snapshot, sum_: float, total: float) -> Anomaly:
    begin, end, *_ = read
    less = "missing" if sum_ < total else "too much"
    text = (
        f"SUM {plain(sum_)} instead of {plain(total)}: {plain(abs(sum_ - total))} {less}, "
        f"{begin.op} at {moment(end.t)}"
    )
    return Anomaly(end.t, text, abs(sum_ - total))


def _misplaced(bank: Bank, reads: Sequence[Snapshot], first: Mapping[str, float]) -> list[Anomaly]:
    """Return the final reads in which an account holds what no transfers explain."""
    allowed = ranges(bank, first)
    found = []
    for begin, end, balances, early, final in reads:
        if early or not final:
            continue
        for account, held in balances.items():
            span_ = allowed.get(account)
            if span_ is None or span_.low - CENT <= held <= span_.high + CENT:
                continue
            off = max(span_.low - held, held - span_.high)
            text = (
                f"ACCOUNT {account} holds {plain(held)}, the transfers allow {plain(span_.low)} to "
                f"{plain(span_.high)}: {begin.op} at {moment(end.t)}"
            )
            found.append(Anomaly(end.t, text, off))
            break
    return found
