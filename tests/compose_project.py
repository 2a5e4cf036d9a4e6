"""A Compose project of a test's own: a name that nobody else has, brought up, gone afterwards."""

from __future__ import annotations

import contextlib
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

LAB = "chaoskit/lab:1"


def docker(*arguments: str) -> str:
    """Run a `docker` command, which must succeed, and return what it printed."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr}"
    return done.stdout.strip()


def new_name() -> str:
    return f"chaoskit-contract-{uuid.uuid4().hex[:8]}"


def container_of(project: str, replica: str) -> str:
    """Return the name of a container; `service[number]` as chaoskit writes it, or the first."""
    service, _, number = replica.rstrip("]").partition("[")
    return f"{project}-{service}-{number or 1}"


@contextlib.contextmanager
def compose_project(file: Path, *, first: str | None = None) -> Iterator[str]:
    """Run a project under a new name for as long as the block lasts; nothing of it may be left.

    The service `first` starts before the others.
    """
    name = new_name()
    compose = ("compose", "--project-name", name, "--file", str(file))
    try:
        if first is not None:
            docker(*compose, "up", "--detach", first)
        docker(*compose, "up", "--detach")
        yield name
    finally:
        docker(*compose, "down", "--volumes", "--timeout", "0", "--remove-orphans")
        left = docker("volume", "ls", "--quiet", "--filter", f"name={name}")
        assert not left, "volumes are left"
