"""`chaoskit trend`: how the runs of one scenario went over time, in a terminal or as a page."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from urllib.parse import quote

from chaoskit.cli.destination import STDOUT, cannot_write, destination, open_to_write
from chaoskit.cli.output import say
from chaoskit.errors import ExitCode, NothingSelected, UsageError
from chaoskit.series.compare import Outcome, compare_values
from chaoskit.series.index import Index, Row
from chaoskit.series.statistics import most_failures
from chaoskit.text import count, one_line, percent, seconds_text

_BARS = "▁▂▃▄▅▆▇█"
_MARKS = {"pass": ".", "fail": "F", "unknown": "?"}
_ENOUGH = 10  # runs on each side of what is called a change
_WIDE = 60  # runs of a strip


def show_trend(
    scenario: str, runs: Path, limit: int, *, as_json: bool, html: str | None = None
) -> ExitCode:
    """Print the verdicts and the figures of a scenario's runs, the oldest first, or write a page.

    Raises `NothingSelected` when it has none, `UsageError` for a page that cannot be written.
    """
    if as_json and html is not None:
        raise UsageError("`--json` prints, and `--html` writes", hint="take one of them")
    page = None if html is None else destination(html, "html", "the page")
    with Index.of(runs) as index:
        rows = index.rows(scenario)
        known = sorted({row.scenario for row in index.rows()}) if not rows else []
    if not rows:
        hint = f"there is {', '.join(known[:20])}" if known else "name its folder with --runs-dir"
        raise NothingSelected(f"no run of `{scenario}` in `{runs}`", hint=hint)
    rows = rows[-limit:]
    if as_json:
        say(json.dumps([asdict(row) for row in rows], indent=2))
    elif page is not None:
        _write(page, scenario, rows, runs)
    else:
        _print(scenario, rows)
    return ExitCode.PASSED


def _write(page: Path, scenario: str, rows: Sequence[Row], runs: Path) -> None:
    from chaoskit.series.trend_page import render

    above = page.parent.resolve()

    def page_of(run: str) -> str | None:
        target = runs.resolve() / run / "report.html"
        return quote(os.path.relpath(target, above)) if target.is_file() else None

    text = render(scenario, rows, _sentences(rows), page_of)
    if page == STDOUT:
        say(text.rstrip("\n"))
        return
    try:
        with open_to_write(page, "html") as file:
            file.write(text)
    except OSError as error:
        raise cannot_write("the page", page, error) from error


def _sentences(rows: Sequence[Row]) -> list[str]:
    """Return what is to be known before looking at figures."""
    said = [
        f"{count(len(rows), 'run')}, {rows[0].started[:16]} to {rows[-1].started[:16]}",
        _failures(rows),
    ]
    others = sum(row.digest != rows[-1].digest for row in rows)
    if others:
        text = "run has another text" if others == 1 else "runs have another text"
        said.append(f"{others} {text} of the scenario: their figures are left out")
    return said


def _print(scenario: str, rows: Sequence[Row]) -> None:
    first, *others = _sentences(rows)
    say(f"{scenario}: {first}")
    say(f"  verdicts  {''.join(_MARKS.get(row.verdict, '-') for row in rows[-_WIDE:])}")
    for sentence in others:
        say(f"  {sentence}")
    same = [row for row in rows if row.digest == rows[-1].digest]
    names = list(dict.fromkeys(name for row in same for name in row.measured()))
    width = max((len(one_line(name)) for name in names), default=0)
    for name in names:
        for line in _figure(name, same, width):
            say(line)


def _failures(rows: Sequence[Row]) -> str:
    """Say how often it fails, and how often it may fail all the same."""
    judged = [row.verdict for row in rows if row.verdict != "unknown"]
    failed = judged.count("fail")
    if not judged:
        return "every run is unknown"
    share = percent(failed, len(judged))
    unknown = len(rows) - len(judged)
    more = f"; {unknown} unknown" if unknown else ""
    bound = most_failures(failed, len(judged))
    return f"failed {failed} of {len(judged)} ({share}; at 95% no more than {bound:.0%}){more}"


def _figure(name: str, rows: Sequence[Row], width: int) -> list[str]:
    values = [row.measured().get(name) for row in rows]
    there = [value for value in values if value is not None]
    low, high = min(there), max(there)
    text = (
        f"  {one_line(name):<{width}}  {sparkline(values[-_WIDE:])}  last "
        f"{'-' if values[-1] is None else seconds_text(values[-1])}, median "
        f"{seconds_text(median(there))}, {seconds_text(low)} to {seconds_text(high)}"
    )
    said = [text]
    if len(there) >= 2 * _ENOUGH:
        before, after = there[-2 * _ENOUGH : -_ENOUGH], there[-_ENOUGH:]
        row = compare_values(before, after)
        if row.outcome is Outcome.WORSE:
            said.append(
                f"  {'':<{width}}  the last {_ENOUGH} are slower than the {_ENOUGH} before: "
                f"{row.change:+.0%} (p {row.p:.2g})"
            )
    return said


def sparkline(values: Sequence[float | None]) -> str:
    """Return a bar for each value, from 0 to the highest; a blank where there is none."""
    high = max((value for value in values if value is not None), default=0.0)
    bars = len(_BARS) - 1
    return "".join(
        " " if value is None else _BARS[round(bars * value / high) if high > 0 else 0]
        for value in values
    )
