"""summary.md: Markdown for a pull request or a CI job's step summary; the verdict comes first."""

from __future__ import annotations

import re
from collections.abc import Sequence

from chaoskit.judge.result import EXIT_CODES, CheckResult, Result
from chaoskit.records import Verdict
from chaoskit.report._phrases import (
    WORD,
    WORKLOAD_HEAD,
    effect,
    fault_name,
    headline,
    log_line,
    proven_faults,
    seconds,
    totals,
    unexplained,
    workload_row,
)
from chaoskit.text import one_line, printable

_SPECIAL = re.compile(r"[\\`*\[\]<>|~#&]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")


def render(results: Sequence[Result]) -> str:
    """Return the Markdown of one scenario, or of several with a table of them first."""
    if len(results) == 1:
        return _one(results[0])
    verdicts = [result.verdict for result in results]
    parts = [f"{verdicts.count(verdict)} {WORD[verdict]}" for verdict in EXIT_CODES]
    rows = [
        [
            f"**{WORD[result.verdict]}**",
            escaped(result.run.scenario),
            f"{sum(c.verdict is Verdict.PASS for c in result.checks)} of {len(result.checks)}",
            proven_faults(result),
            seconds(result.run.duration),
            escaped(headline(result)),
        ]
        for result in results
    ]
    head = ["verdict", "scenario", "checks passed", "faults", "took", "what happened"]
    blocks = [f"# chaoskit: {', '.join(parts)} of {len(results)} scenarios", _table(head, rows)]
    return "\n\n".join(blocks) + "\n\n" + "\n".join(_one(result) for result in results)


def escaped(text: str) -> str:
    """Return text on one line that Markdown shows as it is, also inside a table."""
    return _SPECIAL.sub(r"\\\g<0>", one_line(text))


def _one(result: Result) -> str:
    title = f"## {WORD[result.verdict]}: {escaped(result.run.scenario)}"
    blocks = [title, f"**{escaped(headline(result))}**", escaped(totals(result))]
    if result.run.description:
        blocks.append(f"_{escaped(result.run.description)}_")
    if result.leftovers:
        left = [
            f"- {escaped(one.what)}\n{_fenced([one.command], '  ')}" for one in result.leftovers
        ]
        blocks += ["### Left behind", "\n".join(left)]
    if result.checks:
        blocks += ["### Checks", _checks(result)]
    if result.faults:
        blocks += ["### Faults", _faults(result)]
    if result.workloads:
        rows = [[escaped(cell) for cell in workload_row(one)] for one in result.workloads]
        blocks += ["### Workloads", _table(WORKLOAD_HEAD, rows)]
    if result.stack.deaths:
        blocks.append("### Died or restarted without a fault that was meant to do it")
    for death in result.stack.deaths:
        blocks.append(f"- {escaped(death.text)}")
        if death.last_lines:
            blocks.append(_fenced(death.last_lines, "  "))
    bad = unexplained(result.checks)
    if bad:
        blocks.append("### What went wrong")
        blocks += [block for check in bad for block in _explained(check)]
    for service, lines in result.stack.last_logs.items():
        blocks += [f"### Last log lines of {escaped(service)}", _fenced(lines)]
    notes = [*result.notes, *(note for check in result.checks for note in check.notes)]
    if notes:
        blocks += ["### Notes", "\n".join(f"- {escaped(note)}" for note in dict.fromkeys(notes))]
    blocks += ["Run it again:", _fenced([result.run.command])]
    return "\n\n".join(blocks) + "\n"


def _checks(result: Result) -> str:
    rows = [
        [
            f"**{WORD[check.verdict]}**",
            escaped(check.check),
            escaped(check.subject),
            escaped(check.measured.text),
            escaped(check.bound.text),
        ]
        for check in result.checks
    ]
    return _table(["verdict", "check", "subject", "measured", "expected"], rows)


def _faults(result: Result) -> str:
    rows = [
        [
            escaped(fault_name(fault)),
            escaped(fault.target),
            "yes" if fault.proven else "**NO**",
            escaped(effect(fault)),
            seconds(fault.time_to_detect),
            seconds(fault.time_to_recover),
        ]
        for fault in result.faults
    ]
    head = ["fault", "target", "proven", "effect", "time to detect", "time to recover"]
    return _table(head, rows)


def _explained(check: CheckResult) -> list[str]:
    what = f"**{WORD[check.verdict]} {escaped(check.check)} {escaped(check.subject)}**"
    blocks = [f"{what}: {escaped(check.reason or 'no reason was recorded')}"]
    if check.witness:
        blocks.append(_fenced(check.witness))
    if check.log_lines:
        lines = [log_line(line) for line in check.log_lines]
        title = "<details><summary>log lines of that moment</summary>"
        blocks += [title, _fenced(lines), "</details>"]
    return blocks


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _fenced(lines: Sequence[str], indent: str = "") -> str:
    """Return a code block; its fence is longer than any run of backticks inside."""
    text = [line for block in lines for line in printable(block).split("\n")]
    longest = max((len(run) for line in text for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join(indent + line for line in [f"{fence}text", *text, fence])
