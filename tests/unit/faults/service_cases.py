"""What the tests of single service faults share: making a fault, and a Compose project."""

from __future__ import annotations

from typing import Any

from chaoskit.faults import REGISTRY, Fault
from chaoskit.stack.project import Project, parse


def fault(kind: str, **fields: Any) -> Fault:
    found = REGISTRY.get(kind)
    assert found is not None
    return found.model_validate({"fault": kind, "service": "redis", **fields})


def project(top: dict[str, Any] | None = None, **redis: Any) -> Project:
    """Return a project as Compose resolves it, with one service of interest."""
    services = {"redis": {"image": "redis", **redis}, "chat": {"image": "chat"}}
    return parse({"name": "run-1", "services": services, **(top or {})})
