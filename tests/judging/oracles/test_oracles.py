"""Every check over histories agrees with an independent oracle, on random small histories.

`CHAOSKIT_ORACLE_ROUNDS=50` tries fifty times as many. A failure shows the smallest history on
which the two disagree, to be pasted into a file for `chaoskit check`.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from functools import cache

import pytest

from tests.judging.oracles import adapter
from tests.judging.oracles.case import Answer, Case
from tests.judging.oracles.recorded import FOLDER, RECORDED, Recorded
from tests.judging.oracles.shrink import smallest
from tests.judging.oracles.suite import ORACLES, Oracle

HISTORIES = 2_000 * int(os.environ.get("CHAOSKIT_ORACLE_ROUNDS", "1"))
COMMON = 0.01  # of the histories: as many at least must pass, and fail, or little is tested

SUITE = {oracle.name: oracle for oracle in ORACLES}


@dataclass
class Compared:
    """What came of comparing a check with its oracle on many histories."""

    verdicts: Counter[str] = field(default_factory=Counter)
    contradicted: Case | None = None  # the first on which they disagree
    hollow: Case | None = None  # the first that passes and proves nothing


@cache
def compared(oracle: Oracle) -> Compared:
    return compare(oracle, HISTORIES)


def compare(oracle: Oracle, histories: int) -> Compared:
    found = Compared()
    for number in range(histories):
        case = oracle.case(number)
        verdict, right = adapter.verdict(oracle.check, case), oracle.answer(case)
        found.verdicts[verdict] += verdict in right
        if verdict not in right:
            found.contradicted = found.contradicted or case
        elif verdict == "pass" and found.hollow is None and oracle.vacuous(case):
            found.hollow = case
    return found


def contradicts(oracle: Oracle, case: Case) -> bool:
    return adapter.verdict(oracle.check, case) not in oracle.answer(case)


def is_hollow(oracle: Oracle, case: Case) -> bool:
    return adapter.verdict(oracle.check, case) == "pass" and bool(oracle.vacuous(case))


@pytest.mark.parametrize("oracle", ORACLES, ids=lambda oracle: oracle.name)
def test_a_check_never_contradicts_its_oracle(oracle: Oracle) -> None:
    case = compared(oracle).contradicted
    if case is not None:
        verdict, right = adapter.verdict(oracle.check, case), oracle.answer(case)

        def alike(one: Case) -> bool:
            return (adapter.verdict(oracle.check, one), oracle.answer(one)) == (verdict, right)

        small = smallest(case, alike)
        pytest.fail(f"{verdict}, right is {' or '.join(sorted(right))}:\n{told(oracle, small)}")


@pytest.mark.parametrize("oracle", ORACLES, ids=lambda oracle: oracle.name)
def test_a_check_never_passes_on_what_proves_nothing(oracle: Oracle) -> None:
    case = compared(oracle).hollow
    if case is not None:
        small = smallest(case, lambda one: is_hollow(oracle, one))
        pytest.fail(f"pass, although {oracle.vacuous(small)}:\n{told(oracle, small)}")


@pytest.mark.parametrize("oracle", ORACLES, ids=lambda oracle: oracle.name)
def test_good_and_bad_histories_are_both_common(oracle: Oracle) -> None:
    verdicts = compared(oracle).verdicts
    assert min(verdicts["pass"], verdicts["fail"]) >= COMMON * HISTORIES, verdicts


@pytest.mark.parametrize("always", ["pass", "fail", "unknown"])
@pytest.mark.parametrize("oracle", ORACLES, ids=lambda oracle: oracle.name)
def test_a_check_that_always_says_the_same_is_caught(
    oracle: Oracle, always: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "verdict", lambda _check, _case: always)
    found = compare(oracle, 300)
    assert found.contradicted is not None
    assert (always == "pass") == (found.hollow is not None)


def test_every_check_over_histories_has_an_oracle() -> None:
    assert {oracle.check for oracle in ORACLES} == adapter.checks_over_histories()


def right_answer(recorded: Recorded) -> Answer:
    oracle, case = SUITE[f"{recorded.kind}-{recorded.check}"], recorded.case()
    right = oracle.answer(case)
    return right - {"pass"} if oracle.vacuous(case) else right


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda recorded: recorded.name)
def test_the_oracle_knows_the_right_answer_of_what_was_written_down(recorded: Recorded) -> None:
    assert right_answer(recorded) == recorded.right, recorded.why


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda one: one.name)
def test_a_check_is_right_about_what_was_written_down(recorded: Recorded) -> None:
    assert adapter.verdict(recorded.check, recorded.case()) in recorded.right, recorded.why


def test_every_file_of_disagreements_is_in_the_list() -> None:
    assert {path.stem for path in FOLDER.glob("*.ndjson")} == {one.name for one in RECORDED}


def told(oracle: Oracle, case: Case) -> str:
    return adapter.told(oracle.kind, oracle.check, case)
