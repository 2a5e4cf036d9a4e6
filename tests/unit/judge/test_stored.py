"""What a run folder says about its run, to a process that has nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaoskit.errors import StoreFailed
from chaoskit.judge.stored import PLAN, run_started, stored_context, stored_scenario


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "cannot read"),
        ("", "does not hold"),
        ("{", "does not hold"),
        ("[]", "does not hold"),
        ('{"document": {}}', "does not hold"),
        ('{"document": {"name": "x", "of": "another version"}}', "does not hold"),
    ],
)
def test_a_folder_without_its_scenario_says_so(
    tmp_path: Path, text: str | None, words: str
) -> None:
    if text is not None:
        (tmp_path / PLAN).write_text(text)
    with pytest.raises(StoreFailed, match=words):
        stored_scenario(tmp_path)


def test_a_run_that_was_killed_before_its_first_event_has_empty_circumstances(
    tmp_path: Path,
) -> None:
    assert run_started(tmp_path) == {}
    (tmp_path / "events.ndjson").write_text('{"t": 0.1, "event": "run_st')
    found = stored_context(tmp_path)
    assert (found.run_id, found.seed, found.command) == (tmp_path.name, 0, "")
