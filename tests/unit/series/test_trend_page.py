"""The page of a trend: all of it readable, nothing of others' text is markup, nothing is loaded."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree

import pytest

from chaoskit.cli.trend import show_trend
from chaoskit.errors import UsageError
from chaoskit.series.index import Row
from chaoskit.series.trend_page import render
from tests.unit.series.test_index import stored

ROW = Row(
    "20260301T120000Z-redis-a", "redis", "d", "pass", 0, "2026-03-01T12:00:00+00:00", 20.0, 1, 2,
    0, "", {"recovery chat": 1.5}, {"slow: time to recover": 0.0},
)  # fmt: skip
NASTY = "</style><script>alert(1)</script>\" onload=x '&\x1b[31m"


def page(*rows: Row, scenario: str = "redis") -> str:
    return render(scenario, rows, ["3 runs"], lambda run: f"runs/{quote(run)}/report.html")


def tree(text: str) -> ElementTree.Element:
    """Parse the page as XML: whatever is not closed or escaped is an error."""
    text = re.sub(r"<(meta [^>]*)>", r"<\1/>", text.removeprefix("<!doctype html>\n"))
    return ElementTree.fromstring(text)


def test_each_run_has_a_mark_of_its_own_form_in_each_drawing_and_a_line_in_the_table() -> None:
    rows = [replace(ROW, run=f"r{n}", verdict=v) for n, v in enumerate(("pass", "fail", "unknown"))]
    root = tree(page(*rows))
    for drawing in root.iter("svg"):
        marks = [(g.attrib["class"], g[1].tag) for g in drawing.iter("g")]
        assert marks == [
            ("mark pass", "circle"),
            ("mark fail", "path"),
            ("mark unknown", "rect"),
        ]
    assert [h.text for h in root.iter("h2")][1:3] == ["recovery chat", "slow: time to recover"]
    lines = [" ".join("".join(row.itertext()).split()) for row in root.iter("tr")]
    assert [line[:2] for line in lines[1:]] == ["r2", "r1", "r0"]
    assert next(a.attrib["href"] for a in root.iter("a")) == "runs/r2/report.html"


def test_a_run_without_a_figure_has_no_mark_for_it() -> None:
    root = tree(page(ROW, replace(ROW, recovery={})))
    assert [len(list(drawing.iter("g"))) for drawing in root.iter("svg")] == [1, 2]


def test_what_others_wrote_stays_text() -> None:
    row = replace(ROW, run=NASTY, verdict=NASTY, started=NASTY, recovery={NASTY: 1.0})
    text = page(row, scenario=NASTY)
    root = tree(text)
    assert [one.tag for one in root.iter() if one.tag in ("script", "img", "link")] == []
    assert not [one for one in root.iter() if any(key.startswith("on") for key in one.attrib)]
    assert "\x1b" not in text
    assert "alert(1)" in "".join(root.itertext())


def test_its_policy_lets_nothing_run_and_nothing_be_loaded() -> None:
    text = page(ROW)
    assert "default-src 'none'; style-src 'sha256-" in text
    assert "http" not in text.replace("http-equiv", "")


def test_rendered_twice_it_is_the_same() -> None:
    assert page(ROW, ROW) == page(ROW, ROW)


def test_it_links_to_the_pages_that_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = stored(tmp_path / "runs", 1), stored(tmp_path / "runs", 2)
    (two / "report.html").write_text("")
    out = tmp_path / "out" / "trend.html"
    out.parent.mkdir()
    show_trend("redis", tmp_path / "runs", 60, as_json=False, html=str(out))
    links = [a.attrib["href"] for a in tree(out.read_text()).iter("a")]
    assert links == [f"../runs/{two.name}/report.html"]
    assert one.name in out.read_text()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link.html").symlink_to(tmp_path / "elsewhere")
    for name in ("link.html", "out/trend.html/below.html"):
        with pytest.raises(UsageError, match="cannot write the page"):
            show_trend("redis", Path("runs"), 60, as_json=False, html=name)
    with pytest.raises(UsageError, match="`--html` writes"):
        show_trend("redis", Path("runs"), 60, as_json=True, html=str(out))
