"""Which scenarios of those that were found are run: by tag, by name, and by share of the suite."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from chaoskit.errors import NothingSelected, UsageError
from chaoskit.scenario.loading import Loaded
from chaoskit.scenario.planned import planned
from chaoskit.scenario.suggest import did_you_mean
from chaoskit.text import count, listed

_AROUND = 10.0  # seconds that starting and removing a stack takes, whatever the scenario


@dataclass(frozen=True, slots=True)
class Shard:
    """One of several equal parts of a suite; `number` counts from 1."""

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read `1/3`. Raises `UsageError`."""
        match = re.fullmatch(r"([0-9]{1,4})/([0-9]{1,4})", text)
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            raise UsageError(
                f"`--shard {text}` is not a part of a suite",
                hint="write the second of three parts as `--shard 2/3`",
            )
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def part(self, scenarios: Sequence[Loaded]) -> list[Loaded]:
        """Return this part, in the order given.

        The longest scenario goes to the part with the least to do, then the next: every machine
        that is given the same files works out the same parts, and they take about equally long.
        """
        loads = [0.0] * self.of
        mine = set[int]()
        lengths = [length(one) for one in scenarios]
        for index in sorted(range(len(scenarios)), key=lambda i: (-lengths[i], i)):
            least = loads.index(min(loads))
            loads[least] += lengths[index]
            if least == self.number - 1:
                mine.add(index)
        return [one for index, one in enumerate(scenarios) if index in mine]


def length(loaded: Loaded) -> float:
    """Return how many seconds a scenario takes by its plan, with its start and its end."""
    scenario = loaded.scenario
    return _AROUND + sum(planned(scenario.timeline, scenario.injections()).values())


@dataclass(frozen=True, slots=True)
class Selection:
    """What the command line asks for; what is empty asks for nothing.

    A scenario is in when it has one of the `tags` and its name fits one of the `names`, and when
    neither a tag nor the name of it is in `exclude`. Names may have `*` and `?`.
    """

    tags: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    shard: Shard | None = None

    def of(self, scenarios: Sequence[Loaded]) -> list[Loaded]:
        """Return the scenarios that are selected.

        Raises `UsageError` for a word that fits none of them, which is a slip of the hand, and
        `NothingSelected` when none is left.
        """
        names = sorted({one.scenario.name for one in scenarios})
        tags = sorted({tag for one in scenarios for tag in one.scenario.tags})
        for tag in self.tags:
            if tag not in tags:
                _nobody(f"--tag {tag}", "has the tag", tag, tags)
        for name in self.names:
            if not _fits(names, [name]):
                _nobody(f"--name {name}", "is called", name, names)
        for word in self.exclude:
            if word not in tags and not _fits(names, [word]):
                _nobody(f"--exclude {word}", "has the tag or name", word, [*tags, *names])
        chosen = [one for one in scenarios if self._wants(one)]
        if not chosen:
            raise NothingSelected(
                f"none of {count(len(scenarios), 'scenario')} is left by {self._words}",
                hint=f"they are {listed(names)}",
            )
        part = chosen if self.shard is None else self.shard.part(chosen)
        if not part:
            raise NothingSelected(
                f"part {self.shard} has nothing to do: there is only"
                f" {count(len(chosen), 'scenario')}",
                hint="take fewer parts",
            )
        return part

    def _wants(self, loaded: Loaded) -> bool:
        own, name = set(loaded.scenario.tags), [loaded.scenario.name]
        return (
            (not self.tags or not own.isdisjoint(self.tags))
            and (not self.names or _fits(name, self.names))
            and own.isdisjoint(self.exclude)
            and not _fits(name, self.exclude)
        )

    @property
    def _words(self) -> str:
        options = {"--tag": self.tags, "--name": self.names, "--exclude": self.exclude}
        return " ".join(f"`{option} {word}`" for option, words in options.items() for word in words)


def _fits(names: Collection[str], patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for name in names for pattern in patterns)


def _nobody(option: str, what: str, word: str, options: Sequence[str]) -> None:
    there = f"there are {listed(options)}" if options else "no scenario here has one"
    raise UsageError(
        f"`{option}`: no scenario {what} `{word}`{did_you_mean(word, options)}", hint=there
    )
