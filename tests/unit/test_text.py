"""What people read: counts, lists, percentages and lengths that never say more than is so."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaoskit.fields import Duration
from chaoskit.text import (
    count,
    last_words,
    listed,
    moment,
    one_line,
    percent,
    printable,
    seconds_text,
    shown,
)


def test_one_line_is_one_line_without_terminal_sequences() -> None:
    assert one_line("\x1b[31mred\x1b[0m\n\ttext \x07 again\r\n") == "red text again"
    assert printable("\x1b]0;title\x07kept\r\nlines\tand tabs\x00") == "kept\nlines\tand tabs"


def test_what_is_too_long_is_cut_at_its_limit_and_says_so() -> None:
    assert one_line("x" * 20, 20) == "x" * 20
    assert one_line("x" * 21, 20) == "x" * 17 + "..."
    assert one_line("x" * 21) == "x" * 21


def test_the_last_words_of_a_text_are_its_end() -> None:
    assert last_words("a long story\nand its end", 11) == "and its end"
    assert last_words("short", 11) == "short"


def test_values_are_quoted_so_that_text_and_numbers_differ() -> None:
    assert (shown("7"), shown(7), shown(None), shown([1, "a"])) == ("'7'", "7", "null", '[1, "a"]')
    assert len(shown("x" * 200)) == 80


def test_a_count_has_the_number_of_its_noun() -> None:
    found = [count(0, "sample"), count(1, "sample"), count(2, "sample")]
    assert found == ["0 samples", "1 sample", "2 samples"]
    assert (count(1, "reply", "replies"), count(3, "reply", "replies")) == ("1 reply", "3 replies")


def test_a_list_names_its_options_and_says_when_there_are_more() -> None:
    assert listed(["a", "b"]) == "`a`, `b`"
    assert listed(["a", "b", "c"], most=2) == "`a`, `b`, ..."
    assert listed([]) == ""


@pytest.mark.parametrize(
    ("part", "whole", "bound", "text"),
    [
        (1, 2, None, "50%"),
        (2, 3, None, "66.6%"),
        (9_999, 10_000, None, "99.9%"),  # 100% means all of them
        (10_000, 10_000, None, "100%"),
        (1, 10_000, None, "0.01%"),  # and 0% none
        (0, 7, None, "0%"),
        (998_999, 1_000_000, 0.999, "99.8%"),
        (9_991, 10_000, 0.999, "99.91%"),  # above its bound, and looks it
        (999, 1_000, 0.999, "99.9%"),
    ],
)
def test_a_percentage_never_looks_as_if_it_were_on_the_other_side(
    part: int, whole: int, bound: float | None, text: str
) -> None:
    assert percent(part, whole, bound) == text


@given(st.floats(1e-6, 604800))
def test_seconds_are_shown_short_and_right_to_a_hundredth(seconds: float) -> None:
    text = seconds_text(seconds)
    assert len(text) <= 12
    assert Duration.parse(text) == pytest.approx(seconds, rel=0.01, abs=1e-6)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.0000015, "1.5us"),
        (0.3, "300ms"),
        (0.9999, "1s"),
        (0.0009999, "1ms"),
        (4, "4s"),
        (59.99, "1m"),
        (90, "1m30s"),
        (119.96, "2m"),
        (3600, "1h"),
        (5400, "1h30m"),
        (3661.4, "1h1m1.4s"),
        (-0.25, "-250ms"),
    ],
)
def test_seconds_are_shown_the_way_a_person_writes_them(seconds: float, text: str) -> None:
    assert seconds_text(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "bound", "text"),
    [
        (1.0004, None, "1s"),
        (1.0004, 1.0, "1.0004s"),
        (0.9996, 1.0, "1s"),
        (2.5, 1.0, "2.5s"),
    ],
)
def test_a_length_has_more_digits_where_three_would_cross_its_bound(
    seconds: float, bound: float | None, text: str
) -> None:
    assert seconds_text(seconds, bound) == text


def test_a_moment_is_given_to_ten_milliseconds() -> None:
    assert moment(12.3456) == "12.35 s"
