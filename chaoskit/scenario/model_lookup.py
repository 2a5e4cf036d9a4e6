"""Which models can stand at a place of the document, and what keys they take."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from chaoskit.scenario.kinds import OneOf
from chaoskit.scenario.nodes import Path, Plain


def models_at(root: type[BaseModel], path: Path, data: Plain) -> list[type[BaseModel]]:
    """Return the models that the value at `path` may be, best fit to its keys first."""
    annotations: list[Any] = [root]
    for part in path:
        models = [model for one in annotations for model in _models(one, data)]
        annotations = [inner for model in models for inner in _field(model, part)] + [
            inner for one in annotations for inner in _items(one)
        ]
        data = _below(data, part)
    found = [model for one in annotations for model in _models(one, data)]
    keys = data if isinstance(data, dict) else {}
    return sorted(found, key=lambda model: -sum(key in keys for key in keys_of(model)))


def keys_of(model: type[BaseModel]) -> list[str]:
    """Return the keys a model takes, as written in YAML."""
    return [field.alias or name for name, field in model.model_fields.items()]


def _below(data: Plain, part: str | int) -> Plain:
    if isinstance(data, dict):
        return data.get(str(part))
    if isinstance(data, list) and isinstance(part, int) and part < len(data):
        return data[part]
    return None


def _field(model: type[BaseModel], part: str | int) -> Iterator[Any]:
    for name, field in model.model_fields.items():
        if (field.alias or name) == part:
            yield _whole(field)


def _whole(field: FieldInfo) -> Any:
    for metadata in field.metadata:
        if isinstance(metadata, OneOf):
            return Annotated[field.annotation, metadata]
    return field.annotation


def _items(annotation: Any) -> Iterator[Any]:
    """Yield what a list or dict holds, through unions and `Annotated`."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated or origin in (Union, types.UnionType):
        for inner in arguments[:1] if origin is Annotated else arguments:
            yield from _items(inner)
    elif origin is not None and arguments and isinstance(origin, type):
        yield arguments[-1] if arguments[-1] is not Ellipsis else arguments[0]


def _models(annotation: Any, data: Plain) -> Iterator[type[BaseModel]]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        kinds = next((one for one in arguments[1:] if isinstance(one, OneOf)), None)
        if kinds is None:
            yield from _models(arguments[0], data)
        else:
            name = data.get(kinds.registry.category) if isinstance(data, dict) else None
            model = kinds.model(name)
            if model is not None:
                yield model
    elif origin in (Union, types.UnionType):
        for inner in arguments:
            yield from _models(inner, data)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
