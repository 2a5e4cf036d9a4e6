"""Whether every new holder of a lock gets a higher token."""

from __future__ import annotations

from typing import ClassVar

from chaoskit.checks._base import WorkloadCheck, check, unknown
from chaoskit.checks._enough import Need, gap
from chaoskit.checks._text import count, moment
from chaoskit.checks._told import Anomaly, Wording, finding, history_of
from chaoskit.checks._zones import Value, frozen
from chaoskit.checks.histories.operations import about, number, plain
from chaoskit.records import Evidence, Finding

NEED = Need(writes=("acquire",), reads=())


@check("fencing")
class Fencing(WorkloadCheck):
    """Every acquisition of a lock gets a higher token than all that were finished before it.

    The resource behind a lock can then refuse whoever comes with an older token. No token is given
    twice. Usual causes: a counter kept in a store that restarts empty, a failover to a replica.
    """

    example: ClassVar[str] = "{ check: fencing, workload: leader }"
    workloads: ClassVar[tuple[str, ...]] = ("lock",)
    formal: ClassVar[str] = "monotonic fencing tokens: Gray & Cheriton 1989, Kleppmann 2016"
    cannot_tell: ClassVar[str] = "Whether the resource really looks at the tokens."
    remedy: ClassVar[str] = "Let `acquire` return the token of the lock, if it has one."

    def judge(self, evidence: Evidence) -> Finding:
        bound = "tokens rise"
        given = history_of(self, evidence)
        if isinstance(given, str):
            return unknown(bound, given)
        events, window = given
        highest: dict[Value, tuple[float, float]] = {}  # the token and when it was given
        pending: dict[int, tuple[float, float]] = {}
        handed_out: dict[tuple[Value, float], float] = {}
        found: list[Anomaly] = []
        judged = without = 0
        for event in events:
            if event.op != "acquire":
                continue
            key = frozen(event.key)
            if event.type == "invoke":
                pending[event.id] = highest.get(key, (float("-inf"), 0.0))
                continue
            before, since = pending.pop(event.id, (float("-inf"), 0.0))
            if event.type != "ok":
                continue
            token = number(event.value)
            if token is None:
                without += 1
                continue
            if window[0] <= event.t <= window[1]:
                judged += 1
                twice = handed_out.get((key, token))
                if token <= before or twice is not None:
                    old, when = (token, twice) if twice is not None else (before, since)
                    text = (
                        f"TOKEN {plain(token)}{about(event.key)}: given to process "
                        f"{event.process} at {moment(event.t)}, {plain(old)} was given at "
                        f"{moment(when)}"
                    )
                    found.append(Anomaly(event.t, text, max(before - token, 0.0)))
            handed_out.setdefault((key, token), event.t)
            if token > highest.get(key, (float("-inf"), 0.0))[0]:
                highest[key] = (token, event.t)
        told = Wording(
            noun="token that did not rise",
            plural="tokens that did not rise",
            of=judged,
            sentence=(
                f"{len(found)} of {count(judged, 'token')} of workload `{self.workload}` "
                f"{'was' if len(found) == 1 else 'were'} not higher than an earlier one"
            ),
            formal=self.formal,
        )
        problem = gap(events, self, evidence.faults, NEED)
        if problem is None and without and not judged:
            problem = (
                f"the lock of workload `{self.workload}` gives no tokens; let `acquire` return one"
            )
        measured = f"{len(found)} not rising (of {count(judged, 'token')})"
        return finding(evidence, found, told, bound, problem, measured=measured)
