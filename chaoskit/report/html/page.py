"""The page as a whole: what a run folder holds, through the template, with its own security policy.

Nothing is loaded from anywhere: styles and scripts are in the page, and its policy names them by
their hashes, so that nothing else can run even where a text slipped through.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files as resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from chaoskit.files import read_bytes
from chaoskit.judge.result import Result, stored_result
from chaoskit.record.folder import SCENARIO
from chaoskit.record.history import without_collecting
from chaoskit.record.reader import RunRecord
from chaoskit.records import Evidence, Verdict
from chaoskit.report._phrases import (
    WORD,
    WORKLOAD_HEAD,
    headline,
    in_force,
    seconds,
    totals,
    workload_row,
)
from chaoskit.report.html import trace
from chaoskit.report.html.data import script_data
from chaoskit.report.html.findings import checks_of, faults_of, not_exercised
from chaoskit.report.html.lanes import lanes_of, span_of
from chaoskit.report.html.past import past_runs
from chaoskit.report.html.resources import load_in_words, peaks_in_words
from chaoskit.report.html.source import Source, source_of
from chaoskit.report.html.stack_map import draw, edges_of
from chaoskit.report.html.svg import Drawing, line_class
from chaoskit.report.html.trace import TRACE
from chaoskit.report.html.visible import script_json, shown_value
from chaoskit.report.html.windows import windows_of

if TYPE_CHECKING:
    from jinja2 import Environment

PAGE = "report.html"
STYLE, SCRIPT = "report.css", "report.js"
SIGNS = {
    Verdict.PASS: "\u2713",
    Verdict.FAIL: "\u2717",
    Verdict.UNKNOWN: "?",
    Verdict.EXPECTED_FAIL: "(\u2717)",
}


@dataclass(frozen=True, slots=True)
class _Assets:
    """What the page needs beside its text."""

    style: str
    script: str

    def sources(self) -> str:
        """Return the policy of a page that holds them: nothing else, and nothing from a network."""
        script, style = (hashed(text) for text in (self.script, self.style))
        return policy(script, style)


@without_collecting()
def render(folder: Path) -> str:
    """Return the page of a run. Raises `StoreFailed` for one without a result, or damaged."""
    return _in_one_file(folder, stored_result(folder), RunRecord.read(folder))


@without_collecting()
def render_parts(folder: Path) -> dict[str, str]:
    """Return the page as files by name, without inline scripts and styles: for servers that forbid
    them. Raises `StoreFailed`."""
    assets = _assets()
    shown = _shown(folder, stored_result(folder), RunRecord.read(folder))
    page = _filled(shown, policy=policy("'self'", "'self'"), style=None, script=None)
    return {"index.html": page, STYLE: assets.style, SCRIPT: assets.script}


def _in_one_file(folder: Path, result: Result, record: RunRecord) -> str:
    assets = _assets()
    shown = _shown(folder, result, record)
    return _filled(shown, policy=assets.sources(), style=assets.style, script=assets.script)


def _filled(shown: dict[str, Any], **assets: str | None) -> str:
    return filled("page.html.j2", **shown, **_inline(assets))


def filled(template: str, **shown: object) -> str:
    """Return one of the templates with what it names; all text is escaped and made visible."""
    return _environment().get_template(template).render(**shown)


def _inline(assets: dict[str, str | None]) -> dict[str, str | None]:
    """Return the assets as they go into the page: our own, so they are not escaped."""
    return {
        name: text if text is None or name == "policy" else Markup(text)  # noqa: S704
        for name, text in assets.items()
    }


def _shown(folder: Path, result: Result, record: RunRecord) -> dict[str, Any]:
    """Return everything that the template names."""
    windows = windows_of(result, record)
    lanes = lanes_of(result, record, windows)
    span = span_of(result, record)
    source = _source(folder)
    edges = edges_of(result, windows)
    checks = checks_of(result, record, windows, lanes, source)
    failed_lines = {
        number: view
        for view in checks
        if view.lines is not None and view.check.verdict is not Verdict.PASS
        for number in range(view.lines[0], view.lines[1] + 1)
    }
    return {
        "result": result,
        "word": WORD[result.verdict],
        "words": WORD,
        "signs": SIGNS,
        "headline": headline(result),
        "totals": totals(result),
        "past": past_runs(folder),
        "open_checks": [view for view in checks if view.check.verdict is not Verdict.PASS],
        "passed_checks": [view for view in checks if view.check.verdict is Verdict.PASS],
        "not_exercised": not_exercised(result, edges),
        "windows": windows,
        "lanes": [(lane, Drawing(lane, span, windows).render()) for lane in lanes],
        "map": draw(result, edges, windows),
        "edges": edges,
        "other_edges": len(result.stack.edges) - len(edges),
        "faults": faults_of(result, record, windows, source),
        "source": source,
        "failed_lines": failed_lines,
        "data": script_json(script_data(lanes, windows, span)),
        "seconds": seconds,
        "in_force": in_force,
        "line_class": line_class,
        "load": load_in_words(record),
        "peaks": peaks_in_words(result),
        "workload_head": WORKLOAD_HEAD,
        "workload_rows": [workload_row(one) for one in result.workloads],
    }


def _source(folder: Path) -> Source:
    try:
        return source_of(read_bytes(folder / SCENARIO).decode(errors="replace"))
    except OSError:
        return Source()


@lru_cache
def styles() -> str:
    """Return the style sheet of all pages."""
    ours = resources("chaoskit.report.html")
    return (ours / "vendor" / "uPlot.min.css").read_text() + (ours / "page.css").read_text()


@lru_cache
def _assets() -> _Assets:
    ours = resources("chaoskit.report.html")
    vendor = ours / "vendor"
    licence = "/*\n" + (vendor / "LICENSE").read_text().strip() + "\n*/\n"
    library = licence + (vendor / "uPlot.iife.min.js").read_text()
    return _Assets(styles(), library + "\n" + (ours / "page.js").read_text())


@lru_cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("chaoskit.report.html"),
        autoescape=True,
        finalize=shown_value,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def policy(script: str, style: str) -> str:
    """Return the policy of a page with these sources of scripts and styles, and none of others."""
    return (
        f"default-src 'none'; script-src {script}; style-src {style}; "
        "base-uri 'none'; form-action 'none'"
    )


def hashed(text: str) -> str:
    """Return the source that names one inline script or style by what it holds."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@without_collecting()
def write_page(folder: Path, observed: Evidence | None = None) -> str | None:
    """Write page and trace into their run folder; return why one is not there, for a person.

    `observed` has the samples and the history of the run where they have been read already.

    Whatever goes wrong here says nothing about the run, so it never changes a verdict.
    """
    try:
        result, record = stored_result(folder), RunRecord.read(folder, observed=observed)
        (folder / PAGE).write_text(_in_one_file(folder, result, record), encoding="utf-8")
        (folder / TRACE).write_text(trace.of_record(result, record), encoding="utf-8")
    except Exception as error:  # noqa: BLE001  # also what nobody has thought of
        return f"`{folder / PAGE}` or its trace is missing: {type(error).__name__}: {error}"
    return None
