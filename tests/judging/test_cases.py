"""Small histories with the right answer, judged the way `chaoskit check FILE` judges them."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaoskit.cli.check import CheckRequest, check_history
from chaoskit.errors import UsageError

FOLDER = Path(__file__).parent / "cases"
PASS, FAIL, ERROR, UNKNOWN = 0, 1, 2, 3

# name, kind of workload, check, fields, exit code, a part of what is said
CASES: list[tuple[str, str, str, tuple[str, ...], int, str]] = [
    (
        "converges_driver_run_app_down_at_the_end_pass",
        "versions",
        "converges",
        ("within=500ms",),
        UNKNOWN,
        "of 12 keys unread)",
    ),
    ("converges_app_view_given_up_pass", "versions", "converges", (), UNKNOWN, "(8 of 10 keys"),
    ("converges_app_view_stale_pass", "versions", "converges", (), UNKNOWN, "no read of a"),
    ("register_driver_run_workload_initial_false_fail", "register", "linearizable", (), PASS, ""),
    (
        "register_initial_of_the_workload_unknown_to_the_check",
        "register",
        "linearizable",
        ("initial=0",),
        PASS,
        "",
    ),
    ("versions_default_zero_of_a_fresh_key_false_fail", "versions", "no_phantoms", (), PASS, ""),
    (
        "tie_completion_line_first_pass",
        "register",
        "linearizable",
        (),
        FAIL,
        "a read returned 99, which nobody wrote",
    ),
    ("order_queue_ok_without_value_pass", "queue", "order", (), FAIL, "OVERTAKEN"),
    ("order_queue_ok_with_value_fail_control", "queue", "order", (), FAIL, "OVERTAKEN"),
    ("order_queue_count_over_100_percent", "queue", "order", (), FAIL, "5 of 6 messages"),
    ("order_queue_count_over_100_percent", "queue", "order", ("at_most=100%",), PASS, ""),
    (
        "queue_doubtful_receive_false_fail",
        "queue",
        "no_loss",
        (),
        UNKNOWN,
        "1 receive had no answer",
    ),
    ("conserved_tie_false_fail", "bank", "conserved", (), PASS, ""),
    ("phantoms_versions_tie_false_fail", "versions", "no_phantoms", (), PASS, ""),
    ("initial_infer_refused_cas_first", "register", "linearizable", (), PASS, ""),
    (
        "phantom_set_refused_in_overlapping_read",
        "set",
        "no_phantoms",
        (),
        FAIL,
        "REFUSED BUT STORED 5",
    ),
    ("queue_received_before_it_was_sent", "queue", "no_phantoms", (), PASS, ""),
    ("queue_received_before_it_was_sent", "queue", "order", (), FAIL, "OVERTAKEN 6"),
    ("ryw_completion_without_process", "versions", "read_your_writes", (), FAIL, "OLD"),
    ("ryw_completion_with_process_control", "versions", "read_your_writes", (), FAIL, "OLD"),
    ("lock_completion_with_process_control", "lock", "mutual_exclusion", (), FAIL, "BOTH HOLD"),
    ("lock_refused_release_pass", "lock", "mutual_exclusion", (), UNKNOWN, "was refused"),
    # A refused cas proves nothing, by design: a 409 may have other reasons than the value.
    ("cas_refused_although_it_matched_pass", "register", "linearizable", (), PASS, ""),
    ("completion_of_another_op", "register", "linearizable", (), ERROR, ":2: id 1 is invoked"),
    ("versions_two_writers_false_fail", "versions", "fresh_within", (), ERROR, ":2: key `k`"),
    ("counter_two_keys_false_fail", "counter", "counter_bounds", (), PASS, ""),
    ("counter_huge_read_check_itself_failed", "counter", "counter_bounds", (), FAIL, "TWICE"),
    (
        "message_versions_rounded",
        "versions",
        "fresh_within",
        (),
        FAIL,
        "version 1700000000001 at 8.10 s, version 1700000000002",
    ),
    (
        "message_linearizable_counts_double",
        "register",
        "linearizable",
        (),
        PASS,
        "linearizable (3 operations, 1 key)",
    ),
    ("message_key_shown_as_pair", "register", "linearizable", (), FAIL, 'a read of {"a": 1}'),
    (
        "vacuous_register_no_read_after_a_write",
        "register",
        "linearizable",
        (),
        UNKNOWN,
        "began after a write of the same key",
    ),
    (
        "vacuous_fresh_reads_of_a_key_nobody_wrote",
        "versions",
        "fresh_within",
        (),
        UNKNOWN,
        "began after a write of the same key",
    ),
    (
        "vacuous_lock_release_never_succeeded",
        "lock",
        "mutual_exclusion",
        (),
        UNKNOWN,
        "no release",
    ),
    ("vacuous_fencing_one_token_of_20", "lock", "fencing", (), UNKNOWN, "1 of 20 acquisitions"),
    (
        "vacuous_oversold_one_of_a_million",
        "stock",
        "never_oversold",
        (),
        PASS,
        "no item could be sold out",
    ),
]


@pytest.mark.parametrize(
    ("name", "kind", "check", "fields", "code", "said"), CASES, ids=lambda value: str(value)[:60]
)
def test_a_small_history_gets_the_right_answer(
    name: str,
    kind: str,
    check: str,
    fields: tuple[str, ...],
    code: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    path = str(FOLDER / f"{name}.ndjson")
    request = CheckRequest(path, Path(), workload=kind, checks=(check,), fields=fields)
    try:
        found, text = int(check_history(request)), ""
    except UsageError as error:
        found, text = ERROR, error.message
    text += capsys.readouterr().out
    assert found == code, text
    assert said in " ".join(text.split())


def test_every_history_of_the_folder_is_judged() -> None:
    assert {path.stem for path in FOLDER.glob("*.ndjson")} == {name for name, *_ in CASES}
