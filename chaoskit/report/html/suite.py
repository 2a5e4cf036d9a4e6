"""The page of several runs: their verdicts, failures first, and when each of them ran."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from markupsafe import Markup, escape

from chaoskit.judge.result import EXIT_CODES, Result
from chaoskit.records import Verdict
from chaoskit.report._phrases import WORD, headline, proven_faults, seconds
from chaoskit.report.html.page import SIGNS, STYLE, filled, hashed, policy, styles
from chaoskit.report.html.svg import LEFT, RIGHT, WIDTH, ticks
from chaoskit.report.html.visible import visible

_ROW = 18  # pixels


@dataclass(frozen=True, slots=True)
class Listed:
    """A run in the list, and where its own page is, relative to this one, if it has one."""

    result: Result
    link: str | None

    @property
    def address(self) -> str | None:
        return None if self.link is None else quote(self.link)

    @property
    def passed(self) -> str:
        checks = self.result.checks
        return f"{sum(check.verdict is Verdict.PASS for check in checks)} of {len(checks)}"


def render(runs: Sequence[Listed]) -> str:
    """Return the page in one file."""
    style = styles()
    return _page(runs, policy=policy("'none'", hashed(style)), style=Markup(style))  # noqa: S704


def render_parts(runs: Sequence[Listed]) -> dict[str, str]:
    """Return the page as files by name, with nothing inline."""
    page = _page(runs, policy=policy("'none'", "'self'"), style=None)
    return {"index.html": page, STYLE: styles()}


def _page(runs: Sequence[Listed], *, policy: str, style: Markup | None) -> str:
    order = [Verdict.FAIL, Verdict.UNKNOWN, Verdict.PASS]
    verdicts = [run.result.verdict for run in runs]
    worst = next((verdict for verdict in order if verdict in verdicts), Verdict.UNKNOWN)
    counts = ", ".join(f"{verdicts.count(verdict)} {WORD[verdict]}" for verdict in EXIT_CODES)
    return filled(
        "suite.html.j2",
        policy=policy,
        style=style,
        runs=sorted(runs, key=lambda run: order.index(run.result.verdict)),
        worst=worst,
        counts=counts,
        words=WORD,
        signs=SIGNS,
        headline=headline,
        proven_faults=proven_faults,
        seconds=seconds,
        picture=_when(runs),
    )


def _when(runs: Sequence[Listed]) -> Markup:
    """Return a picture of when each run went, those that went at once below each other."""
    ordered = sorted(runs, key=lambda run: run.result.run.started_at)
    first = ordered[0].result.run.started_at
    starts = [(run.result.run.started_at - first).total_seconds() for run in ordered]
    ends = [t + run.result.run.duration for t, run in zip(starts, ordered, strict=True)]
    last = max(*ends, 1.0)
    left = LEFT + 130
    scale = (WIDTH - left - RIGHT - _ROW) / last
    bottom = len(ordered) * _ROW + 6
    parts = []
    for row, (run, start, end) in enumerate(zip(ordered, starts, ends, strict=True)):
        y = row * _ROW + 4
        x, width = left + start * scale, max((end - start) * scale, 1.5)
        verdict, name = run.result.verdict, run.result.run.scenario
        short = visible(name if len(name) <= 30 else name[:29] + "...")
        parts.append(
            f'<text class="value" x="{left - 8}" y="{y + 11}">{escape(short)}</text>'
            f'<rect class="run {verdict.value}" x="{x:.1f}" y="{y}" width="{width:.1f}" '
            f'height="{_ROW - 5}"/>'
            f'<text x="{x + width + 4:.1f}" y="{y + 11}">{SIGNS[verdict]}</text>'
        )
    parts += [
        f'<text class="tick" x="{left + t * scale:.1f}" y="{bottom + 14}">{t:g} s</text>'
        for t in ticks(0.0, last)
    ]
    return Markup(  # noqa: S704  # all text in it is escaped
        f'<svg class="lane-picture" viewBox="0 0 {WIDTH} {bottom + 22}" role="img" '
        f'aria-label="when each run went">{"".join(parts)}</svg>'
    )
