"""A field whose model is picked by the name of a registered kind: `fault: restart`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from chaoskit.fields import Model
from chaoskit.registry import Registry


@dataclass(frozen=True, slots=True)
class OneOf:
    """Annotates a base class: the value is one of the kinds in a registry.

    The key that names the kind is the registry's category: `fault`, `probe`, `workload`, `check`.
    """

    registry: Registry[Any]

    def model(self, name: object) -> type[Model] | None:
        """Return the model of a kind, None when there is no such kind."""
        return self.registry.get(name) if isinstance(name, str) else None

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        choices = {kind.kind: handler.generate_schema(kind) for kind in self.registry}
        return core_schema.tagged_union_schema(choices, discriminator=self.registry.category)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        category = self.registry.category
        options: list[JsonSchemaValue] = []
        for kind in self.registry:
            reference = handler(schema["choices"][kind.kind])
            definition = handler.resolve_ref_schema(reference)
            definition["properties"] = {
                category: {"const": kind.kind, "description": f"The kind of {category}."}
            } | {key: value for key, value in definition["properties"].items() if key != category}
            definition["title"] = f"{category} {kind.kind}"
            options.append(reference)
        return {"oneOf": options, "discriminator": {"propertyName": category}}
