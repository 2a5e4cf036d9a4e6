"""Which few lines of the services' logs explain what went wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence

from chaoskit.judge.result import LogExcerpt
from chaoskit.records import Evidence, Finding, LogLine, Verdict
from chaoskit.scenario.document import Scenario

_LINES = 4
_LAST = 8  # lines of a service that did not get ready
_MARGIN = 1.5  # seconds around a failure from which lines are shown
_WIDTH = 400
_TELLING = re.compile(
    r"error|exception|fatal|panic|refused|timed?[ -]?out|unreachable|unavailable|can(?:no|')t|"
    r"could not|fail(?:ed|ure)|denied|reset by peer|broken pipe|out of memory|killed|abort|"
    r"not found|no such|segfault|giving up|gave up|lost",
    re.IGNORECASE,
)
# What surrounds an error without saying what it is: frames of a traceback and its headlines.
_SURROUNDING = re.compile(
    r"Traceback \(most recent call last\)|^\s*(?:File \"|at .*[(:]\d|\^|~)|During handling of the "
    r"above exception|was the direct cause of the following|vm\.overcommit_memory"
)
_VARYING = re.compile(r"0x[0-9a-fA-F]+|[0-9a-f]{8,}|\d+")


def tells(text: str) -> bool:
    """Return whether a log line looks like an error."""
    return _TELLING.search(text) is not None and _SURROUNDING.search(text) is None


def beside(
    finding: Finding, subject: str, scenario: Scenario, evidence: Evidence
) -> list[LogExcerpt]:
    """Return the lines that explain a check that did not pass: the first errors since the fault of
    the services on its path, else what was printed closest to the moment it is about."""
    at = finding.at
    if at is None and finding.verdict is Verdict.FAIL:
        at = min((fault.injected for fault in evidence.faults), default=None)
    if finding.verdict is Verdict.PASS or at is None:
        return []
    before = [fault for fault in evidence.faults if fault.injected <= at]
    begun = min((f.injected for f in before if f.covers(at)), default=None)
    if begun is None:
        begun = max((f.injected for f in before), default=at - _MARGIN)
    path = set(finding.services) or _path(subject, scenario, evidence)
    since = min(begun, at - _MARGIN)
    shown: list[LogLine] = []
    for services in (path, set(evidence.logs)):
        lines = (
            line
            for service in services
            if service in evidence.logs and _of_stack(service)
            for line in evidence.logs[service].between(since, at + _MARGIN)
        )
        shown = shown or _telling(lines, begun, at)
    return [
        LogExcerpt(t=round(line.t, 3), service=line.service, text=line.text[:_WIDTH])
        for line in sorted(shown, key=lambda line: line.t)
    ]


def _telling(lines: Iterable[LogLine], begun: float, at: float) -> list[LogLine]:
    """Return the first errors since `begun`, else the lines closest to `at`."""
    errors = _Distinct(_LINES, lambda line: line.t)
    closest = _Distinct(_LINES, lambda line: abs(line.t - at))
    for line in lines:
        if line.t >= begun and tells(line.text):
            errors.take(line)
        if abs(line.t - at) <= _MARGIN:
            closest.take(line)
    return errors.lines or closest.lines


def of_unready(scenario: Scenario, evidence: Evidence) -> dict[str, list[str]]:
    """Return by service what explains a steady state that was never met: the latest errors of any
    service, and the last lines of those that a failing probe asks."""
    failing = {
        service
        for name, probe in scenario.probes.items()
        if (samples := evidence.samples.get(name)) and samples[-1].outcome != "ok"
        for service in probe.services()
    }
    found = {}
    for service, log in evidence.logs.items():
        if not _of_stack(service):
            continue
        errors: dict[tuple[str, str], LogLine] = {}
        last: list[LogLine] = []
        for line in log.between(float("-inf"), float("inf")):
            last = [*last[1 - _LAST :], line]
            if tells(line.text):
                errors.pop(_alike(line), None)  # the latest of those alike, at its place
                errors[_alike(line)] = line
                if len(errors) > _LAST:
                    del errors[next(iter(errors))]
        shown = list(errors.values()) or (last if service in failing else [])
        if shown:
            found[service] = [line.text[:_WIDTH] for line in shown]
    return found


class _Distinct:
    """The lines of the lowest rank, of those alike only one."""

    def __init__(self, most: int, rank: Callable[[LogLine], float]) -> None:
        self._most = most
        self._rank = rank
        self._lines: dict[tuple[str, str], LogLine] = {}

    @property
    def lines(self) -> list[LogLine]:
        return list(self._lines.values())

    def take(self, line: LogLine) -> None:
        rank = self._rank(line)
        if len(self._lines) == self._most and all(rank >= self._rank(one) for one in self.lines):
            return
        alike = _alike(line)
        if alike not in self._lines or rank < self._rank(self._lines[alike]):
            self._lines[alike] = line
            ranked = sorted(self._lines.items(), key=lambda item: self._rank(item[1]))
            self._lines = dict(ranked[: self._most])


def alike(text: str) -> str:
    """Return what is the same in lines that repeat each other, but for numbers and ids."""
    return _VARYING.sub("#", text)


def _alike(line: LogLine) -> tuple[str, str]:
    return line.service, alike(line.text)


def _of_stack(service: str) -> bool:
    return not service.startswith("chaoskit-")


def _path(subject: str, scenario: Scenario, evidence: Evidence) -> Collection[str]:
    """Return the services that a check's subject asks, and those that the faults hit."""
    asked: Iterable[str] = [subject]
    if subject in scenario.probes:
        asked = scenario.probes[subject].services()
    elif subject in scenario.workloads:
        asked = scenario.workloads[subject].services()
    injected = {fault.id for fault in evidence.faults}
    hit: Sequence[str] = [
        service
        for fault in scenario.injections()
        if fault.name in injected
        for service in fault.services()
    ]
    return {*asked, *hit} & set(evidence.logs)
