"""Running the real command against real containers, and looking at what it leaves."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import textwrap
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from chaoskit.judge.result import CheckResult, FaultResult, Result
from chaoskit.record.folder import read_ndjson

ROOT = Path(__file__).parents[2]
COMMAND = ROOT / ".venv/bin/chaoskit"
SCENARIOS = ROOT / "scenarios"
STACKS = Path(__file__).parent / "stacks"
TWO_CHATS = STACKS / "two-chats" / "compose.yaml"
DEADLINE = 150.0  # seconds for one run on a machine that does other things too

# A scenario file as data: probes of both chats, short phases, one check.
Scenario = dict[str, Any]


def docker(*arguments: str, check: bool = True, within: float = 60) -> str:
    """Run `docker` and return its stdout."""
    done = subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, timeout=within, check=False
    )
    assert not check or done.returncode == 0, f"docker {arguments}: {done.stderr}"
    return done.stdout


def things_of(label: str) -> list[str]:
    """Return every container, network and volume with a label, in words."""
    wanted = f"label={label}"
    return [
        f"{sort} {name}"
        for sort, command in (
            ("container", ["ps", "--all", "--format", "{{.Names}}"]),
            ("network", ["network", "ls", "--format", "{{.Name}}"]),
            ("volume", ["volume", "ls", "--format", "{{.Name}}"]),
        )
        for name in docker(*command, "--filter", wanted).split()
    ]


def things_of_project(project: str) -> list[str]:
    return things_of(f"com.docker.compose.project={project}")


def remove_project(project: str) -> None:
    """Remove whatever a project has: for cleaning up after a test, whatever happened in it."""
    names = docker("ps", "-aq", "--filter", f"label=com.docker.compose.project={project}").split()
    if names:
        docker("rm", "--force", "--volumes", *names, check=False)
    for sort in ("network", "volume"):
        label = f"label=com.docker.compose.project={project}"
        for name in docker(sort, "ls", "-q", "--filter", label).split():
            docker(sort, "rm", name, check=False)


def chats(**changes: Any) -> Scenario:
    """Return a scenario on the two chats; `faults`, `expect`, `stack`, `timeline` change it."""
    probe = {"probe": "http", "every": "100ms", "timeout": "2s"}
    timeline = {
        "gate": {"for": "500ms", "within": "30s"},
        "baseline": "1s",
        "hold": "1s",
        "settle": "1s",
        "faults": changes.get("faults", []),
    }
    return {
        "name": changes.get("name", "chats"),
        "stack": {"compose": str(TWO_CHATS)} | changes.get("stack", {}),
        "probes": changes.get("probes")
        or {
            "one": probe | {"url": "http://chat-1:8000/ping"},
            "two": probe | {"url": "http://chat-2:8000/ping"},
        },
        "timeline": timeline | changes.get("timeline", {}),
        "expect": changes.get("expect", [available("two")]),
    }


def available(probe: str, at_least: str = "100%") -> dict[str, str]:
    """Return an availability check."""
    return {"check": "availability", "probe": probe, "at_least": at_least}


def fault(kind: str, at: str = "0s", lasts: str | None = "1s", **fields: Any) -> dict[str, Any]:
    """Return a fault of a timeline, on `redis` or on the edge `chat-1 -> redis` if need be."""
    lease = {} if lasts is None else {"for": lasts}
    return {"fault": kind, "at": at, **lease, **fields}


@dataclass
class Run:
    """One finished `chaoskit run`."""

    code: int
    stdout: str
    stderr: str
    folder: Path | None

    @property
    def path(self) -> Path:
        assert self.folder is not None, f"there is no run folder:\n{self.stderr}"
        return self.folder

    @property
    def result(self) -> Result:
        """The result document, read from the run folder."""
        return Result.model_validate_json((self.path / "result.json").read_text())

    @property
    def project(self) -> str:
        return project_of(self.path)

    @property
    def output(self) -> str:
        return self.stdout + self.stderr

    def fault(self, id: str) -> FaultResult:
        return next(fault for fault in self.result.faults if fault.id == id)

    def check(self, check: str, subject: str) -> CheckResult:
        return next(
            one for one in self.result.checks if (one.check, one.subject) == (check, subject)
        )

    def rows(self, name: str) -> list[Mapping[str, Any]]:
        """Return the rows of one of the NDJSON files; every line must be whole."""
        text = (self.path / name).read_text()
        assert text.endswith("\n") or not text
        return [json.loads(line) for line in text.splitlines()]

    def samples(self, probe: str, start: float, end: float) -> list[Mapping[str, Any]]:
        """Return a probe's samples that were sent and answered between two moments of the run."""
        return [
            row
            for row in self.rows("samples.ndjson")
            if row["probe"] == probe and row["sent"] >= start and row["done"] <= end
        ]

    def during(self, id: str, probe: str) -> list[Mapping[str, Any]]:
        """Return a probe's samples between a fault's receipt and its heal."""
        receipt = next(
            row["t"]
            for row in self.rows("events.ndjson")
            if row["event"] == "fault_receipt" and row["id"] == id
        )
        healed_at = self.fault(id).healed_at
        assert healed_at is not None
        # Healing takes a moment, and the heal is recorded after it.
        return self.samples(probe, receipt, healed_at - 0.3)


