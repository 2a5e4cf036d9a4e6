"""What did not pass, on the line of the scenario that asks for it: for GitHub's workflow commands
and for GitLab's `artifacts:reports:annotations`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from chaoskit.judge.stored import StoredRun
from chaoskit.records import Verdict
from chaoskit.report._phrases import WORD, run_verdict, unexplained
from chaoskit.text import one_line

MOST = 10  # GitHub shows no more of one step
_LONGEST = 1000  # characters of a message


@dataclass(frozen=True, slots=True)
class Annotation:
    """One thing that did not pass; `line` counts from 1."""

    verdict: Verdict
    file: str
    line: int
    title: str
    message: str

    def workflow_command(self) -> str:
        """Return the line from which GitHub makes an annotation."""
        level = "error" if self.verdict is Verdict.FAIL else "warning"
        fields = {"file": self.file, "line": str(self.line), "title": self.title}
        listed = ",".join(f"{key}={_escaped_field(value)}" for key, value in fields.items())
        return f"::{level} {listed}::{_escaped(self.message)}"


def worst(runs: Sequence[StoredRun]) -> list[Annotation]:
    """Return at most ten annotations, the worst first: what failed, then what is unknown."""
    found = [one for run in runs for one in _of(run)]
    found.sort(key=lambda one: one.verdict is not Verdict.FAIL)
    return found[:MOST]


def as_links(runs: Sequence[StoredRun], address: str) -> str:
    """Return the JSON of GitLab's annotations: links to the lines, below `address`."""
    links = [
        {
            "external_link": {
                "label": one_line(f"{WORD[one.verdict]} {one.title}: {one.message}", 200),
                "url": f"{address}{quote(one.file)}#L{one.line}",
            }
        }
        for one in worst(runs)
    ]
    return json.dumps({"chaoskit": links}, indent=2) + "\n"


def _of(run: StoredRun) -> Iterator[Annotation]:
    result = run.result
    file = one_line(result.run.scenario_file)
    places = dict(zip(map(id, result.checks), run.check_lines(), strict=True))
    for check in unexplained(result.checks):
        message = check.reason or f"expected {check.bound.text}, measured {check.measured.text}"
        title = one_line(f"{result.run.scenario}: {check.check} {check.subject}", 200)
        text = one_line(message, _LONGEST)
        yield Annotation(check.verdict, file, places[id(check)] or 1, title, text)
    verdict, why = run_verdict(result)
    if verdict is not Verdict.PASS:
        text = one_line(why or "it is not known why", _LONGEST)
        yield Annotation(verdict, file, 1, one_line(result.run.scenario, 200), text)


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escaped_field(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
