"""Run every bug of the museum and its repaired twin, and write the table of docs/museum.md.

    python tools/museum.py --rounds 20 [--parallel 3] [--only NAME ...] [--keep DIRECTORY]

A bug is found when exactly the first check of its scenario fails (exit 1); a twin has to pass
(exit 0). Exit 1: less than 95 % were found, or a twin did not pass. With `--only` nothing is
written.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
COMMAND = ROOT / ".venv/bin/chaoskit"
SCENARIOS = ROOT / "scenarios/museum"
EXHIBITS = ROOT / "compose/museum/museum/exhibits"
PAGE = ROOT / "docs/museum.md"
BEGIN, END = "<!-- written by `make museum`: begin -->", "<!-- end -->"
ENOUGH = 0.95  # of the bugs must be found
DEADLINE = 180.0  # seconds for one run


@dataclass(frozen=True)
class Exhibit:
    """One bug: its scenario, what it is in a sentence, and the check that has to fail."""

    name: str
    scenario: Path
    what: str
    check: str


@dataclass(frozen=True)
class Visit:
    """One run of an exhibit and how it ended; `reason` is None when it ended as it should."""

    exhibit: Exhibit
    fixed: bool
    seconds: float
    reason: str | None


def exhibits(only: Sequence[str]) -> list[Exhibit]:
    """Return the exhibits in the order of their names."""
    found = []
    for scenario in sorted(SCENARIOS.glob("*.yaml")):
        if only and scenario.stem not in only:
            continue
        document = yaml.safe_load(scenario.read_text(encoding="utf-8"))
        module = EXHIBITS / f"{scenario.stem.replace('-', '_')}.py"
        said = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or ""
        what = said.splitlines()[0].partition(": ")[2]
        found.append(Exhibit(scenario.stem, scenario, what, document["expect"][0]["check"]))
    return found


def visit(exhibit: Exhibit, *, fixed: bool, keep: Path) -> Visit:
    """Run an exhibit once; the run folder of one that surprises is kept."""
    directory = Path(tempfile.mkdtemp(prefix=f"{exhibit.name}-", dir=keep))
    began = time.monotonic()
    command = [COMMAND, "run", exhibit.scenario, "--runs-dir", directory, "--json"]
    try:
        done = subprocess.run(
            [str(word) for word in command],
            env=os.environ | {"FIXED": "1" if fixed else ""},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Visit(exhibit, fixed, DEADLINE, f"no end within {DEADLINE:g} s; see {directory}")
    reason = surprise(exhibit, done, fixed=fixed)
    if reason is None:
        shutil.rmtree(directory, ignore_errors=True)
    else:
        (directory / "stderr.txt").write_text(done.stderr, encoding="utf-8")
        reason += f"; see {directory}"
    return Visit(exhibit, fixed, time.monotonic() - began, reason)


def surprise(
    exhibit: Exhibit, done: subprocess.CompletedProcess[str], *, fixed: bool
) -> str | None:
    """Return how a run ended otherwise than it should, or None."""
    try:
        result: Any = json.loads(done.stdout)
    except ValueError:
        return f"exit {done.returncode} without a result"
    failed = [check["check"] for check in result["checks"] if check["verdict"] == "fail"]
    said = f"exit {done.returncode}: {result['reason']}"
    if fixed:
        return said if done.returncode else None
    if done.returncode != 1:
        return said
    return None if failed == [exhibit.check] else f"{said}; failed: {', '.join(failed)}"


def visits(chosen: Sequence[Exhibit], rounds: int, parallel: int, keep: Path) -> Iterator[Visit]:
    """Yield the runs as they end; when it is interrupted, those under way end first."""
    with ThreadPoolExecutor(parallel) as workers:
        going = [
            workers.submit(visit, exhibit, fixed=fixed, keep=keep)
            for _ in range(rounds)
            for exhibit in chosen
            for fixed in (False, True)
        ]
        try:
            for ended in as_completed(going):
                yield ended.result()
        finally:
            workers.shutdown(wait=False, cancel_futures=True)


def table(chosen: Sequence[Exhibit], ended: Sequence[Visit]) -> str:
    """Return the table of the page, with the date."""
    rows = [
        "| exhibit | what it is | check | found | twin failed |",
        "|---|---|---|---|---|",
    ]
    for exhibit in chosen:
        of_it = [one for one in ended if one.exhibit is exhibit]
        bugs = [one for one in of_it if not one.fixed]
        twins = [one for one in of_it if one.fixed]
        found = sum(one.reason is None for one in bugs)
        failed = sum(one.reason is not None for one in twins)
        rows.append(
            f"| [{exhibit.name}](#{exhibit.name}) | {exhibit.what} | `{exhibit.check}` "
            f"| {found} of {len(bugs)} | {failed} of {len(twins)} |"
        )
    bugs, twins = ([o for o in ended if o.fixed is fixed] for fixed in (False, True))
    found = sum(one.reason is None for one in bugs)
    failed = sum(one.reason is not None for one in twins)
    seconds = sorted(one.seconds for one in ended)
    summary = (
        f"{datetime.now(UTC):%Y-%m-%d}: {found} of {len(bugs)} bugs found, {failed} of "
        f"{len(twins)} repaired twins failed; a run took {seconds[len(seconds) // 2]:.0f} s, "
        f"the longest {seconds[-1]:.0f} s, from start to teardown."
    )
    return "\n".join([*rows, "", summary])


def write(text: str) -> None:
    """Replace the table between the markers; the rest of the page is written by hand."""
    page = PAGE.read_text(encoding="utf-8")
    between = re.compile(f"{re.escape(BEGIN)}\n.*?{re.escape(END)}", re.DOTALL)
    if not between.search(page):
        raise SystemExit(f"{PAGE}: the markers of the table are missing")
    PAGE.write_text(between.sub(lambda _: f"{BEGIN}\n{text}\n{END}", page), encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--parallel", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME")
    parser.add_argument("--keep", type=Path, default=ROOT / ".chaoskit/museum")
    options = parser.parse_args()
    chosen = exhibits(options.only)
    if not chosen:
        print("no such exhibit", file=sys.stderr)
        return 2
    options.keep.mkdir(parents=True, exist_ok=True)
    total = options.rounds * len(chosen) * 2
    ended: list[Visit] = []
    for one in visits(chosen, options.rounds, options.parallel, options.keep):
        ended.append(one)
        how = "as it should" if one.reason is None else f"NOT AS IT SHOULD: {one.reason}"
        twin = "repaired" if one.fixed else "bug"
        print(
            f"[{len(ended):>{len(str(total))}}/{total}] {one.exhibit.name} ({twin}) "
            f"{one.seconds:.1f}s {how}",
            flush=True,
        )
    text = table(chosen, ended)
    print(f"\n{text}")
    if not options.only:
        write(text)
    found = [one.reason is None for one in ended if not one.fixed]
    twins = all(one.reason is None for one in ended if one.fixed)
    return 0 if twins and sum(found) >= ENOUGH * len(found) else 1


if __name__ == "__main__":
    sys.exit(main())
