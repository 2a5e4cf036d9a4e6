"""Kill chaoskit at random moments, in every way, and look for anything of it that is left.

`python -m tests.stack.kill_soak --kills 300` is `make torture`; the stack tests do a few rounds.
Containers of a user's own, which have nothing to do with any run, must not change meanwhile.
With `--engine-restarts 30` it is the Docker engine that is killed and started again: only on a
machine whose engine `make setup` started, where nothing else needs it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from chaoskit.judge.result import Result
from chaoskit.record.lock import LOCK, live_owner
from chaoskit.recovery.ledger import read_ledger
from tests.stack.running import COMMAND, ROOT, STACKS, docker, project_of, things_of_project

TORTURE = STACKS / "torture.yaml"
SCENARIOS = (TORTURE, *sorted((ROOT / "scenarios").glob("*.yaml")))
LONGEST = 27.0  # seconds: a kill may also come when everything is over
WAYS = ("kill", "kill-guard-too", "SIGTERM", "SIGINT", "SIGHUP", "SIGTERM-then-kill")
ENGINE_WAYS = ("engine-SIGTERM", "engine-SIGKILL")
ENGINE_PID = Path("/var/run/docker.pid")
GUARD_DEADLINE = 90.0


@dataclass(frozen=True)
class Round:
    """One kill: which scenario, when, how, and by which seed it runs."""

    number: int
    scenario: Path
    moment: float
    way: str
    seed: int


@dataclass(frozen=True)
class Outcome:
    """What a kill left (nothing), in which phase it came and how long undoing it took."""

    round: Round
    phase: str
    recovery: float
    problems: tuple[str, ...]


def rounds(
    count: int,
    seed: int,
    scenarios: Sequence[Path] = SCENARIOS,
    ways: Sequence[str] = WAYS,
) -> list[Round]:
    """Return seeded kills; every second one is of the scenario with many faults at once."""
    rng = random.Random(seed)
    made = []
    for number in range(count):
        scenario = TORTURE if number % 2 else rng.choice(list(scenarios))
        longest = 17.0 if scenario == TORTURE else LONGEST
        moment = rng.uniform(0.2, longest)
        way = ways[(number // 2 if ways is ENGINE_WAYS else number) % len(ways)]
        made.append(Round(number, scenario, moment, way, rng.randrange(10**6)))
    return made


def torture(one: Round, directory: Path) -> Outcome:
    """Start a run, kill it at its moment, wait for whoever must heal, and look around."""
    runs = directory / f"runs-{one.number}"
    argv = [str(COMMAND), "run", str(one.scenario), "--runs-dir", str(runs)]
    started = time.monotonic()
    with (directory / f"out-{one.number}").open("wb") as out:
        process = subprocess.Popen(
            [*argv, "--seed", str(one.seed)],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(max(0.0, started + one.moment - time.monotonic()))
    folder = newest(runs)
    phase = phase_of(folder)
    begin = time.monotonic()
    if one.way in ENGINE_WAYS:
        restart_engine(one.way)
        begin = time.monotonic()
        code = process.wait(2 * GUARD_DEADLINE)
    else:
        code = killed(process, one.way, folder)
    problems = undone(one.way, code, runs, folder)
    recovery = time.monotonic() - begin
    if folder is not None:
        problems += left_of(folder) + unreadable(folder)
    return Outcome(one, phase, recovery, tuple(problems))


def newest(runs: Path) -> Path | None:
    folders = sorted(path for path in runs.glob("2*") if path.is_dir())
    return folders[-1] if folders else None


def phase_of(folder: Path | None) -> str:
    with contextlib.suppress(OSError):
        if folder is not None:
            lines = (folder / "events.ndjson").read_text().splitlines()
            phases = [json.loads(line)["phase"] for line in lines if '"phase_started"' in line]
            return phases[-1] if phases else "starting"
    return "starting"


def killed(process: subprocess.Popen[bytes], way: str, folder: Path | None) -> int:
    """Kill a run in one way and return its exit code."""
    if way == "kill-guard-too" and folder is not None:
        kill(process.pid, signal.SIGSTOP)  # or it would start another one
        for pid in guards_of(folder):
            kill(pid, signal.SIGKILL)
    if way.startswith("kill"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        kill(process.pid, signal.Signals[way.partition("-")[0]])
    if way.endswith("then-kill"):
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(1.0)
        kill(process.pid, signal.SIGKILL)
    return process.wait(GUARD_DEADLINE)


def restart_engine(way: str) -> None:
    """Kill the Docker engine, wait until it is gone and start it again."""
    pid = int(ENGINE_PID.read_text())
    kill(pid, signal.Signals[way.removeprefix("engine-")])
    ends = time.monotonic() + GUARD_DEADLINE
    while is_alive(pid) and time.monotonic() < ends:
        time.sleep(0.05)
    subprocess.run([str(ROOT / "tools/setup.sh")], check=True, capture_output=True)


def is_alive(pid: int) -> bool:
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    return "State:\tZ" not in text


def kill(pid: int, sign: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, sign)


def guards_of(folder: Path) -> list[int]:
    """Return the guards of a run: by the folder on their command line."""
    found = []
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            with contextlib.suppress(OSError):
                words = (path / "cmdline").read_bytes().split(b"\0")
                if str(folder).encode() in words and any(b"guard_process" in w for w in words):
                    found.append(int(path.name))
    return found


def undone(way: str, code: int, runs: Path, folder: Path | None) -> list[str]:
    """Wait until the guard is through, or recover by hand what has none; return what went wrong."""
    problems = []
    if way == "kill-guard-too" and folder is not None:
        problems += recovered(runs, folder)
    elif way in ENGINE_WAYS:
        if code not in {0, 1, 3, 4, 6}:
            problems.append(f"{way} ended with exit code {code}")
        if code == 6 and folder is not None:  # it said so, with the command
            problems += recovered(runs, folder)
    elif way in signal.Signals.__members__:
        # While Python itself still loads, and when all is done, a signal ends it as any program.
        plain = {-signal.Signals[way]} if folder is None or is_over(folder) else set()
        if code not in {0, 1, 3, 128 + signal.Signals[way]} | plain:
            problems.append(f"{way} ended with exit code {code}")
    ends = time.monotonic() + GUARD_DEADLINE
    while folder is not None and (folder / LOCK).exists():
        if time.monotonic() > ends:
            problems.append(f"still unfinished, owner {live_owner(folder)}")
            break
        time.sleep(0.05)
    return problems


def recovered(runs: Path, folder: Path) -> list[str]:
    """Recover one run by hand; return what went wrong."""
    argv = [str(COMMAND), "recover", folder.name, "--runs-dir", str(runs)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    if not done.returncode:
        return []
    return [f"recover exited {done.returncode}: {done.stdout}{done.stderr}"]


def is_over(folder: Path) -> bool:
    with contextlib.suppress(OSError):
        return '"run_ended"' in (folder / "events.ndjson").read_text()
    return False


def left_of(folder: Path) -> list[str]:
    """Return everything of a run that is still there."""
    project = project_of(folder)
    problems = [f"left: {thing}" for thing in things_of_project(project)] if project else []
    problems += [f"left: process {pid}" for pid in processes_of(project)] if project else []
    for entry in read_ledger(folder / "ledger.ndjson"):
        if not entry.healed:
            problems.append(f"ledger: {entry.id} was never healed")
    return problems


def processes_of(project: str) -> Iterator[int]:
    wanted = f"CHAOSKIT_PROJECT={project}".encode()
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            with contextlib.suppress(OSError):
                if wanted in (path / "environ").read_bytes().split(b"\0"):
                    yield int(path.name)


def unreadable(folder: Path) -> list[str]:
    """Return what a reader of the run folder would stumble over."""
    problems = []
    for file in folder.glob("*.ndjson"):
        lines = file.read_text(encoding="utf-8").splitlines()
        torn = [number for number, line in enumerate(lines, 1) if not is_json(line)]
        if len(torn) > 1:  # where the kill hit; whoever wrote next began a new line
            problems.append(f"{file.name}: lines {torn} are not JSON")
    try:
        Result.model_validate_json((folder / "result.json").read_text())
    except (OSError, ValueError) as error:
        problems.append(f"result.json: {error}")
    for command in ("report", "check")[: 1 + (folder / "plan.json").exists()]:
        argv = [str(COMMAND), command, str(folder)]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if done.returncode not in (0, 1, 3):
            problems.append(f"{command} exited {done.returncode}: {done.stderr[-300:]}")
    return problems


def is_json(line: str) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


@contextlib.contextmanager
def bystanders(name: str) -> Iterator[list[str]]:
    """Run containers of a user's own; when it ends, say what changed about them."""
    labels = ("--label", "com.docker.compose.project=somebody-elses")
    network, volume = f"{name}-network", f"{name}-data"
    mounted = ("--volume", f"{volume}:/data", "--network", network)
    redis = ("redis-server", "--bind", "*", "--protected-mode", "no")
    problems: list[str] = []
    remove_bystanders(name)  # of a run that was killed in the middle
    try:
        docker("network", "create", network)
        docker("volume", "create", volume)
        docker("run", "-d", "--name", f"{name}-redis", *labels, *mounted, "chaoskit/lab:1", *redis)
        docker("exec", f"{name}-redis", "sh", "-c", "until redis-cli set mine kept; do :; done")
        before = looked_at(name)
        yield problems
        after = looked_at(name)
        problems += [f"changed: {key}" for key in before if before[key] != after.get(key)]
    finally:
        remove_bystanders(name)


