"""`chaoskit baseline`: names for series of runs that later ones are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from chaoskit.cli.output import say
from chaoskit.errors import ExitCode, NothingSelected, UsageError
from chaoskit.judge.result import stored_result
from chaoskit.record.folder import find_run
from chaoskit.series.baselines import baselines, keep, of_name
from chaoskit.series.index import digest_of
from chaoskit.text import count


def name_baseline(name: str | None, named: Sequence[str], runs: Path, *, remove: bool) -> ExitCode:
    """List the baselines, show one, name one, or forget one.

    Raises `UsageError` for runs elsewhere or of different scenario texts, `StoreFailed` for one
    without a result, `NothingSelected` when there is no baseline to list.
    """
    if name is None:
        _list(runs)
    elif remove:
        if named:
            raise UsageError("`--remove` forgets a whole baseline", hint="leave the runs out")
        of_name(runs, name)
        keep(runs, name, [])
        say(f"baseline {name} is forgotten; its runs stay")
    elif not named:
        say("\n".join(of_name(runs, name)))
    else:
        ids = [_checked(run, runs) for run in named]
        _refuse_other_texts(runs, ids)
        keep(runs, name, list(dict.fromkeys(ids)))
        say(f"baseline {name}: {count(len(set(ids)), 'run')}")
    return ExitCode.PASSED


def _list(runs: Path) -> None:
    known = baselines(runs)
    if not known:
        raise NothingSelected(
            f"there is no baseline in `{runs}`", hint="`chaoskit baseline NAME RUN...` makes one"
        )
    for name, series in known.items():
        say(f"{name}: {count(len(series), 'run')}, from {min(series)} to {max(series)}")


def _checked(run: str, runs: Path) -> str:
    folder = find_run(runs, run)
    if folder.parent != runs.resolve():
        raise UsageError(f"run `{folder}` is not in `{runs}`", hint="name its --runs-dir")
    stored_result(folder)
    return folder.name


def _refuse_other_texts(runs: Path, ids: Sequence[str]) -> None:
    first, *others = ids
    for other in others:
        if digest_of(runs / other) != digest_of(runs / first):
            raise UsageError(
                f"run `{other}` is not of the same scenario text as `{first}`",
                hint="a baseline is a series of runs of one unchanged scenario",
            )
