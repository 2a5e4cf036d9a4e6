"""What a run folder says about its own run: enough to judge and report it in another process."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from chaoskit.errors import StoreFailed
from chaoskit.judge.verdict import RunContext
from chaoskit.record.folder import read_ndjson
from chaoskit.record.writer import EVENTS
from chaoskit.records import Json
from chaoskit.scenario.document import Scenario, scenario_model

PLAN = "plan.json"
_HINT = "the run was killed before it began, or another version of chaoskit wrote it"


def stored_scenario(folder: Path) -> Scenario:
    """Return the scenario as it was run, with variables filled in and passwords masked.

    Raises `StoreFailed` when the folder does not hold it.
    """
    path = folder / PLAN
    try:
        document = json.loads(path.read_text(encoding="utf-8"))["document"]
        return scenario_model().model_validate_json(json.dumps(document), strict=True)
    except OSError as error:
        raise StoreFailed(f"cannot read `{path}`: {error.strerror}", hint=_HINT) from error
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        raise StoreFailed(f"`{path}` does not hold the scenario of a run", hint=_HINT) from error


def run_started(folder: Path) -> Mapping[str, Json]:
    """Return the first event of a run, empty when it was killed before it wrote one."""
    return next(iter(read_ndjson(folder / EVENTS)), {})


def stored_context(folder: Path) -> RunContext:
    """Return what the run said about itself when it started."""
    row = cast("Mapping[str, Any]", run_started(folder))
    return RunContext(
        run_id=folder.name,
        scenario_file=str(row.get("file", "")),
        seed=int(row.get("seed", 0)),
        command=str(row.get("command", "")),
        project=str(row.get("project", "")),
        versions=dict(row.get("versions", {})),
    )
