"""The page of several runs: failures first, a link to the page of each, only ever text."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path

from chaoskit.cli.reports import parsed, write
from chaoskit.judge.result import stored_result
from chaoskit.judge.stored import StoredRun
from chaoskit.records import Verdict
from chaoskit.report.html import suite
from tests.fakes.run_folder import make_run_folder
from tests.unit.report.test_page import HOSTILE, Reader


def runs(parent: Path) -> list[StoredRun]:
    """Two runs: one that passed, then one that failed."""
    found = []
    for number, verdict in enumerate((Verdict.PASS, Verdict.FAIL)):
        folder = make_run_folder(parent / str(number))
        folder = folder.rename(folder.with_name(f"20260301T12000{number}Z-chat-{number}"))
        result = stored_result(folder).model_copy(update={"verdict": verdict, "reason": None})
        (folder / "result.json").write_text(result.model_dump_json())
        found.append(StoredRun(result, folder))
    return found


def test_the_page_lists_failures_first_and_links_to_each_run(tmp_path: Path) -> None:
    write([parsed(f"html={tmp_path}/out/all.html")], runs(tmp_path))
    found = Reader((tmp_path / "out" / "all.html").read_text())
    assert "1 PASS, 1 FAIL, 0 UNKNOWN" in found.text
    assert found.links == [f"all-20260301T12000{n}Z-chat-{n}.html" for n in (1, 0)]
    assert all((tmp_path / "out" / link).exists() for link in found.links)
    assert found.scripts == []
    assert found.policy.startswith("default-src 'none'; script-src 'none'; style-src 'sha256-")


def test_the_page_in_parts_links_to_a_folder_for_each_run(tmp_path: Path) -> None:
    write([parsed(f"html-dir={tmp_path}/site")], runs(tmp_path))
    found = Reader((tmp_path / "site" / "index.html").read_text())
    pages = [link for link in found.links if link.endswith(".html")]
    assert pages == [f"20260301T12000{n}Z-chat-{n}/index.html" for n in (1, 0)]
    assert all((tmp_path / "site" / link).exists() for link in found.links)
    assert found.styles == []


def test_results_without_a_folder_are_listed_without_a_link(tmp_path: Path) -> None:
    results = [StoredRun(run.result, None) for run in runs(tmp_path)]
    write([parsed(f"html={tmp_path}/all.html")], results)
    found = Reader((tmp_path / "all.html").read_text())
    assert found.links == []
    assert [path.name for path in tmp_path.glob("*.html")] == ["all.html"]


def test_two_hundred_results_are_rendered_in_time_and_hostile_names_stay_text(
    tmp_path: Path,
) -> None:
    result = runs(tmp_path)[1].result
    many = [
        suite.Listed(
            result.model_copy(
                update={
                    "reason": HOSTILE,
                    "run": result.run.model_copy(
                        update={
                            "scenario": f"{number} {HOSTILE}",
                            "started_at": result.run.started_at + timedelta(seconds=number),
                        }
                    ),
                }
            ),
            f'{number}" onclick="alert(1).html',
        )
        for number in range(200)
    ]
    began = time.monotonic()
    text = suite.render(many)
    assert time.monotonic() - began < 5
    found = Reader(text)
    assert len(found.links) == 200
    assert "img" not in found.tags
    assert not any(name.startswith("on") for name in found.attributes)
    assert found.text.count("<img src=x onerror=alert(1)>") >= 400
