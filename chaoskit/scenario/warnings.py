"""What can be run and proves little: each warning has a code, a sentence and what to do about it.

A problem of `lints` makes a scenario impossible; these leave it possible. A rule is a function of
the scenario that yields `Warned`; adding one to `RULES` is all there is to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from chaoskit.checks.availability import Availability
from chaoskit.checks.downtime import Downtime
from chaoskit.checks.latency import Latency
from chaoskit.checks.recovery import RecoveryCheck
from chaoskit.errors import Problem
from chaoskit.faults import Fault
from chaoskit.fields import Duration
from chaoskit.probes.http import HttpProbe
from chaoskit.scenario.document import Scenario
from chaoskit.scenario.nodes import Path
from chaoskit.scenario.overlaps import CLASH_FIX, clashes
from chaoskit.scenario.source import Source
from chaoskit.text import seconds_text

_LOOKS = 2  # samples that should fall into a fault
_SHORTEST = 0.4  # seconds that a restart takes at least: engine, container, process


@dataclass(frozen=True, slots=True)
class Warned:
    """One warning: where, its code, what is weak, and what to write instead."""

    path: Path
    code: str
    sentence: str
    fix: str


Rule = Callable[[Scenario], Iterator[Warned]]


def warnings_of(source: Source, scenario: Scenario) -> list[Problem]:
    """Return every warning about a scenario, with its position in the file."""
    return [
        replace(source.problem(one.path, one.sentence, one.fix), code=one.code)
        for rule in RULES
        for one in rule(scenario)
    ]


def slow_probe(scenario: Scenario) -> Iterator[Warned]:
    """Yield probes that look so rarely that a fault may fall between two samples."""
    faults = [(fault, length) for fault in scenario.timeline.faults if (length := _length(fault))]
    if not faults:
        return
    fault, length = min(faults, key=lambda one: one[1])
    for name, probe in scenario.probes.items():
        if probe.every * _LOOKS > length:
            yield Warned(
                ("probes", name, "every"),
                "slow-probe",
                f"probe `{name}` looks every {probe.every}, but fault `{fault.name}` "
                f"{'takes' if fault.instant else 'lasts'} only about {seconds_text(length)}: "
                "few samples fall into it, or none",
                f"`every: {Duration(max(length / 10, 0.01))}`",
            )


def _length(fault: Fault) -> float | None:
    """Return how many seconds a fault is in force, as far as the file tells; None where it does
    not matter, or is long."""
    if fault.instant:
        return _SHORTEST if fault.ends_processes else None
    return fault.for_


def any_status(scenario: Scenario) -> Iterator[Warned]:
    """Yield HTTP probes that are good whatever the service answers, where no other probe of it is
    more demanding."""
    asked = [(n, p) for n, p in scenario.probes.items() if isinstance(p, HttpProbe)]
    demanding = {p.url.target.service for _, p in asked if max(p.expect.statuses) < 500}
    for name, probe in asked:
        statuses = probe.expect.statuses
        lax = min(statuses) < 400 and max(statuses) >= 500
        if lax and probe.url.target.service not in demanding:
            yield Warned(
                ("probes", name, "expect", "status"),
                "any-status",
                f"probe `{name}` is good when the service answers {max(statuses)}",
                "expect only what a user would call a good answer",
            )


def never_missed(scenario: Scenario) -> Iterator[Warned]:
    """Yield bounds that nothing can miss."""
    length = _longest(scenario)
    for index, check in enumerate(scenario.expect):
        where: Path = ("expect", index)
        found: tuple[str, str] | None = None
        most = getattr(check, "at_most", None)
        if isinstance(check, Availability) and check.at_least <= 0:
            found = "at_least", "every availability is at least 0%"
        elif isinstance(check, Downtime) and length is not None and check.at_most >= length:
            found = "at_most", f"the run watches for only about {seconds_text(length)}"
        elif isinstance(check, Latency) and check.probe is not None:
            timeout = scenario.probes[check.probe].timeout
            over = [name for name, bound in check.bounds().items() if bound > timeout]
            if over:
                found = over[0], f"no sample takes longer than its timeout, {timeout}"
        elif hasattr(check, "workload") and isinstance(most, float) and most >= 1:
            found = "at_most", "a share is never above 100%"
        if found is not None:
            key, why = found
            yield Warned(
                (*where, key),
                "never-missed",
                f"nothing can miss this bound of `{check.check}`: {why}",
                "ask for what the users of the system need",
            )


def _longest(scenario: Scenario) -> float | None:
    """Return about how many seconds probes are judged for, None where the file does not tell."""
    timeline = scenario.timeline
    if any(fault.at is None and (fault.when or fault.after) for fault in timeline.faults):
        return None
    ends = [(one.at or 0) + (one.for_ or timeline.hold) for one in scenario.injections()]
    return timeline.baseline + max(ends, default=0) + timeline.settle


def not_running(scenario: Scenario) -> Iterator[Warned]:
    """Yield faults that start while another one keeps down what they act on."""
    for one in clashes(scenario, lambda fault: fault.wants()):
        where: Path = ("timeline", "faults", one.second)
        yield Warned(where, "not-running", one.sentence(), CLASH_FIX)


def settle_too_short(scenario: Scenario) -> Iterator[Warned]:
    """Yield recoveries that may take longer than anybody watches."""
    settle = scenario.timeline.settle
    for index, check in enumerate(scenario.expect):
        if isinstance(check, RecoveryCheck) and check.within > settle:
            yield Warned(
                ("expect", index, "within"),
                "settle-too-short",
                f"a recovery may take {check.within}, but `settle` watches for only {settle} "
                "after the last heal",
                f"`timeline: {{settle: {check.within}}}`, or a shorter `within`",
            )


def quiet_too_short(scenario: Scenario) -> Iterator[Warned]:
    """Yield quiet periods that are over before a recovery must be."""
    quiet = scenario.timeline.quiet
    longest = max((c.within for c in scenario.expect if isinstance(c, RecoveryCheck)), default=0.0)
    if quiet is not None and longest > quiet.for_:
        yield Warned(
            ("timeline", "quiet", "for"),
            "quiet-too-short",
            f"a recovery may take {Duration(longest)}, but the next injection comes after"
            f" {quiet.for_} of quiet",
            f"`for: {Duration(longest)}`, or a shorter `within`",
        )


def baseline_only(scenario: Scenario) -> Iterator[Warned]:
    """Yield checks that look only at the time before the faults, where no other check of the same
    subject looks at the rest."""
    if not scenario.timeline.faults:
        return
    judged = {check.subject for check in scenario.expect if check.during != "baseline"}
    for index, check in enumerate(scenario.expect):
        if check.during == "baseline" and check.subject not in judged:
            yield Warned(
                ("expect", index, "during"),
                "baseline-only",
                f"`{check.check}` looks only at the baseline, where no fault is in force",
                "`during: faults`, or leave it out",
            )


def no_gate(scenario: Scenario) -> Iterator[Warned]:
    """Yield a gate that asks for nothing."""
    if scenario.timeline.gate.for_ <= 0:
        yield Warned(
            ("timeline", "gate", "for"),
            "no-gate",
            "the steady state is not waited for: faults may hit what never worked",
            "`for: 1s`",
        )


RULES: tuple[Rule, ...] = (
    slow_probe,
    any_status,
    never_missed,
    settle_too_short,
    quiet_too_short,
    baseline_only,
    no_gate,
    not_running,
)
