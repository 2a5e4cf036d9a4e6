"""As whom chaoskit asks a Redis: the user and the password that its server or a client was given.

They are looked for in the server's own environment (`scripts/redis/client.sh`), its command line,
its configuration file with what that includes, its ACL file, and then in the URLs of the clients.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from chaoskit.faults.engines.stores import Store

_MOST_FILES = 5
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "a": "\a"}
_WORD = re.compile(r"\"((?:\\.|[^\"\\])*)\"|'((?:\\'|[^'])*)'|(\S+)")
_ESCAPE = re.compile(r"\\x([0-9a-fA-F]{2})|\\(.)", re.DOTALL)
_URL = re.compile(r"\b(?:redis|rediss|valkey|valkeys)://[^\s\"']+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Login:
    """A password, and the user it belongs to; no user is the default one."""

    password: str
    user: str = ""

    def variables(self) -> Mapping[str, str]:
        """Return it as `client.sh` reads it."""
        found = {"CHAOSKIT_AUTH": self.password}
        return {**found, "CHAOSKIT_USER": self.user} if self.user else found


async def login_variables(store: Store[Any]) -> Mapping[str, str]:
    """Return the login for a store as environment variables; none where none was found."""
    inside, container = store.stack.exec, store.container.id
    words = await inside.words(container)
    directives = list(in_command(words))
    files = [word for word in _arguments(words) if word.endswith(".conf")]
    files += _named_files(directives)
    for number, path in enumerate(files):
        if number == _MOST_FILES:
            break
        done = await inside.run(container, ["cat", path])
        found = list(in_file(done.out))
        directives += found
        files += [name for name in _named_files(found) if name not in files]
    login = of_server(directives) or await _of_clients(store)
    return {} if login is None else login.variables()


def in_command(words: Sequence[str]) -> Iterator[list[str]]:
    """Yield the directives of a command line: a name without its dashes, and its values."""
    directive: list[str] = []
    for word in _arguments(words):
        # What follows a name is its value, whatever it looks like.
        if word.startswith("--") and len(directive) != 1:
            if directive:
                yield directive
            name, given, value = word[2:].partition("=")
            directive = [name.lower(), value] if given else [name.lower()]
        elif directive:
            directive.append(word)
    if directive:
        yield directive


def in_file(text: str) -> Iterator[list[str]]:
    """Yield the directives of a configuration or ACL file, with the quotes that Redis knows."""
    for line in text.splitlines():
        words = [_unquoted(match) for match in _WORD.finditer(line)]
        if words and not line.lstrip().startswith("#"):
            yield [words[0].lower(), *words[1:]]


def of_server(directives: Iterable[Sequence[str]]) -> Login | None:
    """Return the login that a server's directives give: the password of the default user, else a
    user of the access list who may do everything, else the first who has a password."""
    some = None
    for name, *values in directives:
        if name == "requirepass" and values and values[0]:
            return Login(values[0])
        if name != "user" or not values:
            continue
        user, *rules = values if len(values) > 1 else values[0].split()
        passwords = [rule[1:] for rule in rules if rule.startswith(">")]
        if not passwords or "on" not in rules:
            continue
        login = Login(passwords[-1], "" if user == "default" else user)
        if {"+@all", "allcommands"} & set(rules) and not any(r.startswith("-") for r in rules):
            return login
        some = some or login
    return some


def of_client(environment: Mapping[str, str], service: str) -> Login | None:
    """Return the login with which a client reaches a service: in a URL, or beside its host."""
    for value in environment.values():
        for match in _URL.finditer(value):
            url = urlsplit(match[0])
            if (url.hostname or "") == service.lower() and url.password:
                user = unquote(url.username or "")
                return Login(unquote(url.password), "" if user == "default" else user)
    for key, password in environment.items():
        before, end, _ = key.rpartition("PASSWORD")
        if end and password and environment.get(f"{before}HOST") == service:
            names = (environment.get(f"{before}{word}") for word in ("USERNAME", "USER"))
            return Login(password, next(filter(None, names), ""))
    return None


async def _of_clients(store: Store[Any]) -> Login | None:
    stack, service = store.stack, store.undo.service
    for container in await stack.containers.of(stack.project):
        if container.state.service != service:
            login = of_client(await stack.exec.environment(container.id), service)
            if login is not None:
                return login
    return None


def _named_files(directives: Iterable[Sequence[str]]) -> list[str]:
    named = (one for one in directives if one[0] in ("include", "aclfile"))
    return [values[0] for _, *values in named if values]


def _arguments(words: Sequence[str]) -> list[str]:
    return [argument for word in words for argument in _as_arguments(word)]


def _as_arguments(word: str) -> Sequence[str]:
    """Return the words of a command in a shell's one word; any other word is one already."""
    if not re.search(r"-server\s", word):
        return [word]
    try:
        return shlex.split(word)
    except ValueError:  # quotes that a shell would read on for
        return word.split()


def _unquoted(match: re.Match[str]) -> str:
    double, single, plain = match.groups()
    if double is not None:
        return _ESCAPE.sub(
            lambda one: chr(int(one[1], 16)) if one[1] else _ESCAPES.get(one[2], one[2]), double
        )
    return plain if single is None else str(single.replace("\\'", "'"))
