"""A stack as people have them runs beside its own copy that was started by hand, unedited."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stack.running import COMMAND, STACKS, Chaoskit, docker, remove_project, things_of_project

SHOP = STACKS / "shop"
PROJECT = "by-hand"


@pytest.fixture
def by_hand(chaoskit: Chaoskit) -> Iterator[Path]:
    """The shop's folder, with the shop up as `docker compose up` starts it."""
    folder = chaoskit.directory / PROJECT
    shutil.copytree(SHOP, folder)
    compose = ["compose", "--project-directory", str(folder)]
    try:
        docker(*compose, "up", "--detach", within=90)
        yield folder
    finally:
        remove_project(PROJECT)


def test_a_stack_as_people_have_them_runs_beside_its_copy_by_hand(
    chaoskit: Chaoskit, by_hand: Path
) -> None:
    scenario = by_hand / "scenario.yaml"
    assert len(scenario.read_text().splitlines()) <= 25
    before = sorted(by_hand.rglob("*"))
    docker("exec", f"{PROJECT}-store-1", "redis-cli", "set", "visits", "1000")
    run = chaoskit.run(scenario)
    assert run.code == 0, run.output
    assert all(fault.proven for fault in run.result.faults)
    services = {one.service for one in run.result.stack.services}
    assert services >= {"front", "app", "store"}
    assert "traefik" not in services
    edges = {(edge.upstream, edge.port) for edge in run.result.stack.edges if edge.connections}
    assert {("app", 8000), ("app", 9000)} <= edges
    (untested,) = (note for note in run.result.notes if "was not tested" in note)
    assert "changed address of `app`" in untested, "the app reaches the store straight"
    visits = docker("exec", f"{PROJECT}-store-1", "redis-cli", "get", "visits")
    assert visits.strip() == "1000", "its data is not the run's"
    assert sorted(by_hand.rglob("*")) == before
    assert things_of_project(run.project) == []


def test_fixed_addresses_that_the_engine_has_already_are_refused_before_anything_starts(
    chaoskit: Chaoskit, by_hand: Path
) -> None:
    fixed = "services: {app: {networks: {default: {ipv4_address: 172.29.77.50}}}}\n"
    (by_hand / "fixed.yaml").write_text(fixed)
    scenario = by_hand / "scenario.yaml"
    files = "[compose.yaml, compose.override.yaml, fixed.yaml]"
    scenario.write_text(scenario.read_text().replace("compose: .,", f"compose: {files},"))
    why = "network `default` has fixed addresses in 172.29.77.0/24, which overlaps 172.29.77.0/24"
    run = chaoskit.run(scenario)
    assert run.code == 4, run.output
    assert why in " ".join(run.output.split())
    assert run.folder is None
    planned = subprocess.run(
        [str(COMMAND), "plan", str(scenario)], capture_output=True, text=True, check=False
    )
    assert planned.returncode == 4
    assert f"{why} of the engine's network `{PROJECT}_default`" in " ".join(planned.stderr.split())
