"""Every check over a history: one that passes, one that fails, and what is said about it.

All mutations of these histories are in `test_mutations.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs

from chaoskit.checks._base import REGISTRY, WorkloadCheck
from chaoskit.records import Event, Evidence, FaultWindow, Finding, Phase, Verdict
from tests.judging.histories import FAULT, GOOD, Op, changed, events, places

PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN
PHASES = (Phase("baseline", 0, 10), Phase("faults", 10, 12), Phase("settle", 12, 40))


def judge(
    check: str,
    history: Sequence[Op] | Sequence[Event],
    faults: Sequence[FaultWindow] = (FAULT,),
    **fields: Any,
) -> Finding:
    kind = REGISTRY.get(check)
    assert kind is not None
    made = kind.model_validate({"check": check, "workload": "w", **fields})
    found = [one for one in history if isinstance(one, Event)]
    ops = [one for one in history if isinstance(one, Op)]
    return made.judge(Evidence(PHASES, faults, history={"w": found or events(ops)}))


def with_back(history: str, op: str, nth: int, back: Any, by: int | None = None) -> list[Op]:
    """Return the good history, in which the nth operation of a kind (of a process) returns this."""
    ops = GOOD[history]()
    found = [n for n in places(ops, op) if by is None or ops[n].process == by]
    return changed(ops, found[nth], lambda one: replace(one, back=back))


def without(history: str, op: str, nth: int) -> list[Op]:
    ops = GOOD[history]()
    return changed(ops, places(ops, op)[nth], lambda _: None)


# check, history, what is wrong, fields, measured, the sentence
BAD: list[tuple[str, list[Op], dict[str, Any], str, str]] = [
    (
        "counter_bounds",
        with_back("counter", "read", 22, 24),
        {},
        "off by 3, 7.6% (of 39 attempted)",
        (
            "1 of 42 reads of counter `w` is out of bounds, 1 too low by up to 3 (lost): first at "
            "11.30 s, 700ms before blackhole app -> store healed; 1 inside fault windows, 0 "
            "outside [lost update]"
        ),
    ),
    (
        "read_your_writes",
        with_back("versions", "read", 38, 19, 0),
        {},
        "1 older (of 78)",
        (
            "1 of 78 reads of workload `w` by a client that had written the key did not show its "
            "own write (1.2%), stale by up to 9.55s: first at 19.70 s, 7.7s after blackhole app -> "
            "store healed; 0 inside fault windows, 1 outside [read your writes: Terry et al. 1994]"
        ),
    ),
    (
        "never_goes_back",
        with_back("versions", "read", 60, 2, 2),
        {},
        "1 went back (of 162)",
        (
            "1 of 162 repeated reads of workload `w` went backwards (0.6%), by up to 28 versions: "
            "first at 15.80 s, 3.8s after blackhole app -> store healed; 0 inside fault windows, 1 "
            "outside [monotonic reads: Terry et al. 1994]"
        ),
    ),
    (
        "fresh_within",
        with_back("versions", "read", 60, 29, 2),
        {"within": "1s"},
        "stale by 650ms at most (1 stale of 168)",
        "",
    ),
    (
        "converges",
        with_back("versions", "read", -1, 20),
        {"within": "1s"},
        "1 of 2 keys not converged",
        (
            "1 of 2 keys of workload `w` did not show the last version 1s after the last write and "
            "heal: first at 32.10 s, 20.1s after blackhole app -> store healed; 0 inside fault "
            "windows, 1 outside [eventual consistency: Vogels 2009]"
        ),
    ),
    (
        "conserved",
        with_back("bank", "read", 5, {"a": 1, "b": 1, "c": 1}),
        {},
        "1 wrong (of 42 reads, total 10)",
        (
            "1 of 42 reads of workload `w` do not add up to 10, off by up to 7: first at 2.80 s, "
            "7.2s before blackhole app -> store was injected; 0 inside fault windows, 1 outside "
            "[atomicity / read skew: Berenson et al. 1995]"
        ),
    ),
    (
        "never_negative",
        with_back("bank", "read", 5, {"a": -1, "b": 11, "c": 0}),
        {},
        "lowest -1 (of 42 reads)",
        (
            "1 of 42 reads of workload `w` shows an account below 0, down to -1: first at 2.80 s, "
            "7.2s before blackhole app -> store was injected; 0 inside fault windows, 1 outside "
            "[write skew: Berenson et al. 1995]"
        ),
    ),
    (
        "never_oversold",
        [*GOOD["stock"](), Op("buy", 18.0, 18.1, 3, "tea", 2)],
        {},
        "32 sold (of 30, 1 item)",
        (
            "workload `w` sold 2 more than there was, of 1 item, off by up to 2: first at 18.10 s, "
            "6.1s after blackhole app -> store healed, last at 22.10 s; 0 inside fault windows, 3 "
            "outside [write skew / lost update: Warszawski & Bailis 2017]"
        ),
    ),
    (
        "no_loss",
        with_back("queue", "receive", 4, None),
        {},
        "1 lost, 2.5% (of 39)",
        (
            "1 of 39 acknowledged values of workload `w` is lost (2.5%): oldest acknowledged at "
            "2.60 s, 7.4s before blackhole app -> store was injected; 0 inside fault windows, 1 "
            "outside [lost update / durability]"
        ),
    ),
    (
        "at_most_n_duplicates",
        [*GOOD["queue"](), Op("receive", 11.0, 11.1, 7, None, None, 2)],
        {},
        "1 duplicate (of 40 deliveries)",
        (
            "1 of 40 deliveries of workload `w` was a repetition, 0 allowed: first at 11.10 s, "
            "900ms before blackhole app -> store healed; 1 inside fault windows, 0 outside "
            "[exactly-once delivery, broken to at-least-once]"
        ),
    ),
    (
        "order",
        with_back("queue", "drain", 1, list(range(38, 27, -1))),
        {},
        "10 out of order (of 39)",
        "",
    ),
    (
        "mutual_exclusion",
        [
            *GOOD["lock"](),
            Op("acquire", 11.0, 11.15, 7, "leader", None, 99),
            Op("release", 11.4, 11.45, 7, "leader", 99),
        ],
        {},
        "1 overlapping (of 40 holds)",
        (
            "1 of 40 holds of workload `w` began while another client held the lock (2.5%), for up "
            "to 100ms: first at 11.15 s, 850ms before blackhole app -> store healed; 1 inside "
            "fault windows, 0 outside [mutual exclusion: Dijkstra 1965]"
        ),
    ),
    (
        "fencing",
        with_back("lock", "acquire", 22, 5),
        {},
        "1 not rising (of 39 tokens)",
        (
            "1 of 39 tokens of workload `w` was not higher than an earlier one: first at 11.60 s, "
            "400ms before blackhole app -> store healed; 1 inside fault windows, 0 outside "
            "[monotonic fencing tokens: Gray & Cheriton 1989, Kleppmann 2016]"
        ),
    ),
    (
        "no_gaps",
        without("events", "receive", 10),
        {},
        "1 missing (of 78)",
        (
            "1 of 78 expected messages of workload `w` never reached a subscriber (1.2%): first at "
            "3.05 s, 6.95s before blackhole app -> store was injected; 0 inside fault windows, 1 "
            "outside [at-least-once delivery, broken to at-most-once]"
        ),
    ),
    (
        "resync",
        without("events", "resync", 0),
        {},
        "4 not caught up (of 4 messages)",
        (
            "4 of 4 messages of workload `w` that subscribers had missed were not known 5s after "
            "they were back: first at 10.05 s, 1.95s before blackhole app -> store healed, last at "
            "11.55 s; 4 inside fault windows, 0 outside [eventual delivery after a reconnect]"
        ),
    ),
    (
        "linearizable",
        with_back("register", "read", 23, 9, 2),
        {},
        "1 violation (of 1 key)",
        (
            "workload `w` is not linearizable: 9 was read of a after 10 had replaced it (stale by "
            "7.1s): first at 12.20 s, 200ms after blackhole app -> store healed; 0 inside fault "
            "windows, 1 outside [linearizability: Herlihy & Wing 1990]"
        ),
    ),
]


@pytest.mark.parametrize(
    ("check", "ops", "fields", "measured", "sentence"), BAD, ids=[row[0] for row in BAD]
)
def test_a_bad_history_fails_and_is_told_in_a_developers_words(
    check: str, ops: list[Op], fields: dict[str, Any], measured: str, sentence: str
) -> None:
    found = judge(check, ops, **fields)
    assert found.measured == measured
    if check == "fresh_within":  # 650 ms are allowed
        assert found.verdict is PASS
        found = judge(check, ops, within="100ms")
    assert found.verdict is FAIL
    assert found.reason
    if sentence:
        assert found.reason == sentence
    assert 1 <= len(found.witness) <= 6


@pytest.mark.parametrize(
    ("check", "history"),
    [
        (kind.kind, "register" if name == "register" else name)
        for kind in REGISTRY
        if issubclass(kind, WorkloadCheck)
        for name in kind.workloads
    ],
)
class TestEveryHistoryCheck:
    def test_passes_a_good_history_with_and_without_a_fault(self, check: str, history: str) -> None:
        ops = GOOD[history]()
        for faults in ((FAULT,), ()):
            found = judge(check, ops, faults)
            assert (found.verdict, found.reason) == (PASS, None)

    def test_is_unknown_when_one_of_the_three_times_saw_nothing(
        self, check: str, history: str
    ) -> None:
        for injected, healed, words in (
            (0.3, 2.0, "before the first fault"),
            (90.0, 91.0, "while a fault was in force"),
            (10.0, 95.0, "after the last heal"),
            (10.0, None, "was never healed"),
        ):
            fault = replace(FAULT, injected=injected, healed=healed)
            found = judge(check, GOOD[history](), (fault,))
            assert found.verdict is UNKNOWN, found
            assert words in (found.reason or "")

    def test_is_unknown_when_nothing_was_acknowledged(self, check: str, history: str) -> None:
        refused = [
            structs.replace(one, type="fail", error="status 403") if one.type == "ok" else one
            for one in events(GOOD[history]())
        ]
        found = judge(check, refused)
        assert found.verdict is UNKNOWN
        assert "was acknowledged" in (found.reason or "")

    def test_is_unknown_when_no_write_was_made_at_all(self, check: str, history: str) -> None:
        looked = ("read", "truth", "receive", "drain", "release")
        found = judge(check, [one for one in GOOD[history]() if one.op in looked])
        assert found.verdict in (UNKNOWN, FAIL)  # what came from nowhere is a finding
        if found.verdict is UNKNOWN:
            assert "was invoked" in (found.reason or "") or "not known" in (found.reason or "")


def test_events_that_are_mixed_up_are_sorted_and_at_equal_times_their_order_decides() -> None:
    good = events(GOOD["register"]())
    assert judge("linearizable", list(reversed(good))).verdict is PASS
    tie = [
        Event(1.0, "invoke", 0, "w", "write", "k", 1, 0),
        Event(2.0, "ok", 0, "w", "write", "k", 1, 0),
        Event(2.0, "invoke", 1, "w", "read", "k", None, 1),
        Event(2.5, "ok", 1, "w", "read", "k", None, 1),
        Event(3.0, "invoke", 1, "w", "read", "k", None, 2),
        Event(3.5, "ok", 1, "w", "read", "k", 1, 2),
    ]
    assert judge("linearizable", tie, ()).verdict is FAIL
    assert judge("linearizable", [tie[3], *tie[:3], *tie[4:]], ()).verdict is FAIL
    at_once = [tie[0], tie[2], tie[1], *tie[3:]]
    assert judge("linearizable", at_once, ()).verdict is PASS
    assert judge("linearizable", [tie[3], *at_once[:3], *tie[4:]], ()).verdict is PASS


def test_a_witness_of_a_search_names_what_does_not_fit() -> None:
    ops = GOOD["cas"]()
    place = places(ops, "read")[3]
    found = judge("linearizable", changed(ops, place, lambda one: replace(one, back=0)))
    assert found.reason is not None
    assert "no order of the operations of a explains read -> 0 (2.25 - 2.30 s, process 2)" in (
        found.reason
    )
    assert "at best the value was 4 then" in found.reason
    assert found.witness[-1] == "does not fit: read -> 0 (2.25 - 2.30 s, process 2)"
    assert len(found.witness) <= 6


def test_the_initial_value_of_a_register_is_given_read_or_null() -> None:
    read = [
        Op("read", 0.1, 0.2, 0, "k", None, 7),
        Op("write", 1.0, 1.1, 0, "k", 1),
        Op("read", 2.0, 2.1, 0, "k", None, 1),
    ]
    assert judge("linearizable", read, ()).verdict is PASS
    assert judge("linearizable", read, (), initial=7).verdict is PASS
    assert judge("linearizable", read, (), initial=8).verdict is FAIL


def test_during_picks_what_is_judged_and_an_allowed_share_is_allowed() -> None:
    stale = with_back("versions", "read", 60, 2, 2)
    assert judge("fresh_within", stale, during="baseline").verdict is PASS
    assert judge("fresh_within", stale, during="settle").verdict is FAIL
    assert judge("fresh_within", stale, during={"fault": "cut"}).verdict is PASS
    assert judge("fresh_within", stale, at_most="1%").verdict is PASS
    assert judge("never_goes_back", stale, at_most="1%").verdict is PASS
    again = [*GOOD["queue"](), Op("receive", 11.0, 11.1, 7, None, None, 2)]
    assert judge("at_most_n_duplicates", again, n=1).verdict is PASS
    low = with_back("counter", "read", 22, 24)
    assert judge("counter_bounds", low, at_most="20%").verdict is PASS


def test_what_nobody_emptied_may_still_be_waiting() -> None:
    ops = [op for op in GOOD["queue"]() if op.op != "drain"]
    found = judge("no_loss", ops)
    assert found.verdict is UNKNOWN
    assert "was not seen empty after the last send" in (found.reason or "")


def test_what_receives_without_an_answer_may_have_taken_is_not_lost_for_sure() -> None:
    ops = GOOD["queue"]()
    first, second = places(ops, "receive")[4:6]
    ops = changed(ops, first, lambda one: replace(one, how="info"))
    found = judge("no_loss", ops)
    assert (found.verdict, found.measured) == (UNKNOWN, "0 lost (of 39)")
    assert found.reason == (
        "1 acknowledged message of workload `w` never came, and 1 receive had no answer and "
        "may have taken 1 of them away"
    )
    assert judge("no_loss", ops, at_most="5%").verdict is PASS, "also if that one is lost"
    found = judge("no_loss", changed(ops, second, lambda one: replace(one, back=None)))
    assert (found.verdict, found.measured) == (FAIL, "1 lost, 2.5% (of 39)")
    assert "; 1 receive had no answer and may have taken 1 of them away [" in (found.reason or "")


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        ("no answer within 2s", UNKNOWN),
        ("connection reset", UNKNOWN),
        ("status 504", UNKNOWN),
        ("status 503", FAIL),
        ("status 500", FAIL),
    ],
)
def test_what_a_receive_took_that_was_answered_with_an_error_is_lost(
    error: str, verdict: Verdict
) -> None:
    ops = GOOD["queue"]()
    ops = changed(ops, places(ops, "receive")[4], lambda one: replace(one, how="info"))
    rows = [
        structs.replace(one, error=error) if (one.op, one.type) == ("receive", "info") else one
        for one in events(ops)
    ]
    assert judge("no_loss", rows).verdict is verdict


def test_a_drain_without_an_answer_may_have_taken_all() -> None:
    ops = [
        replace(op, how="info") if op.op == "drain" and op.back else op for op in GOOD["queue"]()
    ]
    found = judge("no_loss", ops)
    assert found.verdict is UNKNOWN
    assert "21 acknowledged messages of workload `w` never came" in (found.reason or "")


class TestOrder:
    """Messages are counted, each once, and only those whose order is known."""

    def sent(self, *values: int) -> list[Op]:
        return [Op("send", float(n), n + 0.5, 0, None, n) for n in values]

    def test_each_message_counts_once_whatever_overtook_it(self) -> None:
        lists = [
            Op("drain", 10 + n, 10.5 + n, 0, back=row)
            for n, row in enumerate(([6, 5, 4], [3, 2, 1], []))
        ]
        found = judge("order", [*self.sent(1, 2, 3, 4, 5, 6), *lists], ())
        assert (found.verdict, found.measured) == (FAIL, "5 out of order (of 6)")
        assert len(found.witness) == 5

    def test_one_message_has_no_order(self) -> None:
        found = judge("order", [*self.sent(1), Op("receive", 3.0, 3.1, 0, back=1)], ())
        assert found.verdict is UNKNOWN
        assert "there is no order to judge" in (found.reason or "")

    def test_messages_of_different_keys_have_no_order(self) -> None:
        ops = [replace(op, key=str(op.value)) for op in self.sent(1, 2)]
        ops += [Op("receive", 5.0, 5.1, 0, back=2), Op("receive", 6.0, 6.1, 0, back=1)]
        assert judge("order", ops, ()).verdict is UNKNOWN

    def test_a_share_is_of_the_messages_of_the_window(self) -> None:
        ops = self.sent(1, 2, 3, 4, 5)
        ops += [Op("receive", 7.0 + n, 7.1 + n, 0, back=v) for n, v in enumerate((1, 2, 3))]
        ops += [Op("receive", 13.0, 13.1, 0, back=5), Op("receive", 14.0, 14.1, 0, back=4)]
        assert judge("order", ops, ()).measured == "1 out of order (of 5)"
        found = judge("order", ops, (), during="settle")
        assert (found.verdict, found.measured) == (FAIL, "1 out of order (of 2)")


def test_a_lock_without_tokens_cannot_be_fenced() -> None:
    ops = [replace(op, back=None) if op.op == "acquire" else op for op in GOOD["lock"]()]
    found = judge("fencing", ops)
    assert found.reason == "the lock of workload `w` gives no tokens; let `acquire` return one"


def test_the_last_number_of_a_resync_covers_all_before_it() -> None:
    ops = GOOD["events"]()
    place = places(ops, "resync")[0]
    whole = changed(ops, place, lambda one: replace(one, back=23))
    assert judge("no_gaps", whole).verdict is PASS
    assert judge("resync", whole).verdict is PASS
    part = changed(ops, place, lambda one: replace(one, back=21))
    assert judge("resync", part).measured == "2 not caught up (of 4 messages)"


def test_nobody_who_reconnected_proves_nothing_about_resync() -> None:
    ops = [op for op in GOOD["events"]() if op.op != "resync" and op.process != 9]
    assert judge("resync", ops).reason == "no subscriber of workload `w` had to reconnect"


def test_the_total_may_be_given_instead_of_read() -> None:
    ops = [op for op in GOOD["bank"]() if op.start > 0.4]
    assert "give it as `total`" in (judge("conserved", ops).reason or "")
    assert judge("conserved", ops, total=10).verdict is PASS
    assert judge("conserved", ops, total=11).verdict is FAIL


def test_money_that_moved_twice_is_noticed_although_the_total_is_right() -> None:
    ops = GOOD["bank"]()
    place = places(ops, "transfer")[0]
    found = judge("conserved", changed(ops, place, lambda _: None))
    assert "do not fit the transfers although they sum to 10" in (found.reason or "")
    assert found.witness[0].startswith("ACCOUNT ")


class TestEnough:
    """What a history must hold before a check may pass."""

    def test_every_kind_of_operation_in_use_must_have_succeeded(self) -> None:
        refused = [replace(op, how="fail") if op.op == "cas" else op for op in GOOD["cas"]()]
        refused = [replace(op, back=0) if op.op == "read" else op for op in refused]
        assert (judge("linearizable", refused).reason or "").startswith("no cas of workload `w`")
        unread = [replace(op, how="fail") if op.op == "read" else op for op in GOOD["versions"]()]
        found = judge("fresh_within", unread)
        assert (found.verdict, found.reason) == (
            UNKNOWN,
            "no read of workload `w` returned anything; see its `read` and what it extracts",
        )

    def test_every_long_fault_must_have_seen_an_attempt(self) -> None:
        quiet = [op for op in GOOD["set"]() if not 14.4 < op.start < 17.1]
        later = replace(FAULT, id="later", injected=14.8, healed=16.9)
        found = judge("no_loss", quiet, (FAULT, later))
        assert found.reason == (
            "no add of workload `w` was attempted during fault `later`; raise its `rate`"
        )
        short = replace(later, healed=15.2)
        assert judge("no_loss", quiet, (FAULT, short)).verdict is PASS

    def test_an_operation_that_lasts_through_a_fault_was_attempted_in_it(self) -> None:
        quiet = [op for op in GOOD["set"]() if not 9.9 < op.start < 12.1]
        assert "attempted" in (judge("no_loss", quiet).reason or "")
        at = max(n for n, op in enumerate(quiet) if op.op == "add" and op.start < 10)
        stalled = changed(quiet, at, lambda op: replace(op, end=12.5))
        values = [op.value for op in stalled if op.op == "add"]
        stalled = [replace(op, back=values) if op.back else op for op in stalled]
        assert judge("no_loss", stalled).verdict is PASS

    def test_more_than_one_operation_may_be_asked_for(self) -> None:
        assert judge("no_loss", GOOD["set"](), minimum=4).verdict is PASS
        found = judge("no_loss", GOOD["set"](), minimum=20)
        assert found.verdict is UNKNOWN
        assert found.reason == (
            "only 19 of the 20 operations asked for (add of workload `w`) were acknowledged "
            "before the first fault; use a longer `baseline`"
        )

    def test_a_queue_that_is_only_drained_in_the_end_is_enough(self) -> None:
        values = list(range(39))
        ops = [op for op in GOOD["queue"]() if op.op == "send"]
        ops += [Op("drain", 21, 21.1, 0, None, None, values), Op("drain", 22, 22.1, 0, back=[])]
        for check in ("no_loss", "no_phantoms", "at_most_n_duplicates", "order"):
            assert judge(check, ops).verdict is PASS

    def test_what_is_sold_out_is_refused_and_that_is_an_answer(self) -> None:
        ops = [
            replace(op, how="fail") if op.op == "buy" and op.start > 12 else op
            for op in GOOD["stock"]()
        ]
        left = 30 - sum(op.op == "buy" and op.how == "ok" for op in ops)
        ops = [replace(op, back=left) if op.start > 12 and op.op != "buy" else op for op in ops]
        assert judge("never_oversold", ops).verdict is PASS

    def test_a_404_on_every_read_tells_of_none(self) -> None:
        ops = events(GOOD["versions"]())
        missing = [
            structs.replace(one, type="fail", error="status 404")
            if one.op == "read" and n % 2
            else one
            for n, one in enumerate(ops)
        ]
        missing = [
            structs.replace(one, type="fail", error="status 404")
            if one.op == "read" and one.type == "ok"
            else one
            for one in missing
        ]
        missing = [one for one in missing if one.op != "read" or one.type == "fail"]
        assert "give it `none: [404]`" in (judge("fresh_within", missing).reason or "")


class TestFeeds:
    def test_a_publish_in_doubt_may_arrive_at_any_later_time(self) -> None:
        ops = [
            *GOOD["events"](),
            Op("publish", 15.1, 15.2, 0, "room", 100, how="info"),
            Op("receive", 18.9, 18.9, 8, "room", None, 100),
            Op("receive", 18.9, 18.9, 9, "room", None, 100),
        ]
        assert judge("order", ops).verdict is PASS
        acknowledged = [replace(op, how="ok") for op in ops]
        assert judge("order", acknowledged).measured == "2 out of order (of 76)"

    def test_who_tried_to_come_back_and_could_not_misses_what_is_published(self) -> None:
        gone = [op for op in GOOD["events"]() if op.process != 9 or op.start < 10]
        assert judge("no_gaps", gone).verdict is PASS, "it left for good"
        tried = [*gone, Op("subscribe", 11.7, 11.8, 9, how="fail")]
        found = judge("no_gaps", tried)
        assert found.verdict is FAIL
        assert "never seen by subscriber 9, which was away then" in found.witness[0]

    def test_who_never_got_a_connection_heard_nothing(self) -> None:
        ops = [*GOOD["events"](), Op("subscribe", 0.1, 0.2, 10, how="fail")]
        found = judge("no_gaps", ops)
        assert found.reason == (
            "subscriber 10 of workload `w` never got a connection; see its `subscribe`"
        )


@pytest.mark.parametrize(
    ("check", "ops"),
    [
        ("no_duplicates", with_back("set", "truth", -1, [*range(100, 139), 105])),
        ("no_phantoms", [*GOOD["queue"](), Op("receive", 5.0, 5.1, 7, None, None, 99)]),
        ("never_oversold", with_back("stock", "read", 6, -1)),
    ],
)
def test_what_is_wrong_at_another_time_is_not_in_the_window(check: str, ops: list[Op]) -> None:
    assert judge(check, ops).verdict is FAIL
    assert judge(check, ops, during="baseline").verdict is FAIL
    assert judge(check, ops, during="settle").verdict is PASS


def test_a_resync_is_judged_by_when_the_subscriber_was_back() -> None:
    ops = without("events", "resync", 0)
    assert judge("resync", ops, during="faults").verdict is FAIL
    assert judge("resync", ops, during="settle").verdict is UNKNOWN


def test_a_counter_that_nobody_looked_at_before_is_said_to_begin_at_nothing() -> None:
    ops = [op for op in GOOD["counter"]() if op.start > 0.4]
    assert "so it was taken to begin at 0 (give `initial`)" in (
        judge("counter_bounds", ops).reason or ""
    )
    assert judge("counter_bounds", ops, initial=5).verdict is PASS


def test_reads_that_return_no_version_are_noted() -> None:
    ops = with_back("versions", "read", 60, "gone")
    assert judge("fresh_within", ops).notes == ("1 read returned something else than a version",)


def test_a_cas_that_is_none_is_named() -> None:
    ops = GOOD["cas"]()
    found = judge("linearizable", changed(ops, 4, lambda op: replace(op, op="cas", value=5)))
    assert (found.verdict, found.reason) == (
        UNKNOWN,
        "workload `w`: a cas carries [old, new], not 5",
    )
