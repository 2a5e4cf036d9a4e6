"""Shell, SQL and Lua that run inside containers, from the files beside this module."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

_INCLUDE = re.compile(r"^(?:\. \./|-- include )(\S+)\n", re.MULTILINE)
_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


@cache
def script(name: str) -> str:
    """Return a script such as `redis/pause.sh`.

    There is no file beside it where it runs: a line that includes one (`. ./client.sh` in a shell
    script, `-- include mark.lua` in Lua) is replaced by that file.
    """
    text = files(__name__).joinpath(name).read_text(encoding="utf-8")
    folder = name.rpartition("/")[0]
    return _INCLUDE.sub(lambda found: script(f"{folder}/{found[1]}"), text)


@cache
def statements(name: str) -> Mapping[str, str]:
    """Return the statements of an SQL file by the names above them: `-- name: free`."""
    parts = _NAME.split(script(name))
    return dict(zip(parts[1::2], parts[2::2], strict=True))
