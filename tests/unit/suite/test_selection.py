"""Which scenarios are run: tags, names, and equal shares that every machine works out alike."""

from __future__ import annotations

import pytest

from chaoskit.errors import NothingSelected, UsageError
from chaoskit.suite.selection import Selection, Shard
from tests.unit.suite.conftest import Make


def test_a_tag_a_name_and_an_exclusion_must_all_agree(make: Make) -> None:
    suite = [
        make("redis-kill", ["redis", "ci"]),
        make("redis-slow", ["redis", "slow"]),
        make("postgres-kill", ["ci"]),
    ]

    def names(**wanted: tuple[str, ...]) -> list[str]:
        return [one.scenario.name for one in Selection(**wanted).of(suite)]  # type: ignore[arg-type]  # only the tuples

    assert names() == ["redis-kill", "redis-slow", "postgres-kill"]
    assert names(tags=("redis",)) == ["redis-kill", "redis-slow"]
    assert names(tags=("slow", "ci")) == ["redis-kill", "redis-slow", "postgres-kill"]
    assert names(names=("*-kill",)) == ["redis-kill", "postgres-kill"]
    assert names(exclude=("slow",)) == ["redis-kill", "postgres-kill"]
    assert names(exclude=("postgres-*",)) == ["redis-kill", "redis-slow"]
    assert names(tags=("redis",), names=("*-kill",)) == ["redis-kill"]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (Selection(tags=("rediss",)), "no scenario has the tag `rediss`; did you mean `redis`?"),
        (Selection(names=("redis-*",)), "no scenario is called `redis-*`"),
        (Selection(exclude=("sloow",)), "no scenario has the tag or name `sloow`"),
    ],
)
def test_a_word_that_fits_nothing_is_a_slip_and_not_an_empty_suite(
    make: Make, wanted: Selection, message: str
) -> None:
    with pytest.raises(UsageError, match=message.replace("*", r"\*").replace("?", r"\?")):
        wanted.of([make("kill", ["redis", "slow"])])


def test_a_selection_that_leaves_nothing_is_never_green(make: Make) -> None:
    suite = [make("kill", ["redis"]), make("slow", ["slow"])]
    with pytest.raises(NothingSelected, match="none of 2 scenarios is left by `--tag redis`"):
        Selection(tags=("redis",), exclude=("kill",)).of(suite)
    with pytest.raises(NothingSelected, match="part 3/3 has nothing to do"):
        Selection(shard=Shard(3, 3)).of(suite)


def test_shards_are_the_whole_suite_and_take_about_equally_long(make: Make) -> None:
    lengths = [90, 3, 3, 3, 30, 30, 30, 3, 3]
    suite = [make(f"s{number}", lasts=length) for number, length in enumerate(lengths)]
    parts = [Shard(number, 3).part(suite) for number in (1, 2, 3)]
    assert sorted(one.scenario.name for part in parts for one in part) == [
        f"s{number}" for number in range(9)
    ]
    took = [sum(14 + lengths[suite.index(one)] for one in part) for part in parts]
    assert max(took) - min(took) <= 14


def test_a_shard_does_not_depend_on_who_asks(make: Make) -> None:
    suite = [make(f"s{number}") for number in range(7)]
    assert Shard(2, 3).part(suite) == Shard(2, 3).part(list(suite))
    assert [one.scenario.name for one in Shard(2, 3).part(suite)] == ["s1", "s4"]


@pytest.mark.parametrize("text", ["", "1", "0/3", "4/3", "1/0", "1/3/5", "-1/3", "a/b", "1 / 3"])
def test_a_share_that_is_none_is_refused_with_the_way_to_write_it(text: str) -> None:
    with pytest.raises(UsageError, match="is not a part of a suite") as raised:
        Shard.parse(text)
    assert raised.value.hint == "write the second of three parts as `--shard 2/3`"
