"""Keep secrets out of what is shown: passwords in URLs, values of keys named like a secret."""

from __future__ import annotations

import re

from chaoskit.secrets import MASK

_WORDS = (
    r"(?:pass(?:word|wd|phrase)?|pwd|secret|token|credentials?|auth(?:orization)?"
    r"|api_?key|private_?key)"
)
_NAMED = re.compile(rf"(?:^|[_.-]){_WORDS}(?:$|[_.-])", re.IGNORECASE)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

_HIDDEN = (
    # "scheme://user:PASSWORD@host": in quotes it may hold blanks
    re.compile(r"[\"'][^\"']*?://[^\s:/@\"']*:(?P<secret>[^\"']+)@"),
    re.compile(r"://[^\s:/@]*:(?P<secret>\S+)@"),
    # ?password=VALUE
    re.compile(rf"[?&][\w-]*{_WORDS}[\w-]*=(?P<secret>[^&\s\"'`]+)", re.IGNORECASE),
    # ${DB_PASSWORD:-VALUE}
    re.compile(rf"\$\{{\w*{_WORDS}\w*:-(?P<secret>[^}}]+)", re.IGNORECASE),
)
_REFERENCE = re.compile(r"\$\{\w+\}")
_PAIR = re.compile(  # DB_PASSWORD: VALUE
    rf"(?<![\w.-])(?P<key>[\w.-]*{_WORDS}[\w.-]*)[\"']?\s*:\s+"
    r"(?P<secret>\"(?:[^\"\\]|\\.)*\"|'[^']*'|\[[^\]]*\]?|\{[^}]*\}?|[^\s\"'&*|>][^,}\]]*)",
    re.IGNORECASE,
)


def named_like_a_secret(name: str) -> bool:
    """Say whether the value of a key or variable of this name must not be shown."""
    return _NAMED.search(_CAMEL.sub("_", name)) is not None


def masked(text: str, secrets: tuple[str, ...] = ()) -> str:
    """Return prose with known secrets, and passwords in URLs, as `***`."""
    for secret in sorted(secrets, key=len, reverse=True):
        if secret and secret != MASK:
            text = text.replace(secret, MASK)
    for pattern in _HIDDEN:
        text = pattern.sub(_mask_group, text)
    return text


def masked_line(line: str) -> str:
    """Return a source line with its secrets as `***` and everything else in the same column.

    What a long secret leaves free is filled with blanks behind the value it was part of, so that
    columns counted in the file still fit; a secret of one or two characters keeps its width.
    """
    for pattern in _HIDDEN:
        line = _settled(pattern.sub(_mask_in_place, line))
    line = _PAIR.sub(_mask_pair, line)
    return _settled(line).rstrip()


_PAD = "\ue000"  # stands for a blank that still has to move behind the value


def _settled(line: str) -> str:
    """Move the padding behind the rest of the value that it follows."""
    return re.sub(
        rf"({_PAD}+)([^\s,\"'{_PAD}]*[\"']?,?)",
        lambda match: match[2] + " " * len(match[1]),
        line,
    )


def _mask_group(match: re.Match[str]) -> str:
    start, end = (edge - match.start() for edge in match.span("secret"))
    return match[0][:start] + MASK + match[0][end:]


def _mask_in_place(match: re.Match[str]) -> str:
    if _REFERENCE.fullmatch(match["secret"]) or match["secret"].startswith(MASK):
        return match[0]
    start, end = (edge - match.start() for edge in match.span("secret"))
    width = end - start
    return match[0][:start] + MASK[:width] + _PAD * (width - len(MASK)) + match[0][end:]


def _mask_pair(match: re.Match[str]) -> str:
    return _mask_in_place(match) if named_like_a_secret(match["key"]) else match[0]
