"""The JSON Schema of `result.json`."""

from __future__ import annotations

from typing import Any

from chaoskit.judge.result import SCHEMA_VERSION, Result


def result_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the result document as it is written."""
    schema = Result.model_json_schema(mode="serialization")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:chaoskit:result:{SCHEMA_VERSION}",
        **schema,
        "title": "chaoskit result",
    }
