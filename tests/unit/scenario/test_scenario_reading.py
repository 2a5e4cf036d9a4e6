"""Bytes to nodes: size, encoding, syntax, keys, aliases, bounds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from chaoskit.errors import ScenarioInvalid, UsageError
from chaoskit.scenario.discover import find
from chaoskit.scenario.loading import load
from chaoskit.scenario.source import read

if TYPE_CHECKING:
    from tests.unit.scenario.conftest import Desk


def test_a_missing_file_is_a_usage_error_with_a_suggestion(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "redis.yaml").write_text(desk.good)
    with pytest.raises(
        UsageError, match=r"no file or directory `.*/rediss.yaml`; did you mean `.*/redis.yaml`"
    ):
        load(tmp_path / "rediss.yaml", {})


@pytest.mark.parametrize("target", ["loop.yaml", "nowhere.yaml"])
def test_a_link_that_leads_nowhere_is_named_and_not_suggested(
    desk: Desk, tmp_path: Path, target: str
) -> None:
    link = tmp_path / "loop.yaml"
    link.symlink_to(target)
    with pytest.raises(UsageError) as refused:
        find([link])
    words = f"is a link that leads nowhere: to `{target}`"
    assert refused.value.message == f"`{link}` {words}"
    problem = desk.problem(desk.good.replace("compose.yaml", "loop.yaml"))
    assert problem.message.endswith(words)


def test_a_directory_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a directory"):
        load(tmp_path, {})


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n", "\ufeff"])
def test_an_empty_file_is_a_problem_at_its_start(desk: Desk, text: str) -> None:
    problem = desk.problem(text)
    assert (problem.line, problem.column, problem.message) == (1, 1, "the file is empty")


def test_a_file_of_5_mb_is_refused_with_its_size(desk: Desk) -> None:
    problem = desk.problem(b"# " + b"x" * (5 * 1024 * 1024))
    assert (problem.line, problem.column) == (1, 1)
    assert problem.message == "the file has 5.0 MiB; a scenario file has at most 1 MiB"


@pytest.mark.parametrize(
    ("data", "line", "column", "words"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0", 1, 1, "binary"),
        (b"name: x\nstack: \0", 2, 8, "binary"),
        (b"name: x\nstack: \xff\n", 2, 8, "not UTF-8"),
        ("name: é".encode("latin-1"), 1, 7, "not UTF-8"),
        ("name: x".encode("utf-16"), 1, 1, "UTF-16"),
        (b"name: x\nstack: \x1b[31m", 2, 8, "control character U+001B"),
    ],
)
def test_what_is_not_text_is_shown_where_it_is(
    desk: Desk, data: bytes, line: int, column: int, words: str
) -> None:
    problem = desk.problem(data)
    assert (problem.line, problem.column) == (line, column)
    assert words in problem.message
    assert "\x1b" not in problem.render()


@pytest.mark.parametrize("text", ["- a\n- b\n", "just words", "5"])
def test_a_file_that_is_no_mapping_says_what_it_should_be(desk: Desk, text: str) -> None:
    assert "a scenario file is a mapping" in desk.problem(text).message


SYNTAX = [
    ("name: a: b", 1, 8, "a `key: value` is not possible here"),
    ("stack:\n\tcompose: x", 2, 1, "a tab cannot indent YAML"),
    ("stack:\n    a: 1\n  b: 2", 3, 3, "does not fit the lines above"),
    ("stack: {a: 1\nname: x\n", 2, 5, "expected `,` or `}` (opened in line 1)"),
    ("tags: [a, b\n", 1, 12, "expected `,` or `]`"),
    ('name: "abc\nstack: x\n', 1, 7, "this quote is never closed"),
    ("name: @x", 1, 7, "a value cannot start with '@'"),
    ("name: x\n---\nname: y\n", 2, 1, "one document, not several"),
    ("name: &a\n  b: *c\n", 2, 6, "no anchor `&c`"),
    ("name: &a [*a]\n", 1, 11, "`*a` stands inside the value that it names"),
    ("name: !!str 5\n", 1, 7, "the tag `tag:yaml.org,2002:str` has no meaning"),
    ("name: x\n<<: {a: b}\n", 2, 1, "merge keys (`<<`) are not possible"),
    ("name: x\n1: {a: b}\n", 2, 1, "a key must be text"),
    ("name: x\n? [a]\n: b\n", 2, 3, "a key must be text, not a list"),
]


@pytest.fixture(params=["libyaml", "pure"])
def _parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "pure":
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)


@pytest.mark.usefixtures("_parser")
@pytest.mark.parametrize(("text", "line", "column", "words"), SYNTAX)
def test_wrong_syntax_is_told_in_plain_words_at_its_place(
    desk: Desk, text: str, line: int, column: int, words: str
) -> None:
    found = [(p.line, p.column) for p in desk.problems(text) if words in p.message]
    assert found == [(line, column)]


def test_a_syntax_error_is_rendered_with_line_caret_and_advice(desk: Desk) -> None:
    assert desk.rendered(desk.changed(("  chat: {", "\tchat: {"))) == (
        "scenario.yaml:5:1: a tab cannot indent YAML\n"
        "    5 |  chat: { probe: http, url: http://chat:8082/healthz, every: 100ms, timeout: 1s }\n"
        "        ^\n"
        "      = use spaces"
    )


def test_a_duplicate_key_names_the_line_of_the_first(desk: Desk) -> None:
    problem = desk.problem_after(("expect:", "stack: {}\nexpect:"))
    assert problem.message == "duplicate key `stack`: the first is in line 2"
    assert (problem.line, problem.column, desk.underlined(problem)) == (17, 1, "stack")


def test_yaml_problems_and_wrong_values_are_told_together(desk: Desk) -> None:
    problems = desk.problems(desk.changed(("every: 100ms", "every: 5, every: 6"), ("99%", "99")))
    assert [(p.line, p.message.split(":")[0]) for p in problems] == [
        (5, "a duration needs a unit"),
        (5, "duplicate key `every`"),
        (18, "expected a percentage such as 99%, got the bare number 99"),
    ]


def test_an_alias_bomb_is_stopped(desk: Desk) -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    problem = desk.problem("\n".join(levels))
    assert "more than 100000 values" in problem.message
    assert problem.line == 5


def test_a_bomb_of_long_texts_is_stopped(desk: Desk) -> None:
    text = "a: &a " + "x" * 100_000 + "\nb: [" + ", ".join(["*a"] * 1000) + "]\n"
    assert "8 MiB" in desk.problem(text).message


@pytest.mark.parametrize("text", ["a: " + "[" * 100_000, "a: " + "{a: " * 100_000])
def test_deep_nesting_is_a_problem_and_no_recursion_error(desk: Desk, text: str) -> None:
    assert desk.problem(text).message == "blocks are nested more than 50 deep"


def test_deep_nesting_through_aliases_is_found(desk: Desk) -> None:
    text = "a: &a " + "[" * 40 + "]" * 40 + "\nb: " + "[" * 40 + "*a" + "]" * 40
    assert desk.problem(text).message == "blocks are nested more than 50 deep"


def test_an_alias_repeats_a_value_and_its_problem_is_told_once(desk: Desk) -> None:
    text = desk.changed(
        ("every: 100ms", "every: &pace 5"),
        ("redis://redis:6379/0 }", "redis://redis:6379/0, every: *pace }"),
    )
    assert desk.problem(text).line == 5


def test_only_yaml_1_2_core_words_and_plain_decimals_are_not_text(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    words = "[yes, on, off, 0123, 12:30, 0x1F, 1_000, .inf, 2024-01-01, true, ~, 12, -3, 1.5, 1e3]"
    file.write_text(f"a: {words}")
    assert read(file, {}).data["a"] == [
        *["yes", "on", "off", "0123", "12:30", "0x1F", "1_000", ".inf", "2024-01-01"],
        *[True, None, 12, -3, 1.5, 1000.0],
    ]


def test_columns_count_characters_behind_umlauts_and_a_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes("\ufeff{ä€𝄞: 1, b: @}".encode())
    with pytest.raises(ScenarioInvalid) as caught:
        read(file, {})
    assert caught.value.problems[0].column == 13


def test_a_problem_far_to_the_right_does_not_print_the_whole_line(desk: Desk) -> None:
    problem = desk.problem("a: " + "[" * 20 + "x" * 100_000 + "\n")
    assert len(problem.render()) < 1000
