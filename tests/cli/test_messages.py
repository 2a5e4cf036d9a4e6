"""Messages that say the cause: which port, which profile, which engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import COMPOSE, SCENARIO

Cli = Callable[..., Any]
NO_ENGINE = {"DOCKER_HOST": "unix:///nonexistent.sock"}
PUBLISHED = COMPOSE.replace('expose: ["8000"]', 'ports: ["80:8080"]')
ON_80 = SCENARIO.replace("http://chat:8000/", "http://chat:80/")


@pytest.mark.parametrize("command", ["validate", "plan"])
def test_a_port_that_only_the_host_has_is_said_with_the_one_that_is_meant(
    cli: Cli, tmp_path: Path, command: str
) -> None:
    (tmp_path / "compose.yaml").write_text(PUBLISHED)
    (tmp_path / "scenario.yaml").write_text(ON_80)
    output = cli(command, "scenario.yaml", env=NO_ENGINE)
    assert output.code == 0
    assert "80 is only the host's side of `80:8080`: `chat` is on 8080 [host-port]" in output.stderr


@pytest.mark.parametrize(
    "ports",
    [
        'ports: ["80:8080"]\n    expose: ["80"]',
        'ports: ["80:8080", "81:80"]',
        'ports: ["80:80"]',
        'ports: ["80:8080/udp"]',
        'ports: ["8080"]',
    ],
)
def test_a_port_that_the_container_may_have_is_not_doubted(
    cli: Cli, tmp_path: Path, ports: str
) -> None:
    (tmp_path / "compose.yaml").write_text(COMPOSE.replace('expose: ["8000"]', ports))
    (tmp_path / "scenario.yaml").write_text(ON_80)
    output = cli("validate", "--strict", "scenario.yaml", env=NO_ENGINE)
    assert "host-port" not in output.stderr


def test_a_port_of_a_workload_is_looked_at_as_well_and_strict_makes_it_a_problem(
    cli: Cli, tmp_path: Path
) -> None:
    workload = (
        "workloads:\n  adds:\n    workload: set\n    rate: 1/s\n"
        '    add: { http: POST http://chat:80/, json: { id: "{value}" } }\n'
        '    read: { http: GET http://chat:80/, values: "$[*]" }\ntimeline:'
    )
    (tmp_path / "compose.yaml").write_text(PUBLISHED)
    text = ON_80.replace("chat:80/healthz", "chat:8080/healthz").replace("timeline:", workload)
    (tmp_path / "scenario.yaml").write_text(text)
    output = cli("validate", "--strict", "scenario.yaml", env=NO_ENGINE)
    assert output.code == 2
    assert "80 is only the host's side of `80:8080`" in output.stderr


@pytest.mark.parametrize("active", ["", ", profiles: [other]"])
def test_a_service_of_an_inactive_profile_is_named_with_it(
    cli: Cli, tmp_path: Path, active: str
) -> None:
    compose = COMPOSE.replace("image: redis:8", "image: redis:8\n    profiles: [cache, all]")
    (tmp_path / "compose.yaml").write_text(compose)
    text = SCENARIO.replace("compose: compose.yaml", f"compose: compose.yaml{active}")
    (tmp_path / "scenario.yaml").write_text(text)
    output = cli("validate", "scenario.yaml", env=NO_ENGINE)
    assert output.code == 2
    assert (
        "`redis` is not in the Compose project: its profile `cache` is not active" in output.stderr
    )
    assert "write `stack: {profiles: [cache]}`" in output.stderr


def test_compose_quotes_no_password_when_it_refuses_its_files(cli: Cli, tmp_path: Path) -> None:
    secret = "      DB_PASSWORD: hunter2-${nope\n"
    (tmp_path / "compose.yaml").write_text(f"{COMPOSE}    environment:\n{secret}")
    for command in ("validate", "plan", "run"):
        output = cli(command, "scenario.yaml")
        assert output.code in (2, 4)
        assert "hunter2" not in output.stdout + output.stderr
        assert "Compose does not accept" in output.stderr


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"DOCKER_HOST": "tcp://127.0.0.1:1"}, "unset DOCKER_HOST"),
        ({"DOCKER_HOST": "tcp://127.0.0.1:1", "DOCKER_TLS_VERIFY": "1"}, "no certificates"),
        ({"DOCKER_HOST": "tcp://127.0.0.1:1", "DOCKER_CERT_PATH": "/x"}, "no certificates"),
    ],
)
def test_an_engine_that_is_not_there_is_looked_for_where_its_address_comes_from(
    cli: Cli, env: dict[str, str], words: str
) -> None:
    output = cli("run", "scenario.yaml", env=env)
    assert output.code == 4
    assert words in output.stderr
