"""A run folder as a failed run leaves it, made by hand: as long, busy and hostile as asked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from chaoskit.exchange import Exchange
from chaoskit.judge.result import (
    CheckResult,
    EdgeResult,
    FaultResult,
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
from chaoskit.record.events import (
    CanaryExchanged,
    ContainerChanged,
    FaultHealed,
    FaultInjected,
    FaultReceipt,
    FaultRechecked,
    HostLoad,
    PhaseEnded,
    PhaseStarted,
    Recorded,
    ResourcesSampled,
    RunEnded,
    RunStarted,
)
from chaoskit.records import Verdict

STARTED = datetime(2026, 3, 1, 12, tzinfo=UTC)
EDGE = "chat -> redis:6379"
PHASES = (("baseline", 0.1), ("faults", 0.3), ("settle", 0.8))  # each begins at this share
SCENARIO = """\
name: chat
timeline:
  faults:
    - { id: slow, at: 0s, for: 4s, fault: latency, edge: chat -> redis, delay: 300ms }
expect:
  - { check: no_loss, workload: members }
  - check: availability
    probe: chat
    at_least: 99%
"""


def make_run_folder(
    parent: Path,
    *,
    seconds: float = 10.0,
    rate: float = 20.0,
    say: str = "connection refused",
) -> Path:
    """Write the folder of a run that failed; `say` stands wherever somebody else's text may be."""
    folder = parent / "20260301T120000Z-chat-a1b2"
    (folder / "logs").mkdir(parents=True)
    fault = (seconds * 0.3, seconds * 0.6)
    _write(folder / "events.ndjson", [one.row() for one in _events(seconds, fault, say)])
    _write(folder / "samples.ndjson", _samples(seconds, fault, say))
    _write(folder / "history.ndjson", _history(seconds, rate, fault, say))
    (folder / "scenario.yaml").write_text(SCENARIO + f"# {say}\n", encoding="utf-8")
    lines = []
    for number in range(int(seconds * 4)):
        stamp = (STARTED + timedelta(seconds=number / 4)).isoformat(timespec="microseconds")
        word = "error" if fault[0] < number / 4 < fault[1] else "served"
        lines.append(f"{stamp.removesuffix('+00:00')}Z {word} {number} {say}")
    (folder / "logs" / "chat.log").write_text("\n".join(lines) + "\n", encoding="utf-8")
    result = _result(seconds, fault, say)
    (folder / "result.json").write_text(result.model_dump_json(indent=2), encoding="utf-8")
    return folder


