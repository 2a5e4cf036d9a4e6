"""What a wrong scenario file is told: every problem at once, each at its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chaoskit.checks._base import REGISTRY as CHECKS

if TYPE_CHECKING:
    from tests.unit.scenario.conftest import Desk


def test_several_problems_are_rendered_at_once_in_the_order_of_the_file(desk: Desk) -> None:
    text = desk.changed(
        ("timeout: 1s", "tiemout: 1s"),
        ("redis://redis:6379/0 }", "redis://redis:6379/0, every: 5 }"),
        ("fault: restart", "fault: restrat"),
        ("probe: chat, at_least", "probe: chatt, at_least"),
    )
    assert desk.rendered(text) == (
        "scenario.yaml:5:69: unknown key `tiemout` in `chat`; did you mean `timeout`?\n"
        "    5 |   chat: { probe: http, url: http://chat:8082/healthz, "
        "every: 100ms, tiemout: 1s }\n"
        "                                                                            ^^^^^^^\n"
        "scenario.yaml:6:60: a duration needs a unit: write 5s or 5ms\n"
        "    6 |   cache: { probe: redis, url: redis://redis:6379/0, every: 5 }\n"
        "                                                                   ^\n"
        "scenario.yaml:15:24: no fault is called `restrat`; did you mean `restart`?\n"
        "   15 |     - { at: 0s, fault: restrat, service: redis }\n"
        "                               ^^^^^^^\n"
        "scenario.yaml:18:35: no probe is called `chatt`; did you mean `chat`?\n"
        "   18 |   - { check: availability, probe: chatt, at_least: 99% }\n"
        "                                          ^^^^^"
    )


def test_yaml_1_1_words_are_rendered_with_what_to_write(desk: Desk) -> None:
    text = desk.changed(
        ("compose: compose.yaml", "compose: compose.yaml\n  build: yes\n  env: {PORT: 8080}"),
        ("rate: 50/s", "clients: 010\n    rate: 50/s"),
    )
    assert desk.rendered(text) == (
        "scenario.yaml:4:10: `build` expects `true` or `false`, got the text `yes`\n"
        "    4 |   build: yes\n"
        "                 ^^^\n"
        "      = write `true`\n"
        "scenario.yaml:5:15: `PORT` expects text, got the number 8080\n"
        "    5 |   env: {PORT: 8080}\n"
        "                      ^^^^\n"
        '      = write it in quotes: "8080"\n'
        "scenario.yaml:12:14: `clients` expects a whole number, got the text `010`\n"
        "   12 |     clients: 010\n"
        "                     ^^^\n"
        "      = numbers have no leading zero: write 10"
    )


def test_missing_keys_are_rendered_at_their_block(desk: Desk) -> None:
    text = desk.changed(("probe: redis, url: redis://redis:6379/0", "probe: redis"))
    assert desk.rendered(text.replace("name: redis-restart\n", "")) == (
        "scenario.yaml:1:1: the scenario needs the key `name`\n"
        "    1 | stack:\n"
        "        ^^^^^\n"
        "scenario.yaml:5:3: `cache` needs the key `url`\n"
        "    5 |   cache: { probe: redis }\n"
        "          ^^^^^"
    )


@pytest.mark.parametrize("word", ["yes", "on", "True ", "'true'", "1", "no", "off"])
def test_only_true_and_false_are_booleans(desk: Desk, word: str) -> None:
    text = desk.changed(("compose: compose.yaml", f"compose: compose.yaml\n  build: {word}"))
    if word == "True ":
        assert desk.load(text).scenario.stack.build is True
        return
    problem = desk.problem(text)
    assert problem.message.startswith("`build` expects `true` or `false`, got ")
    assert problem.hint == f"write `{'false' if word in ('no', 'off') else 'true'}`"


def test_numbers_are_not_taken_from_text_nor_text_from_numbers(desk: Desk) -> None:
    problems = desk.problems(
        desk.changed(
            ("rate: 50/s", "clients: '4'\n    rate: 50/s"), ("stack:", "description: 7\nstack:")
        )
    )
    assert [p.hint for p in problems] == ['write it in quotes: "7"', "write it without quotes: 4"]


def test_an_empty_block_is_told_what_it_needs(desk: Desk) -> None:
    problems = desk.problems("name: x\nstack: {compose: compose.yaml}\nprobes: {}\nexpect: []\n")
    assert [p.message for p in problems] == [
        "the scenario needs the key `timeline`",
        "`probes` needs at least 1 entry",
        "`expect` needs at least 1 entry",
    ]


def test_a_check_that_cannot_judge_a_kind_of_workload_is_refused(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = CHECKS.get("no_loss")
    assert kind is not None
    monkeypatch.setattr(kind, "workloads", ("queue", "log"))
    problem = desk.problem_after()
    assert problem.message == "`no_loss` cannot judge `members`, a workload of kind `set`"
    assert (desk.underlined(problem), problem.hint) == ("members", "it judges `queue`, `log`")


def test_references_are_checked_although_the_models_are_wrong(desk: Desk) -> None:
    problems = desk.problems(
        desk.changed(("every: 100ms", "every: 5"), ("workload: members", "workload: none"))
    )
    assert [p.line for p in problems] == [5, 19]
