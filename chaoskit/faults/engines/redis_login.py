"""Where and as whom chaoskit asks a Redis: its port or socket, and a login that it lets in.

Logins are looked for in the variables of the server's container, its command line, its
configuration file with what that includes, its ACL file, the URLs of its clients, its secrets.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit
from weakref import WeakKeyDictionary

from chaoskit.errors import FaultFailed
from chaoskit.faults.engines.stores import Store, refused
from chaoskit.scripts import script
from chaoskit.text import last_words

if TYPE_CHECKING:
    from chaoskit.stack.stack import Stack

REFUSED = re.compile(r"\b(NOAUTH|WRONGPASS|invalid password)\b")

_MOST_FILES = 5
_SECRET = re.compile(r"PASS|AUTH|SECRET|(^|_)PW", re.IGNORECASE)  # in names of variables
_SUBSTITUTION = re.compile(r"\$(?:(\w+)|\{(\w+)[^}]*\}|\((?:cat |< ?)([^\s()]+)\))")
_TITLE = re.compile(r"-server (?:\S+:(\d+)|unixsocket:(\S+))")
# How each container of a run is asked, once that is known. Passwords are never written down.
_KNOWN: WeakKeyDictionary[Stack, dict[str, Mapping[str, str]]] = WeakKeyDictionary()
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
        found = {"CHAOSKIT_AUTH": self.password, "CHAOSKIT_USER": self.user}
        return {name: text for name, text in found.items() if text}


async def login_variables(store: Store[Any]) -> Mapping[str, str]:
    """Return how a store is asked, as environment variables for `client.sh`.

    Every login that was found is tried at every place where the server may listen, until one is let
    in; that is kept for the run. Raises `FaultFailed` when none is.
    """
    known = _KNOWN.setdefault(store.stack, {})
    container = store.container.id
    if container in known:
        return known[container]
    ways, logins = await _found(store)
    answers: list[str] = []
    for way in ways:
        for login in logins.values():
            chosen = {**way, **login.variables()}
            done = await store.run(
                script("redis/silent.sh"), store.port, "0", "10", "PING", environment=chosen
            )
            if done.status == 124:  # paused, perhaps: whoever asks next learns more
                return chosen
            words = f"{done.out} {done.err}".strip()
            if done.status == 0 and re.match(r"PONG|NOPERM", done.out.strip()):
                known[container] = chosen
                return chosen
            if done.status in (126, 127):
                raise refused(done, "PING", store)
            answers.append(words)
            if not REFUSED.search(words):
                break  # nobody is let in here
        else:
            break  # it is the right place
    raise FaultFailed(_told(store, ways, logins, answers))


def forget(store: Store[Any]) -> None:
    """Look anew for a login: the one that is known is refused now."""
    _KNOWN.get(store.stack, {}).pop(store.container.id, None)


def _told(
    store: Store[Any],
    ways: Sequence[Mapping[str, str]],
    logins: Mapping[str, Login],
    answers: Sequence[str],
) -> str:
    name = store.container.name
    if refusal := next(filter(REFUSED.search, answers), None):
        return (
            f"`{name}` refuses every login that was found ({', '.join(logins)}):"
            f" {last_words(refusal, 120)}; give its service REDIS_PASSWORD or REDIS_PASSWORD_FILE"
            " (and REDIS_USERNAME), or set REDISCLI_AUTH where chaoskit runs"
        )
    places = ", ".join(_place(way, store.port) for way in ways)
    return f"`{name}`: no Redis can be asked at {places}: {last_words(answers[-1], 200)}"


def _place(way: Mapping[str, str], port: str) -> str:
    if "CHAOSKIT_SOCKET" in way:
        return way["CHAOSKIT_SOCKET"]
    certificate = " with the server's own certificate" if "CHAOSKIT_CERT" in way else ""
    return f"port {way.get('CHAOSKIT_PORT') or port or 6379}" + (
        f" by TLS{certificate}" if "CHAOSKIT_TLS" in way else ""
    )


async def _found(store: Store[Any]) -> tuple[list[Mapping[str, str]], Mapping[str, Login]]:
    """Return the places where a server may listen, and the logins by where they come from."""
    inside, container = store.stack.exec, store.container.id
    environment = await inside.environment(container)
    looked = (await store.run(script("redis/look.sh"))).out.splitlines()
    running = [line[1:] for line in looked if line.startswith("0")]
    secrets = [line[1:] for line in looked if line[:1] == "1" and line[1:]]

    async def read(path: str) -> str:
        return (await inside.run(container, ["cat", path])).out

    words = [await _expanded(w, environment, read) for w in await inside.words(container)]
    directives = [*in_command(words), *in_command(running)]
    files = [word for word in _arguments([*words, *running]) if word.endswith(".conf")]
    files += _named_files(directives)
    for number, path in enumerate(files):
        if number == _MOST_FILES:
            break
        found = list(in_file(await read(path)))
        directives += found
        files += [name for name in _named_files(found) if name not in files]
    logins: dict[str, Login | None] = {"its variables": await _of_variables(environment, read)}
    logins["its configuration"] = of_server(directives)
    logins["its clients"] = await _of_clients(store)
    logins |= {f"secret {n}": Login(text) for n, text in enumerate(secrets[:_MOST_FILES], 1)}
    logins |= {
        name: Login(text) for name, text in environment.items() if text and _SECRET.search(name)
    }
    if own := os.environ.get("REDISCLI_AUTH"):
        logins["REDISCLI_AUTH"] = Login(own)
    chosen = {name: login for name, login in logins.items() if login is not None}
    return places(directives, running, store.port), {**chosen, "none": Login("")}


async def _of_variables(
    environment: Mapping[str, str], read: Callable[[str], Awaitable[str]]
) -> Login | None:
    """Return the login that the variables of the usual images give."""

    def first(*names: str) -> str:
        return next((environment[name] for name in names if environment.get(name)), "")

    password = first("REDISCLI_AUTH", "REDIS_PASSWORD", "VALKEY_PASSWORD")
    file = first("REDIS_PASSWORD_FILE", "VALKEY_PASSWORD_FILE")
    if not password and file:
        password = (await read(file)).strip()
    return Login(password, first("REDIS_USERNAME", "VALKEY_USERNAME")) if password else None


async def _expanded(
    word: str, environment: Mapping[str, str], read: Callable[[str], Awaitable[str]]
) -> str:
    """Return a shell's word with the variables and the files (`$(cat FILE)`) that it names."""
    parts, end = [], 0
    for found in _SUBSTITUTION.finditer(word):
        name, path = found[1] or found[2], found[3]
        value = (await read(path)).rstrip("\n") if path else environment.get(name, found[0])
        parts += [word[end : found.start()], value]
        end = found.end()
    return "".join([*parts, word[end:]])


