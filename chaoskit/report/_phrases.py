"""The words that several reports use for the same thing."""

from __future__ import annotations

from collections.abc import Sequence

from chaoskit.judge.result import (
    EXIT_CODES,
    CheckResult,
    FaultResult,
    LogExcerpt,
    Result,
    WorkloadResult,
)
from chaoskit.records import Verdict, combined
from chaoskit.text import count, one_line, seconds_text

WORKLOAD_HEAD = ("workload", "sent of due", "ok", "fail", "info", "p99 from due", "from sent")
WORD = {
    Verdict.PASS: "PASS",
    Verdict.FAIL: "FAIL",
    Verdict.UNKNOWN: "UNKNOWN",
    Verdict.EXPECTED_FAIL: "EXPECTED FAIL",
}


def headline(result: Result) -> str:
    """Return one sentence: the reason, or for a pass what was passed."""
    if result.reason:
        return one_line(result.reason)
    if result.verdict is not Verdict.PASS:
        return "no reason was recorded"
    checks = len(result.checks)
    expected = sum(check.verdict is Verdict.EXPECTED_FAIL for check in result.checks)
    met = f"{checks - expected} of {count(checks, 'check')} passed"
    met += f" and {expected} failed as expected" if expected else ""
    met = met if checks else "there was no check to fail"
    faults = len(result.faults)
    if not faults:
        return f"{met}; a rehearsal without faults"
    return f"{met} under {count(faults, 'proven fault')}"


def totals(result: Result) -> str:
    """Return the numbers of a run on one line: checks, faults, duration, exit code."""
    verdicts = [check.verdict for check in result.checks]
    words = {
        Verdict.PASS: "passed",
        Verdict.FAIL: "failed",
        Verdict.UNKNOWN: "unknown",
        Verdict.EXPECTED_FAIL: "failed as expected",
    }
    counts = [f"{verdicts.count(v)} {word}" for v, word in words.items() if v in verdicts]
    parts = [
        f"{count(len(verdicts), 'check')}: {', '.join(counts)}" if verdicts else "no checks",
        proven_faults(result),
        seconds(result.run.duration),
        f"exit {result.exit_code}",
    ]
    return "; ".join(parts)


def proven_faults(result: Result) -> str:
    if not result.faults:
        return "no faults"
    proven = sum(fault.proven for fault in result.faults)
    if proven == len(result.faults):
        return f"{count(proven, 'fault')} proven"
    return f"{proven} of {count(len(result.faults), 'fault')} proven"


def seconds(length: float | None) -> str:
    """Return a length of time to three digits, `-` for None."""
    return "-" if length is None else seconds_text(length)


def workload_row(workload: WorkloadResult) -> list[str]:
    """Return the cells of `WORKLOAD_HEAD`: what was sent of what was due, and how it went."""
    counts = workload.operations.values()
    due = sum(one.due or 0 for one in counts)
    return [
        f"{workload.name} ({workload.kind})",
        f"{sum(one.sent or 0 for one in counts)} of {due}" if due else "-",
        str(sum(one.ok for one in counts)),
        str(sum(one.fail for one in counts)),
        str(sum(one.info for one in counts)),
        seconds(workload.latency_p99),
        seconds(workload.latency_p99_from_sent),
    ]


def fault_name(fault: FaultResult) -> str:
    """Return the id of a fault, with its kind where the id does not say it."""
    return fault.id if fault.fault in fault.id else f"{fault.id} ({fault.fault})"


def effect(fault: FaultResult) -> str:
    """Return what showed that clients could feel the fault, or why that is not proven."""
    if not fault.proven:
        default = "it was never injected" if fault.injected_at is None else "no evidence of it"
        return one_line(fault.reason or default)
    return one_line(fault.evidence[0]) if fault.evidence else "no evidence recorded"


def in_force(fault: FaultResult) -> str:
    """Return when a fault was in force, in run-clock seconds."""
    if fault.injected_at is None:
        return "never"
    end = "not healed" if fault.healed_at is None else f"{fault.healed_at:.1f} s"
    return f"{fault.injected_at:.1f} - {end}"


def log_line(line: LogExcerpt) -> str:
    return f"{line.t:.2f} s {line.service} | {one_line(line.text)}"


def unexplained(results: Sequence[CheckResult]) -> list[CheckResult]:
    """Return the checks that did not pass, failures first."""
    failed = [check for check in results if check.verdict is Verdict.FAIL]
    return failed + [check for check in results if check.verdict is Verdict.UNKNOWN]


def run_verdict(result: Result) -> tuple[Verdict, str | None]:
    """Return the verdict on the run itself, apart from its checks, and why it is not a pass.

    A run is sound when every fault is proven, nothing is left behind and it ended by itself. It is
    never a pass when the whole is not a pass and no check says why.
    """
    unproven = [fault for fault in result.faults if not fault.proven]
    if result.leftovers:
        left = ", ".join(leftover.what for leftover in result.leftovers)
        return Verdict.UNKNOWN, one_line(f"left behind: {left}")
    if unproven:
        why = "; ".join(f"fault {fault.id} is not proven: {effect(fault)}" for fault in unproven)
        return Verdict.UNKNOWN, why
    if result.exit_code not in EXIT_CODES.values():
        return Verdict.UNKNOWN, f"exit code {result.exit_code}: {headline(result)}"
    checks = combined([check.verdict for check in result.checks])
    if not result.checks or checks is not result.verdict:
        return result.verdict, None if result.verdict is Verdict.PASS else headline(result)
    return Verdict.PASS, None
