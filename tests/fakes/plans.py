"""The plan of a scenario without an engine: its Compose document as it would be resolved."""

from __future__ import annotations

from typing import cast

from chaoskit.docker.compose_cli import Compose
from chaoskit.plan.plan import Plan
from chaoskit.plan.secret_values import secrets_of
from chaoskit.records import Json
from chaoskit.scenario.loading import Loaded
from chaoskit.stack.edges import EdgeMap
from chaoskit.stack.project import parse


def plan_of(loaded: Loaded, config: dict[str, Json]) -> Plan:
    """Return the plan of a loaded scenario on a resolved Compose document with a `name`."""
    project = parse(config)
    return Plan(
        config="",
        loaded=loaded,
        compose=cast("Compose", None),
        project=project,
        user_project=str(config["name"]),
        edges=EdgeMap(project, {}),
        proxied=(),
        targets=(),
        faults=tuple(loaded.scenario.injections()),
        shared=(),
        refused=(),
        secrets=secrets_of(loaded, project, config),
    )
