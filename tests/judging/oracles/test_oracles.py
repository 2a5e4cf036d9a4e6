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

# What the checks still get wrong: by contradicting the oracle, or by passing on nothing.
TIES = "equal times: the order of lines is not always the order"
WINDOW = "an empty window passes, and shares are of the whole history"
CONTRADICTED = {
    "set-no_loss": TIES,
    "set-no_duplicates": f"values of others count; {WINDOW}",
    "counter-counter_bounds": TIES,
    "versions-no_phantoms": f"what was in a key before its own first write is a phantom; {TIES}",
    "register-linearizable": f"a refused write hides what was read before the first; {TIES}",
    "bank-conserved": TIES,
    "stock-never_oversold": f"reads below nothing of an unknown stock are left out; {TIES}",
    "queue-no_loss": "a receive without an answer is not held to have taken its message",
    "queue-at_most_n_duplicates": "messages of others count",
    "queue-order": f"{WINDOW}; {TIES}",
    "queue-no_phantoms": TIES,
    "lock-mutual_exclusion": "a refused release ends a hold",
    "events-no_gaps": TIES,
    "events-at_most_n_duplicates": "messages of others count",
    "events-resync": TIES,
}
HOLLOW = {
    "versions-fresh_within": "reads of keys that nobody wrote are enough",
    "queue-order": "one message is enough",
    "events-order": "one message is enough",
    "events-at_most_n_duplicates": "reads before the first write are enough",
}
FIXED = {
    "conserved_tie_with_the_last_transfer",
    "converges_a_view_of_a_key_never_read",
    "converges_only_a_stale_read",
    "fencing_few_tokens",
    "fencing_no_release_succeeded",
    "fresh_within_reads_of_a_key_nobody_wrote",
    "lock_no_release_succeeded",
    "lock_refused_release_and_another_holder",
    "queue_phantom_tie_with_the_first_send",
    "register_read_before_the_first_write_only",
    "register_reads_of_a_key_nobody_wrote",
    "register_refused_write_hides_the_initial_value",
    "set_phantom_refused_in_a_read_begun_before",
    "set_twice_nothing_in_the_window",
    "set_twice_share_of_the_window",
    "stock_tie_with_the_last_purchase",
    "versions_goes_back_reads_before_the_first_write",
    "versions_phantom_in_a_key_nobody_wrote",
    "versions_phantom_read_before_the_first_write_of_its_key",
    "versions_phantom_tie_with_the_first_write",
    "queue_lost_or_in_a_receive_without_an_answer",
    "queue_lost_or_in_a_receive_without_an_end",
    "queue_order_nothing_in_the_window",
    "queue_order_share_of_the_window",
    "queue_order_of_one_message",
    "events_order_nothing_in_the_window",
    "events_order_of_one_message",
    "events_nothing_heard_after_the_first_message",
}
STILL_WRONG = {one.name for one in RECORDED} - FIXED

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


def expected(reason: str | None) -> list[pytest.MarkDecorator]:
    """Return the mark of what is known to be wrong; an error of our own is none of that."""
    wrong = (AssertionError, pytest.fail.Exception)
    return [] if reason is None else [pytest.mark.xfail(reason=reason, raises=wrong, strict=True)]


def marked(reasons: dict[str, str]) -> list[object]:
    return [
        pytest.param(oracle, id=oracle.name, marks=expected(reasons.get(oracle.name)))
        for oracle in ORACLES
    ]


@pytest.mark.parametrize("oracle", marked(CONTRADICTED))
def test_a_check_never_contradicts_its_oracle(oracle: Oracle) -> None:
    case = compared(oracle).contradicted
    if case is not None:
        verdict, right = adapter.verdict(oracle.check, case), oracle.answer(case)

        def alike(one: Case) -> bool:
            return (adapter.verdict(oracle.check, one), oracle.answer(one)) == (verdict, right)

        small = smallest(case, alike)
        pytest.fail(f"{verdict}, right is {' or '.join(sorted(right))}:\n{told(oracle, small)}")


@pytest.mark.parametrize("oracle", marked(HOLLOW))
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


@pytest.mark.parametrize(
    "recorded",
    [
        pytest.param(one, id=one.name, marks=expected(one.why if one.name in STILL_WRONG else None))
        for one in RECORDED
    ],
)
def test_a_check_is_right_about_what_was_written_down(recorded: Recorded) -> None:
    assert adapter.verdict(recorded.check, recorded.case()) in recorded.right, recorded.why


def test_every_file_of_disagreements_is_in_the_list() -> None:
    assert {path.stem for path in FOLDER.glob("*.ndjson")} == {one.name for one in RECORDED}


def told(oracle: Oracle, case: Case) -> str:
    return adapter.told(oracle.kind, oracle.check, case)
