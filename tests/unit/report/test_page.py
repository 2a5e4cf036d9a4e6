"""report.html: the same folder gives the same bytes, readable without scripts, only ever text."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from chaoskit.judge.result import stored_result
from chaoskit.judge.verdict import judge
from chaoskit.record.reader import RunRecord, stored_scenario
from chaoskit.records import Verdict
from chaoskit.report.html import page, trace
from chaoskit.report.html.downsample import extremes
from tests.fakes.run_folder import make_run_folder

V1 = Path(__file__).parents[2] / "fixtures" / "v1"
HOSTILE = (
    "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'{{ 7*7 }}{% x %}"
    "<!-- &amp; \u202eevil\u202c \x1b[31m \x07 \u2028"
)
_BLOCKS = {"p", "h1", "h2", "h3", "td", "th", "li", "dd", "caption", "pre", "code"}


class Reader(HTMLParser):
    """What a reader sees with scripts off, and which elements and attributes there are."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.styles: list[str] = []
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.policy = ""
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        found = dict(attrs)
        self.ids += [found["id"] or ""] if "id" in found else []
        self.links += [found["href"] or ""] if "href" in found else []
        if found.get("http-equiv") == "Content-Security-Policy":
            self.policy = found["content"] or ""
        self._inside = tag if tag in ("script", "style") else ""
        if tag == "script":
            self.scripts.append((found, ""))

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""
        self.seen += [" "] if tag in _BLOCKS else []

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts[-1] = (self.scripts[-1][0], self.scripts[-1][1] + data)
        elif self._inside == "style":
            self.styles.append(data)
        else:
            self.seen.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.seen).split())


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """A run of version 1 that was killed, with the result that its recovery gives it."""
    folder = tmp_path / "20261125T205001Z-v1-killed-b8fc6c"
    shutil.copytree(V1 / folder.name, folder)
    result = judge(stored_scenario(folder), RunRecord.read(folder))
    (folder / "result.json").write_text(result.model_dump_json())
    return folder


def test_the_same_folder_gives_the_same_bytes(tmp_path: Path) -> None:
    folder = make_run_folder(tmp_path)
    first = page.render(folder)
    moved = tmp_path / "elsewhere" / folder.name
    shutil.copytree(folder, moved)
    assert page.render(folder) == first
    assert page.render(moved) == first
    assert trace.render(moved) == trace.render(folder)


def test_the_page_that_a_run_writes_is_that_of_its_folder(tmp_path: Path) -> None:
    folder = make_run_folder(tmp_path)
    judged = RunRecord.read(folder)
    with (folder / "events.ndjson").open("a") as file:  # what happens after the judging
        file.write('{"t": 10.5, "event": "container", "service": "chat", "replica": 1, ')
        file.write('"action": "destroy"}\n')
    assert page.write_page(folder, judged.evidence) is None
    assert (folder / "report.html").read_text() == page.render(folder)
    assert (folder / "trace.json").read_text() == trace.render(folder)
    assert "destroy" in page.render(folder)


def test_verdict_checks_and_faults_are_there_with_scripts_off(tmp_path: Path) -> None:
    text = Reader(page.render(make_run_folder(tmp_path))).text
    assert "FAIL chat" in text
    for said in (
        "37 of 912 values are lost: connection refused",
        "0 lost",
        "37 lost",
        "under A slow",
        "slow (latency) on chat -> redis",
        "PING: 302ms",
        "toxic there connection refused",
        "chaoskit run scenarios/chat.yaml --seed 7",
        "sha256:0",
        "edge chat -> postgres is in use",
    ):
        assert said in text, said
    assert text.index("no_loss") < text.index("availability"), "failures come first"


def test_the_phases_are_a_strip_above_the_lanes_with_names_and_times(tmp_path: Path) -> None:
    text = page.render(make_run_folder(tmp_path))
    first = text.index('class="lane-picture"', text.index('id="time"'))
    strip = text[first : text.index("</svg>", first)]
    assert re.findall(r'class="block-[01]"[^>]*>([^<]*)<', strip) == [
        "baseline",
        "1.0 - 3.0 s",
        "faults",
        "3.0 - 8.0 s",
        "settle",
        "8.0 - 10.0 s",
    ]
    assert strip.index("baseline, 1.0 - 3.0 s") < strip.index("settle, 8.0 - 10.0 s")


def test_log_lines_that_repeat_each_other_are_one_with_a_count(tmp_path: Path) -> None:
    text = Reader(page.render(make_run_folder(tmp_path))).text
    lines = text[text.index("log lines of that moment") : text.index("Time line")]
    assert (
        "3.25 s chat | error 13 connection refused (6 lines like this, the last at 4.50 s)" in lines
    )
    assert lines.count("| error 1") == 1
    other = "chat | served 12 connection refused under A slow"  # not with those before the fault
    assert other in lines