def places(
    directives: Iterable[Sequence[str]], running: Iterable[str], wanted: str
) -> list[Mapping[str, str]]:
    """Return where a server may listen, the likeliest first, as variables for `client.sh`.

    A running server shows its address instead of its command line: `redis-server *:6379`.
    """
    given: dict[str, str] = {}
    for name, *values in directives:  # of the command line first: it outdoes a file
        given.setdefault(name, values[0] if values else "")
    shown = next(filter(None, map(_TITLE.search, running)), None)
    port = wanted or (shown and shown[1]) or given.get("port", "")
    tls = given.get("tls-port", "")
    secured = {"CHAOSKIT_TLS": "1"}
    if "tls-cert-file" in given and "tls-key-file" in given:
        secured |= {"CHAOSKIT_CERT": given["tls-cert-file"], "CHAOSKIT_KEY": given["tls-key-file"]}
    socket = (shown and shown[2]) or given.get("unixsocket", "")
    found: list[Mapping[str, str]] = []
    if port != "0" and (port != tls or not tls):
        found.append({"CHAOSKIT_PORT": port} if port else {})
    if not wanted and tls not in ("", "0"):
        port = tls
    if port != "0":
        found.append({**secured, "CHAOSKIT_PORT": port} if port else secured)
    if socket and not wanted:
        found.append({"CHAOSKIT_SOCKET": socket})
    return found


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
