"""What chaoskit costs, as ratios measured in one run on one machine: `make bench`.

Each row is compared with the same work done without chaoskit, right before or after it. Budgets are
those of the design; a row over its budget is marked, and the exit status is 1.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CHAOSKIT = ROOT / ".venv/bin/chaoskit"
PYTHON = ROOT / ".venv/bin/python"
STACK = ROOT / "compose/participants/compose.yaml"
LAB = "chaoskit/lab:1"

BARE_TYPER = """
import typer
app = typer.Typer()
@app.command()
def one(name: str) -> None:
    "Do one thing."
@app.command()
def two(name: str) -> None:
    "Do another thing."
app()
"""


def timed(argv: list[str], **options: object) -> float:
    """Run a command and return the seconds it took; a failing command is an error."""
    start = time.monotonic()
    done = subprocess.run(argv, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    if done.returncode != 0:
        sys.exit(f"{' '.join(argv)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return time.monotonic() - start


def median(function: Callable[[], float], times: int) -> float:
    return statistics.median(function() for _ in range(times))


def row(what: str, ours: float, other: float, budget: float) -> bool:
    """Print one comparison; return whether it is within its budget."""
    ratio = ours / other
    verdict = "ok" if ratio <= budget else "OVER"
    print(f"{verdict:<5} {what:<58} {ours:8.3f} s / {other:8.3f} s = {ratio:5.2f}  (<= {budget})")
    return ratio <= budget


def help_start() -> bool:
    bare = ["-c", BARE_TYPER, "--help"]
    ours = median(lambda: timed([str(CHAOSKIT), "--help"]), 15)
    other = median(lambda: timed([str(PYTHON), *bare]), 15)
    return row("chaoskit --help / a bare Typer app's --help", ours, other, 1.1)


def whole_run() -> bool:
    """The run of redis-restart.yaml against a script with the same steps and waits."""
    scenario = ROOT / "scenarios/redis-restart.yaml"
    compose = f"docker compose -p chaoskit-bench -f {STACK}"
    script = f"""
    set -e
    {compose} up -d --wait
    sleep 1 ; sleep 3
    {compose} restart redis ; sleep 5.5
    sleep 4
    sleep 5.5
    {compose} logs > /dev/null
    {compose} down --volumes
    """
    with tempfile.TemporaryDirectory() as runs:
        argv = [str(CHAOSKIT), "run", str(scenario), "--runs-dir", runs]
        ours = median(lambda: timed(argv), 3)
    other = median(lambda: timed(["bash", "-c", script]), 3)
    return row("chaoskit run / a script with the same compose steps", ours, other, 1.1)


SERVICE = """
  {name}:
    image: {lab}
    pull_policy: never
    command: [python3, -m, http.server, "{port}"]
    expose: ["{port}"]
    healthcheck:
      test: [CMD, http-ok, "{port}", /]
      interval: 1s
      start_period: 20s
      start_interval: 200ms
    depends_on: {{ {first} }}
"""


def six_services_file() -> str:
    """Return a project of six services in three stages, each with a port of its own."""
    first = {"base": "", "five": "two", "six": "two"}
    text = "name: chaoskit-bench-six\nservices:\n"
    for port, name in enumerate(("base", "two", "three", "four", "five", "six"), start=8000):
        upstream = first.get(name, "base")
        order = f"{upstream}: {{ condition: service_healthy }}" if upstream else ""
        text += SERVICE.format(name=name, lab=LAB, port=port, first=order)
    return text


SIX_SCENARIO = """
name: bench-six
stack: {{ compose: {compose}, proxy: all }}
probes: {{ base: {{ probe: http, url: "http://base:8000/", every: 50ms }} }}
timeline: {{ gate: {{ for: 50ms }}, baseline: 100ms, settle: 100ms }}
expect: [{{ check: availability, probe: base, at_least: 50% }}]
"""

STUBBORN = """
name: chaoskit-bench-stubborn
services:
  one: &service
    image: {lab}
    pull_policy: never
    command: [sh, -c, "trap '' TERM; sleep 1000 & wait; wait"]
    stop_grace_period: 3s
  two: *service
