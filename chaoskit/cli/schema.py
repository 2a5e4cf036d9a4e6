"""`chaoskit schema`: JSON Schemas for editors, and for readers of result.json and of events."""

from __future__ import annotations

import json

from chaoskit.cli.output import patiently
from chaoskit.errors import ExitCode, UsageError
from chaoskit.judge.schema import result_schema
from chaoskit.record.schema import events_schema
from chaoskit.scenario.schema import scenario_schema

_SCHEMAS = {"scenario": scenario_schema, "result": result_schema, "events": events_schema}


def print_schema(what: str) -> ExitCode:
    """Print one schema."""
    text = schema_text(what)
    patiently(lambda: print(text, end="", flush=True))
    return ExitCode.PASSED


def schema_text(what: str) -> str:
    """Return a schema as indented JSON. Raises `UsageError` when there is no such schema."""
    if what not in _SCHEMAS:
        raise UsageError(f"there is no schema of `{what}`", hint=f"one of {', '.join(_SCHEMAS)}")
    return json.dumps(_SCHEMAS[what](), indent=2, ensure_ascii=False) + "\n"
