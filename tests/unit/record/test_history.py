"""Reading history files of any origin: a clear answer, or an error with the number of its line."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from chaoskit.errors import UsageError
from chaoskit.record.history import Stored, read_history

GOOD = [
    '{"t": 1, "type": "invoke", "id": 0, "op": "add", "value": 1}',
    '{"t": 2, "type": "ok", "id": 0, "op": "add", "value": 1}',
    '{"t": 3, "type": "invoke", "id": 1, "op": "read"}',
    '{"t": 4, "type": "ok", "id": 1, "op": "read", "value": [1]}',
]
Read = Callable[..., Stored]


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    """Read a file of these lines."""
    monkeypatch.chdir(tmp_path)
    path = Path("h.ndjson")

    def made(lines: Sequence[str], end: str = "\n", tail: str = "") -> Stored:
        path.write_bytes((end.join([*lines, ""]) + tail).encode())
        return read_history(path)

    return made


def error(read: Read, lines: Sequence[str], **more: str) -> str:
    with pytest.raises(UsageError) as raised:
        read(lines, **more)
    return raised.value.message


@pytest.mark.parametrize(
    ("place", "text", "message"),
    [
        (2, '{"t": 1', "3: not JSON: expecting ',' delimiter (column 8)"),
        (2, "{'t': 1}", "3: not JSON: expecting property name enclosed in double quotes"),
        (2, "[" * 100_000, "3: not JSON: nested too deeply"),
        (2, "[]", "3: not a JSON object"),
        (1, '{"t": "1"}', "2: `t` is not a number of seconds"),
        (1, '{"t": NaN}', "2: `t` is not a number of seconds"),
        (1, '{"t": true}', "2: `t` is not a number of seconds"),
        (1, '{"t": 1, "type": "done"}', "2: `type` is none of invoke, ok, fail, info"),
        (1, '{"t": 1, "type": "ok"}', "2: `id` is not a whole number"),
        (1, '{"t": 1, "type": "ok", "id": 1}', "2: `op` is not the name of an operation"),
        (
            1,
            '{"t": 1, "type": "ok", "id": 9, "op": "add", "process": "a"}',
            "2: `process` is not a whole number",
        ),
        (
            1,
            '{"t": 1, "type": "ok", "id": 9, "op": "add", "workload": 1}',
            "2: `workload` is not a name",
        ),
        (
            3,
            '{"t": 3, "type": "ok", "id": 77, "op": "add"}',
            "4: id 77 is completed but was never invoked",
        ),
        (4, '{"t": 5, "type": "invoke", "id": 0, "op": "add"}', "5: id 0 is invoked twice"),
        (
            2,
            (
                '{"t": 3, "type": "invoke", "id": 5, "op": "add"}\n'
                '{"t": 3, "type": "invoke", "id": 5, "op": "add"}'
            ),
            "4: id 5 is invoked twice, first in line 3",
        ),
        (4, '{"t": 9, "type": "ok", "id": 0, "op": "add"}', "5: id 0 is completed twice"),
        (
            4,
            (
                '{"t": 9, "type": "invoke", "id": 5, "op": "add"}\n'
                '{"t": 8.5, "type": "ok", "id": 5, "op": "add"}'
            ),
            "6: id 5 is completed at 8.5 s (line 6), before it was invoked at 9 s (line 5)",
        ),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_a_line_that_cannot_be_right_is_named_by_its_number(
    read: Read, place: int, text: str, message: str
) -> None:
    told = error(read, [*GOOD[:place], text, *GOOD[place:]])
    assert told.startswith(f"h.ndjson:{message}")


def test_a_torn_last_line_is_left_out_and_said(read: Read) -> None:
    stored = read(GOOD, tail='{"t": 5, "ty')
    assert stored.notes == ("the last line, 5, is torn and was left out",)
    assert len(stored.events["history"]) == 4
    whole = read(GOOD[:3], tail=GOOD[3])
    assert (len(whole.events["history"]), whole.notes) == (4, ())


def test_unknown_fields_are_ignored_and_said(read: Read) -> None:
    extra = [json.dumps(json.loads(GOOD[0]) | dict.fromkeys("abcde", 1)), *GOOD[1:]]
    notes = read(extra).notes
    assert sorted(notes[:3]) == sorted(set(notes[:3]))
    assert all(note.endswith("(line 1) was ignored") for note in notes[:3])
    assert notes[3] == "2 more unknown fields were ignored"


def test_lines_out_of_order_in_time_are_said_and_a_completion_may_stand_first(read: Read) -> None:
    stored = read([GOOD[1], GOOD[0], *GOOD[2:]])
    assert stored.notes == (
        "1 line is out of order in time, the first is line 2; they were sorted",
    )
    assert [event.t for event in stored.events["history"]] == [2, 1, 3, 4]


def test_a_connection_may_end_after_it_was_made(read: Read) -> None:
    rows = [
        '{"t": 1, "type": "invoke", "id": 0, "op": "subscribe"}',
        '{"t": 2, "type": "ok", "id": 0, "op": "subscribe"}',
        '{"t": 3, "type": "info", "id": 0, "op": "subscribe"}',
    ]
    assert len(read(rows).events["history"]) == 3


@pytest.mark.parametrize("end", ["\r\n", "\n\n", "\n  \n"])
def test_other_line_ends_empty_lines_and_a_byte_order_mark_are_fine(read: Read, end: str) -> None:
    stored = read(["\ufeff" + GOOD[0], *GOOD[1:]], end=end)
    assert (len(stored.events["history"]), stored.notes) == (4, ())


def test_workloads_are_kept_apart_and_may_use_the_same_ids(read: Read) -> None:
    named = [json.dumps(json.loads(line) | {"workload": "b"}) for line in GOOD]
    assert list(read([*GOOD, *named]).events) == ["history", "b"]


def test_nothing_at_all_is_an_error(read: Read, tmp_path: Path) -> None:
    assert error(read, []) == "`h.ndjson` holds no operation"
    assert error(read, [], tail="{") == "`h.ndjson` holds no operation: its line 1 is torn"
    with pytest.raises(UsageError, match="cannot read"):
        read_history(tmp_path / "missing")


def test_a_completion_without_a_key_has_that_of_its_invocation(read: Read) -> None:
    rows = [
        '{"t": 1, "type": "invoke", "id": 0, "op": "read", "key": "a"}',
        '{"t": 2, "type": "ok", "id": 0, "op": "read", "value": 7}',
    ]
    assert [event.key for event in read(rows).events["history"]] == ["a", "a"]
