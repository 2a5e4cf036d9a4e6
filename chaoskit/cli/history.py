"""The commands about runs beside each other: compare, runs, trend, baseline.

Like `main` it imports nothing heavy, and its annotations are not strings.
"""

from typing import Annotated

import typer

from chaoskit.cli import complete
from chaoskit.cli.options import RUNS, RunsDir

_commands = typer.Typer()
_runs = typer.Typer(context_settings={"help_option_names": ["-h", "--help"]})


def add_to(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(_runs, name="runs")
    app.add_typer(_commands)


@_commands.command(
    epilog="Examples: chaoskit compare before/ after/ | chaoskit compare RUN,RUN,RUN RUN,RUN,RUN"
    " | chaoskit compare --baseline v1.2 | chaoskit compare shop.yaml --interleave TAG=1.2 TAG=1.3"
)
def compare(
    before: Annotated[
        str | None,
        typer.Argument(
            help="A folder of runs, or runs separated by commas. With --interleave, the scenario.",
            show_default=False,
        ),
    ] = None,
    after: Annotated[
        str | None,
        typer.Argument(help="The same, for what may be worse.", show_default=False),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Compare this baseline with the runs that are named, or with all later ones.",
            autocompletion=complete.baselines,
        ),
    ] = None,
    interleave: Annotated[
        tuple[str, str] | None,
        typer.Option(
            metavar="A B", help="Run two variants in turns: env files, or NAME=VALUE each."
        ),
    ] = None,
    times: Annotated[
        int, typer.Option("-n", min=2, help="How often --interleave runs each variant.")
    ] = 10,
    runs_dir: RunsDir = RUNS,
    json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON.")] = False,
) -> None:
    """Say whether runs of one scenario became slower or fail more often: 0 no, 1 yes, 3 unknown."""
    from chaoskit.cli.compared import CompareRequest, compare_as_asked

    request = CompareRequest(before, after, baseline, interleave, times, runs_dir, json)
    raise typer.Exit(compare_as_asked(request))


@_runs.callback(
    invoke_without_command=True,
    epilog="Examples: chaoskit runs | chaoskit runs --scenario redis-kill --verdict fail --since 7d"
    " | chaoskit runs --csv > runs.csv",
)
def runs(
    context: typer.Context,
    scenario: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Only of this scenario.", autocompletion=complete.run_scenarios
        ),
    ] = None,
    verdict: Annotated[
        str | None,
        typer.Option(
            help="Only pass, fail, unknown, running or unfinished.",
            autocompletion=complete.verdicts,
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="WHEN", help="Only later ones: 12h, 7d, 2w ago, or from a date."),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the newest so many.")] = None,
    runs_dir: RunsDir = RUNS,
    json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print them as CSV, with figures.")] = False,
) -> None:
    """List what was run here, the newest last."""
    if context.invoked_subcommand is not None:
        return
    from chaoskit.cli.runs import RunsRequest, list_runs

    request = RunsRequest(runs_dir, scenario, verdict, since, limit, json, csv)
    raise typer.Exit(list_runs(request))


@_runs.command(epilog="Example: chaoskit runs prune --keep 50 --dry-run")
def prune(
    keep: Annotated[int, typer.Option(min=1, help="How many of each scenario stay.")] = 50,
    scenario: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Only of this scenario.", autocompletion=complete.run_scenarios
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be removed.")
    ] = False,
    runs_dir: RunsDir = RUNS,
) -> None:
    """Remove all but the newest runs of each scenario.

    A run stays while it goes on or must still be recovered, and as part of a baseline.
    """
    from chaoskit.cli.runs import prune as prune_runs

    raise typer.Exit(prune_runs(runs_dir, keep, scenario, dry_run=dry_run))


@_commands.command(
    epilog="Examples: chaoskit trend redis-kill | chaoskit trend redis-kill --html trend.html"
)
def trend(
    scenario: Annotated[
        str, typer.Argument(help="Its name.", autocompletion=complete.run_scenarios)
    ],
    limit: Annotated[int, typer.Option(min=1, help="Only the newest so many runs.")] = 60,
    html: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write a page with drawings instead."),
    ] = None,
    runs_dir: RunsDir = RUNS,
    json: Annotated[bool, typer.Option("--json", help="Print the runs as JSON.")] = False,
) -> None:
    """Show how the verdicts and the figures of a scenario went over its runs."""
    from chaoskit.cli.trend import show_trend

    raise typer.Exit(show_trend(scenario, runs_dir, limit, as_json=json, html=html))


@_commands.command(
    epilog="Examples: chaoskit baseline v1.2 RUN RUN RUN | chaoskit baseline | chaoskit baseline"
    " v1.2 --remove"
)
def baseline(
    name: Annotated[
        str | None,
        typer.Argument(
            help="What it is called.", show_default=False, autocompletion=complete.baselines
        ),
    ] = None,
    run: Annotated[
        list[str] | None,
        typer.Argument(
            help="Its runs; without any, those it has are printed.",
            show_default=False,
            autocompletion=complete.runs,
        ),
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Forget it; its runs stay.")] = False,
    runs_dir: RunsDir = RUNS,
) -> None:
    """Name a series of runs with which later ones are compared; without a name, list the names."""
    from chaoskit.cli.baseline import name_baseline

    raise typer.Exit(name_baseline(name, tuple(run or ()), runs_dir, remove=remove))