def test_a_check_that_fails_as_expected_is_called_so(tmp_path: Path) -> None:
    folder = make_run_folder(tmp_path)
    result = stored_result(folder)
    checks = [
        check.model_copy(update={"verdict": Verdict.EXPECTED_FAIL})
        if check.verdict is Verdict.FAIL
        else check
        for check in result.checks
    ]
    (folder / "result.json").write_text(
        result.model_copy(update={"checks": checks}).model_dump_json()
    )
    text = Reader(page.render(folder)).text
    assert "EXPECTED FAIL" in text
    assert "37 of 912 values are lost: connection refused" in text


def test_the_lines_of_a_failed_check_are_marked_in_the_source(tmp_path: Path) -> None:
    found = page.render(make_run_folder(tmp_path))
    marked = re.findall(r'<li id="line-(\d+)" class="fail">', found)
    assert marked == ["6"]


def test_a_finished_run_of_version_1_is_shown() -> None:
    folder = V1 / "20261125T204947Z-v1-finished-155c5c"
    text = Reader(page.render(folder)).text
    result = stored_result(folder)
    assert result.run.scenario in text
    assert all(check.subject in text for check in result.checks)


def test_a_killed_run_is_shown_as_far_as_it_came(killed: Path) -> None:
    text = Reader(page.render(killed)).text
    assert "UNKNOWN v1-killed" in text
    assert "the run was cut off" in text


def test_a_run_that_measured_nothing_is_shown(tmp_path: Path) -> None:
    folder = make_run_folder(tmp_path)
    for name in ("events.ndjson", "samples.ndjson", "history.ndjson", "logs/chat.log"):
        (folder / name).unlink()
    (folder / "scenario.yaml").unlink()
    assert "37 of 912 values are lost" in Reader(page.render(folder)).text


def test_memory_and_load_are_lanes_and_in_words(tmp_path: Path) -> None:
    folder = make_run_folder(tmp_path)
    text = Reader(page.render(folder)).text
    assert "memory of services" in text
    assert "48.0 MiB" in text
    assert "some task waited for a CPU 25% of the time" in text
    events = folder / "events.ndjson"
    rows = [json.loads(line) for line in events.read_text().splitlines()]
    elsewhere = [row | {"host": None} if row["event"] == "resources" else row for row in rows]
    events.write_text("".join(json.dumps(row) + "\n" for row in elsewhere))
    assert "not recorded: the engine is not on the machine" in Reader(page.render(folder)).text
    events.write_text("".join(json.dumps(r) + "\n" for r in rows if r["event"] != "resources"))
    assert "memory of services" not in Reader(page.render(folder)).text


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    plain = Reader(page.render(make_run_folder(tmp_path / "a")))
    text = page.render(make_run_folder(tmp_path / "b", say=HOSTILE))
    found = Reader(text)
    assert len(found.scripts) == len(plain.scripts) == 2
    assert "img" not in found.tags
    assert found.attributes == plain.attributes
    assert not any(name.startswith("on") for name in found.attributes)
    assert found.tags.count("article") == plain.tags.count("article")
    assert "<img src=x onerror=alert(1)>" in found.text, "a reader sees it as it was"
    assert "{{ 7*7 }}" in found.text
    assert "<U+202E>evil<U+202C>" in found.text
    for hidden in ("\u202e", "\x1b", "\x07", "\u2028"):
        assert hidden not in text
    json.loads(found.scripts[0][1])


def test_the_policy_allows_what_is_in_the_page_and_nothing_else(tmp_path: Path) -> None:
    found = Reader(page.render(make_run_folder(tmp_path)))

    def hashed(text: str) -> str:
        return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    assert found.policy == (
        f"default-src 'none'; script-src '{hashed(found.scripts[1][1])}'; "
        f"style-src '{hashed(''.join(found.styles))}'; base-uri 'none'; form-action 'none'"
    )
    assert "style" not in found.attributes
    assert all(link.startswith("#") for link in found.links)
    missing = [link for link in found.links if link.removeprefix("#") not in found.ids]
    assert missing == []


def test_ids_are_unique(tmp_path: Path) -> None:
    ids = Reader(page.render(make_run_folder(tmp_path))).ids
    assert sorted(ids) == sorted(set(ids))


def test_a_check_that_fails_as_expected_is_explained_after_the_others(tmp_path: Path) -> None:
    folder = make_run_folder(tmp_path)
    result = stored_result(folder)
    known = {"verdict": Verdict.EXPECTED_FAIL, "notes": ["expected to fail until 2027-01-01"]}
    checks = [result.checks[0].model_copy(update=known), result.checks[0], result.checks[1]]
    changed = result.model_copy(update={"checks": checks})
    (folder / "result.json").write_text(changed.model_dump_json())
    text = Reader(page.render(folder)).text
    assert "expected to fail until 2027-01-01" in text
    assert text.index("FAIL no_loss") < text.index("(\u2717) EXPECTED FAIL no_loss")


