"""The `chaoskit` command: its sub-commands, and errors turned into exit codes.

Nothing heavy is imported here: `--help` must answer as fast as an empty Typer app. For the same
reason annotations are not strings here: Typer would have to evaluate each of them.
"""

import contextlib
import re
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import typer

from chaoskit import __version__
from chaoskit.cli import complete, history
from chaoskit.cli.errors import complain
from chaoskit.cli.options import RUNS, RunsDir
from chaoskit.cli.output import forget_stdout
from chaoskit.errors import ChaoskitError, EnvironmentFailure, ExitCode, UsageError, causes

app = typer.Typer(
    name="chaoskit",
    help="Chaos and fault injection for Docker Compose stacks.",
    epilog="Exit codes: 0 passed, 1 failed, 2 wrong usage or scenario, 3 unknown, 4 environment,"
    " 5 nothing selected, 6 something is left behind, 70 internal error;"
    " 129, 130, 143: interrupted by SIGHUP, SIGINT, SIGTERM.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Paths = Annotated[
    list[Path],
    typer.Argument(
        help="Scenario files, directories of them, or patterns.",
        show_default=False,
        autocompletion=complete.scenarios,
    ),
]


REPORT = (
    "Also write a report: annotations, html, html-dir, json, junit, metrics, prompt, summary or"
    " trace; - for stdout."
)
Reports = Annotated[
    list[str] | None,
    typer.Option(metavar="KIND=FILE", help=REPORT, autocompletion=complete.reports),
]


def _version(wanted: bool) -> None:
    if wanted:
        print(f"chaoskit {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command(
    epilog="Examples: chaoskit run scenarios/redis-restart.yaml | chaoskit run scenarios/"
    " --report junit=junit.xml | chaoskit run 'scenarios/**/redis-*.yaml' --exclude slow"
    " --fail-fast | chaoskit run scenarios/ --tag ci --shard 1/3"
    " | chaoskit run flaky.yaml --repeat 20 --parallel 2"
)
def run(
    paths: Paths,
    tag: Annotated[
        list[str] | None,
        typer.Option(help="Only scenarios with this tag; may be repeated, any of them will do."),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(help="No scenario with this tag or name (* and ?); may be repeated."),
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option(help="Only scenarios with this name (* and ?); may be repeated."),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="N/M", help="Only part N of M parts that take about equally long, such as 1/3."
        ),
    ] = None,
    repeat: Annotated[
        int,
        typer.Option(min=1, max=10_000, help="How often to run each, to see how often it fails."),
    ] = 1,
    parallel: Annotated[
        int,
        typer.Option(
            min=1, help="How many scenarios to run at once; bounded by processors and memory."
        ),
    ] = 1,
    warm: Annotated[
        bool,
        typer.Option(
            "--warm", help="Share proxies and networks of equal stacks that are proven clean."
        ),
    ] = False,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="Start no other scenario after one that failed.")
    ] = False,
    fail_on: Annotated[
        str,
        typer.Option(
            metavar="VERDICT",
            help="What makes a suite fail: unknown (also unknown verdicts) or failed (unknown"
            " ones do not count while another scenario passed).",
        ),
    ] = "unknown",
    seed: Annotated[
        int | None, typer.Option(help="Repeat generated values and schedules of an earlier run.")
    ] = None,
    only_fault: Annotated[
        list[str] | None,
        typer.Option(
            help="Inject only this fault (by id); may be repeated.", autocompletion=complete.faults
        ),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the stack up, healed, after the run.")
    ] = False,
    runs_dir: RunsDir = RUNS,
    report: Reports = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print result.json on stdout instead of the report.")
    ] = False,
    events: Annotated[
        str | None, typer.Option(metavar="FILE", help="Stream events as NDJSON; - for stdout.")
    ] = None,
    allow_host_exec: Annotated[
        bool,
        typer.Option("--allow-host-exec", help="Let `exec` faults run commands on this machine."),
    ] = False,
) -> None:
    """Run scenarios: break the stack on schedule, judge, heal, report."""
    from chaoskit.cli.run import RunRequest, run_scenarios
    from chaoskit.suite.execution import Settings
    from chaoskit.suite.selection import Selection, Shard
    from chaoskit.suite.verdict import fail_on_of

    request = RunRequest(
        paths=tuple(paths),
        selection=Selection(
            tuple(tag or ()),
            tuple(exclude or ()),
            tuple(name or ()),
            None if shard is None else Shard.parse(shard),
        ),
        settings=Settings(
            runs_dir, seed, tuple(only_fault or ()), keep, allow_host_exec, warm=warm
        ),
        repeat=repeat,
        parallel=parallel,
        fail_fast=fail_fast,
        fail_on=fail_on_of(fail_on),
        reports=tuple(report or ()),
        json=json,
        events=events,
    )
    raise typer.Exit(run_scenarios(request))


