"""Replaces what is known to be secret, and what looks like it, in any text or document."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence

from chaoskit.records import Json
from chaoskit.secrets.forms import written
from chaoskit.secrets.names import holds_a_secret, named_like_a_secret
from chaoskit.secrets.places import IN_URL
from chaoskit.secrets.shapes import MASK, without_shapes

_BEFORE = (  # what says that a password follows: `password=`, `"token": "`, `--requirepass `
    r"(?<![\w.-])(?:(?P<key>[\w.-]+)\\?[\"']?\s*[=:]\s*|--(?P<option>[\w-]+)\s+)\\?[\"']?"
    r"(?:(?:basic|bearer|token)\s+)?"
)
# A shorter value is too likely to be an ordinary word; where its name stands it is masked anyway.
_SHORTEST, _SHORTEST_MIXED = 6, 4  # characters; mixed has letters of both cases, or more than these

# States and kinds as engines and reports name them: as a password, such a word stays readable.
OUR_WORDS = frozenset((
    "created", "running", "paused", "restarting", "removing", "exited", "dead", "starting",
    "healthy", "unhealthy", "stopped", "removed", "default", "bridge", "host", "none", "answered",
    "silent", "closed", "reset", "refused", "before", "during", "after", "passed", "failed",
    "unknown", "pass", "fail", "info", "service", "services", "network", "volume", "container",
    "probe", "workload", "check", "fault", "stack", "plan", "report", "postgres", "redis",
    "mysql", "database", "noeviction", "allkeys-lru", "allkeys-lfu", "allkeys-random",
    "volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl",
    "password", "secret", "token",
))  # fmt: skip
# Fields of rows and documents that hold names, kinds, paths and states of chaoskit's own; below the
# others stands data of the user's, whose keys mean nothing here.
_NAMES = frozenset((
    "event", "run", "scenario", "scenario_file", "file", "command", "compose", "project",
    "format", "phase", "phases", "verdict", "service", "services", "faults", "jobs", "image",
    "digest", "client", "upstream", "action", "status", "health", "workload", "probe", "id",
    "fault", "target", "edge", "when", "by", "name", "kind", "check", "unit", "outcome", "type",
    "op", "started_at", "clock", "tags", "host", "start", "for",
))  # fmt: skip
_DATA = frozenset({"value", "document", "last_logs", "versions"})


class Redactor:
    """Replaces passwords in URLs, and the very values of known secrets, in any text."""

    def __init__(self, secrets: Iterable[str] = (), *, keep: Iterable[str] = ()) -> None:
        """`keep` are words that stay readable, such as the names of services: a secret that is one
        of them is masked only where something says what it is, as in `password=postgres`."""
        self._known: set[str] = set()
        self._kept: set[str] = set()
        self.add(secrets, keep)

    def add(self, secrets: Iterable[str], keep: Iterable[str] = ()) -> None:
        """Replace these too from now on."""
        self._known.update(secrets)
        self._kept.update(keep)
        words = {s for s in self._known if s in self._kept}
        short, long = set[str](), set[str]()
        for secret in self._known - words:
            if len(secret) >= _SHORTEST:
                long |= written(secret)
            elif _is_mixed(secret):
                short |= written(secret)
        # Each branch starts with a letter as it is: what searches is fast then.
        alone = [f"{re.escape(s)}(?<![A-Za-z0-9]{re.escape(s)})(?![A-Za-z0-9])" for s in short]
        branches = [*_branches(long), *alone]
        self._pattern = re.compile("|".join(branches)) if branches else None
        self._words = re.compile(_any_of(words)) if words else None
        self._named = re.compile(_BEFORE + rf"(?P<secret>{_any_of(words)})(?![\w-])", re.IGNORECASE)

    def clean(self, text: str) -> str:
        """Return the text with every secret replaced by `***`."""
        if "://" in text:
            text = IN_URL.sub(lambda match: match["head"] + MASK, text)
        if self._pattern is not None:
            text = self._pattern.sub(MASK, text)
        text = without_shapes(text)
        if self._words is not None and self._words.search(text):
            text = self._named.sub(_without_word, text)
        return text

    def clean_json(self, document: Json, *, names: bool = True) -> Json:
        """Return the document with every secret in its texts replaced; keys and numbers stay, or
        a password such as `123456` or `value` would break what reads the document. So do `names`:
        what stands in fields for names, kinds and states."""
        if isinstance(document, str):
            return self.clean(document)
        if isinstance(document, Mapping):
            return {key: self._cleaned(key, value, names) for key, value in document.items()}
        if isinstance(document, Sequence):
            return [self.clean_json(value, names=names) for value in document]
        return document

    def _cleaned(self, key: str, value: Json, names: bool) -> Json:
        if names and key in _NAMES:
            if isinstance(value, str):
                return value
            if isinstance(value, Sequence) and all(isinstance(item, str) for item in value):
                return value
        if isinstance(value, str) and value in self._known and holds_a_secret(key, value):
            return MASK
        return self.clean_json(value, names=names and key not in _DATA)


def _without_word(match: re.Match[str]) -> str:
    if not named_like_a_secret(match["key"] or match["option"]):
        return match[0]
    return match[0].removesuffix(match["secret"]) + MASK


def _is_mixed(secret: str) -> bool:
    """Return whether a short secret is plainly no word and no number: `Sh0rt`, `a-1b`."""
    if len(secret) < _SHORTEST_MIXED:
        return False
    sorts = [any(map(is_one, secret)) for is_one in (str.islower, str.isupper, str.isdigit)]
    return sum(sorts) + (not secret.isalnum()) > 1 and any(map(str.isalpha, secret))


def _any_of(words: Iterable[str]) -> str:
    """Return a pattern for the longest of these words that is there, as a tree of what they have in
    common: a long list of alternatives would be slow."""
    branches = _branches(words)
    if len(branches) < 2:
        return branches[0] if branches else "(?!)"
    optional = "?" if branches[-1] == "" else ""
    return f"(?:{'|'.join(filter(None, branches))}){optional}"


def _branches(words: Iterable[str]) -> list[str]:
    """Return a pattern for the words of each first letter; empty, and last, for no word at all."""
    branches = []
    ordered = sorted(set(words), reverse=True)
    for _, group in itertools.groupby(ordered, key=lambda word: word[:1]):
        some = list(group)
        pairs = enumerate(zip(some[0], some[-1], strict=False))  # in order, so of all of them
        same = next((n for n, (one, other) in pairs if one != other), len(some[-1]))
        rest = _any_of(word[same:] for word in some) if len(some) > 1 else ""
        branches.append(re.escape(some[0][:same] if rest else some[0]) + rest)
    return branches
