"""Baselines: names for series of runs that later ones are compared with.

They are in a file of their own, for no run folder says what a user called it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from chaoskit import files
from chaoskit.errors import StoreFailed, UsageError
from chaoskit.numeric import read_json

FILE = "baselines.json"
_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,63}")


def baselines(runs: Path) -> dict[str, list[str]]:
    """Return the ids of the runs of each baseline. Raises `StoreFailed` for a damaged file."""
    path = runs / FILE
    try:
        found = read_json(files.read_text(path))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise StoreFailed(f"cannot read `{path}`: {error.strerror}") from error
    except UnicodeDecodeError:
        raise StoreFailed(f"`{path}` is not UTF-8", hint=_HINT) from None
    except json.JSONDecodeError as error:
        raise StoreFailed(f"`{path}` line {error.lineno}: {error.msg}", hint=_HINT) from None
    if not isinstance(found, dict) or not all(map(_is_list_of_ids, found.values())):
        raise StoreFailed(f"`{path}` holds no lists of runs", hint=_HINT)
    return found


_HINT = "repair it, or remove it and name the baselines again"


def _is_list_of_ids(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(run, str) for run in value)


def of_name(runs: Path, name: str) -> list[str]:
    """Return the ids of the runs of one baseline. Raises `UsageError` when there is none."""
    known = baselines(runs)
    if name not in known:
        there = f"there is {', '.join(sorted(known))}" if known else "there is none"
        raise UsageError(
            f"no baseline `{name}` in `{runs}`",
            hint=f"{there}; `chaoskit baseline {name} RUN...` makes it",
        )
    return known[name]


def keep(runs: Path, name: str, ids: Sequence[str]) -> None:
    """Give a name to a series of runs, in place of what had it; an empty series forgets the name.

    Raises `UsageError` for what is no name, `StoreFailed`.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"`{name}` is no name for a baseline",
            hint="letters, digits, `.`, `_` and `-`, at most 64, such as `v1.2`",
        )
    known: Mapping[str, Sequence[str]] = baselines(runs) | {name: list(ids)}
    path = runs / FILE
    try:
        files.refuse_link(path)
        named = {name: list(series) for name, series in sorted(known.items()) if series}
        files.write_whole(path, json.dumps(named, indent=2) + "\n")
    except OSError as error:
        raise StoreFailed(f"cannot write `{path}`: {error.strerror}") from error