def project_of(folder: Path) -> str:
    """Return the Compose project of a run from its ledger."""
    for row in read_ndjson(folder / "ledger.ndjson"):
        return str(row["project"])
    return ""


@dataclass
class Going:
    """A `chaoskit run` that is still going on; its stderr is read line by line."""

    process: subprocess.Popen[bytes]
    runs: Path
    _text: str = ""
    _stamps: list[tuple[float, str]] = field(default_factory=list)

    def read_until(self, wanted: str, within: float = DEADLINE) -> str:
        """Read stderr until a line has `wanted` in it, and return all that was read."""
        assert self.process.stderr is not None
        deadline = time.monotonic() + within
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stderr, selectors.EVENT_READ)
            while wanted not in self._text:
                left = deadline - time.monotonic()
                assert left > 0, f"no `{wanted}` within {within} s in:\n{self._text}"
                if selector.select(left):
                    chunk = os.read(self.process.stderr.fileno(), 65536)
                    assert chunk, f"ended without `{wanted}`:\n{self._text}"
                    self._text += chunk.decode()
        return self._text

    def send(self, sign: signal.Signals) -> None:
        self.process.send_signal(sign)

    def finish(self, within: float = DEADLINE) -> Run:
        out, err = self.process.communicate(timeout=within)
        text = (out or b"").decode()  # none when stdout goes elsewhere
        return Run(self.process.returncode, text, self._text + err.decode(), newest(self.runs))


def newest(runs: Path) -> Path | None:
    latest = runs / "latest"
    return latest.resolve() if latest.exists() else None


@dataclass
class Chaoskit:
    """Starts `chaoskit` in a directory of the test's own and remembers what to look for after."""

    directory: Path
    kept: set[str] = field(default_factory=set)  # projects that may stay up
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)
    executable: Path = COMMAND

    @property
    def runs(self) -> Path:
        return self.directory / "runs"

    def write(self, scenario: Scenario | str, name: str = "scenario.yaml") -> Path:
        """Write a scenario, given as data or as text, and return its path."""
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = scenario if isinstance(scenario, str) else yaml.safe_dump(scenario, sort_keys=False)
        path.write_text(textwrap.dedent(text))
        return path

    def start(
        self,
        scenario: Path | Scenario | str,
        *options: str,
        env: Mapping[str, str] | None = None,
        runs: Path | None = None,
        stdout: int = subprocess.PIPE,
    ) -> Going:
        """Start `chaoskit run` and return at once."""
        path = scenario if isinstance(scenario, Path) else self.write(scenario)
        runs = runs or self.runs
        process = subprocess.Popen(
            [str(COMMAND), "run", str(path), "--runs-dir", str(runs), *options],
            cwd=self.directory,
            env=os.environ | {"COLUMNS": "100"} | dict(env or {}),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
        )
        self.started.append(process)
        return Going(process, runs)

    def run(
        self,
        scenario: Path | Scenario | str,
        *options: str,
        env: Mapping[str, str] | None = None,
    ) -> Run:
        """Run a scenario to its end."""
        return self.start(scenario, *options, env=env).finish()

    def end(self) -> None:
        """End what still goes on, then say what any run of this test left, and remove it."""
        for process in self.started:
            if process.poll() is None:
                process.terminate()
                process.communicate(timeout=60)
            for stream in (process.stdout, process.stderr):  # of a killed one nobody read the end
                if stream is not None:
                    stream.close()
        left: dict[str, Sequence[str]] = {}
        for folder in self.directory.rglob("ledger.ndjson"):
            project = project_of(folder.parent)
            things = things_of_project(project) + things_of(f"io.chaoskit.run={folder.parent.name}")
            if things:
                remove_project(project)
                if project not in self.kept:
                    left[project] = sorted(set(things))
        assert not left, f"left behind: {left}"