def test_the_page_in_parts_has_nothing_inline(tmp_path: Path) -> None:
    parts = page.render_parts(make_run_folder(tmp_path))
    assert set(parts) == {"index.html", "report.css", "report.js"}
    found = Reader(parts["index.html"])
    assert found.styles == []
    assert [kind.get("type") for kind, text in found.scripts if text.strip()] == [
        "application/json"
    ]
    assert "'unsafe-inline'" not in found.policy


def test_the_last_runs_are_a_strip(tmp_path: Path) -> None:
    folder = make_run_folder(tmp_path)
    assert 'class="past"' not in page.render(folder)
    past = [
        {"run": "a", "verdict": "passed", "started": "2026-03-01T11:00:00Z", "seconds": 12.5},
        {"run": "b", "verdict": "failed", "started": "x", "seconds": 1, "recovery": {"up": 0.42}},
        {"run": HOSTILE, "verdict": HOSTILE, "seconds": None},
    ]
    (folder / "past.json").write_text(json.dumps(past))
    found = Reader(page.render(folder))
    assert "the last 3 runs" in found.text
    assert "failed x 1s recovery: up 420ms" in found.text
    (folder / "past.json").write_text("{")
    assert 'class="past"' not in page.render(folder)


def test_a_page_that_cannot_be_made_is_a_sentence_and_no_error(tmp_path: Path) -> None:
    folder = make_run_folder(tmp_path)
    assert page.write_page(folder) is None
    assert (folder / "report.html").read_text() == page.render(folder)
    (folder / "samples.ndjson").write_text('{"probe": 7}\n')
    said = page.write_page(folder)
    assert said is not None
    assert "is no sample" in said


def test_outliers_survive_the_thinning() -> None:
    t = [number / 1000 for number in range(100_000)]
    y = [0.001] * len(t)
    y[54_321], y[54_322] = 9.0, 0.0001
    times, values = extremes(t, y, (0.0, 100.0), columns=500)
    assert len(times) <= 1000
    assert (54.321, 9.0) in zip(times, values, strict=True)
    assert (54.322, 0.0001) in zip(times, values, strict=True)
    assert times == sorted(times)


def test_many_operations_fit_and_say_how_many_are_shown(tmp_path: Path) -> None:
    found = page.render(make_run_folder(tmp_path, seconds=61, rate=500))
    assert len(found.encode()) < 1_500_000
    text = Reader(found).text
    assert "10000 of 30000 operations shown" in text
    assert "never answered run on" in text


def test_a_page_of_many_probes_and_failed_checks_stays_small(tmp_path: Path) -> None:
    folder = make_run_folder(tmp_path, seconds=200, rate=50)
    result = stored_result(folder)
    rows = (folder / "samples.ndjson").read_text()
    names = [f"chat-{number}" for number in range(20)]
    (folder / "samples.ndjson").write_text(
        "".join(rows.replace('"chat"', f'"{name}"') for name in names)
    )
    probes = [result.probes[0].model_copy(update={"name": name}) for name in names]
    many = result.model_copy(update={"probes": probes, "checks": result.checks[:1] * 30})
    (folder / "result.json").write_text(many.model_dump_json())
    found = page.render(folder)
    assert len(found.encode()) < 1_500_000
    assert Reader(found).text.count("FAIL no_loss members") == 60


def test_the_trace_has_what_happened(tmp_path: Path) -> None:
    document = json.loads(trace.render(make_run_folder(tmp_path)))
    names = [event["name"] for event in document["traceEvents"]]
    assert "slow (latency chat -> redis)" in names
    assert "chat.1 die" in names
    fault = next(e for e in document["traceEvents"] if e["name"].startswith("slow"))
    assert (fault["ph"], fault["ts"], fault["dur"]) == ("X", 3_000_000, 3_000_000)


def test_every_injection_of_a_fault_leads_to_the_line_where_it_was_written(tmp_path: Path) -> None:
    folder = make_run_folder(tmp_path)
    result = stored_result(folder)
    (fault,) = result.faults
    text = (folder / "scenario.yaml").read_text()
    faults = "timeline:\n  faults:\n    - { fault: latency }\n    - { fault: kill }\n"
    before, _, after = text.partition("timeline:")
    rest = after[after.index("\nexpect:") :] if "\nexpect:" in after else ""
    (folder / "scenario.yaml").write_text(before + faults + rest)
    first = before.count("\n") + 3
    names = [fault.id, f"{fault.id}-2", f"{fault.id}.2", f"{fault.id}-2.2"]
    injections = [fault.model_copy(update={"id": name}) for name in names]
    other = fault.model_copy(update={"id": "down", "fault": "kill"})
    for found, lines in (
        ([*injections, other], [first] * 4 + [first + 1]),
        ([fault, other], [first, first + 1]),
        ([fault, fault.model_copy(update={"id": "another"}), other], []),
    ):
        changed = result.model_copy(update={"faults": found})
        (folder / "result.json").write_text(changed.model_dump_json())
        shown = re.findall(r'id="fault-\d+".*?href="#line-(\d+)"', page.render(folder), re.DOTALL)
        assert sorted(map(int, shown)) == lines
