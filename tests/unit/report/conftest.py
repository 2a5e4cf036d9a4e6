"""Two results: one that passes and one in which everything goes wrong."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest
from rich.console import Console

from chaoskit.judge.result import (
    CheckResult,
    DeathResult,
    FaultResult,
    Leftover,
    LogExcerpt,
    OperationCount,
    PhaseResult,
    ProbeResult,
    Quantity,
    Result,
    RunInfo,
    ServiceResult,
    StackResult,
    WorkloadResult,
)
from chaoskit.records import Verdict

DIED = "`worker` exited with code 1 at 3.20 s, during restart redis, and stayed down"
LOST = (
    "37 of 912 acknowledged values of workload `members` are lost (4.1%): oldest acknowledged at "
    "12.31 s, 7.6s before kill redis healed; 37 inside fault windows, 0 outside"
)


def run_info(scenario: str) -> RunInfo:
    return RunInfo(
        id=f"20260301T120000Z-{scenario}-a1b2",
        scenario=scenario,
        scenario_file=f"scenarios/{scenario}.yaml",
        description="Redis dies; no acknowledged participant is lost.",
        seed=7,
        started_at=datetime(2026, 3, 1, 12, tzinfo=UTC),
        duration=21.34,
        command=f"chaoskit run scenarios/{scenario}.yaml --seed 7",
    )


@pytest.fixture
def passing() -> Result:
    return Result(
        run=run_info("redis-restart"),
        verdict=Verdict.PASS,
        exit_code=0,
        phases=[PhaseResult(name="baseline", start=0, end=3)],
        faults=[
            FaultResult(
                id="restart",
                fault="restart",
                target="redis",
                injected_at=3.0,
                healed_at=3.4,
                proven=True,
                evidence=["redis[1] started again at 3.31 s"],
                time_to_detect=0.0214,
                time_to_recover=1.204,
            )
        ],
        checks=[
            CheckResult(
                check="availability",
                subject="chat",
                verdict=Verdict.PASS,
                measured=Quantity(text="99.4% (of 312)"),
                bound=Quantity(text=">= 99%"),
            ),
            CheckResult(
                check="no_loss",
                subject="members",
                verdict=Verdict.PASS,
                measured=Quantity(text="0 lost (of 912)"),
                bound=Quantity(text="none lost"),
                notes=["`restart` ends processes, not the machine"],
            ),
        ],
        probes=[ProbeResult(name="chat", kind="http", samples=312, ok=310, fail=2)],
        workloads=[
            WorkloadResult(
                name="members",
                kind="set",
                operations={
                    "add": OperationCount(ok=912, fail=3, info=1, sent=916, due=920),
                    "truth": OperationCount(ok=2),
                },
                latency_p99=4.2,
                latency_p99_from_sent=0.155,
            )
        ],
        stack=StackResult(
            project="chaoskit-a1b2",
            services=[ServiceResult(service="redis", image="redis:8", digest="sha256:00")],
        ),
    )


@pytest.fixture
def deadly(passing: Result) -> Result:
    """A run in which a bystander died."""
    death = DeathResult(
        service="worker",
        replica=1,
        at=3.2,
        until=3.2,
        times=1,
        reason="exited",
        exit_code=1,
        back_at=None,
        down=True,
        allowed=False,
        text=DIED,
        last_lines=["\x1b[31mredis went away\x1b[0m"],
    )
    return passing.model_copy(
        update={
            "verdict": Verdict.UNKNOWN,
            "exit_code": 3,
            "reason": DIED,
            "stack": passing.stack.model_copy(update={"deaths": [death]}),
        }
    )


@pytest.fixture
def failing() -> Result:
    return Result(
        run=run_info("redis-kill"),
        verdict=Verdict.FAIL,
        exit_code=6,
        reason=LOST,
        notes=["the stack was up before; [bold]it was left alone[/bold]"],
        faults=[
            FaultResult(
                id="kill",
                fault="kill",
                target="redis",
                injected_at=10.0,
                healed_at=19.9,
                proven=True,
                evidence=["redis[1] exited with 137", "chat -> redis refused 84 connections"],
                time_to_detect=0.11,
            ),
            FaultResult(
                id="slow",
                fault="latency",
                target="chat -> redis",
                injected_at=None,
                healed_at=None,
                proven=False,
                reason="the edge `chat -> redis` carried nothing",
            ),
        ],
        checks=[
            CheckResult(
                check="recovery",
                subject="cache",
                verdict=Verdict.UNKNOWN,
                measured=Quantity(text="unclear"),
                bound=Quantity(text="<= 5s"),
                reason="probe `cache` gave no sample after kill redis healed; leave more time",
            ),
            CheckResult(
                check="no_loss",
                subject="members",
                verdict=Verdict.FAIL,
                measured=Quantity(text="37 lost, 4.1% (of 912)"),
                bound=Quantity(text="none lost"),
                reason=LOST,
                witness=[
                    (
                        "LOST 1000123: acknowledged at 12.31 s, during kill (kill redis) "
                        "10.0 - 19.9 s, absent from 3 of 3 final reads of truth"
                    ),
                    "... and 36 more",
                ],
                log_lines=[
                    LogExcerpt(
                        t=12.3, service="chat", text="\x1b[31m[red]cache | `down`\x1b[0m\x00"
                    )
                ],
            ),
            CheckResult(
                check="availability",
                subject="chat",
                verdict=Verdict.PASS,
                measured=Quantity(text="100% (of 312)"),
                bound=Quantity(text=">= 99%"),
            ),
        ],
        stack=StackResult(project="chaoskit-a1b2"),
        leftovers=[
            Leftover(what="network chaoskit-a1b2_default", command="chaoskit recover " + "x" * 70)
        ],
    )


class Screen:
    """A console of 80 columns without colour, and what was printed on it."""

    def __init__(self) -> None:
        self._file = io.StringIO()
        self.console = Console(file=self._file, width=80, no_color=True)

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self._file.getvalue().splitlines())


@pytest.fixture
def screen() -> Screen:
    return Screen()


def with_expected_failure(passing: Result) -> Result:
    """Return the passing result with a first check that fails as its scenario expects."""
    said = "80% of 312 samples were good"
    first = passing.checks[0].model_copy(
        update={
            "verdict": Verdict.EXPECTED_FAIL,
            "reason": said,
            "notes": [f"expected to fail until 2027-01-31: {said}"],
        }
    )
    return passing.model_copy(update={"checks": [first, *passing.checks[1:]]})
