"""Probes and workloads that did not really run, or were never answered: nobody was looking."""

from __future__ import annotations

from collections.abc import Sequence

from chaoskit.checks._schedule import ENOUGH, sent_of_due, too_few_sent
from chaoskit.probes._base import Probe
from chaoskit.records import Event, Evidence
from chaoskit.scenario.document import Scenario
from chaoskit.text import aside
from chaoskit.workloads._base import Workload

_PROBED = ("gate", "baseline", "faults", "heal", "settle")


def silent(scenario: Scenario, evidence: Evidence) -> list[str]:
    """Return why a run with these probes and workloads cannot be a pass."""
    found = [_of_probe(name, probe, evidence) for name, probe in scenario.probes.items()]
    found += [_of_workload(name, one, evidence) for name, one in scenario.workloads.items()]
    return [reason for reason in found if reason is not None]


def _of_probe(name: str, probe: Probe, evidence: Evidence) -> str | None:
    count = len(evidence.samples.get(name, ()))
    if not count:
        return f"probe `{name}` gave no sample"
    watched = [p for p in evidence.phases if p.name in _PROBED and p.end is not None]
    due = (watched[-1].end or 0.0) - watched[0].start if watched else 0.0
    expected = int(due / probe.every)
    if count < expected * ENOUGH:
        return f"probe `{name}` gave {count} of {expected} samples"
    return None


def _of_workload(name: str, workload: Workload, evidence: Evidence) -> str | None:
    events = evidence.history.get(name, ())
    if not any(event.type == "ok" for event in events):
        return f"workload `{name}` had no successful operation{_last(workload, events)}"
    return too_few_sent(name, sent_of_due(evidence, name))


def _last(workload: Workload, events: Sequence[Event]) -> str:
    """Return how its last operation that did not succeed ended, in brackets."""
    bad = next((event for event in reversed(events) if event.error), None)
    if bad is None:
        return ""
    operation = workload.operations().get(bad.op)
    return aside(bad.error, None if operation is None else operation.asks())
