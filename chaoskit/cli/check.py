"""`chaoskit check`: judge a history file, or a stored run again."""

from __future__ import annotations

import contextlib
import inspect
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from chaoskit.checks._base import REGISTRY as CHECKS
from chaoskit.checks._base import Check
from chaoskit.cli.output import say, tell
from chaoskit.cli.progress import console
from chaoskit.errors import ExitCode, UsageError
from chaoskit.judge.findings import judged
from chaoskit.judge.result import EXIT_CODES
from chaoskit.judge.verdict import check_result, judge
from chaoskit.numeric import read_json
from chaoskit.record.folder import find_run
from chaoskit.record.history import read_history, without_collecting
from chaoskit.record.reader import RunRecord, stored_scenario
from chaoskit.record.writer import HISTORY
from chaoskit.records import Event, Evidence, Json, Phase, combined
from chaoskit.report import terminal
from chaoskit.scenario.suggest import did_you_mean
from chaoskit.text import count, listed
from chaoskit.workloads._base import REGISTRY as WORKLOADS

_SAMPLED = ("availability", "latency")  # they judge a workload of any kind
_WIDE, _MARGIN = 85, 13  # columns of the text that explains a check, and before it


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


def check_history(request: CheckRequest) -> ExitCode:
    """Judge what was named and print it; return the exit code: 0, 1 or 3."""
    path = Path(request.what)
    is_file = False
    with contextlib.suppress(OSError):  # such as a name that is too long
        is_file = path.is_file()
    if is_file:
        return _file(path, request)
    try:
        folder = find_run(request.runs_dir, request.what)
    except UsageError as error:
        if error.hint is None:  # several runs
            raise
        raise UsageError(
            f"`{request.what}` is neither a history file nor a run",
            hint=f"give the path of a file, or a run: {error.hint}",
        ) from error
    return _run(folder, request)


# -- a file ------------------------------------------------------------------------------------


def _file(path: Path, request: CheckRequest) -> ExitCode:
    kind = _kind(request.workload)
    chosen = _chosen(kind, request)
    stored = read_history(path, one_writer=kind == "versions")
    for note in stored.notes:
        _note(note)
    name = _workload_name(stored.events, request.name)
    events = stored.events[name]
    _fits(kind, name, events)
    checks = [_made(one, name, request) for one in chosen]
    evidence = _evidence(name, events)
    with without_collecting():
        findings = [(check, judged(check, evidence)) for check in checks]
    say(f"{path}: {_counted(events)}")
    out = console(sys.stdout)
    terminal.render_checks([check_result(check, finding) for check, finding in findings], out)
    if request.explain:
        _explain([type(check) for check in checks])
    return EXIT_CODES[combined([finding.verdict for _, finding in findings])]


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


def _fits(kind: str, name: str, events: Sequence[Event]) -> None:
    """Refuse a file whose operations are those of another kind of workload."""
    ops = list(dict.fromkeys(event.op for event in events))
    # Operations are fields of their kind; what subscribers receive comes by itself.
    fitting = [one.kind for one in WORKLOADS if set(ops) <= {*one.model_fields, "receive"}]
    if kind == "load" or kind in fitting:
        return
    if fitting:
        raise UsageError(
            f"workload `{name}` has the operations {listed(ops)}: those of `{fitting[0]}`, "
            f"not of `{kind}`",
            hint=f"such as `--workload {fitting[0]}`",
        )
    known = WORKLOADS.get(kind)
    strange = [op for op in ops if known is not None and op not in known.model_fields]
    _note(f"the operations {listed(strange)} mean nothing to a `{kind}`: left out")


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
    return _changed(kind, {"check": kind.kind, "workload": name}, request)


def _given(request: CheckRequest) -> dict[str, Json]:
    """Return the fields that the command line gives."""
    given = dict(_field(text) for text in request.fields)
    if request.initial is not None:
        given["initial"] = _parsed(request.initial)
    if request.budget is not None:
        given["budget"] = request.budget
    return given


def _changed(kind: type[Check], fields: Mapping[str, Any], request: CheckRequest) -> Check:
    """Return a check with these fields, and over them those of the command line that it has."""
    given = _given(request)
    unused = [field for field in given if field not in kind.model_fields]
    if unused and request.checks:
        have = listed([field for field in kind.model_fields if field not in ("check", "workload")])
        raise UsageError(f"check `{kind.kind}` has no field `{unused[0]}`", hint=f"it has {have}")
    known = {field: value for field, value in given.items() if field not in unused}
    try:
        return kind.model_validate({**fields, **known})
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
        value: Json = read_json(text)
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
    parts = [f"{many} {kind}" for kind, many in ends.items() if many]
    still = operations - sum(ends.values())
    if still > 0:
        parts.append(f"{still} without an end")
    return f"{count(operations, 'operation')} ({', '.join(parts)})"


# -- a run -------------------------------------------------------------------------------------


def _run(folder: Path, request: CheckRequest) -> ExitCode:
    for option, given in (("workload", request.workload), ("name", request.name)):
        if given is not None:
            raise UsageError(
                f"`--{option}` is for a file: a run is judged with the checks of its scenario",
                hint=f"check its `{folder / HISTORY}` for that",
            )
    scenario = stored_scenario(folder)
    checks = list(scenario.expect)
    if request.checks:
        checks = [check for check in checks if check.check in request.checks]
        absent = set(request.checks) - {check.check for check in checks}
        if absent:
            have = listed(dict.fromkeys(check.check for check in scenario.expect))
            raise UsageError(
                f"the scenario of this run has no check `{min(absent)}`", hint=f"it has {have}"
            )
    if _given(request):
        if not request.checks:
            raise UsageError("name the check whose fields are to be changed", hint="use --check")
        checks = [
            _changed(type(check), check.model_dump(mode="json", exclude_unset=True), request)
            for check in checks
        ]
    scenario = scenario.model_copy(update={"expect": checks})
    result = judge(scenario, RunRecord.read(folder))
    terminal.render(result, console(sys.stdout), folder)
    if request.explain:
        _explain([type(check) for check in checks])
    return EXIT_CODES[result.verdict]


# -- explaining ----------------------------------------------------------------------------------


def _explain(kinds: Sequence[type[Check]]) -> None:
    for kind in dict.fromkeys(kinds):
        say("")
        say(f"{kind.kind}")
        for line in inspect.cleandoc(kind.__doc__ or "").splitlines():
            say(f"  {line}".rstrip())
        for title, text in (
            ("formal name", kind.formal),
            ("cannot tell", kind.cannot_tell),
            ("if unknown", kind.remedy or "The reason says what was missing."),
        ):
            if text:
                lines = textwrap.wrap(text, _WIDE, break_on_hyphens=False)
                say(f"  {title:<{_MARGIN}}{lines[0]}")
                for line in lines[1:]:
                    say(f"  {'':<{_MARGIN}}{line}")


def _note(text: str) -> None:
    tell(f"note: {text}")
