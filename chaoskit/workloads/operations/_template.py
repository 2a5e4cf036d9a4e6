"""Templates: text and JSON with `{value}`, `{key}`, `{id}`... in them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated
from urllib.parse import quote

from pydantic import AfterValidator, JsonValue

from chaoskit.records import Json

_TOKEN = re.compile(r"\{\{|\}\}|\{([A-Za-z_][A-Za-z0-9_]*)\}|[{}]")


@dataclass(frozen=True, slots=True)
class Slot:
    """A place to fill in."""

    name: str


@dataclass(frozen=True, slots=True)
class Template:
    """Text with slots; `{{` and `}}` stand for braces."""

    pieces: tuple[str | Slot, ...]

    @classmethod
    def parse(cls, text: str) -> Template:
        """Raise `ValueError` for a brace that is neither a slot nor doubled."""
        pieces: list[str | Slot] = []
        end = 0
        for match in _TOKEN.finditer(text):
            pieces.append(text[end : match.start()])
            end = match.end()
            if match[1]:
                pieces.append(Slot(match[1]))
            elif match[0] in ("{{", "}}"):
                pieces.append(match[0][0])
            else:
                raise ValueError(f"a lone `{match[0]}`: write `{match[0] * 2}` for a brace")
        pieces.append(text[end:])
        return cls(tuple(piece for piece in pieces if piece != ""))

    @property
    def names(self) -> frozenset[str]:
        return frozenset(piece.name for piece in self.pieces if isinstance(piece, Slot))

    def text(self, fields: Mapping[str, Json], encode: Callable[[str], str] = str) -> str:
        """Return the text with every slot filled, each value passed through `encode`."""
        return "".join(
            piece if isinstance(piece, str) else encode(_as_text(fields[piece.name]))
            for piece in self.pieces
        )

    def value(self, fields: Mapping[str, Json]) -> Json:
        """Return the field itself where the text is exactly one slot, else the filled text."""
        if len(self.pieces) == 1 and isinstance(self.pieces[0], Slot):
            return fields[self.pieces[0].name]
        return self.text(fields)


Filler = Callable[[Mapping[str, Json]], Json]


def json_filler(value: JsonValue) -> Filler:
    """Compile a JSON template; `"{value}"` becomes the native value."""
    if isinstance(value, str):
        return Template.parse(value).value
    if isinstance(value, list):
        items = [json_filler(item) for item in value]
        return lambda fields: [item(fields) for item in items]
    if isinstance(value, dict):
        members = [(Template.parse(name), json_filler(item)) for name, item in value.items()]
        return lambda fields: {name.text(fields): item(fields) for name, item in members}
    return lambda _: value


def names_in(value: JsonValue) -> frozenset[str]:
    """Return the slots of a JSON template."""
    if isinstance(value, str):
        return Template.parse(value).names
    if isinstance(value, list):
        return frozenset[str]().union(*map(names_in, value))
    if isinstance(value, dict):
        return frozenset[str]().union(*map(names_in, [*value, *value.values()]))
    return frozenset()


def refuse_host_slots(address: str) -> None:
    """Raise `ValueError` for an address with a slot outside of its path."""
    authority = re.match(r"[^/]*//[^/?]*", address)
    if authority is not None and re.search(r"[{}]", authority[0]):
        raise ValueError("the host cannot be a template, only the path")


def filled_path(path: Template, fields: Mapping[str, Json]) -> str:
    """Return a path with every slot quoted for a URL."""
    return path.text(fields, partial(quote, safe=""))


def _text(value: str) -> str:
    Template.parse(value)
    return value


def _json(value: JsonValue) -> JsonValue:
    names_in(value)
    return value


TemplateText = Annotated[str, AfterValidator(_text)]
TemplateJson = Annotated[JsonValue, AfterValidator(_json)]


def _as_text(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