"""


def phases_of(runs: Path) -> dict[str, float]:
    result = json.loads((runs / "latest/result.json").read_text())
    return {phase["name"]: phase["end"] - phase["start"] for phase in result["phases"]}


def run_phases(scenario: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scenario.yaml"
        path.write_text(scenario)
        subprocess.run(
            [str(CHAOSKIT), "run", str(path), "--runs-dir", f"{folder}/runs"],
            capture_output=True,
            check=False,
        )
        return phases_of(Path(folder) / "runs")


def six_services(folder: Path) -> bool:
    compose = folder / "six.yaml"
    compose.write_text(six_services_file())
    base = ["docker", "compose", "-p", "chaoskit-bench-six", "-f", str(compose)]

    def plain() -> float:
        took = timed([*base, "up", "-d", "--wait"])
        timed([*base, "down", "--timeout", "0"])
        return took

    scenario = SIX_SCENARIO.format(compose=compose)
    ours = median(lambda: run_phases(scenario)["up"], 3)
    return row("up of six services with proxy: all / up --wait", ours, median(plain, 3), 1.5)


def teardown(folder: Path) -> bool:
    compose = folder / "stubborn.yaml"
    compose.write_text(STUBBORN.format(lab=LAB))
    base = ["docker", "compose", "-p", "chaoskit-bench-stubborn", "-f", str(compose)]

    def plain() -> float:
        timed([*base, "up", "-d"])
        return timed([*base, "down", "--volumes"])

    scenario = SIX_SCENARIO.replace('http, url: "http://base:8000/"', "container, service: one")
    ours = median(lambda: run_phases(scenario.format(compose=compose))["down"], 3)
    return row("teardown of services that ignore SIGTERM / down", ours, median(plain, 3), 0.3)


def injecting() -> bool:
    """Adding a toxic with its read-back, against a bare API call of the same server."""
    from chaoskit.stack.toxiproxy import Toxic, Toxiproxy

    name = "chaoskit-bench-toxiproxy"
    image = "chaoskit/toxiproxy:2.12.0"
    subprocess.run(["docker", "rm", "-f", name], capture_output=True, check=False)
    timed(["docker", "run", "-d", "--name", name, "-p", "127.0.0.1::8474", image])
    try:
        port = subprocess.run(
            ["docker", "port", name, "8474"], capture_output=True, text=True, check=True
        ).stdout.rpartition(":")[2]

        async def measure() -> tuple[float, float]:
            async with Toxiproxy(f"http://127.0.0.1:{int(port)}") as api:
                await api.create({"name": "p", "listen": "[::]:7000", "upstream": "x:1"})
                ours, bare = [], []
                for _ in range(200):
                    start = time.monotonic()
                    await api.version()
                    bare.append(time.monotonic() - start)
                    toxic = Toxic("t", "latency", "downstream", {"latency": 10, "jitter": 0})
                    start = time.monotonic()
                    await api.add_toxic("p", toxic)
                    assert toxic in (await api.proxy("p")).toxics
                    ours.append(time.monotonic() - start)
                    await api.remove_toxic("p", "t")
                return sorted(ours)[197], sorted(bare)[197]

        ours, bare = asyncio.run(measure())
    finally:
        subprocess.run(["docker", "rm", "-f", name], capture_output=True, check=False)
    over = ours - bare
    print(
        f"{'ok' if over <= 0.025 else 'OVER':<5} "
        f"{'toxic -> receipt, p99, over an API round trip':<58} {over * 1000:8.1f} ms  (<= 25 ms)"
    )
    return over <= 0.025


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
from chaoskit.run import guard, ledger
class Nobody:
    pid = 0
    def __init__(self, folder): pass
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


def main() -> int:
    if shutil.which("docker") is None:
        sys.exit("bench needs Docker: run `make setup`")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fine = [
            help_start(),
            injecting(),
            faults_in_a_run(folder),
            sustained_load(folder),
            teardown(folder),
            six_services(folder),
            whole_run(),
            ledger_and_guard(),
        ]
    return 0 if all(fine) else 1


if __name__ == "__main__":
    sys.exit(main())
