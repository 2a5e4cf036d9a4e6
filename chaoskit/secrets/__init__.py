"""Keeping secrets out of everything chaoskit writes or prints.

A value is secret by where it stands (`names`: the name it is given; `places`: what stands around
it), or by what it looks like (`shapes`). `finding` looks for such values in any text or document,
`forms` says how programs write a value, and the `Redactor` replaces all of that.
"""

from chaoskit.secrets.documents import masked_value, without_secrets
from chaoskit.secrets.finding import passwords_in, secrets_in, secrets_of_document
from chaoskit.secrets.forms import forms_of, is_word
from chaoskit.secrets.names import (
    LAST_WORDS,
    WORDS,
    holds_a_secret,
    may_name_a_secret,
    named_like_a_secret,
)
from chaoskit.secrets.redactor import OUR_WORDS, Redactor
from chaoskit.secrets.shapes import MASK

__all__ = [
    "LAST_WORDS",
    "MASK",
    "OUR_WORDS",
    "WORDS",
    "Redactor",
    "forms_of",
    "holds_a_secret",
    "is_word",
    "masked_value",
    "may_name_a_secret",
    "named_like_a_secret",
    "passwords_in",
    "secrets_in",
    "secrets_of_document",
    "without_secrets",
]
