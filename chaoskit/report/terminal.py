"""What a person reads after a run: the verdict, two tables, and why anything is not a pass.

Everything from outside is shown as literal text: no markup, no escape sequences. Verdicts are words
as well as colours, and tables fold rather than cut, so that 80 columns without colour are enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from chaoskit.judge.result import EXIT_CODES, CheckResult, DeathResult, Result
from chaoskit.records import Verdict
from chaoskit.report._phrases import (
    WORD,
    WORKLOAD_HEAD,
    effect,
    fault_name,
    headline,
    in_force,
    log_line,
    proven_faults,
    seconds,
    totals,
    unexplained,
    workload_row,
)
from chaoskit.text import one_line, printable

STYLE = {
    Verdict.PASS: "green",
    Verdict.FAIL: "red",
    Verdict.UNKNOWN: "yellow",
    Verdict.EXPECTED_FAIL: "magenta",
}
FILES = ("result.json", "report.html", "junit.xml", "summary.md", "logs/")


def render(result: Result, console: Console, folder: Path | None = None) -> None:
    """Print one run; `folder` is its run folder, whose files are listed as far as they exist."""
    _headline(result, console)
    if result.checks:
        console.print()
        console.print(_checks(result.checks))
    if result.faults:
        console.print()
        console.print(_faults(result))
        for fault in result.faults:
            label = Text(f"{fault_name(fault)}:")
            console.print(_indented(_labelled(label, Text(effect(fault)))))
    if result.workloads:
        console.print()
        console.print(_workloads(result))
    _deaths(result.stack.deaths, console)
    for check in unexplained(result.checks):
        _explain(check, console)
    for service, lines in result.stack.last_logs.items():
        _block(console, f"last log lines of {service}", lines)
    notes = [*result.notes, *(note for check in result.checks for note in check.notes)]
    if notes:
        console.print()
    for note in dict.fromkeys(notes):
        console.print(_labelled(Text("note"), Text(one_line(note))))
    if result.leftovers:
        console.print()
        console.print(Text("LEFT BEHIND, remove it with these commands:", style="bold red"))
    for leftover in result.leftovers:
        console.print(Padding(Text(one_line(leftover.what), style="red"), (0, 0, 0, 2)))
        _unwrapped(console, f"    {one_line(leftover.command)}", "red")
    console.print()
    if folder is not None:
        _unwrapped(console, f"run folder  {folder}")
        there = [name for name in FILES if (folder / name).exists()]
        if there:
            _unwrapped(console, f"            {'  '.join(there)}")
    _unwrapped(console, f"run again   {one_line(result.run.command)}")


def render_checks(checks: Sequence[CheckResult], console: Console) -> None:
    """Print checks that were judged apart from a run: the table, and why any is not a pass."""
    console.print()
    console.print(_checks(checks))
    for check in unexplained(checks):
        _explain(check, console)
    notes = dict.fromkeys(note for check in checks for note in check.notes)
    if notes:
        console.print()
    for note in notes:
        console.print(_labelled(Text("note"), Text(one_line(note))))


def render_suite(results: Sequence[Result], console: Console, said: Sequence[str] = ()) -> None:
    """Print several runs: one row each, what is `said` of them together, and a total."""
    table = _table("verdict", "scenario", "checks", "faults", "took", "what happened")
    for result in results:
        passed = sum(check.verdict is Verdict.PASS for check in result.checks)
        table.add_row(
            _word(result.verdict),
            _cell(result.run.scenario),
            Text(f"{passed} of {len(result.checks)}"),
            Text(proven_faults(result)),
            Text(seconds(result.run.duration)),
            _cell(headline(result)),
        )
    console.print(table)
    console.print()
    for line in said:
        console.print(Text(one_line(line)))
    verdicts = [result.verdict for result in results]
    words = ("passed", "failed", "unknown")
    counts = ", ".join(
        f"{verdicts.count(verdict)} {word}" for verdict, word in zip(EXIT_CODES, words, strict=True)
    )
    dirty = sum(bool(result.leftovers) for result in results)
    left = f"; {dirty} left something behind" if dirty else ""
    took = seconds(sum(result.run.duration for result in results))
    console.print(Text(f"total: {counts} of {len(results)}; {took} of run time{left}"))


def _headline(result: Result, console: Console) -> None:
    text = Text(one_line(result.run.scenario), style="bold")
    text.append(f": {headline(result)}", style="not bold")
    console.print(_labelled(_word(result.verdict, "bold "), text))
    console.print(Text(totals(result), style="dim"))


def _checks(checks: Sequence[CheckResult]) -> Table:
    table = _table("verdict", "check", "subject", "measured", "expected")
    for check in checks:
        table.add_row(
            _word(check.verdict),
            _cell(check.check),
            _cell(check.subject),
            _cell(check.measured.text),
            _cell(check.bound.text),
        )
    return table


def _faults(result: Result) -> Table:
    table = _table("fault", "target", "proven", "in force", "detected", "recovered")
    for fault in result.faults:
        proven = Text("yes") if fault.proven else Text("NO", style="bold yellow")
        table.add_row(
            _cell(fault_name(fault)),
            _cell(fault.target),
            proven,
            Text(in_force(fault)),
            Text(seconds(fault.time_to_detect)),
            Text(seconds(fault.time_to_recover)),
        )
    return table


def _workloads(result: Result) -> Table:
    table = _table(*WORKLOAD_HEAD)
    for workload in result.workloads:
        table.add_row(*map(_cell, workload_row(workload)))
    return table


def _explain(check: CheckResult, console: Console) -> None:
    console.print()
    title = Text(one_line(f"{check.check} {check.subject}"), style="bold")
    console.print(_labelled(_word(check.verdict, "bold "), title))
    console.print(_indented(Text(one_line(check.reason or "no reason was recorded"))))
    numbers = one_line(f"expected {check.bound.text}, measured {check.measured.text}")
    console.print(_indented(Text(numbers, style="dim")))
    if check.witness:
        console.print(_indented(Text("witness:")))
    for line in check.witness:
        console.print(_hanging("-", one_line(line)))
    if check.log_lines:
        console.print(_indented(Text("log:")))
    for excerpt in check.log_lines:
        console.print(_hanging("|", log_line(excerpt)))


def _deaths(deaths: Sequence[DeathResult], console: Console) -> None:
    if deaths:
        console.print()
        console.print(Text("died or restarted, and no fault was meant to do it", style="bold"))
    for death in deaths:
        console.print(_hanging("-", one_line(death.text)))
        for line in death.last_lines:
            console.print(Padding(_hanging("|", one_line(line)), (0, 0, 0, 2)))


def _block(console: Console, title: str, lines: Sequence[str]) -> None:
    console.print()
    console.print(Text(one_line(title), style="bold"))
    for line in lines:
        console.print(_hanging("|", printable(line).rstrip("\n")))


def _word(verdict: Verdict, extra: str = "") -> Text:
    return Text(WORD[verdict], style=extra + STYLE[verdict])


def _cell(text: str) -> Text:
    return Text(one_line(text), overflow="fold")


def _table(*headers: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    for header in headers:
        table.add_column(header, overflow="fold")
    return table


def _indented(content: RenderableType) -> Padding:
    return Padding(content, (0, 0, 0, 2))


def _labelled(label: Text, content: Text) -> Table:
    """Return a label with text beside it that wraps under itself."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(label, content)
    return grid


def _hanging(mark: str, text: str) -> Padding:
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(Text(mark), Text(text))
    return Padding(grid, (0, 0, 0, 4))


def _unwrapped(console: Console, text: str, style: str = "") -> None:
    """Print a path or a command on one line however wide, so that it can be copied."""
    console.print(Text(text, style=style), soft_wrap=True)
