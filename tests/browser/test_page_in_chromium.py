"""The page in a real browser: quiet, asking nobody, drawn, linked, reachable by keyboard."""

from __future__ import annotations

import json
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from chaoskit.judge.result import stored_result
from chaoskit.report.html import page as html
from chaoskit.report.html import suite
from tests.browser.chromium import Page, chromium
from tests.fakes.run_folder import make_run_folder

HOSTILE = "</script><script>window.pwned=1</script><img src=x onerror=window.pwned=1>\u202e"
CURSORS = "[...document.querySelectorAll('.chart .u-cursor-x')].map(c => c.style.transform)"
READOUT = "document.getElementById('readout').textContent"
# One character for each chart: whether anything is drawn on it.
LANES = (
    9  # the phases, a probe, two workloads with their operations, events, memory, the machine, logs
)
DRAWN = """[...document.querySelectorAll('.chart canvas')].map(c => {
  const pixels = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
  let drawn = 0;
  for (let at = 3; at < pixels.length; at += 4) drawn += pixels[at] > 0;
  return drawn;
})"""


@pytest_asyncio.fixture
async def page() -> AsyncIterator[Page]:
    async with chromium() as made:
        yield made
        assert made.complaints == []


def written(folder: Path) -> str:
    """Write the page of a run and return its address."""
    file = folder.parent / "page.html"
    file.write_text(html.render(folder), encoding="utf-8")
    return file.as_uri()


async def test_it_draws_every_lane_and_asks_nobody_for_anything(tmp_path: Path, page: Page) -> None:
    address = written(make_run_folder(tmp_path))
    await page.open(address)
    await page.wait_for("document.documentElement.dataset.ready === 'yes'")
    drawn = await page.run(DRAWN)
    assert len(drawn) == LANES
    assert min(drawn) > 500
    assert [url for url in page.requests if url not in (address, "about:blank")] == []


async def test_the_cursor_moves_in_all_lanes(tmp_path: Path, page: Page) -> None:
    await page.open(written(make_run_folder(tmp_path)))
    await page.run("document.querySelector('.u-over').scrollIntoView({block: 'center'})")
    box = "document.querySelector('.u-over').getBoundingClientRect()"
    x, y, wide = await page.run(f"[{box}.left, {box}.top, {box}.width]")
    await page.mouse("mouseMoved", x + 10, y + 20)
    await page.mouse("mouseMoved", x + wide * 0.45, y + 20)
    await page.wait_for(f"{READOUT}.includes('in force')")
    places = await page.run(CURSORS)
    assert len(places) == LANES
    assert len(set(places)) == 1, places
    assert "A slow (latency chat -> redis)" in await page.run(READOUT)
    cut = "[...document.querySelectorAll('.map-edge.cut title')].map(t => t.textContent)"
    assert await page.run(cut) == ["chat -> redis: 4 connections"]


async def test_a_link_restores_zoom_and_cursor(tmp_path: Path, page: Page) -> None:
    address = written(make_run_folder(tmp_path))
    await page.open(address)
    await page.run("document.querySelector('a.zoom').click()")
    await page.wait_for("location.hash.includes('t=')")
    for _ in range(3):
        await page.press("ArrowRight")
    await page.wait_for("location.hash.includes('c=')")
    found, readout = await page.run(f"[location.hash, {READOUT}]")
    await page.open(address + found)
    await page.wait_for(f"{READOUT} === {json.dumps(readout)}")
    await page.wait_for(f"location.hash === {json.dumps(found)}")
    places = await page.run(CURSORS)
    assert len(set(places)) == 1


async def test_dragging_zooms_all_lanes(tmp_path: Path, page: Page) -> None:
    await page.open(written(make_run_folder(tmp_path)))
    await page.run("document.querySelector('.u-over').scrollIntoView({block: 'center'})")
    box = "document.querySelector('.u-over').getBoundingClientRect()"
    x, y, wide = await page.run(f"[{box}.left, {box}.top, {box}.width]")
    await page.mouse("mouseMoved", x + wide * 0.3, y + 20)
    await page.mouse("mousePressed", x + wide * 0.3, y + 20, "left")
    await page.mouse("mouseMoved", x + wide * 0.6, y + 20, "left")
    await page.mouse("mouseReleased", x + wide * 0.6, y + 20, "left")
    await page.wait_for("/t=(29|30)\\d\\d-(59|60)\\d\\d/.test(location.hash)")


async def test_every_finding_is_reached_by_keyboard(tmp_path: Path, page: Page) -> None:
    await page.open(written(make_run_folder(tmp_path)))
    reached: list[Any] = []
    for _ in range(3):
        await page.press("n")
        reached.append(await page.run("document.activeElement.id"))
    assert reached == ["check-1", "fault-1", "check-1"]
    await page.press("p")
    assert await page.run("document.activeElement.id") == "fault-1"
    stops = "[...document.querySelectorAll('.finding, .fault')].every(f => f.tabIndex === 0)"
    assert await page.run(stops)