@app.command(epilog="Example: chaoskit validate scenarios/")
def validate(
    paths: Paths,
    compose: Annotated[
        bool,
        typer.Option(
            "--compose/--no-compose", help="Also check services and edges with `docker compose`."
        ),
    ] = True,
    strict: Annotated[bool, typer.Option("--strict", help="Treat warnings as problems.")] = False,
) -> None:
    """Check scenario files and print every problem with its position; runs nothing.

    Warnings say what makes a scenario prove little, although it can be run.
    """
    from chaoskit.cli.validate import validate_scenarios

    raise typer.Exit(validate_scenarios(paths, compose, strict))


@app.command(
    epilog="Examples: chaoskit check latest | chaoskit check history.ndjson --workload set"
    " | chaoskit check h.ndjson --workload versions --check fresh_within --field within=2s"
)
def check(
    what: Annotated[
        str,
        typer.Argument(
            metavar="FILE|RUN",
            help="A history file, or a run: its folder, id or latest.",
            autocompletion=complete.runs,
        ),
    ],
    workload: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="What kind of workload wrote the file, such as set.",
            autocompletion=complete.workloads,
        ),
    ] = None,
    checks: Annotated[
        list[str] | None,
        typer.Option(
            "--check",
            metavar="NAME",
            help="Only this check; may be repeated.",
            autocompletion=complete.checks,
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Which workload of a file with several to judge.")
    ] = None,
    initial: Annotated[
        str | None, typer.Option(metavar="VALUE", help="What a register, counter or stock was.")
    ] = None,
    budget: Annotated[
        str | None, typer.Option(metavar="DURATION", help="How long to search, such as 10s.")
    ] = None,
    field: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="A field of the checks, such as at_most=0.1%."),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say what each check means and cannot tell.")
    ] = False,
    runs_dir: RunsDir = RUNS,
) -> None:
    """Judge a history file, or a stored run again; runs nothing."""
    from chaoskit.cli.check import CheckRequest, check_history

    request = CheckRequest(
        what,
        runs_dir,
        workload,
        tuple(checks or ()),
        name,
        initial,
        budget,
        tuple(field or ()),
        explain,
    )
    raise typer.Exit(check_history(request))


@app.command(epilog="Example: chaoskit plan scenarios/redis-latency.yaml")
def plan(
    path: Annotated[
        Path,
        typer.Argument(
            help="A scenario file.", show_default=False, autocompletion=complete.scenarios
        ),
    ],
    json: Annotated[bool, typer.Option("--json", help="Print the plan as JSON.")] = False,
) -> None:
    """Show what a run would do: faults, proxies, edges, what it undoes; touches nothing."""
    from chaoskit.cli.plan import show_plan

    raise typer.Exit(show_plan(path, as_json=json))


@app.command(
    epilog="Examples: chaoskit recover --all | chaoskit recover latest | chaoskit recover --dry-run"
)
def recover(
    run: Annotated[
        str | None,
        typer.Argument(
            help="A run: its id, its folder, or `latest`.",
            show_default=False,
            autocompletion=complete.runs,
        ),
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every run that was killed.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be undone.")
    ] = False,
    allow_host_exec: Annotated[
        bool,
        typer.Option("--allow-host-exec", help="Let `exec` faults run their heal commands here."),
    ] = False,
    runs_dir: RunsDir = RUNS,
) -> None:
    """Undo what a killed run left: heal its faults, remove its stack, finish its report.

    Only for runs of your own: those that your key signed, or one that you name.
    """
    from chaoskit.cli.recover import RecoverRequest, recover_runs

    request = RecoverRequest(run, runs_dir, all_, dry_run, allow_host_exec)
    raise typer.Exit(recover_runs(request))


@app.command(
    epilog="Examples: chaoskit report | chaoskit report latest --html page.html"
    " | chaoskit report latest --format prompt"
)
def report(
    run: Annotated[
        str,
        typer.Argument(
            help="A run: its id, its folder, or `latest`, the newest.",
            autocompletion=complete.runs,
        ),
    ] = "latest",
    runs_dir: RunsDir = RUNS,
    report: Reports = None,
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="KIND",
            help="Print this kind of report instead, such as prompt: the cause, for an agent.",
            autocompletion=complete.formats,
        ),
    ] = None,
    html: Annotated[
        str | None,
        typer.Option("--html", metavar="FILE", help="Write the page of the run, in one file."),
    ] = None,
    html_dir: Annotated[
        str | None,
        typer.Option(
            "--html-dir",
            metavar="DIR",
            help="Write the page as files, for servers that forbid inline scripts.",
        ),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print result.json instead of the report.")
    ] = False,
) -> None:
    """Show the report of a stored run again."""
    from chaoskit.cli.report import show_report

    asked = list(report or ())
    asked += [f"{kind}={to}" for kind, to in (("html", html), ("html-dir", html_dir)) if to]
    raise typer.Exit(show_report(run, runs_dir, asked, form=form, json=json))


