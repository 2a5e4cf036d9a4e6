"""metrics.txt: the figures of runs in the text format of OpenMetrics 1.0.

No family is written without a sample, and no sample twice: what has the labels of an earlier one
gets a `number`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from chaoskit.judge.result import Result
from chaoskit.records import Verdict
from chaoskit.text import one_line

_UNITS = {"s": "seconds", "ratio": "ratio", "count": ""}


class _Families:
    """The families in the order of their first sample, with the lines of each."""

    def __init__(self) -> None:
        self._lines: dict[str, list[str]] = {}
        self._taken: set[tuple[str, str]] = set()

    def add(self, name: str, help: str, value: float | None, unit: str = "", **labels: str) -> None:
        """Add a sample of a gauge; a figure that was not measured is no sample."""
        if value is None:
            return
        family = f"chaoskit_{name}" + (f"_{unit}" if unit else "")
        head = [f"# TYPE {family} gauge", *([f"# UNIT {family} {unit}"] if unit else [])]
        lines = self._lines.setdefault(family, [*head, f"# HELP {family} {help}"])
        lines.append(f"{family}{{{self._distinct(family, labels)}}} {_number(value)}")

    def _distinct(self, family: str, labels: dict[str, str]) -> str:
        number, text = 1, _labels(labels)
        while (family, text) in self._taken:
            number += 1
            text = _labels(labels | {"number": str(number)})
        self._taken.add((family, text))
        return text

    def text(self) -> str:
        return "\n".join([line for lines in self._lines.values() for line in lines] + ["# EOF\n"])


def render(results: Sequence[Result]) -> str:
    """Return the figures of these runs; times are seconds."""
    families = _Families()
    for result in results:
        _run(families, result)
        _checks(families, result)
        _faults(families, result)
        _clients(families, result)
    return families.text()


def _run(families: _Families, result: Result) -> None:
    name = result.run.scenario
    families.add(
        "run_passed",
        "1 for a pass, 0 for a failure, NaN when unknown.",
        _passed(result.verdict),
        scenario=name,
    )
    families.add("run_exit_code", "Exit code of the run.", result.exit_code, scenario=name)
    families.add(
        "run_duration", "From start to end.", result.run.duration, "seconds", scenario=name
    )
    died = len(result.stack.deaths)
    families.add("run_deaths", "Replicas that died without a fault.", died, scenario=name)


def _checks(families: _Families, result: Result) -> None:
    for check in result.checks:
        labels = {"scenario": result.run.scenario, "check": check.check, "subject": check.subject}
        what = "1 for a pass, 0 for a failure, NaN when unknown."
        families.add("check_passed", what, _passed(check.verdict), **labels)
        for name, what, quantity in (
            ("measured", "What was measured.", check.measured),
            ("bound", "What it is compared with.", check.bound),
        ):
            unit = _UNITS[quantity.unit or "count"]
            families.add(f"check_{name}", what, quantity.value, unit, **labels)


def _faults(families: _Families, result: Result) -> None:
    for fault in result.faults:
        labels = {"scenario": result.run.scenario, "fault": fault.id, "kind": fault.fault}
        labels["target"] = fault.target
        families.add("fault_proven", "Whether clients could feel it.", fault.proven, **labels)
        for name in ("time_to_detect", "time_to_recover"):
            value = getattr(fault, name)
            families.add(
                f"fault_{name}", "After the fault, or its heal.", value, "seconds", **labels
            )


def _clients(families: _Families, result: Result) -> None:
    scenario = result.run.scenario
    for probe in result.probes:
        labels = {"scenario": scenario, "probe": probe.name}
        for outcome, number in (("ok", probe.ok), ("fail", probe.fail)):
            families.add("probe_samples", "Samples by outcome.", number, **labels, outcome=outcome)
        _latencies(families, "probe", probe.latency_p50, probe.latency_p99, labels)
    for load in result.workloads:
        labels = {"scenario": scenario, "workload": load.name}
        for outcome in ("ok", "fail", "info"):
            number = sum(getattr(count, outcome) for count in load.operations.values())
            help = "Operations by outcome."
            families.add("workload_operations", help, number, **labels, outcome=outcome)
        _latencies(families, "workload", load.latency_p50, load.latency_p99, labels)


def _latencies(
    families: _Families, name: str, p50: float | None, p99: float | None, labels: dict[str, str]
) -> None:
    families.add(f"{name}_latency_p50", "Median latency.", p50, "seconds", **labels)
    families.add(f"{name}_latency_p99", "99th percentile.", p99, "seconds", **labels)


def _passed(verdict: Verdict) -> float:
    if verdict is Verdict.UNKNOWN:
        return math.nan
    return 0.0 if verdict is Verdict.FAIL else 1.0


def _labels(labels: dict[str, str]) -> str:
    return ",".join(f'{key}="{_escaped(value)}"' for key, value in labels.items())


def _escaped(text: str) -> str:
    return one_line(text).replace("\\", "\\\\").replace('"', '\\"')


def _number(value: float) -> str:
    return "NaN" if math.isnan(value) else f"{value:.9g}"
