"""The JSON Schema of the event stream: of `--events`, and of `events.ndjson`."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from chaoskit.record.events import FORMAT, KINDS, RETIRED, RunEvent, adapter


def events_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of one line of the event stream."""
    written = {name: kind for name, kind in KINDS.items() if kind.name == name}
    adapters: list[tuple[str, JsonSchemaMode, TypeAdapter[RunEvent]]] = [
        (name, "serialization", adapter(kind))
        for name, kind in written.items()
        if name not in RETIRED
    ]
    found, rest = TypeAdapter.json_schemas(adapters)
    definitions: dict[str, Any] = rest.get("$defs", {})
    references = []
    for (name, _), reference in found.items():
        references.append(reference)
        schema = definitions[reference["$ref"].rpartition("/")[2]]
        fields = schema.get("properties", {})
        schema["properties"] = {
            "t": {"type": "number", "description": "seconds on the run's clock"},
            "event": {"const": name},
            **fields,
        }
        schema["required"] = list(schema["properties"])
        schema["additionalProperties"] = False
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:chaoskit:events:{FORMAT}",
        "title": "chaoskit event",
        "oneOf": references,
        "$defs": definitions,
    }
