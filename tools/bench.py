"""What chaoskit costs, as ratios measured in one run on one machine: `make bench`.

Each row is compared with the same work done without chaoskit, right before or after it. Budgets are
those of the design; a row over its budget is marked, and the exit status is 1.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench_common import CHAOSKIT, LAB, PYTHON, ROOT, STACK, median, row, timed
from bench_in_runs import in_runs

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


def judging() -> bool:
    """Histories, in a process of its own: its memory is measured."""
    sys.stdout.flush()
    argv = [str(PYTHON), str(ROOT / "tools/bench_judging.py")]
    return subprocess.run(argv, check=False).returncode == 0


def listing(folder: Path) -> bool:
    """1,000 runs as `chaoskit runs` lists them, against the start of the command alone."""
    runs = folder / "thousand"
    make = [str(PYTHON), str(ROOT / "tools/many_runs.py"), str(runs), "1000"]
    subprocess.run(make, check=True)
    list_them = [str(CHAOSKIT), "runs", "--runs-dir", str(runs)]
    first = timed(list_them)
    ours = median(lambda: timed(list_them), 5)
    print(f"      (the first time, which reads every result: {first:.2f} s)")
    start = median(lambda: timed([str(CHAOSKIT), "--help"]), 5)
    fine = row("chaoskit runs of 1,000 runs / chaoskit --help", ours, start, 2.0)
    print(f"{'ok' if ours <= 0.3 else 'OVER':<5} 1,000 runs are listed in {ours:.3f} s  (<= 0.3)")
    return fine and ours <= 0.3


def main() -> int:
    if shutil.which("docker") is None:
        sys.exit("bench needs Docker: run `make setup`")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fine = [
            help_start(),
            listing(folder),
            judging(),
            injecting(),
            *in_runs(folder),
            teardown(folder),
            six_services(folder),
            whole_run(),
        ]
    return 0 if all(fine) else 1


if __name__ == "__main__":
    sys.exit(main())
