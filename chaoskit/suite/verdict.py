"""What the scenarios of a suite amount to together: the exit code, and how often each failed."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor
from typing import Literal, TypeAlias

from chaoskit.errors import ExitCode, UsageError
from chaoskit.judge.result import Result
from chaoskit.records import Verdict
from chaoskit.series.statistics import share_bounds
from chaoskit.text import count

FailOn: TypeAlias = Literal["failed", "unknown"]

# When scenarios end differently, the worst is the suite's: what is left behind comes first.
_WORST_FIRST = (
    ExitCode.INTERNAL,
    ExitCode.LEFT_BEHIND,
    ExitCode.FAILED,
    ExitCode.ENVIRONMENT,
    ExitCode.USAGE,
    ExitCode.UNKNOWN,
    ExitCode.PASSED,
)


def fail_on_of(word: str) -> FailOn:
    """Read what `--fail-on` says. Raises `UsageError`."""
    match word:
        case "failed" | "unknown":
            return word
    raise UsageError(
        f"`--fail-on {word}` is neither `failed` nor `unknown`",
        hint="`failed` lets unknown verdicts pass beside others that passed",
    )


def exit_code(codes: Sequence[ExitCode], fail_on: FailOn = "unknown") -> ExitCode:
    """Return the exit code of a suite with these, at least one; a signal goes before them all.

    With `fail_on="failed"`, scenarios whose verdict is unknown do not count beside one that
    passed. A suite in which nothing passed proves nothing, and stays unknown.
    """
    by_signal = next((code for code in codes if code.by_signal), None)
    if by_signal is not None:
        return by_signal
    worst = next(code for code in _WORST_FIRST if code in codes)
    tolerated = fail_on == "failed" and worst is ExitCode.UNKNOWN and ExitCode.PASSED in codes
    return ExitCode.PASSED if tolerated else worst


def counts_as_failed(code: ExitCode, fail_on: FailOn) -> bool:
    """Return whether a scenario that ended so keeps the suite from being green."""
    tolerated = (ExitCode.PASSED, ExitCode.UNKNOWN) if fail_on == "failed" else (ExitCode.PASSED,)
    return code not in tolerated


def flakes(results: Sequence[Result]) -> list[str]:
    """Return, for each scenario that was run several times, how often it failed and what that says
    about how often it does: `redis-kill: 0 of 20 failed: under 14% at 95%`."""
    by_name: dict[str, list[Verdict]] = {}
    for result in results:
        by_name.setdefault(result.run.scenario, []).append(result.verdict)
    return [_flake(name, all_) for name, all_ in by_name.items() if len(all_) > 1]


def _flake(name: str, verdicts: Sequence[Verdict]) -> str:
    unknown = verdicts.count(Verdict.UNKNOWN)
    judged, failed = len(verdicts) - unknown, verdicts.count(Verdict.FAIL)
    beside = f"; {count(unknown, 'run')} unknown, not counted" if unknown else ""
    if not judged:
        return f"{name}: not one of {len(verdicts)} runs was judged"
    low, high = share_bounds(failed, judged)
    said = f"{name}: {failed} of {judged} failed: "
    if failed == 0:
        said += f"under {ceil(round(100 * high, 6))}%"
    elif failed == judged:
        said += f"over {floor(round(100 * low, 6))}%"
    else:
        said += f"{floor(round(100 * low, 6))}% to {ceil(round(100 * high, 6))}%"
    return f"{said} at 95%{beside}"
