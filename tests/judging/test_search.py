"""Independent algorithms agree: zone test, single-writer rules, search, and every order tried.

The histories are random, small and seeded; about half of them are wrong.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from random import Random

import pytest

from chaoskit.checks._search import STEPS_PER_SECOND, Call, Search, decide
from chaoskit.checks._zones import broken, zones
from chaoskit.checks.histories.register import searches
from chaoskit.checks.histories.versions import NOTHING, Versions
from chaoskit.checks.linearizable import Linearizable
from chaoskit.records import Event, Evidence, Json, Verdict
from tests.judging.histories import hot_key, random_register

INFINITY = float("inf")


def searched(history: Sequence[Event]) -> bool:
    """Judge by Wing-Gong-Lowe alone."""
    found = searches(history, {"k": ""}, None, {})
    bad, undecided = decide([one.search for one in found], 10**7)
    assert not undecided
    return not bad


def zoned(history: Sequence[Event]) -> bool:
    found = zones(history, None)
    assert not found.unfit
    return not broken(found)


def tried(history: Sequence[Event]) -> bool:
    """Judge by trying every order of every subset: slow, plain, and after the definition."""
    ops: dict[int, list[object]] = {}
    for place, event in enumerate(history):
        if event.type == "invoke":
            ops[event.id] = [place, INFINITY, event.op, event.value]
        elif event.type == "fail":
            del ops[event.id]
        elif event.type == "ok":
            ops[event.id][1] = place
            if event.op == "read":
                ops[event.id][3] = event.value
    sure = [op for op in ops.values() if op[1] != INFINITY]
    doubtful = [op for op in ops.values() if op[1] == INFINITY and op[2] != "read"]
    for size in range(len(doubtful) + 1):
        for happened in itertools.combinations(doubtful, size):
            if _ordered([*sure, *happened], [], None):
                return True
    return False


def _ordered(left: list[list[object]], done: list[list[object]], state: Json) -> bool:
    if not left:
        return True
    for op in left:
        start, _, kind, value = op
        if any(other[1] < start for other in left if other is not op):  # type: ignore[operator]
            continue
        if kind == "read" and value != state:
            continue
        after = state if kind == "read" else value
        if kind == "cas":
            assert isinstance(value, list)
            if value[0] != state:
                continue
            after = value[1]
        rest = [other for other in left if other is not op]
        if _ordered(rest, [*done, op], after):  # type: ignore[arg-type]
            return True
    return False


@pytest.mark.parametrize("seed", range(4))
def test_the_zone_test_and_the_search_agree_on_unique_values(seed: int) -> None:
    rng = Random(seed)
    verdicts: Counter[bool] = Counter()
    for _ in range(5_000):
        history = random_register(
            rng,
            operations=rng.randint(3, 14),
            processes=rng.randint(1, 5),
            unique=True,
            cas=False,
            doubt=0.3,
        )
        right = zoned(history)
        assert searched(history) is right, history
        verdicts[right] += 1
    assert min(verdicts[True], verdicts[False]) > 1_000, "both answers must be common"


@pytest.mark.parametrize("seed", range(4))
def test_the_search_and_every_order_tried_agree_also_with_cas_and_repeated_values(
    seed: int,
) -> None:
    rng = Random(seed + 100)
    verdicts: Counter[bool] = Counter()
    for number in range(5_000):
        history = random_register(
            rng,
            operations=rng.randint(3, 7),
            processes=rng.randint(1, 4),
            unique=number % 3 == 0,
            cas=number % 3 == 1,
            doubt=0.3,
        )
        right = tried(history)
        assert searched(history) is right, history
        if number % 3 == 0:
            assert zoned(history) is right, history
        verdicts[right] += 1
    assert min(verdicts[True], verdicts[False]) > 1_000, "both answers must be common"


@pytest.mark.parametrize("seed", range(2))
def test_single_writer_rules_and_the_search_agree(seed: int) -> None:
    """A key with one writer is linearizable when no read is stale, backwards or from nowhere.

    Backwards means here: older than what any read returned that had ended before.
    """
    rng = Random(seed + 200)
    verdicts: Counter[bool] = Counter()
    for _ in range(10_000):
        history = _one_writer(rng)
        right = _by_rules(history)
        assert searched(history) is right, history
        verdicts[right] += 1
    assert min(verdicts[True], verdicts[False]) > 2_000, "both answers must be common"


def _one_writer(rng: Random) -> list[Event]:
    """Return one writer's rising versions until one is in doubt, and the reads of three others."""
    found: list[Event] = []
    running: dict[int, tuple[int, Json]] = {}
    version = shown = number = 0
    retired = False
    for _ in range(rng.randint(6, 24)):
        t, process = float(len(found)), rng.randrange(4)
        if process in running:
            this, value = running.pop(process)
            if process:
                seen = shown if rng.random() < 0.75 else rng.randint(0, version)
                back = seen or None
                found.append(Event(t, "ok", process, "w", "read", "k", back, this))
                continue
            how = rng.choice(["ok", "ok", "ok", "info", "fail"])
            assert isinstance(value, int)
            if how == "ok" or (how == "info" and rng.random() < 0.5):
                shown = value
            retired = how == "info"
            found.append(Event(t, how, 0, "w", "write", "k", value, this))  # type: ignore[arg-type]
        elif process or not retired:
            value = None
            if not process:
                version += 1
                value = version
            found.append(
                Event(t, "invoke", process, "w", "read" if process else "write", "k", value, number)
            )
            running[process] = (number, value)
            if not process and rng.random() < 0.3:
                shown = version
            number += 1
    return found


def _by_rules(history: Sequence[Event]) -> bool:
    versions = Versions(history)
    reads = list(versions.reads())
    tried = versions.keys["k"].tried if versions.keys else {}
    places = {id(event): place for place, event in enumerate(history)}
    for read in reads:
        if read.version < read.acknowledged:
            return False
        if read.version != NOTHING:
            write = tried.get(read.version)
            if write is None or places[id(write)] > places[id(read.end)]:
                return False
        for other in reads:
            earlier = places[id(other.end)] < places[id(read.begin)]
            if earlier and other.version > read.version:
                return False
    return True


def test_a_hot_key_with_doubtful_writes_ends_unknown_within_its_budget_and_says_why() -> None:
    check = Linearizable.model_validate({"check": "linearizable", "workload": "w", "budget": "1s"})
    history = hot_key(3_000)
    history[-1] = Event(history[-1].t, "ok", 0, "w", "read", "hot", 17, history[-1].id)
    found = check.judge(Evidence((), (), history={"w": history}))
    assert found.verdict is Verdict.UNKNOWN
    assert found.reason is not None
    assert found.reason.startswith("could not decide in 400000 steps (`budget: 1s`): ")
    assert "on key hot" in found.reason
    assert "without a clear answer" in found.reason
    assert "give a larger `budget`" in found.reason
    assert found.measured == "undecided on 1 of 1 key"


def test_a_hard_key_does_not_keep_an_easy_one_from_being_found() -> None:
    bad = [Call(0, 1, None, 1, 0), Call(2, 3, 2, None, 2)]
    hard = searches(hot_key(2_000), {"hot": ""}, None, {})[0].search
    wrong, undecided = decide([hard, Search(bad, 0, 3)], STEPS_PER_SECOND)
    assert wrong == [1]
    assert undecided == [0]