@app.command(
    epilog="Examples: chaoskit merge shard-*/results.json --report junit=junit.xml"
    " | chaoskit merge .chaoskit/runs --report summary=summary.md"
)
def merge(
    parts: Annotated[
        list[Path],
        typer.Argument(
            help="Files of `--report json=FILE`, run folders, or folders of runs.",
            show_default=False,
        ),
    ],
    fail_on: Annotated[
        str, typer.Option(metavar="VERDICT", help="As for `run`: unknown or failed.")
    ] = "unknown",
    report: Reports = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print all results as JSON instead of the table.")
    ] = False,
) -> None:
    """Put the parts of a suite together: one table, one report of each kind, one exit code."""
    from chaoskit.cli.merge import merge_results
    from chaoskit.suite.verdict import fail_on_of

    raise typer.Exit(merge_results(parts, fail_on_of(fail_on), tuple(report or ()), json=json))


history.add_to(app)


@app.command(name="list", epilog="Example: chaoskit list faults")
def list_(
    what: Annotated[
        str,
        typer.Argument(
            help="faults, probes, workloads, checks or scenarios.", autocompletion=complete.lists
        ),
    ],
    path: Annotated[Path, typer.Argument(help="Where to look for scenarios.")] = Path("scenarios"),
) -> None:
    """List the kinds of faults, probes, workloads or checks, or the scenarios of a directory."""
    from chaoskit.cli.list import list_kinds

    raise typer.Exit(list_kinds(what, path))


@app.command(epilog="Example: chaoskit doctor --fix")
def doctor(
    fix: Annotated[bool, typer.Option("--fix", help="Pull the images that are missing.")] = False,
) -> None:
    """Check what a run needs on this machine, with the command that fixes each problem."""
    from chaoskit.cli.doctor import examine

    raise typer.Exit(examine(fix=fix))


@app.command(epilog="Example: chaoskit schema scenario > scenario.schema.json")
def schema(
    what: Annotated[
        str, typer.Argument(help="scenario, result or events.", autocompletion=complete.schemas)
    ] = "scenario",
) -> None:
    """Print the JSON Schema of scenario files, of result.json or of the events of a run."""
    from chaoskit.cli.schema import print_schema

    raise typer.Exit(print_schema(what))


def entry() -> None:
    """Run the command line and leave with the exit code that the contract gives."""
    try:
        code = _called()
    except ChaoskitError as error:
        code = complain(error)
    except BrokenPipeError:
        # The reader of our output went away: not an error of ours.
        forget_stdout()
        code = ExitCode.PASSED
    except OSError as error:
        code = _refused(error)
    except Exception as error:  # noqa: BLE001  # the last resort: a file to attach, no traceback
        code = _internal(error)
    raise SystemExit(code or ExitCode.PASSED)


def _called() -> int | str | None:
    """Run a command to the end of its output, and return its exit code."""
    _refuse_empty(sys.argv[1:])
    try:
        app(standalone_mode=True)
    except SystemExit as ended:
        # Typer and Rich exit with 1 when nobody reads what they print themselves, such as help.
        gone = any(isinstance(cause, BrokenPipeError) for cause in causes(ended))
        code = ExitCode.PASSED if gone else ended.code
    else:
        code = None
    if sys.stdout is not None:
        sys.stdout.flush()
    return code


def _refuse_empty(words: Sequence[str]) -> None:
    """Raise `UsageError` for an empty argument: a variable of a shell that is not set, and nothing
    that a command could mean. As a path it would be the whole working directory."""
    for before, word in pairwise(["", *words]):
        option = word[:-1] if re.fullmatch(r"--[\w-]+=", word) else before
        if not word or option != before:
            what = f"the value of `{option}`" if option.startswith("-") else "an argument"
            raise UsageError(f"{what} is empty", hint="is a variable of your shell not set?")


def _refused(error: OSError) -> ExitCode:
    """Say what this machine refused, such as room on its disk."""
    where = f" `{error.filename}`" if error.filename else ""
    with contextlib.suppress(OSError):  # stderr may lead to the same disk
        complain(EnvironmentFailure(f"this machine refuses{where}: {error.strerror or error}"))
    with contextlib.suppress(OSError, ValueError):
        forget_stdout()
    return ExitCode.ENVIRONMENT


def _internal(error: Exception) -> ExitCode:
    import tempfile
    import traceback

    hint = "please report it"
    with contextlib.suppress(OSError):  # a disk may be full
        with tempfile.NamedTemporaryFile(
            "w", prefix="chaoskit-crash-", suffix=".txt", delete=False
        ) as file:
            file.write(f"chaoskit {__version__}\n{' '.join(sys.argv)}\n\n")
            file.write("".join(traceback.format_exception(error)))
        hint += f" and attach `{file.name}`"
    complain(ChaoskitError(f"internal error: {type(error).__name__}: {error}", hint=hint))
    return ExitCode.INTERNAL
