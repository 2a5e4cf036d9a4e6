"""Projects as `docker compose config --format json` prints them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chaoskit.stack.project import Project, parse

MakeProject = Callable[..., Project]


@pytest.fixture
def project() -> MakeProject:
    """Return a maker of projects from short bodies; networks and volumes are filled in."""

    def make(services: dict[str, dict[str, Any]], **top: Any) -> Project:
        bodies: dict[str, Any] = {}
        networks: dict[str, Any] = {}
        for name, body in services.items():
            attached = body.get("networks", {} if body.get("network_mode") else {"default": None})
            attached = dict.fromkeys(attached) if isinstance(attached, list) else attached
            networks |= {key: {"name": f"run-1_{key}", "ipam": {}} for key in attached}
            bodies[name] = {"command": None, "entrypoint": None, **body, "networks": attached}
            if not attached:
                del bodies[name]["networks"]
        networks |= top.pop("networks", {})
        return parse({"name": "run-1", "services": bodies, "networks": networks, **top})

    return make