def remove_bystanders(name: str) -> None:
    """Remove what `bystanders` made, as far as it is there."""
    docker("rm", "--force", f"{name}-redis", check=False)
    docker("network", "rm", f"{name}-network", check=False)
    docker("volume", "rm", f"{name}-data", check=False)


def looked_at(name: str) -> dict[str, str]:
    """Return what a kill must not change about the user's own containers, and on the host."""
    inspected = json.loads(docker("inspect", f"{name}-redis"))[0]
    networks = inspected["NetworkSettings"]["Networks"]
    keys = ("StartedAt", "Pid", "Status", "Paused", "OOMKilled")
    return {
        "state": json.dumps({key: inspected["State"][key] for key in keys}),
        "limits": json.dumps(inspected["HostConfig"], sort_keys=True),
        "networks": json.dumps({n: row["IPAddress"] for n, row in networks.items()}),
        "redis settings": docker("exec", f"{name}-redis", "redis-cli", "config", "get", "*"),
        "redis data": docker("exec", f"{name}-redis", "redis-cli", "get", "mine"),
        "host rules": "\n".join(row for row in host_rules() if "chaoskit" in row.lower()),
    }


def host_rules() -> list[str]:
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        argv = ["iptables-save"]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()
    return []


def main() -> int:
    """Torture, print a row per kill and the sum; return 1 when anything was left."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--parallel", type=int, default=2)
    parser.add_argument("--engine-restarts", type=int, default=0, help="instead of kills")
    options = parser.parse_args()
    # In the background of a script SIGINT is ignored, under nohup SIGHUP, and by all we start too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if options.engine_restarts:  # which stop every container: no bystanders, and one at a time
        planned = rounds(options.engine_restarts, options.seed, ways=ENGINE_WAYS)
        parallel, what = 1, "engine restarts"
        beside: contextlib.AbstractContextManager[list[str]] = contextlib.nullcontext([])
    else:
        planned = rounds(options.kills, options.seed)
        parallel, what = options.parallel, "kills"
        beside = bystanders(f"bystander-{os.getpid()}")
    print(f"{len(planned)} {what}, seed {options.seed}", flush=True)
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory(prefix="chaoskit-torture-") as temporary:
        directory = Path(temporary)
        with beside as changed, ThreadPoolExecutor(parallel) as pool:
            for outcome in pool.map(lambda one: torture(one, directory), planned):
                outcomes.append(outcome)
                print(row(outcome), flush=True)
    left = sum(bool(outcome.problems) for outcome in outcomes) + len(changed)
    for text in changed:
        print(f"a user's own container: {text}")
    slowest = max(outcomes, key=lambda outcome: outcome.recovery)
    phases = Counter(outcome.phase for outcome in outcomes)
    print(f"phases: {', '.join(f'{name} {count}' for name, count in phases.most_common())}")
    print(f"{len(outcomes)} {what}, {left} leftovers; slowest recovery {slowest.recovery:.1f} s")
    return 1 if left else 0


def row(outcome: Outcome) -> str:
    one = outcome.round
    found = "; ".join(outcome.problems) or "nothing left"
    return (
        f"{one.number:>4}  {one.way:<18} {one.scenario.stem:<16} {one.moment:>5.1f} s "
        f"{outcome.phase:<9} {outcome.recovery:>5.1f} s  {found}"
    )


if __name__ == "__main__":
    sys.exit(main())
