"""Keep secrets out of what is shown: passwords in URLs, values of keys named like a secret."""

from __future__ import annotations

import re

from chaoskit.secrets import MASK, holds_a_secret, may_name_a_secret

# "scheme://user:PASSWORD@host": in quotes it may hold blanks
_IN_URL = (
    re.compile(r"[\"'][^\"']*?://[^\s:/@\"']*:(?P<secret>[^\"']+)@"),
    re.compile(r"://[^\s:/@]*:(?P<secret>\S+)@"),
)
_NAMED = (
    # ?password=VALUE, DB_PASSWORD=VALUE, --password=VALUE
    re.compile(r"(?<![\w.-])(?P<key>[\w.-]+)=(?P<secret>[^&\s\"'`]+)"),
    # ${DB_PASSWORD:-VALUE}
    re.compile(r"\$\{(?P<key>\w+):-(?P<secret>[^}]+)"),
    # --requirepass VALUE
    re.compile(r"(?<![\w.-])--(?P<key>[\w-]+)\s+(?P<secret>[^\s\"'-][^\s\"']*)"),
)
LONGEST = 4000  # characters of a line in which anything that could be a password is looked for
_REFERENCE = re.compile(r"\$\{?\w+\}?|[\"']?\{\w+\}[\"']?")
_KEY = re.compile(r"(?<![\w.-])(?P<key>[\w.-]+)[\"']?\s*:\s+")  # DB_PASSWORD: VALUE
_VALUE = re.compile(
    r"(?P<secret>\"(?:[^\"\\]|\\.)*\"|'[^']*'|\[[^\]]*\]?|\{[^}]*\}?|[^\s\"'&*|>][^,}\]]*)"
)


def masked(text: str, secrets: tuple[str, ...] = ()) -> str:
    """Return prose with known secrets, and passwords in URLs, as `***`."""
    for secret in sorted(secrets, key=len, reverse=True):
        if secret and secret != MASK:
            text = text.replace(secret, MASK)
    return _marked(text).replace(_PAD, "")


def masked_line(line: str) -> str:
    """Return a source line with its secrets as `***` and everything else in the same column.

    What a long secret leaves free is filled with blanks behind the value it was part of, so that
    columns counted in the file still fit; a secret of one or two characters keeps its width.
    """
    for mark in (_marked, _marked_pairs):
        line = _settled(mark(line))
    return line.rstrip()


def masked_file(text: str) -> str:
    """Return the text of a scenario file with the secrets that its lines give away as `***`."""
    lines = (  # what looks for URLs is slow on endless words
        _marked_pairs(_marked(line) if len(line) <= LONGEST else _marked_names(line))
        for line in text.split("\n")
    )
    return "\n".join(lines).replace(_PAD, "")


_PAD = "\ue000"  # stands for a blank that still has to move behind the value


def _settled(line: str) -> str:
    """Move the padding behind the rest of the value that it follows."""
    return re.sub(
        rf"({_PAD}+)([^\s,\"'{_PAD}]*[\"']?,?)",
        lambda match: match[2] + " " * len(match[1]),
        line,
    )


def _marked(line: str) -> str:
    for pattern in _IN_URL:
        line = pattern.sub(_mask, line)
    return _marked_names(line)


def _marked_names(line: str) -> str:
    for pattern in _NAMED:
        line = pattern.sub(_mask_if_named, line)
    return line


def _marked_pairs(line: str) -> str:
    done, at = "", 0
    for key in _KEY.finditer(line):
        if key.start() < at or not may_name_a_secret(key["key"]):
            continue
        value = _VALUE.match(line, key.end())
        if value is not None and holds_a_secret(key["key"], value["secret"].strip("\"' ")):
            done += line[at : value.start()] + _mask(value)
            at = value.end()
    return done + line[at:]


def _mask_if_named(match: re.Match[str]) -> str:
    return _mask(match) if holds_a_secret(match["key"], match["secret"]) else match[0]


def _mask(match: re.Match[str]) -> str:
    if _REFERENCE.fullmatch(match["secret"].strip()) or match["secret"].startswith(MASK):
        return match[0]
    start, end = (edge - match.start() for edge in match.span("secret"))
    width = end - start
    return match[0][:start] + MASK[:width] + _PAD * (width - len(MASK)) + match[0][end:]
