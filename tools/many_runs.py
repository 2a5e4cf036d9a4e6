"""Make a runs directory with many runs: copies of one result at different moments, for the bench.

tools/many_runs.py FOLDER NUMBER
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench_common import ROOT

from chaoskit.judge.result import stored_result

FIXTURE = ROOT / "tests/fixtures/v1/20261125T204947Z-v1-finished-155c5c"


def make(runs: Path, number: int) -> None:
    """Write `number` run folders that hold a scenario and a result."""
    result = stored_result(FIXTURE)
    scenario = (FIXTURE / "scenario.yaml").read_text()
    for place in range(number):
        started = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=place)
        name = f"s{place % 10}"
        folder = runs / f"{started:%Y%m%dT%H%M%SZ}-{name}-{place:06x}"
        folder.mkdir(parents=True)
        run = result.run.model_copy(
            update={"id": folder.name, "scenario": name, "started_at": started}
        )
        text = result.model_copy(update={"run": run}).model_dump_json(indent=2)
        (folder / "result.json").write_text(text)
        (folder / "scenario.yaml").write_text(scenario)


if __name__ == "__main__":
    make(Path(sys.argv[1]), int(sys.argv[2]))
