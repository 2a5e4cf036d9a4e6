"""The page of `chaoskit trend --html`: how a scenario's runs went, in one file without scripts.

Everything is drawn as SVG with a table below that says the same; nothing is loaded from anywhere,
and the page's own policy forbids it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator, Sequence
from html import escape
from statistics import median

from chaoskit.series.index import Row
from chaoskit.text import count, one_line, seconds_text

_WIDE, _HIGH, _LEFT, _TOP = 860, 120, 70, 10  # of a drawing, in its own units
_SIGNS = {"pass": "✓", "fail": "✗"}
_WORDS = {"pass": "passed", "fail": "failed"}
_STYLE = """
:root { --paper: #fff; --ink: #1b1d21; --quiet: #5b616b; --line: #d5d9e0; --ok: #1f6f43;
  --fail: #b3261e; --unknown: #8a5a00; color-scheme: light dark; }
@media (prefers-color-scheme: dark) { :root { --paper: #14161a; --ink: #e7e9ee; --quiet: #a3aab6;
  --line: #363b45; --ok: #6fd39b; --fail: #ff8a80; --unknown: #f2c14e; } }
body { margin: 0 auto; max-width: 960px; padding: 16px 20px 40px; background: var(--paper);
  color: var(--ink); font: 15px/1.5 system-ui, "DejaVu Sans", sans-serif; }
h1 { font-size: 26px; margin: 4px 0; } h2 { font-size: 17px; margin: 24px 0 4px; }
p { margin: 4px 0; } .quiet { color: var(--quiet); font-size: 13px; }
ol.strip { list-style: none; display: flex; flex-wrap: wrap; gap: 3px; padding: 0; }
ol.strip li { width: 22px; text-align: center; border: 1px solid var(--quiet); border-radius: 4px; }
.pass { color: var(--ok); } .fail { color: var(--fail); font-weight: 700; }
.unknown { color: var(--unknown); }
svg { width: 100%; height: auto; } svg text { font-size: 12px; fill: var(--quiet); }
svg .axis { stroke: var(--line); } svg .middle { stroke: var(--quiet); stroke-dasharray: 5 4; }
svg .mark { fill: currentColor; stroke: currentColor; stroke-width: 2; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: 13px; }
th, td { text-align: left; padding: 2px 12px 2px 0; border-bottom: 1px solid var(--line);
  font-variant-numeric: tabular-nums; white-space: nowrap; }
a { color: inherit; }
"""


def render(
    scenario: str, rows: Sequence[Row], said: Sequence[str], page_of: Callable[[str], str | None]
) -> str:
    """Return the page of these runs, the oldest first.

    `said` is what is to be read first, `page_of` the address of a run's own page, if it has one.
    Figures are drawn of the runs with the text that the scenario has in the last of them.
    """
    same = [row for row in rows if row.digest == rows[-1].digest]
    names = list(dict.fromkeys(name for row in same for name in row.measured()))
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    name = escape(one_line(scenario))
    body = [
        f"<h1>{name}</h1>",
        *(f"<p>{escape(one_line(line))}</p>" for line in said),
        "<h2>verdicts, oldest first</h2>",
        f'<ol class="strip">{"".join(map(_verdict, rows))}</ol>',
        *(part for figure in names for part in _drawn(figure, same)),
        f"<h2>{count(len(rows), 'run')}, newest first</h2>",
        '<div class="wide" tabindex="0" role="group" aria-label="all runs">',
        f"{_table(rows, names, page_of)}</div>",
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        f"style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{name}: trend - chaoskit</title>\n<style>{_STYLE}</style>\n"
        "</head>\n<body>\n<main>\n" + "\n".join(body) + "\n</main>\n</body>\n</html>\n"
    )


def _kind(row: Row) -> str:
    return row.verdict if row.verdict in _WORDS else "unknown"


def _about(row: Row) -> str:
    return f"{_WORDS.get(row.verdict, 'unknown')}, {one_line(row.started)}"


def _verdict(row: Row) -> str:
    about = escape(_about(row))
    sign = _SIGNS.get(row.verdict, "?")
    return (
        f'<li class="{_kind(row)}" role="img" aria-label="{about}" title="{about}">'
        f'<span aria-hidden="true">{sign}</span></li>'
    )


def _drawn(name: str, rows: Sequence[Row]) -> Iterator[str]:
    """Yield the title and the drawing of one figure: a mark for each run, from 0 upwards."""
    values = [row.measured().get(name) for row in rows]
    there = [value for value in values if value is not None]
    high, middle = max(there), median(there)
    top = high or 1.0
    step = _WIDE / max(len(rows), 2)

    def at(place: int, value: float) -> tuple[float, float]:
        return _LEFT + step * (place + 0.5), _TOP + _HIGH * (1 - max(0.0, value) / top)

    level = at(0, middle)[1]
    parts = [
        _line("axis", _LEFT, _TOP + _HIGH, _LEFT + _WIDE),
        _line("middle", _LEFT, level, _LEFT + _WIDE),
        *([_level(_TOP + 8, seconds_text(high))] if high else []),
        _level(_TOP + _HIGH, "0"),
    ]
    for place, (row, value) in enumerate(zip(rows, values, strict=True)):
        if value is not None:
            parts.append(_mark(row, *at(place, value), seconds_text(value)))
    sentence = (
        f"last {'-' if values[-1] is None else seconds_text(values[-1])}, "
        f"median {seconds_text(middle)} (the broken line), up to {seconds_text(high)}"
    )
    title = escape(one_line(name))
    yield f"<h2>{title}</h2>"
    yield f'<p class="quiet">{sentence}</p>'
    box = f"0 0 {_LEFT + _WIDE + 10} {_TOP + _HIGH + 10}"
    yield f'<svg viewBox="{box}" role="img" aria-label="{title}: {sentence}">{"".join(parts)}</svg>'


def _line(kind: str, x: float, y: float, until: float) -> str:
    return f'<line class="{kind}" x1="{x}" y1="{y:.1f}" x2="{until}" y2="{y:.1f}"/>'


def _level(y: float, text: str) -> str:
    return f'<text x="{_LEFT - 6}" y="{y}" text-anchor="end">{text}</text>'


def _mark(row: Row, x: float, y: float, value: str) -> str:
    """Return a disc for a pass, a cross for a failure, a square for what is unknown."""
    shapes = {
        "pass": f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>',
        "fail": f'<path d="M{x - 4:.1f} {y - 4:.1f}l8 8m0-8l-8 8"/>',
        "unknown": f'<rect x="{x - 3:.1f}" y="{y - 3:.1f}" width="6" height="6"/>',
    }
    kind = _kind(row)
    about = escape(f"{value}, {_about(row)}")
    return f'<g class="mark {kind}"><title>{about}</title>{shapes[kind]}</g>'


def _table(rows: Sequence[Row], names: Sequence[str], page_of: Callable[[str], str | None]) -> str:
    head = ["run", "verdict", "took", *names]
    lines = ["".join(f'<th scope="col">{escape(one_line(title))}</th>' for title in head)]
    for row in reversed(rows):
        page, run = page_of(row.run), escape(one_line(row.run))
        link = run if page is None else f'<a href="{escape(page)}">{run}</a>'
        kind, values = _kind(row), row.measured()
        cells = [link, f'<span class="{kind}">{_WORDS.get(row.verdict, "unknown")}</span>']
        cells += [seconds_text(row.seconds)]
        cells += [seconds_text(values[name]) if name in values else "-" for name in names]
        lines.append("".join(f"<td>{cell}</td>" for cell in cells))
    return f"<table>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"
