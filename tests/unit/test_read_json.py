"""JSON whose numbers are numbers, and what is said of other JSON, wherever it is read."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from chaoskit.cli.main import app
from chaoskit.errors import ChaoskitError
from chaoskit.judge.result import results_of
from chaoskit.numeric import MOST_DIGITS, NoNumber, read_json
from chaoskit.record.folder import numbered_rows
from chaoskit.record.history import read_history
from chaoskit.series.baselines import baselines
from chaoskit.workloads._answers import amount, values

HUGE = "7" * (MOST_DIGITS + 1)


def test_json_is_read_as_python_reads_it() -> None:
    text = ' {"a": [1, -2.5e3, null, "NaN", "1e400"], "b": {"c": true}} '
    assert read_json(text) == read_json(text.encode("utf-16")) == json.loads(text)
    assert sys.get_int_max_str_digits() == MOST_DIGITS
    assert read_json(HUGE[1:]) == int(HUGE[1:])


@pytest.mark.parametrize("number", [HUGE, f"-{HUGE}", "1e400", "-1e999", "NaN", "-Infinity"])
def test_a_number_that_cannot_be_held_is_refused_with_its_place(number: str) -> None:
    with pytest.raises(NoNumber) as refused:
        read_json(f'{{"a": 1,\n "b": [2, {number}]}}')
    assert (refused.value.lineno, refused.value.colno) in ((2, 11), (2, 12))  # behind the sign
    assert "sys." not in str(refused.value)


def test_nesting_without_end_is_no_json() -> None:
    with pytest.raises(json.JSONDecodeError, match="nested too deeply"):
        read_json("[" * 100_000)


def _history(folder: Path, number: str) -> object:
    line = '{"t": 1.0, "type": "invoke", "op": "add", "value": 1, "id": 1}\n'
    (folder / "h").write_text(line + line.replace("1}", f"{number}}}"))
    return read_history(folder / "h")


def _result(folder: Path, number: str) -> object:
    (folder / "r").write_text(f'{{\n"schema_version": {number}}}\n')
    return results_of(folder / "r")


def _baselines(folder: Path, number: str) -> object:
    (folder / "baselines.json").write_text(f'{{\n"v1": [{number}]}}\n')
    return baselines(folder)


def _rows(folder: Path, number: str) -> object:
    (folder / "events.ndjson").write_text(f'{{}}\n{{"t": {number}}}\n')
    return list(numbered_rows(folder / "events.ndjson"))


@pytest.mark.parametrize("read", [_history, _result, _baselines, _rows])
def test_every_file_with_such_a_number_is_refused_with_its_line(
    tmp_path: Path, read: Callable[[Path, str], object]
) -> None:
    with pytest.raises(ChaoskitError) as refused:
        read(tmp_path, HUGE)
    message = refused.value.message
    assert "whole number" in message
    assert "more than 4300 digits" in message
    assert ":2:" in message or "line 2" in message
    assert "sys." not in message


def test_text_of_thousands_of_digits_is_text() -> None:
    assert values([HUGE, "12"]) == [HUGE, 12]
    with pytest.raises(ValueError, match="not a number"):
        amount(HUGE)


def test_check_says_where_such_a_number_is(tmp_path: Path) -> None:
    file = tmp_path / "h.ndjson"
    file.write_text('{"t": 1.0, "type": "invoke", "op": "add", "value": 1e400, "id": 1}\n')
    done = CliRunner().invoke(app, ["check", str(file), "--workload", "set"])
    assert isinstance(done.exception, ChaoskitError)
    assert done.exception.message == (f"{file}:1: `1e400` cannot be held as a number (column 52)")
