"""`chaoskit schema`: the JSON Schemas for editors and for readers of result.json."""

from __future__ import annotations

import json

from chaoskit.errors import ExitCode, UsageError
from chaoskit.judge.schema import result_schema
from chaoskit.scenario.schema import scenario_schema


def print_schema(what: str) -> ExitCode:
    """Print one schema."""
    print(schema_text(what), end="")
    return ExitCode.PASSED


def schema_text(what: str) -> str:
    """Return a schema as indented JSON. Raises `UsageError` when there is no such schema."""
    if what == "scenario":
        document = scenario_schema()
    elif what == "result":
        document = result_schema()
    else:
        raise UsageError(f"there is no schema of `{what}`", hint="one of scenario, result")
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
