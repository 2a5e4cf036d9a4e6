"""Where the oracles touch what they test: a check's name and fields in, its verdict out.

Only names that are promised to stay are used: the registry, the fields of a check as YAML gives
them, `records`, and `judge`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from chaoskit.checks._base import REGISTRY
from chaoskit.records import Event, Evidence, FaultWindow, Phase
from tests.judging.oracles.case import BASELINE, FAULTS, SETTLE, WORKLOAD, Case

PHASES = (
    Phase("baseline", *BASELINE),
    Phase("faults", *FAULTS),
    Phase("settle", *SETTLE),
)


def verdict(check: str, case: Case) -> str:
    """Return what the product says of a case: `pass`, `fail` or `unknown`."""
    kind = REGISTRY.get(check)
    assert kind is not None, check
    made = kind.model_validate({"check": check, "workload": WORKLOAD, **case.fields})
    evidence = Evidence(PHASES, case.faults, history={WORKLOAD: case.lines})
    return made.judge(evidence).verdict.value


def checks_over_histories() -> set[str]:
    """Return the names of all checks that judge the history of a workload of a known kind."""
    return {kind.kind for kind in REGISTRY if getattr(kind, "workloads", ())}


def ndjson(lines: Iterable[Event]) -> str:
    """Return a history as the lines of a history file."""
    return "".join(
        json.dumps(
            {
                "t": line.t,
                "type": line.type,
                "op": line.op,
                "id": line.id,
                "process": line.process,
                "key": line.key,
                "value": line.value,
            }
        )
        + "\n"
        for line in lines
    )


def told(kind: str, check: str, case: Case) -> str:
    """Return a case so that it can be pasted into a file, under the command that judges it."""
    fields = "".join(f" --field {name}={value}" for name, value in case.fields.items())
    faults = "".join(f"# {fault}\n" for fault in case.faults)
    command = f"# chaoskit check FILE --workload {kind} --check {check}{fields}\n"
    return command + faults + ndjson(case.lines)


def read_lines(path: Path) -> Sequence[Event]:
    rows: list[dict[str, Any]] = [json.loads(line) for line in path.read_text().splitlines()]
    return [Event(workload=WORKLOAD, **row) for row in rows]


def fault(injected: float, healed: float | None) -> FaultWindow:
    return FaultWindow("cut", "blackhole", "app -> store", injected, healed)
