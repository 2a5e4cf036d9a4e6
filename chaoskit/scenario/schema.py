"""The JSON Schema of scenario files, for editors."""

from __future__ import annotations

from typing import Any

from chaoskit.scenario.document import scenario_model


def scenario_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a scenario file, built of the registered kinds."""
    schema = scenario_model().model_json_schema(by_alias=True, mode="validation")
    _close(schema)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "chaoskit scenario",
    }


def _close(schema: Any) -> None:
    """Refuse names that do not match the pattern of a mapping's names, as loading does."""
    if isinstance(schema, dict):
        if "patternProperties" in schema:
            schema.setdefault("additionalProperties", False)
        for value in schema.values():
            _close(value)
    elif isinstance(schema, list):
        for value in schema:
            _close(value)