async def test_a_phone_shows_every_table_whole(tmp_path: Path, page: Page) -> None:
    await page.send(
        "Emulation.setDeviceMetricsOverride",
        width=390,
        height=844,
        deviceScaleFactor=1,
        mobile=True,
    )
    await page.open(written(make_run_folder(tmp_path)))
    cells = (
        "[...document.querySelectorAll('.wide :is(td, th, caption)')].filter(c => c.offsetWidth)"
    )
    assert await page.run(f"{cells}.length") >= 2 * 5
    cut = f"{cells}.filter(c => c.getBoundingClientRect().right > 390 || c.scrollWidth > 390)"
    assert await page.run(f"{cut}.map(c => c.textContent)") == []
    assert await page.run("document.documentElement.scrollWidth") == 390
    head = "getComputedStyle(document.querySelector('#checks [data-head=measured]'), '::before')"
    assert "measured" in await page.run(f"{head}.content")


async def test_hostile_text_runs_nothing(tmp_path: Path, page: Page) -> None:
    await page.open(written(make_run_folder(tmp_path, say=HOSTILE)))
    await page.wait_for("document.documentElement.dataset.ready === 'yes'")
    assert await page.run("window.pwned === undefined")
    assert await page.run("document.querySelectorAll('img, script[src]').length") == 0
    assert "<img src=x" in await page.run("document.body.innerText")


async def test_the_page_in_parts_works_without_anything_inline(tmp_path: Path, page: Page) -> None:
    for name, text in html.render_parts(make_run_folder(tmp_path)).items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    await page.open((tmp_path / "index.html").as_uri())
    await page.wait_for("document.documentElement.dataset.ready === 'yes'")
    assert min(await page.run(DRAWN)) > 500


async def test_it_reads_with_scripts_off(tmp_path: Path, page: Page) -> None:
    await page.send("Emulation.setScriptExecutionDisabled", value=True)
    await page.send("Page.navigate", url=written(make_run_folder(tmp_path)))
    shown: set[str] = set()
    ends = time.monotonic() + 10
    while "FAIL" not in " ".join(shown) and time.monotonic() < ends:
        tree = await page.send("Accessibility.getFullAXTree")
        shown = {str(node.get("name", {}).get("value")) for node in tree["nodes"]}
    text = " ".join(shown)
    for said in (
        "37 of 912 values are lost",
        "no_loss",
        "availability",
        "slow (latency)",
        "PING: 302ms",
    ):
        assert said in text, said
    pictures = [name for name in shown if name.startswith(("probe chat", "workload members"))]
    assert len(pictures) >= 4, "each lane is a picture with a name"


async def test_three_hundred_thousand_operations_are_small_and_quick(
    tmp_path: Path, page: Page
) -> None:
    address = written(make_run_folder(tmp_path, seconds=601, rate=500))
    size = (tmp_path / "page.html").stat().st_size
    assert size <= 1_500_000
    started = time.monotonic()
    await page.open(address)
    await page.wait_for("document.documentElement.dataset.ready === 'yes'")
    took = time.monotonic() - started
    paints = "performance.getEntriesByName('first-contentful-paint')"
    await page.wait_for(f"{paints}.length === 1")
    paint = await page.run(f"{paints}[0].startTime")
    print(f"{size} bytes, ready after {took:.2f} s, first paint after {paint} ms")
    assert took <= 2.0
    assert paint <= 1000
    assert "10000 of 300000 operations shown" in await page.run("document.body.innerText")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_serious(tmp_path: Path, page: Page, scheme: str) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    await page.send("Emulation.setEmulatedMedia", features=features)
    folder = make_run_folder(tmp_path)
    past = [{"run": verdict, "verdict": verdict} for verdict in ("pass", "fail", "unknown")]
    (folder / "past.json").write_text(json.dumps(past))
    await page.open(written(folder))
    await page.wait_for("document.documentElement.dataset.ready === 'yes'")
    assert await _serious(page) == []
    several = [
        suite.Listed(stored_result(folder), "page.html"),
        suite.Listed(stored_result(folder), None),
    ]
    (tmp_path / "all.html").write_text(suite.render(several), encoding="utf-8")
    await page.open((tmp_path / "all.html").as_uri())
    assert await _serious(page) == []


async def _serious(page: Page) -> list[tuple[str, str]]:
    """Return what axe calls serious or critical: the rule, and what breaks it."""
    axe = Path(os.environ.get("CHAOSKIT_AXE", ".cache/package/axe.min.js")).read_text()
    await page.run(axe + ";0")
    found = await page.run("axe.run(document).then(r => [r.violations, r.passes.length])")
    violations, passes = found
    assert passes > 10, "axe looked at it"
    return [
        (one["id"], node["html"][:120])
        for one in violations
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"][:3]
    ]
