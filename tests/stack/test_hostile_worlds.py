"""What happens to the world under a run: gone proxies, gone services, a full disk, a taken name."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chaoskit.records import Verdict
from tests.stack.running import COMMAND, Chaoskit, chats, docker, fault, remove_project

EDGE = "chat-1 -> redis"


def container_of(folder: Path, service: str) -> str:
    project = json.loads((folder / "ledger.ndjson").read_text().splitlines()[0])["project"]
    return f"{project}-{service}-1"


@pytest.mark.parametrize("blow", ["kill", "restart"])
def test_a_proxy_that_is_lost_during_a_fault_makes_the_run_unknown(
    chaoskit: Chaoskit, blow: str
) -> None:
    going = chaoskit.start(
        chats(
            faults=[fault("latency", "0s", "3s", edge=EDGE, delay="600ms", id="slow")],
            timeline={"settle": "2s"},
        )
    )
    going.read_until("fault slow: latency")
    time.sleep(1.5)  # so that it has been felt: only its loss is in doubt
    docker(blow, container_of((going.runs / "latest").resolve(), "chaoskit-chat-1"))
    run = going.finish()
    assert run.code in (3, 4), run.output
    assert run.result.verdict is Verdict.UNKNOWN
    assert not run.fault("slow").proven
    assert run.result.leftovers == []


def test_a_service_that_is_removed_by_hand_under_its_fault_is_said(chaoskit: Chaoskit) -> None:
    going = chaoskit.start(
        chats(
            faults=[fault("pause", "0s", "3s", service="redis", id="frozen")],
            expect=[{"check": "stays_up", "service": "chat-1"}],
        )
    )
    going.read_until("fault frozen: pause")
    time.sleep(1)
    docker("rm", "--force", container_of((going.runs / "latest").resolve(), "redis"))
    run = going.finish()
    assert run.code == 3, run.output
    assert "it could not be healed" in str(run.fault("frozen").reason)
    assert run.result.leftovers == [], "it went with the stack"


def test_a_disk_that_fills_up_stops_the_run_and_not_the_healing(chaoskit: Chaoskit) -> None:
    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, 12_000))

    path = chaoskit.write(chats(faults=[fault("pause", "0s", "20s", service="redis")]))
    process = subprocess.Popen(
        [str(COMMAND), "run", str(path), "--runs-dir", str(chaoskit.runs)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=small_files,
    )
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 4, out
    assert "cannot write" in out
    assert "File too large" in out
    assert "Traceback" not in out
    # That nothing of it is left is what the end of every stack test looks for.


def test_a_project_of_somebody_else_under_the_same_name_is_refused(chaoskit: Chaoskit) -> None:
    project = f"ck-chats-{os.getpid()}"
    docker(
        *("run", "--detach", "--name", f"{project}-mine-1"),
        *("--label", f"com.docker.compose.project={project}", "chaoskit/lab:1", "sleep", "300"),
    )
    code = (
        f"import secrets; secrets.token_hex = lambda n: '{os.getpid()}'\n"
        "from chaoskit.cli.start import entry; entry()"
    )
    path = chaoskit.write(chats())
    try:
        done = subprocess.run(
            [sys.executable, "-c", code, "run", str(path), "--runs-dir", str(chaoskit.runs)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 4, done.stdout + done.stderr
        text = " ".join((done.stdout + done.stderr).split())
        assert f"a Compose project `{project}` is there already" in text
        state = docker("inspect", "--format", "{{.State.Status}}", f"{project}-mine-1")
        assert state.strip() == "running", "it is not of ours"
    finally:
        remove_project(project)
