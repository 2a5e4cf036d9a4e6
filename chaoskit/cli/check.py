"""`chaoskit check`: judge a history file, or a stored run again."""

from __future__ import annotations

import inspect
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from chaoskit.checks._base import REGISTRY as CHECKS
from chaoskit.checks._base import Check
from chaoskit.cli.progress import console
from chaoskit.errors import UsageError
from chaoskit.records import Event, Evidence, Finding, Json, Phase, Verdict, combined
from chaoskit.report import terminal
from chaoskit.report.result import CheckResult, Result
from chaoskit.run.judging import Circumstances, judge, judged
from chaoskit.scenario.loading import load
from chaoskit.scenario.suggest import did_you_mean, listed
from chaoskit.store.history import read_history, without_collecting
from chaoskit.workloads._base import REGISTRY as WORKLOADS

_CODES = {Verdict.PASS: 0, Verdict.FAIL: 1, Verdict.UNKNOWN: 3}
_SAMPLED = ("availability", "latency")  # they judge a workload of any kind
_INTERRUPTED = (4, 6, 70, 129, 130, 143)  # how a run ended, whatever its data says


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """What the command line asks for. `fields` are `NAME=VALUE`, as in a scenario."""

    what: str
    runs_dir: Path
    workload: str | None = None
    checks: tuple[str, ...] = ()
    name: str | None = None
    initial: str | None = None
    budget: str | None = None
    fields: tuple[str, ...] = ()
    explain: bool = False


def check_history(request: CheckRequest) -> int:
    """Judge what was named and print it; return the exit code: 0, 1 or 3."""
    path = Path(request.what)
    if path.is_file():
        return _file(path, request)
    for folder in (path, request.runs_dir / request.what):
        if (folder / "scenario.yaml").is_file():
            return _run(folder.resolve(), request)
    raise UsageError(
        f"`{request.what}` is neither a history file nor a run",
        hint=f"runs are folders in `{request.runs_dir}`; the newest is `latest`",
    )


# -- a file ------------------------------------------------------------------------------------


def _file(path: Path, request: CheckRequest) -> int:
    kind = _kind(request.workload)
    chosen = _chosen(kind, request)
    stored = read_history(path)
    for note in stored.notes:
        print(f"note: {note}", file=sys.stderr)
    name = _workload_name(stored.events, request.name)
    events = stored.events[name]
    checks = [_made(one, name, request) for one in chosen]
    evidence = _evidence(name, events)
    with without_collecting():
        findings = [(check, judged(check, evidence)) for check in checks]
    _say(f"{path}: {_counted(events)}")
    out = console(sys.stdout)
    terminal.render_checks([_result(check, finding) for check, finding in findings], out)
    if request.explain:
        _explain([type(check) for check in checks])
    return _CODES[combined([finding.verdict for _, finding in findings])]


def _kind(given: str | None) -> str:
    known = dict.fromkeys(WORKLOADS.names())
    for check in CHECKS:
        known |= dict.fromkeys(getattr(check, "workloads", ()))
    if given is None:
        raise UsageError(
            "a history file needs `--workload KIND`: what its operations mean",
            hint=f"one of {listed(sorted(known))}",
        )
    if given not in known:
        raise UsageError(
            f"there is no workload kind `{given}`{did_you_mean(given, sorted(known))}",
            hint=f"one of {listed(sorted(known))}",
        )
    return given


def _chosen(kind: str, request: CheckRequest) -> list[type[Check]]:
    """Return the kinds of checks to judge by: those named, or all that the workload kind has."""
    fitting = [one for one in CHECKS if kind in getattr(one, "workloads", ())]
    general = [one for one in CHECKS if one.kind in _SAMPLED]
    names = {one.kind: one for one in [*fitting, *general]}
    for wanted in request.checks:
        if wanted in names:
            continue
        if CHECKS.get(wanted) is not None:
            text = f"`{wanted}` does not judge the history of a `{kind}` workload"
        else:
            text = f"there is no check `{wanted}`{did_you_mean(wanted, CHECKS.names())}"
        raise UsageError(text, hint=f"one of {listed(sorted(names))}")
    if request.checks:
        return [names[wanted] for wanted in request.checks]
    given = {field.partition("=")[0] for field in request.fields}
    # The general ones have no bound of their own: they take part where one is given.
    chosen = fitting or [one for one in general if given & one.model_fields.keys()]
    if not chosen:
        raise UsageError(
            f"the checks of a `{kind}` workload need a bound",
            hint="give one with --field, such as `--field at_least=99%` or `--field p99=1s`",
        )
    return chosen


