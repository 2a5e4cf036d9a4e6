"""Whether every new holder of a lock gets a higher token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from chaoskit.checks._base import History, WorkloadCheck, check
from chaoskit.checks._coverage import Need
from chaoskit.checks._wording import Anomaly, Judged
from chaoskit.checks.histories.operations import about, number, plain
from chaoskit.records import Key
from chaoskit.text import count, moment

NEED = Need(writes=("acquire",), reads=(), others=("release",))


@check("fencing")
class Fencing(WorkloadCheck):
    """Every acquisition of a lock gets a higher token than all that were finished before it.

    The resource behind a lock can then refuse a client with an older token. No token is given
    twice. Usual causes: a counter kept in a store that restarts empty, a failover to a replica.
    """

    example: ClassVar[str] = "{ check: fencing, workload: leader }"
    workloads: ClassVar[Mapping[str, Need]] = {"lock": NEED}
    anomalies: ClassVar[str] = "tokens that did not rise"
    formal: ClassVar[str] = "monotonic fencing tokens: Gray & Cheriton 1989, Kleppmann 2016"
    cannot_tell: ClassVar[str] = "Whether the resource really looks at the tokens."
    remedy: ClassVar[str] = "Let `acquire` return the token of the lock, if it has one."

    @property
    def bound(self) -> str:
        return "tokens rise"

    def look(self, history: History) -> Judged:
        start, stop = history.window
        highest: dict[Key, tuple[float, float]] = {}  # the token and when it was given
        pending: dict[int, tuple[float, float]] = {}
        handed_out: dict[tuple[Key, float], float] = {}
        found: list[Anomaly] = []
        judged = without = 0
        for event in history.events:
            if event.op != "acquire":
                continue
            key = event.key
            if event.type == "invoke":
                pending[event.id] = highest.get(key, (float("-inf"), 0.0))
                continue
            before, since = pending.pop(event.id, (float("-inf"), 0.0))
            if event.type != "ok":
                continue
            token = number(event.value)
            inside = start <= event.t <= stop
            if token is None:
                without += inside
                continue
            if inside:
                judged += 1
                twice = handed_out.get((key, token))
                if token <= before or twice is not None:
                    old, when = (token, twice) if twice is not None else (before, since)
                    text = (
                        f"TOKEN {plain(token)}{about(key)}: given to process "
                        f"{event.process} at {moment(event.t)}, {plain(old)} was given at "
                        f"{moment(when)}"
                    )
                    found.append(Anomaly(event.t, text, max(before - token, 0.0)))
            handed_out.setdefault((key, token), event.t)
            if token > highest.get(key, (float("-inf"), 0.0))[0]:
                highest[key] = (token, event.t)
        gap = None
        if without and not judged:
            gap = (
                f"the lock of workload `{self.workload}` gives no tokens; let `acquire` return one"
            )
        elif without >= max(judged, 1):
            gap = (
                f"only {judged} of {judged + without} acquisitions of workload `{self.workload}` "
                "returned a token; see what `acquire` extracts"
            )
        return Judged(
            found,
            judged,
            measured=f"{len(found)} not rising (of {count(judged, 'token')})",
            sentence=(
                f"{len(found)} of {count(judged, 'token')} of workload `{self.workload}` "
                f"{'was' if len(found) == 1 else 'were'} not higher than an earlier one"
            ),
            gap=gap,
        )
