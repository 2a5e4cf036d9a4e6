"""`chaoskit compare` in its three forms: two series, one against a baseline, two run in turns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from chaoskit.cli.compare import compare_runs, compare_with_baseline
from chaoskit.errors import ExitCode, UsageError


@dataclass(frozen=True, slots=True)
class CompareRequest:
    """What the command line asks for."""

    before: str | None
    after: str | None
    baseline: str | None
    interleave: tuple[str, str] | None
    times: int
    runs_dir: Path
    json: bool


def compare_as_asked(request: CompareRequest) -> ExitCode:
    """Compare what the command line names. Raises `UsageError` when it names too much or little."""
    first, second = request.before, request.after
    if request.baseline is not None and request.interleave is not None:
        raise UsageError("`--baseline` and `--interleave` are two ways to compare", hint="take one")
    if request.interleave is not None:
        if first is None or second is not None:
            raise UsageError("`--interleave` needs one scenario", hint=_INTERLEAVE)
        from chaoskit.cli.interleave import interleave

        return interleave(
            Path(first), request.interleave, request.times, request.runs_dir, as_json=request.json
        )
    if request.baseline is not None:
        if second is not None:
            raise UsageError("a baseline is one side already", hint="name the other one only")
        return compare_with_baseline(
            request.baseline, first, request.runs_dir, as_json=request.json
        )
    if first is None or second is None:
        raise UsageError(
            "two series are compared, and not both are named",
            hint="chaoskit compare BEFORE AFTER, or --baseline NAME, or --interleave A B",
        )
    return compare_runs(first, second, request.runs_dir, as_json=request.json)


_INTERLEAVE = "chaoskit compare shop.yaml --interleave TAG=1.2 TAG=1.3 -n 10"
