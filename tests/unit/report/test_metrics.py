"""metrics.txt: read back by the parser of Prometheus, which is strict."""

from __future__ import annotations

import math
from collections.abc import Iterator

from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from chaoskit.judge.result import Quantity, Result
from chaoskit.report.metrics import render


def samples(*results: Result) -> Iterator[Sample]:
    families = text_string_to_metric_families(render(results))  # type: ignore[no-untyped-call]  # theirs
    for family in families:
        assert family.type == "gauge"
        assert family.documentation
        yield from family.samples


def value(found: list[Sample], name: str, **labels: str) -> float:
    (one,) = (s for s in found if s.name == name and labels.items() <= s.labels.items())
    return float(one.value)


def test_prometheus_reads_every_figure(passing: Result, failing: Result) -> None:
    found = list(samples(passing, failing))
    restart, kill = {"scenario": "redis-restart"}, {"scenario": "redis-kill"}
    assert value(found, "chaoskit_run_passed", **restart) == 1
    assert value(found, "chaoskit_run_passed", **kill) == 0
    assert value(found, "chaoskit_run_duration_seconds", **restart) == 21.34
    assert value(found, "chaoskit_check_passed", **kill, check="no_loss") == 0
    assert math.isnan(value(found, "chaoskit_check_passed", **kill, check="recovery"))
    assert value(found, "chaoskit_fault_proven", **kill, fault="slow") == 0
    assert value(found, "chaoskit_fault_time_to_recover_seconds", **restart) == 1.204
    assert value(found, "chaoskit_probe_samples", outcome="fail") == 2
    assert value(found, "chaoskit_workload_operations", outcome="ok") == 914
    assert value(found, "chaoskit_workload_latency_p99_seconds") == 4.2


def test_units_are_in_the_names(passing: Result) -> None:
    check = passing.checks[0]
    checks = [
        check.model_copy(
            update={"measured": Quantity(text="", value=v, unit=unit), "subject": unit}
        )
        for v, unit in ((0.25, "s"), (0.5, "ratio"), (7.0, "count"))
    ]
    found = list(samples(passing.model_copy(update={"checks": checks})))
    assert value(found, "chaoskit_check_measured_seconds", subject="s") == 0.25
    assert value(found, "chaoskit_check_measured_ratio", subject="ratio") == 0.5
    assert value(found, "chaoskit_check_measured", subject="count") == 7


def test_what_repeats_gets_a_number_and_families_stay_together(passing: Result) -> None:
    found = [s for s in samples(passing, passing, passing) if s.name == "chaoskit_run_passed"]
    assert [s.labels.get("number") for s in found] == [None, "2", "3"]


def test_hostile_names_stay_labels(passing: Result) -> None:
    nasty = 'a"} 1\n# EOF\n\\x\\'
    info = passing.run.model_copy(update={"scenario": nasty})
    found = list(samples(passing.model_copy(update={"run": info})))
    assert {s.labels["scenario"] for s in found} == {'a"} 1 # EOF \\x\\'}


def test_no_run_is_an_empty_exposition() -> None:
    assert render([]) == "# EOF\n"
