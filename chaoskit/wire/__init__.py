"""Single connections into the stack, without their own retries, pools or deadlines.

Probes and workload operations share this: redis and psycopg are imported only here. Every call
may take forever; the sampler and the driver own the deadlines.

Client libraries are imported in functions, because `chaoskit list` must not wait for them. `load`
imports one before a schedule starts, because no due time may wait for it either.
"""

from __future__ import annotations

import importlib


def load(*modules: str) -> None:
    """Import modules by name; what is imported already costs nothing."""
    for module in modules:
        importlib.import_module(module)
