"""What the tests of the kinds on an edge share."""

from __future__ import annotations

from typing import Any

from chaoskit.exchange import Exchange, Outcome
from chaoskit.faults import REGISTRY, EdgeFault
from chaoskit.stack.toxiproxy import Toxic


def made(kind: str, **fields: Any) -> EdgeFault:
    found = REGISTRY.get(kind)
    assert found is not None
    fault = found.model_validate({"fault": kind, "id": "f", "edge": "chat -> redis", **fields})
    assert isinstance(fault, EdgeFault)
    return fault


def toxic(name: str, type: str, **attributes: int) -> Toxic:
    stream = name.rpartition(".")[2]
    assert stream in ("upstream", "downstream")
    return Toxic(name, type, stream, attributes)  # type: ignore[arg-type]  # asserted above


def seen(outcome: Outcome = "answered", seconds: float = 0.002, **more: Any) -> Exchange:
    return Exchange("redis PING", outcome, seconds, **{"sent": 14, "received": 7, **more})


OPEN = Exchange("connection", "answered", 0.05)  # a plain port: nothing asked, nothing said
GREETED = Exchange("connection", "answered", 0.01, received=20)