def _write(path: Path, rows: Sequence[object]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def _events(seconds: float, fault: tuple[float, float], say: str) -> list[Recorded]:
    start, end = fault
    found = [Recorded(0.0, RunStarted(STARTED, "r", "chat", faults=("slow",), format=2))]
    ends = [share * seconds for _, share in PHASES[1:]] + [seconds]
    for (name, share), until in zip(PHASES, ends, strict=True):
        found += [Recorded(share * seconds, PhaseStarted(name)), Recorded(until, PhaseEnded(name))]
    return sorted(
        [
            *found,
            Recorded(0.5, ContainerChanged("chat", 1, "start")),
            *(
                Recorded(at, ResourcesSampled(HostLoad(0.25, 1.5, 2), {"chat": 2**20 * 48}))
                for at in (start - 0.5, start + 0.5, end)
            ),
            Recorded(start, FaultInjected("slow", "latency", "chat -> redis")),
            Recorded(start + 0.01, FaultReceipt("slow", True, f"toxic there {say}")),
            Recorded(start - 0.1, CanaryExchanged("slow", EDGE, "before", _ping(0.002))),
            Recorded(start + 0.2, CanaryExchanged("slow", EDGE, "during", _ping(0.302))),
            Recorded(end + 0.1, CanaryExchanged("slow", EDGE, "after", _ping(0.002))),
            Recorded(start + 1.0, ContainerChanged("chat", 1, "die", 137)),
            Recorded(start + 1.2, ContainerChanged("chat", 1, "start")),
            Recorded(end - 0.01, FaultRechecked("slow", True, "toxic there")),
            Recorded(end, FaultHealed("slow", "no toxic left")),
            Recorded(seconds, RunEnded(Verdict.FAIL, 1)),
        ],
        key=lambda one: one.t,
    )


def _ping(seconds: float) -> Exchange:
    return Exchange("PING", "answered", seconds, 6, 7)


def _samples(seconds: float, fault: tuple[float, float], say: str) -> list[object]:
    rows: list[object] = []
    for number in range(int(seconds * 10)):
        due = number / 10
        bad = fault[0] < due < fault[1]
        took = 0.3 if bad else 0.004
        outcome, error = ("fail", say) if bad and number % 3 else ("ok", None)
        rows.append(
            {"probe": "chat", "due": due, "sent": due, "done": due + took}
            | {"outcome": outcome, "error": error}
        )
    return rows


def _history(seconds: float, rate: float, fault: tuple[float, float], say: str) -> list[object]:
    rows: list[tuple[float, object]] = []
    for id in range(int((seconds - 1) * rate)):
        t = 0.5 + id / rate
        bad = fault[0] < t < fault[1]
        call = {"process": id % 8, "workload": "members", "op": "add", "key": None, "value": id}
        rows.append((t, {"t": t, "type": "invoke", **call, "id": id, "due": t}))
        type = ("ok", "fail", "info")[id % 3] if bad else "ok"
        done = t + (0.31 if bad else 0.005) + (1.5 if id == 7 else 0)
        if type == "info" and id % 2:
            continue  # nobody ever answered
        error = None if type == "ok" else say
        rows.append((done, {"t": done, "type": type, **call, "id": id, "error": error}))
    return [row for _, row in sorted(rows, key=lambda one: one[0])]


def _result(seconds: float, fault: tuple[float, float], say: str) -> Result:
    start, end = fault
    return Result(
        run=RunInfo(
            id="20260301T120000Z-chat-a1b2",
            scenario="chat",
            scenario_file="scenarios/chat.yaml",
            description=f"Redis is slow. {say}",
            seed=7,
            started_at=STARTED,
            duration=seconds,
            versions={"chaoskit": "0.1.0"},
            command="chaoskit run scenarios/chat.yaml --seed 7",
        ),
        verdict=Verdict.FAIL,
        exit_code=1,
        reason=f"37 of 912 values are lost: {say}",
        phases=[
            PhaseResult(name=name, start=share * seconds, end=end * seconds)
            for (name, share), end in zip(PHASES, (0.3, 0.8, 1.0), strict=True)
        ],
        faults=[
            FaultResult(
                id="slow",
                fault="latency",
                target="chat -> redis",
                injected_at=start,
                healed_at=end,
                proven=True,
                evidence=[f"canary 2ms, then 302ms {say}"],
                felt=True,
            )
        ],
        checks=[
            CheckResult(
                check="no_loss",
                subject="members",
                verdict=Verdict.FAIL,
                measured=Quantity(text="37 lost"),
                bound=Quantity(text="0 lost"),
                reason=f"37 of 912 values are lost: {say}",
                witness=[f"value 17 acknowledged at {start + 0.5:.2f} s, lost", say],
                log_lines=[LogExcerpt(t=start + 0.6, service="chat", text=f"error {say}")],
                at=start + 0.5,
            ),
            CheckResult(
                check="availability",
                subject="chat",
                verdict=Verdict.PASS,
                measured=Quantity(text="99.5%"),
                bound=Quantity(text="at least 99%"),
            ),
        ],
        probes=[ProbeResult(name="chat", kind="http", samples=100, ok=80, fail=20)],
        workloads=[
            WorkloadResult(
                name="members", kind="set", operations={"add": OperationCount(ok=9, info=1)}
            )
        ],
        stack=StackResult(
            project="ck-chat-a1b2",
            services=[
                ServiceResult(service=name, image=f"{name}:1 {say}", digest="sha256:0")
                for name in ("chat", "redis", "postgres")
            ],
            edges=[
                EdgeResult(client="chat", upstream="redis", port=6379, proxied=True, connections=4),
                EdgeResult(
                    client="chat", upstream="postgres", port=5432, evidence="environment PG"
                ),
            ],
        ),
        notes=[say],
    )
