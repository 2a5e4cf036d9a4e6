"""What can only be measured in a run: `make bench` runs it with the rest."""

from __future__ import annotations

import json
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench_common import CHAOSKIT, LAB, PYTHON, ROOT, median, row, timed

TWO = """
name: chaoskit-bench-two
services:
  a: &service
    image: {lab}
    pull_policy: never
    init: true
    command: [python3, -m, http.server, "8000"]
    expose: ["8000"]
  b: *service
"""
ROUNDS = 8


def bench_faults() -> str:
    """Return the faults of a run that injects a toxic, a pause and a partition, over and over."""
    rows = []
    for number in range(ROUNDS):
        for shift, fault in enumerate(
            (
                "latency, edge: a -> b, delay: 10ms",
                "pause, service: b",
                "partition, engine: netfilter, groups: [[a], [b]]",
            )
        ):
            at = 3 * number + shift
            rows.append(f"{{ id: f{at}, at: {at}s, for: 300ms, fault: {fault} }}")
    return ", ".join(rows)


def faults_in_a_run(folder: Path) -> bool:
    """From the start of an injection to its receipt, in a real run; all but the toxic's budgets are
    absolute, so a plain `docker pause` is measured beside them."""
    compose = folder / "two.yaml"
    compose.write_text(TWO.format(lab=LAB))
    scenario = folder / "faults.yaml"
    scenario.write_text(
        f"""
name: bench-faults
stack: {{ compose: {compose} }}
probes: {{ a: {{ probe: http, url: "http://a:8000/", every: 1s }} }}
timeline: {{ baseline: 100ms, faults: [ {bench_faults()} ], settle: 100ms }}
expect: [{{ check: availability, probe: a, at_least: 1% }}]
"""
    )
    runs = folder / "runs"
    argv = [str(CHAOSKIT), "run", str(scenario), "--runs-dir", str(runs)]
    subprocess.run(argv, capture_output=True, check=False)
    events = [json.loads(line) for line in (runs / "latest/events.ndjson").read_text().splitlines()]
    injected = {e["id"]: e for e in events if e["event"] == "fault_injected"}
    took: dict[str, list[float]] = {}
    for event in events:
        if event["event"] == "fault_receipt":
            start = injected[event["id"]]
            took.setdefault(start["fault"], []).append(event["t"] - start["t"])
    name = "chaoskit-bench-pause"
    timed(["docker", "run", "-d", "--name", name, LAB, "sleep", "60"])
    try:
        plain = median(lambda: timed(["docker", "pause", name]) + _unpaused(name), ROUNDS)
    finally:
        subprocess.run(["docker", "rm", "-f", name], capture_output=True, check=False)
    print(f"      (a plain `docker pause` takes {plain * 1000:.0f} ms)")
    fine = True
    for kind, budget in (("latency", 0.025), ("pause", 0.1), ("partition", 0.2)):
        found = sorted(took.get(kind, []))
        worst, middle = found[-1], statistics.median(found)
        ok = len(found) == ROUNDS and middle <= budget
        fine = fine and ok
        print(
            f"{'ok' if ok else 'OVER':<5} {f'{kind}: inject -> receipt in a run, median':<58} "
            f"{middle * 1000:8.1f} ms, slowest {worst * 1000:.1f} ms  (<= {budget * 1000:.0f} ms)"
        )
    return fine


def _unpaused(name: str) -> float:
    subprocess.run(["docker", "unpause", name], capture_output=True, check=True)
    return 0.0


QUICK_SERVER = """
name: chaoskit-bench-load
services:
  web:
    image: {lab}
    pull_policy: never
    init: true
    command:
      - sh
      - -c
      - |
        printf '%s\\n' defaults ' mode http' ' timeout client 60s' 'frontend f' ' bind :8000' \\
          ' http-request return status 200' > /tmp/c
        exec haproxy -f /tmp/c
    expose: ["8000"]
"""
LOAD_RATE, LOAD_SECONDS = 1000, 10


def sustained_load(folder: Path) -> bool:
    """1,000 operations/s from 8 clients: how late they are sent, whether every one is written down,
    and how late a probe beside them is, against the same probe alone."""
    compose = folder / "load.yaml"
    compose.write_text(QUICK_SERVER.format(lab=LAB))
    load = f"""
workloads:
  calls:
    workload: load
    rate: {LOAD_RATE}/s
    clients: 8
    operations: {{ call: {{ http: "POST http://web:8000/", ok: [200] }} }}
"""

    def measured(workloads: str) -> tuple[Any, list[str]]:
        scenario = folder / "load-scenario.yaml"
        scenario.write_text(
            f"""
name: bench-load
stack: {{ compose: {compose} }}
probes: {{ web: {{ probe: http, url: "http://web:8000/", every: 100ms }} }}
{workloads}
timeline: {{ baseline: {LOAD_SECONDS}s, faults: [], settle: 100ms }}
expect: [{{ check: availability, probe: web, at_least: 99% }}]
"""
        )
        runs = folder / "load-runs"
        timed([str(CHAOSKIT), "run", str(scenario), "--runs-dir", str(runs)])
        history = runs / "latest/history.ndjson"
        lines = history.read_text().splitlines() if history.exists() else []
        return json.loads((runs / "latest/result.json").read_text()), lines

    alone, _ = measured("")
    result, lines = measured(load)
    late = result["workloads"][0]["lateness_p99"]
    begun = {row["id"] for row in map(json.loads, lines) if row["type"] == "invoke"}
    ended = {row["id"] for row in map(json.loads, lines) if row["type"] != "invoke"}
    whole = len(begun) >= 0.99 * LOAD_RATE * LOAD_SECONDS and begun == ended
    ok = late <= 0.010 and whole
    probe, before = (one["probes"][0]["lateness_p99"] for one in (result, alone))
    print(
        f"{'ok' if ok else 'OVER':<5} {'1,000 operations/s, 8 clients: lateness p99':<58} "
        f"{late * 1000:8.1f} ms  (<= 10 ms); {len(begun)} begun, {len(ended)} ended; "
        f"a probe beside them p99 {probe * 1000:.1f} ms late, alone {before * 1000:.1f} ms"
    )
    return ok


WITHOUT_LEDGER_AND_GUARD = """
import os, sys
from chaoskit.recovery import guard, ledger
class Nobody:
    pid = 0
    def __init__(self, *_, **__): pass
    def memory(self): return None
    def __getattr__(self, name): return lambda *_: None
guard.Guard = Nobody
os.fsync = lambda fd: None
from chaoskit.cli.start import entry
sys.argv[0] = "chaoskit"
entry()
"""


def ledger_and_guard() -> bool:
    """A run with its write-ahead ledger and guard against the same without, in turns."""
    ours, other = [], []
    with tempfile.TemporaryDirectory() as runs:
        scenario = [str(ROOT / "scenarios/redis-restart.yaml"), "--runs-dir", runs]
        bare = [str(PYTHON), "-c", WITHOUT_LEDGER_AND_GUARD]
        for _ in range(3):
            ours.append(timed([str(CHAOSKIT), "run", *scenario]))
            other.append(timed([*bare, "run", *scenario]))
    what = "chaoskit run with ledger and guard / without"
    return row(what, statistics.median(ours), statistics.median(other), 1.02)


def in_runs(folder: Path) -> Iterator[bool]:
    """Measure each in turn; say whether it is within its budget."""
    yield faults_in_a_run(folder)
    yield sustained_load(folder)
    yield ledger_and_guard()
