"""Which values of a scenario and its stack are secrets, and which passwords are words as well."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from chaoskit import files
from chaoskit.records import Json
from chaoskit.scenario import nodes
from chaoskit.scenario.document import KINDS
from chaoskit.scenario.loading import Loaded
from chaoskit.secrets import (
    OUR_WORDS,
    Redactor,
    forms_of,
    is_word,
    passwords_in,
    secrets_in,
    secrets_of_document,
)
from chaoskit.stack.project import Project, Service

_LARGEST = 1024**2  # bytes of a file in which secrets are looked for
_PROSE = frozenset({"expect", "description", "name"})  # of a scenario: no commands, no addresses
_TOKEN = re.compile(r"[A-Za-z]+(?:[-_][A-Za-z]+)*")


@dataclass(frozen=True, slots=True)
class Secrets:
    """Secret values, and the words that stay readable even so, such as names of services."""

    values: tuple[str, ...]
    words: frozenset[str]

    def redactor(self) -> Redactor:
        """Return what keeps the secrets out of every output."""
        return Redactor(self.values, keep=self.words)


def secrets_of(loaded: Loaded, project: Project, config: Mapping[str, Json]) -> Secrets:
    """Return what a scenario and its stack, as Compose resolves it, give away by names and places.

    A password that is also a name, or a plain word that scenario and stack use for something else,
    is a word: masked everywhere, it would break what has nothing to do with it.
    """
    found = [*_of_scenario(loaded), *_of_texts(loaded), *_of_stack(config)]
    scenario = loaded.scenario
    names = {*project.services, *project.networks, *project.volumes, project.name, scenario.name}
    names |= {*scenario.probes, *scenario.workloads, *OUR_WORDS}
    names |= {fault.name for fault in scenario.injections()}
    names |= {name for registry in KINDS.values() for name in registry.names()}
    paths = [*loaded.compose_files, loaded.path.absolute(), Path.cwd()]
    texts = [*names, *map(str, paths), *_prose(loaded)]
    texts += [text for service in project.services.values() for text in _harmless(service)]
    texts += [word for words in _health_checks(config) for word in words]
    return Secrets(tuple(dict.fromkeys(found)), frozenset(names | _words(texts)))


def before_compose(loaded: Loaded) -> Secrets:
    """Return what is known before Compose has read its files, for what it says about them."""
    return Secrets((*_of_scenario(loaded), *_of_texts(loaded)), OUR_WORDS)


def _of_scenario(loaded: Loaded) -> list[str]:
    found = passwords_in(_text(loaded.path)) + secrets_in(os.environ)
    found += secrets_of_document(nodes.plain(loaded.source.root))
    for _, scalar in nodes.scalars(loaded.source.root):
        found += [form for secret in scalar.secrets for form in forms_of(secret)]
    return found


def _of_texts(loaded: Loaded) -> Iterator[str]:
    """Yield what the Compose files say as they are written: defaults of variables, comments."""
    for file in (*loaded.compose_files, loaded.compose_files[0].parent / ".env"):
        text = _text(file)
        yield from passwords_in(text)
        yield from passwords_in(_as_meant(text))


def _of_stack(config: Mapping[str, Json]) -> Iterator[str]:
    """Yield the secrets of a Compose project: what its keys and texts say, and what its `secrets`
    and `configs` hold."""
    meant = _meant(config)
    yield from secrets_of_document(meant)
    for section in ("secrets", "configs"):
        entries = config.get(section)
        for one in entries.values() if isinstance(entries, Mapping) else ():
            for text in _contents(one) if isinstance(one, Mapping) else ():
                yield from passwords_in(text)
                if section == "secrets":  # nothing but secret
                    yield from forms_of(text.strip())


def _contents(entry: Mapping[str, Json]) -> Iterator[str]:
    file, variable, content = entry.get("file"), entry.get("environment"), entry.get("content")
    if isinstance(file, str):
        yield _text(Path(file))
    if isinstance(variable, str):
        yield os.environ.get(variable, "")
    if isinstance(content, str):
        yield _as_meant(content)


def _meant(part: Json) -> Json:
    if isinstance(part, str):
        return _as_meant(part)
    if isinstance(part, Mapping):
        return {key: _meant(value) for key, value in part.items()}
    return [_meant(item) for item in part] if isinstance(part, Sequence) else part


def _as_meant(text: str) -> str:
    """Return a text of a Compose file as a container gets it."""
    return text.replace("$$", "$")


def _text(file: Path) -> str:
    try:
        return files.read_bytes(file, _LARGEST).decode(errors="replace")
    except OSError:
        return ""  # whoever needs it says why


def _prose(loaded: Loaded) -> Iterator[str]:
    """Yield texts of a scenario that hold words: sentences, and values that are one word."""
    for path, scalar in nodes.scalars(loaded.source.root):
        text = str(scalar.value)
        if scalar.secrets or passwords_in(text):
            continue
        if is_word(text) or path[0] in _PROSE:
            yield text


def _harmless(service: Service) -> Iterator[str]:
    yield service.image or ""
    yield from service.names_on(service.networks)
    secret = set(secrets_in(service.environment))
    for key, value in service.environment.items():
        if is_word(value) and (value not in secret or not secrets_in({key: value})):
            yield value


def _health_checks(config: Mapping[str, Json]) -> Iterator[set[str]]:
    """Yield the words of each health check's command but for the secrets that stand in it."""
    services = config.get("services")
    for service in services.values() if isinstance(services, Mapping) else ():
        check = service.get("healthcheck") if isinstance(service, Mapping) else None
        test = check.get("test") if isinstance(check, Mapping) else None
        words = [test] if isinstance(test, str) else test if isinstance(test, Sequence) else ()
        text = " ".join(map(str, words))
        yield _words([text]) - set(secrets_of_document({"test": test}))


def _words(texts: Iterable[str]) -> set[str]:
    return {word for text in texts for word in (text, *_TOKEN.findall(text)) if is_word(word)}
