"""Reading history files of any origin: a clear answer, or an error with the number of its line."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from chaoskit.errors import UsageError
from chaoskit.record import history
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
        (1, '{"t": NaN}', "2: `NaN` cannot be held as a number"),
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
            1,
            '{"t": 1, "type": "invoke", "id": 9, "op": "add", "due": "0.5"}',
            "2: `due` is not a number of seconds",
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
        (
            1,
            '{"t": 1.5, "type": "ok", "id": 0, "op": "read", "value": 9}',
            "2: id 0 is invoked with the op `add` (line 1) and completed with `read` (line 2)",
        ),
        (
            1,
            '{"t": 1.5, "type": "ok", "id": 0, "op": "add", "process": 3}',
            "2: id 0 is invoked with the process `0` (line 1) and completed with `3` (line 2)",
        ),
        (
            1,
            '{"t": 1.5, "type": "ok", "id": 0, "op": "add", "key": "b"}',
            "2: id 0 is invoked with the key `None` (line 1) and completed with `b` (line 2)",
        ),
        (
            0,
            '{"t": 3, "type": "ok", "id": 1, "op": "add", "value": 9}',
            "4: id 1 is invoked with the op `read` (line 4) and completed with `add` (line 1)",
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


def test_an_invocation_may_say_when_it_was_due(read: Read) -> None:
    late = json.dumps(json.loads(GOOD[0]) | {"due": -1})
    stored = read([late, *GOOD[1:]])
    assert [event.due for event in stored.events["history"]] == [-1, None, None, None]
    assert stored.notes == ()


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


def test_what_a_completion_leaves_out_is_as_in_its_invocation(read: Read) -> None:
    begin = (
        '{"t": 1, "type": "invoke", "id": 0, "op": "send", "key": "a", "process": 4, "value": 7}'
    )
    end = '{"t": 2, "type": "ok", "id": 0, "op": "send"}'
    for lines in ([begin, end], [end, begin]):
        ended = next(event for event in read(lines).events["history"] if event.type == "ok")
        assert (ended.key, ended.process, ended.value) == ("a", 4, 7)
    nothing = '{"t": 2, "type": "ok", "id": 0, "op": "send", "value": null, "process": 4}'
    assert read([begin, nothing]).events["history"][1].value is None, "it says so itself"


def test_an_operation_that_took_no_time_began_before_it_ended(read: Read) -> None:
    stored = read([*GOOD[:2], GOOD[3].replace("4", "3"), GOOD[2]])
    assert [event.type for event in stored.events["history"]] == ["invoke", "ok", "invoke", "ok"]
    assert stored.notes == ()


class TestOneWriter:
    """Where each key has one writer, a write waits for the end of the one before."""

    def row(self, t: float, kind: str, number: int, key: str = "k") -> str:
        return json.dumps({"t": t, "type": kind, "id": number, "op": "write", "key": key})

    def refused(self, tmp_path: Path, lines: Sequence[str]) -> str:
        path = tmp_path / "h.ndjson"
        path.write_text("\n".join(lines) + "\n")
        read_history(path)  # several writers may be right
        with pytest.raises(UsageError) as raised:
            read_history(path, one_writer=True)
        return raised.value.message.partition("ndjson:")[2]

    def test_two_writes_at_once_are_an_error(self, tmp_path: Path) -> None:
        rows = [self.row(1, "invoke", 0), self.row(2, "invoke", 1, "other")]
        rows += [self.row(3, "invoke", 2), self.row(4, "ok", 0)]
        assert self.refused(tmp_path, rows) == (
            "3: key `k` is written while its write of line 1 may still happen"
        )

    def test_a_write_after_one_in_doubt_is_an_error(self, tmp_path: Path) -> None:
        rows = [self.row(1, "invoke", 0), self.row(2, "info", 0), self.row(3, "invoke", 1)]
        assert self.refused(tmp_path, rows).startswith("3: key `k` is written while")

    def test_one_after_the_other_is_fine(self, tmp_path: Path) -> None:
        path = tmp_path / "h.ndjson"
        rows = [self.row(1, "invoke", 0), self.row(2, "fail", 0)]
        rows += [self.row(3, "invoke", 1), self.row(4, "ok", 1), self.row(5, "invoke", 2)]
        path.write_text("\n".join(rows) + "\n")
        assert len(read_history(path, one_writer=True).events["history"]) == 5


_FIELDS = {
    "t": ["1", "1.5", "1e400", "1e305", "NaN", "true", "null", '"1"', "1" + "0" * 301],
    "type": ['"invoke"', '"begin"', "1", "null"],
    "process": ["3", "3.0", "true", "null", "-1"],
    "workload": ['"members"', '""', "7", "null"],
    "op": ['"add"', '""', "null", '"\\u0061dd"', '"\\ud800"', '"caf\u00e9"'],
    "key": ["null", "7", '"k"', "7.0", "7.5", "true", "[1]", '{"b": 1, "a": 2}'],
    "value": ["1", "123456789012345678901234567890", "0.1", '"x"', "[1, 2.0]", '{"a": 1, "a": 2}'],
    "value ": ["NaN", "1e400", "[1e400]", "1" + "0" * 5000, "-" + "1" * 4300, "1" * 4301],
    "id": ["0", "0.0", "false", "null", "99999999999999999999"],
    "error": ["null", '"refused"', "5", "{}"],
    "due": ["null", "0.5", "1", "1e301", "-1e400", '"0"', "true"],
    "more": ["1"],
}


def odd_lines() -> list[str]:
    """Return a line for each of these values, and one without each field."""
    good = {name: values[0] for name, values in _FIELDS.items() if name not in ("more", "value ")}
    rows = [good | {name.strip(): value} for name, values in _FIELDS.items() for value in values]
    rows += [{n: value for n, value in good.items() if n != name} for name in good]
    lines = ["{" + ", ".join(f'"{n}": {v}' for n, v in row.items()) + "}" for row in rows]
    return [*lines, "", "[]", "null", "{", "[" * 100_000, lines[0] + " ", lines[0] + "x"]


@pytest.mark.parametrize("line", odd_lines())
def test_the_quick_way_to_read_a_line_sees_what_the_careful_one_does(
    line: str, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    def seen() -> object:
        try:
            return repr(read([line]))
        except UsageError as error:
            return error.message

    quickly = seen()
    monkeypatch.setattr(history, "_as_written", lambda line: None)
    assert quickly == seen()


def test_a_line_as_a_run_writes_it_is_read_the_quick_way(read: Read) -> None:
    assert (
        history._as_written(odd_lines()[0].encode()) == read(odd_lines()[:1]).events["members"][0]
    )
