"""junit.xml: what CI systems read.

One test suite per scenario, one test case per check and one for the run itself. A failed check is a
`failure`; an unknown one is an `error`, so that CI is red whenever the exit code is not 0. One that
fails as its scenario expects is `skipped`, as other tools have it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from xml.etree import ElementTree

from chaoskit.judge.result import CheckResult, Result
from chaoskit.records import Verdict
from chaoskit.report._phrases import headline, log_line, run_verdict
from chaoskit.text import one_line, printable

_PROBLEM = {
    Verdict.FAIL: "failure",
    Verdict.UNKNOWN: "error",
    Verdict.EXPECTED_FAIL: "skipped",
}


def render(results: Sequence[Result], attached: Sequence[str | None] = ()) -> str:
    """Return the text of a JUnit XML file, as the Jenkins schema wants it.

    `attached` has for each result the file to which GitLab links from its test cases.
    """
    root = ElementTree.Element("testsuites")
    for number, result in enumerate(results):
        _suite(root, number, result, attached[number] if attached else None)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + _text(root)


def _text(root: ElementTree.Element) -> str:
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _suite(root: ElementTree.Element, number: int, result: Result, attached: str | None) -> None:
    verdict, why = run_verdict(result)
    verdicts = [verdict, *(check.verdict for check in result.checks)]
    name = one_line(result.run.scenario)
    attributes = {
        "name": name,
        "package": "chaoskit",
        "id": str(number),
        "hostname": "localhost",
        "timestamp": result.run.started_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
        "time": f"{result.run.duration:.3f}",
        "tests": str(len(verdicts)),
        "failures": str(verdicts.count(Verdict.FAIL)),
        "errors": str(verdicts.count(Verdict.UNKNOWN)),
        "skipped": str(verdicts.count(Verdict.EXPECTED_FAIL)),
    }
    suite = ElementTree.SubElement(root, "testsuite", attributes)
    properties = ElementTree.SubElement(suite, "properties")
    facts = {
        "run": result.run.id,
        "seed": str(result.run.seed),
        "scenario_file": result.run.scenario_file,
        "command": result.run.command,
        "exit_code": str(result.exit_code),
        **_figures(result),
    }
    for key, value in facts.items():
        ElementTree.SubElement(
            properties, "property", {"name": one_line(key), "value": one_line(value)}
        )
    case = _case(suite, name, "run", result.run.duration)
    if verdict is not Verdict.PASS:
        body = [headline(result), *(f"{one.what}: {one.command}" for one in result.leftovers)]
        _problem(case, verdict, why or headline(result), [*body, _again(result)])
        _system_out(case, [], attached)
    taken: dict[str, int] = {}
    for check in result.checks:
        title = one_line(f"{check.check} {check.subject}")
        taken[title] = taken.get(title, 0) + 1
        if taken[title] > 1:
            title += f" ({taken[title]})"
        case = _case(suite, name, title, 0.0)
        if check.verdict is not Verdict.PASS:
            reason = check.reason or "no reason was recorded"
            _problem(case, check.verdict, reason, [*_body(check), _again(result)])
            _system_out(case, check.witness, attached)
    said = [*result.notes]
    for death in result.stack.deaths:
        said += [death.text, *(f"  {line}" for line in death.last_lines)]
    ElementTree.SubElement(suite, "system-out").text = "\n".join(map(printable, said))
    ElementTree.SubElement(suite, "system-err")


def _case(
    suite: ElementTree.Element, classname: str, name: str, seconds: float
) -> ElementTree.Element:
    attributes = {"classname": classname, "name": name, "time": f"{seconds:.3f}"}
    return ElementTree.SubElement(suite, "testcase", attributes)


def _problem(
    case: ElementTree.Element, verdict: Verdict, message: str, body: Sequence[str]
) -> None:
    attributes = {"message": one_line(message), "type": verdict.value}
    problem = ElementTree.SubElement(case, _PROBLEM[verdict], attributes)
    problem.text = "\n".join(printable(line) for line in body)


def _system_out(case: ElementTree.Element, witness: Sequence[str], attached: str | None) -> None:
    """Add the witness, and the line from which GitLab makes a link."""
    lines = [printable(line).replace("[[", "[ [") for line in witness]
    lines += [] if attached is None else [f"[[ATTACHMENT|{one_line(attached)}]]"]
    if lines:
        ElementTree.SubElement(case, "system-out").text = "\n".join(lines)


def _figures(result: Result) -> dict[str, str]:
    """Return what was measured, by name; a length of time in seconds, a ratio of 1."""
    found: dict[str, float | None] = {}
    for check in result.checks:
        found[f"check.{check.check} {check.subject}"] = check.measured.value
    for fault in result.faults:
        found[f"fault.{fault.id}.time_to_detect"] = fault.time_to_detect
        found[f"fault.{fault.id}.time_to_recover"] = fault.time_to_recover
    for probe in result.probes:
        found[f"probe.{probe.name}.latency_p50"] = probe.latency_p50
        found[f"probe.{probe.name}.latency_p99"] = probe.latency_p99
    for load in result.workloads:
        found[f"workload.{load.name}.latency_p50"] = load.latency_p50
        found[f"workload.{load.name}.latency_p99"] = load.latency_p99
    return {name: f"{value:.6g}" for name, value in found.items() if value is not None}


def _body(check: CheckResult) -> list[str]:
    lines = [check.reason or "", f"expected {check.bound.text}, measured {check.measured.text}"]
    if check.witness:
        lines += ["", "witness:", *(f"  {line}" for line in check.witness)]
    if check.log_lines:
        lines += ["", "log:", *(f"  {log_line(line)}" for line in check.log_lines)]
    return lines


def _again(result: Result) -> str:
    return f"\nrun it again: {result.run.command}"