def _made(kind: type[Check], name: str, request: CheckRequest) -> Check:
    """Return the check with those of the fields given that it has."""
    fields: dict[str, Any] = {"check": kind.kind, "workload": name}
    given = dict(_field(text) for text in request.fields)
    if request.initial is not None:
        given["initial"] = _parsed(request.initial)
    if request.budget is not None:
        given["budget"] = request.budget
    fields |= {field: value for field, value in given.items() if field in kind.model_fields}
    unused = [field for field in given if field not in kind.model_fields]
    if unused and request.checks:
        raise UsageError(f"check `{kind.kind}` has no field `{unused[0]}`")
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        text = f"check `{kind.kind}`: {where + ': ' if where else ''}{message}"
        if first["type"] == "missing":
            text = f"check `{kind.kind}` needs `--field {where}=...`"
        raise UsageError(text, hint=f"such as `{kind.example}`") from None


def _field(text: str) -> tuple[str, Json]:
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise UsageError(f"`--field {text}` is not NAME=VALUE", hint="such as `--field within=2s`")
    return name, _parsed(value)


def _parsed(text: str) -> Json:
    """Return JSON as what it says, anything else as text."""
    try:
        value: Json = json.loads(text)
    except ValueError:
        return text
    return value


def _workload_name(events: Mapping[str, list[Event]], wanted: str | None) -> str:
    names = list(events)
    if wanted is not None and wanted not in names:
        text = f"the file has no workload called `{wanted}`{did_you_mean(wanted, names)}"
        raise UsageError(text, hint=f"it has {listed(names)}")
    if wanted is None and len(names) > 1:
        raise UsageError(
            "the file holds several workloads", hint=f"choose with --name: {listed(names)}"
        )
    return wanted or names[0]


def _evidence(name: str, events: Sequence[Event]) -> Evidence:
    """Return a run of one phase: a file says nothing about faults."""
    start = min(event.t for event in events)
    end = max(event.t for event in events)
    return Evidence((Phase("baseline", start, end),), (), history={name: events})


def _counted(events: Sequence[Event]) -> str:
    operations = sum(event.type == "invoke" for event in events)
    ends = {kind: sum(event.type == kind for event in events) for kind in ("ok", "fail", "info")}
    parts = [f"{count} {kind}" for kind, count in ends.items() if count]
    still = operations - sum(ends.values())
    if still > 0:
        parts.append(f"{still} without an end")
    return f"{operations} operation{'' if operations == 1 else 's'} ({', '.join(parts)})"


def _result(check: Check, finding: Finding) -> CheckResult:
    return CheckResult(
        check=check.check,
        subject=check.subject,
        verdict=finding.verdict,
        measured=finding.measured,
        bound=finding.bound,
        reason=finding.reason,
        witness=list(finding.witness),
        notes=list(finding.notes),
    )


# -- a run -------------------------------------------------------------------------------------


def _run(folder: Path, request: CheckRequest) -> int:
    given = (request.workload, request.name, request.initial, request.budget, request.fields)
    if any(given):
        raise UsageError(
            "a run is judged with the checks of its scenario",
            hint=f"change them in `{folder / 'scenario.yaml'}`, or check its `history.ndjson`",
        )
    scenario = load(folder / "scenario.yaml", os.environ, compose=False).scenario
    if request.checks:
        kept = [check for check in scenario.expect if check.check in request.checks]
        if not kept:
            have = listed(dict.fromkeys(check.check for check in scenario.expect))
            raise UsageError("the scenario has no such check", hint=f"it has {have}")
        scenario = scenario.model_copy(update={"expect": kept})
    result = judge(scenario, folder, _circumstances(folder))
    terminal.render(result, console(sys.stdout), folder)
    if request.explain:
        _explain([type(check) for check in scenario.expect])
    return _CODES[result.verdict]


def _circumstances(folder: Path) -> Circumstances:
    """Return what the first judging knew besides the files; a killed run left no result."""
    try:
        was = Result.model_validate_json((folder / "result.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        again = f"chaoskit check {folder.name}"
        cut = "the run was cut off: it left no result"
        return Circumstances(folder.name, "scenario.yaml", 0, again, "", ended_early=cut)
    lateness = {
        workload.workload.rpartition(" (")[0]: workload.lateness_p99
        for workload in was.workloads
        if workload.lateness_p99 is not None
    }
    circumstances = Circumstances(
        was.run.id,
        was.run.scenario_file,
        was.run.seed,
        was.run.command,
        was.stack.project,
        was.run.versions,
        lateness=lateness,
        last_logs=was.stack.last_logs,
    )
    if was.exit_code in _INTERRUPTED and was.exit_code != 6:
        why = was.reason or f"the run ended with exit code {was.exit_code}"
        return replace(circumstances, ended_early=why)
    return circumstances


# -- explaining ----------------------------------------------------------------------------------


def _explain(kinds: Sequence[type[Check]]) -> None:
    for kind in dict.fromkeys(kinds):
        _say("")
        _say(f"{kind.kind}")
        for line in inspect.cleandoc(kind.__doc__ or "").splitlines():
            _say(f"  {line}".rstrip())
        for title, text in (
            ("formal name", kind.formal),
            ("cannot tell", kind.cannot_tell),
            ("if unknown", kind.remedy or "The reason says what was missing."),
        ):
            if text:
                _say(f"  {title:<12} {text}")


def _say(text: str) -> None:
    print(text)
