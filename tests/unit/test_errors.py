"""The tree of errors is drawn as it is; exit codes are the same in code, help and README."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import signal
from pathlib import Path

import chaoskit
from chaoskit import errors
from chaoskit.cli.main import app
from chaoskit.errors import ChaoskitError, ExitCode

DRAWN = re.compile(r"^    ([│ ├└─]*)(\w+) +(\d+)  ", re.MULTILINE)
README = Path(__file__).parents[2] / "README.md"


def every_exception() -> set[type[BaseException]]:
    found: set[type[BaseException]] = set()
    for module in pkgutil.walk_packages(chaoskit.__path__, "chaoskit."):
        for one in vars(importlib.import_module(module.name)).values():
            if inspect.isclass(one) and issubclass(one, BaseException):
                found.add(one)
    return {one for one in found if one.__module__.startswith("chaoskit.")}


def test_the_tree_is_drawn_as_it_is() -> None:
    drawn: dict[str, tuple[str | None, int]] = {}
    above: list[str] = []
    for branch, name, code in DRAWN.findall(str(errors.__doc__)):
        depth = len(branch) // 4
        above[depth:] = [name]
        drawn[name] = (above[depth - 1] if depth else None, int(code))
    ours = [one for one in every_exception() if issubclass(one, ChaoskitError)]
    parents = {one: None if one is ChaoskitError else one.__bases__[0].__name__ for one in ours}
    assert drawn == {one.__name__: (parents[one], one.exit_code) for one in ours}


def test_the_errors_beside_the_tree_are_named_with_the_reason() -> None:
    beside = str(errors.__doc__).partition("\nBeside the tree")[2].partition("\nMessages")[0]
    named = set(re.findall(r"\b[A-Z]\w+", beside)) - {"JSONPath", "Problem"}
    assert named == {
        one.__name__ for one in every_exception() if not issubclass(one, ChaoskitError)
    }


def test_the_readme_has_a_row_for_every_exit_code() -> None:
    section = README.read_text(encoding="utf-8").partition("\n## Exit codes\n")[2]
    rows = re.findall(r"^\| ([\d, ]+) \|", section.partition("\n## ")[0], re.MULTILINE)
    documented = [int(code) for row in rows for code in row.split(", ")]
    assert sorted(documented) == sorted(ExitCode)


def test_the_help_names_every_exit_code() -> None:
    named = re.findall(r"\b\d+\b", str(app.info.epilog))
    assert [int(code) for code in named] == list(ExitCode)


def test_a_signal_ends_with_128_plus_its_number() -> None:
    by_signal = {int(code) - 128 for code in ExitCode if code.by_signal}
    assert by_signal == {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
