"""`chaoskit compare --interleave A B`: two variants of one scenario, run in turns on one machine.

The order is A B B A: what changes slowly beside the runs (a cache that fills, a machine that warms
up, another job) falls on both sides alike.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Self

from chaoskit import files
from chaoskit.cli.compare import compare_folders
from chaoskit.cli.output import tell
from chaoskit.errors import EnvironmentFailure, ExitCode, UsageError
from chaoskit.scenario.dotenv import variables_in
from chaoskit.series.schedule import in_turns

_SETTING = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_JUDGED = (ExitCode.PASSED, ExitCode.FAILED, ExitCode.UNKNOWN)
_RUN = "from chaoskit.cli.start import entry; entry()"


@dataclass(frozen=True, slots=True)
class Variant:
    """One side: variables that its runs see, and the folders of those runs."""

    name: str
    environment: dict[str, str]
    folders: list[Path] = field(default_factory=list)


def interleave(
    scenario: Path, sides: tuple[str, str], rounds: int, runs: Path, *, as_json: bool
) -> ExitCode:
    """Run both variants `rounds` times, and compare them as `compare` does.

    Raises `UsageError` for what is no variant, `EnvironmentFailure` when a run could not be judged.
    """
    variants = [_variant(side) for side in sides]
    if variants[0].environment == variants[1].environment:
        raise UsageError(f"`{sides[0]}` and `{sides[1]}` set the same", hint="then A is B")
    order = in_turns(rounds)
    first_seed = secrets.randbelow(1_000_000)
    with _Children() as children:
        for number, side in enumerate(order, 1):
            variant = variants[side]
            tell(f"run {number} of {len(order)}: {'AB'[side]}, {variant.name}")
            seed = first_seed + (number - 1) // 2  # of both in a round
            argv = _command(scenario, runs, seed)
            code, text = children.run(argv, os.environ | variant.environment)
            if code not in _JUDGED:
                raise EnvironmentFailure(
                    f"a run of `{variant.name}` ended with exit code {code}",
                    hint=f"what ran before it can be compared: {_again(variants)}",
                )
            variant.folders.append(_folder_in(text, scenario, runs))
    code = compare_folders(*(variant.folders for variant in variants), as_json=as_json)
    tell(f"compare them again: {_again(variants)}")
    return code


def _again(variants: Sequence[Variant]) -> str:
    sides = [",".join(str(path) for path in variant.folders) for variant in variants]
    return f"`chaoskit compare {sides[0]} {sides[1]}`" if all(sides) else "not both ran yet"


def _variant(text: str) -> Variant:
    """Return what an env file or `NAME=VALUE` sets. Raises `UsageError`."""
    setting = _SETTING.fullmatch(text)
    if setting is not None:
        return Variant(text, {setting[1]: setting[2]})
    try:
        environment = variables_in(files.read_text(Path(text)))
    except FileNotFoundError:
        raise UsageError(
            f"`{text}` is no variant: neither an env file nor NAME=VALUE",
            hint="such as `--interleave TAG=1.4 TAG=1.5` with `image: shop:${TAG}`",
        ) from None
    except OSError as error:
        raise UsageError(f"cannot read the env file `{text}`: {error.strerror}") from error
    except UnicodeDecodeError:
        raise UsageError(f"the env file `{text}` is not UTF-8") from None
    if not environment:
        raise UsageError(f"the env file `{text}` sets nothing")
    return Variant(text, environment)


def _command(scenario: Path, runs: Path, seed: int) -> list[str]:
    argv = [sys.executable, "-P", "-c", _RUN, "run", str(scenario), "--json"]
    return [*argv, "--seed", str(seed), "--runs-dir", str(runs)]


def _folder_in(text: str, scenario: Path, runs: Path) -> Path:
    """Return the folder of the run whose result document this is."""
    document = json.loads(text)
    if isinstance(document, list):
        raise UsageError(f"`{scenario}` holds several scenarios", hint="compare one of them")
    return runs / str(document["run"]["id"])


class _Children:
    """One run at a time as a process of its own, which every signal reaches: it heals by itself."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[str] | None = None
        self._signal: int | None = None
        self._before: dict[int, object] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._before[number] = signal.signal(number, self._pass_on)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # as it was returned

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        self._signal = number
        if self._child is not None:
            with contextlib.suppress(ProcessLookupError):
                self._child.send_signal(number)

    def run(self, argv: Sequence[str], environment: dict[str, str]) -> tuple[int, str]:
        """Return the exit code and the stdout of a command. Raises `SystemExit` after a signal."""
        # In a session of its own: Ctrl-C reaches it once, from here.
        self._child = subprocess.Popen(
            argv, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True
        )
        text, _ = self._child.communicate()
        code = self._child.returncode
        self._child = None
        if self._signal is not None:
            raise SystemExit(128 + self._signal)
        return code, text
