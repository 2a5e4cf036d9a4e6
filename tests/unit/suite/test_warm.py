"""Which scenarios share stacks, and what proves that a stack is as it was."""

from __future__ import annotations

import pytest

from chaoskit.fields import Target
from chaoskit.stack.snapshot import Snapshot
from chaoskit.suite.warm import Fresh, Waiting, fresh, group_of, in_order, targets_of
from tests.unit.suite.conftest import Make


@pytest.mark.parametrize(
    ("said", "warm", "wanted"),
    [
        ("", False, "always"),
        ("", True, "data"),
        (", fresh: never", False, "never"),
        (", fresh: data", False, "data"),
        (", fresh: always", True, "always"),
    ],
)
def test_only_what_a_scenario_or_the_user_allows_is_shared(
    make: Make, said: str, warm: bool, wanted: Fresh
) -> None:
    loaded = make("kill", stack=said)
    assert fresh(loaded, warm=warm) == wanted
    assert (group_of(loaded, warm=warm) is None) == (wanted == "always")


def test_scenarios_that_may_share_are_run_one_after_another(make: Make) -> None:
    shared, other = ", fresh: never", ", fresh: never, env: {A: b}"
    suite = [
        make("a", stack=shared),
        make("alone"),
        make("b", stack=other),
        make("c", stack=shared),
        make("d", stack=other),
    ]
    assert [one.scenario.name for one in in_order(suite, warm=False)] == [
        "a",
        "c",
        "alone",
        "b",
        "d",
    ]
    names = [one.scenario.name for one in suite]
    cold = [make(name) for name in names]
    assert [one.scenario.name for one in in_order(cold, warm=False)] == names


def test_the_stack_of_a_group_lets_all_of_it_be_reached(make: Make) -> None:
    suite = [make("a", stack=", fresh: never"), make("b", stack=", fresh: data"), make("c")]
    group = group_of(suite[0], warm=False)
    assert group == group_of(suite[1], warm=False)
    assert targets_of(suite, group, warm=False) == [Target("web", 80, "http")]
    assert targets_of(suite, None, warm=False) == []


def test_each_process_keeps_to_the_scenarios_that_fit_its_stack(make: Make) -> None:
    shared, other = ", fresh: never", ", fresh: never, env: {A: b}"
    stacks = [shared, shared, shared, other, other, ""]
    waiting = Waiting([make(f"s{n}", stack=one) for n, one in enumerate(stacks)], warm=False)
    first, second = waiting.take(None), waiting.take(None)
    assert (first, second) == (0, 3)  # not both of one group, before the first has a stack
    waiting.ended(second)
    assert waiting.take(second) == 4
    waiting.ended(first)
    assert waiting.take(first) == 1
    waiting.ended(4)
    assert waiting.take(4) == 5  # one with a stack of its own, rather than a second of the group
    waiting.ended(5)
    assert waiting.take(5) == 2
    assert not waiting
    waiting.back(2)
    assert waiting.left == [2]


def test_a_snapshot_names_what_is_not_as_it_was() -> None:
    before = Snapshot({"start of redis[1]": "1", "state of redis[1]": "running", "gone": "x"})
    after = Snapshot({"start of redis[1]": "2", "state of redis[1]": "running", "new": "y"})
    assert before.differences(before) == []
    assert before.differences(after) == ["start of redis[1]", "gone", "new"]
