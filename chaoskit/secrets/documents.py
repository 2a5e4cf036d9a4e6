"""Documents of which nobody may see the secrets: masked by the names of their keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chaoskit.records import Json
from chaoskit.secrets.forms import placeholders_apart
from chaoskit.secrets.names import holds_a_secret, named_like_a_secret
from chaoskit.secrets.shapes import MASK


def without_secrets(document: Json) -> Json:
    """Return a document in which texts and numbers under keys named like a secret are `***`."""
    if isinstance(document, Mapping):
        return {
            key: _masked(key, value)
            if named_like_a_secret(key) or isinstance(value, str)
            else without_secrets(value)
            for key, value in document.items()
        }
    if isinstance(document, Sequence) and not isinstance(document, str):
        return [without_secrets(item) for item in document]
    return document


def masked_value(key: str, value: str) -> str:
    """Return the value of a key, as `***` where it is secret; placeholders in it stay."""
    if not holds_a_secret(key, value):
        return value
    parts = placeholders_apart(value)
    return "".join(part if n % 2 else MASK if part else "" for n, part in enumerate(parts))


def _masked(key: str, value: Json) -> Json:
    if isinstance(value, str):
        return masked_value(key, value)
    if isinstance(value, Sequence):
        return [_masked(key, item) for item in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return MASK
    return without_secrets(value)
