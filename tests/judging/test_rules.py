"""The edges of the rules: ties, what was there before, what is in doubt, what a pass needs."""

from __future__ import annotations

from dataclasses import replace
from time import process_time
from typing import Any

import pytest
from msgspec import structs

from chaoskit.checks._base import REGISTRY
from chaoskit.checks.histories.operations import number, plain
from chaoskit.records import Event, Evidence, Finding, Json, Verdict, key_of
from tests.judging.histories import GOOD, Op, events, places
from tests.judging.test_history_checks import judge

PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN


def lines(*rows: tuple[float, str, str, int, Any]) -> list[Event]:
    """Return events of one key: (t, type, op, id, value)."""
    return [Event(t, kind, 0, "w", op, "k", value, n) for t, kind, op, n, value in rows]  # type: ignore[arg-type]


class TestTies:
    """At equal times the order of the lines decides."""

    def test_a_read_that_began_before_the_last_purchase_ended_is_no_final_read(self) -> None:
        rows = [(0.0, "invoke", "read", 0, None), (0.5, "ok", "read", 0, 9)]
        rows += [(1.0, "invoke", "buy", 1, 1)]
        end, begin = (2.0, "ok", "buy", 1, 1), (2.0, "invoke", "read", 2, None)
        rest = [
            (3.0, "ok", "read", 2, 9),
            (4.0, "invoke", "read", 3, None),
            (5.0, "ok", "read", 3, 8),
        ]
        assert judge("never_oversold", lines(*rows, begin, end, *rest), ()).verdict is PASS
        found = judge("never_oversold", lines(*rows, end, begin, *rest), ())
        assert found.verdict is FAIL
        assert "does not fit what was sold" in (found.reason or "")

    def test_a_read_before_the_last_write_ended_says_nothing_about_convergence(self) -> None:
        write = [(1.0, "invoke", "write", 0, 1), (2.0, "ok", "write", 0, 1)]
        write += [(3.0, "invoke", "write", 1, 2)]
        end, begin = (4.0, "ok", "write", 1, 2), (4.0, "invoke", "read", 2, None)
        rest = [
            (4.5, "ok", "read", 2, 1),
            (9.0, "invoke", "read", 3, None),
            (9.5, "ok", "read", 3, 2),
        ]
        fields = {"within": "0s"}
        assert judge("converges", lines(*write, begin, end, *rest), (), **fields).verdict is PASS
        assert judge("converges", lines(*write, end, begin, *rest), (), **fields).verdict is FAIL


class TestConvergence:
    def ops(self, *reads: Op) -> list[Op]:
        writes = [Op("write", 1.0, 1.1, 0, key, 1) for key in ("a", "b")]
        return [*writes, *reads]

    def reads(self, view: str, *keys: str, back: int = 1, at: float = 9.0) -> list[Op]:
        return [Op(view, at, at + 0.1, 0, key, None, back) for key in keys]

    def test_every_key_must_be_read_through_every_view(self) -> None:
        both = [*self.reads("read", "a", "b"), *self.reads("truth", "a", "b")]
        assert judge("converges", self.ops(*both), ()).verdict is PASS
        for left_out in both:
            kept = [one for one in both if one is not left_out]
            found = judge("converges", self.ops(*kept), ())
            assert found.verdict is UNKNOWN
            assert f"no {left_out.op} of {left_out.key} of workload" in (found.reason or "")
            assert "(1 of 2 keys unread)" in (found.reason or "")

    def test_a_read_that_failed_in_the_end_is_told_with_its_error(self) -> None:
        rows = events(self.ops(*self.reads("read", "a", "b")))
        failed = [
            structs.replace(one, type="fail", error="status 503")
            if (one.op, one.key, one.type) == ("read", "b", "ok")
            else one
            for one in rows
        ]
        assert "unread): status 503;" in (judge("converges", failed, ()).reason or "")

    def test_a_view_that_was_right_early_was_early_enough(self) -> None:
        early = self.reads("read", "a", "b", at=2.0)
        assert judge("converges", self.ops(*early), ()).verdict is PASS


class TestWhatWasThereBefore:
    def test_a_register_begins_with_what_the_workload_says(self) -> None:
        rows = lines(
            (0.0, "invoke", "write", 0, 1),
            (0.2, "invoke", "read", 1, None),
            (0.4, "ok", "read", 1, 0),
            (1.0, "ok", "write", 0, 1),
            (2.0, "invoke", "read", 2, None),
            (3.0, "ok", "read", 2, 1),
        )
        check = REGISTRY.get("linearizable")
        assert check is not None
        made = check.model_validate({"check": "linearizable", "workload": "w"})
        assert made.judge(Evidence((), (), history={"w": rows})).verdict is FAIL
        said = Evidence((), (), history={"w": rows}, initial={"w": 0})
        assert made.judge(said).verdict is PASS

    @pytest.mark.parametrize("cas", [False, True])
    def test_a_key_that_nobody_read_in_time_begins_like_the_others(self, cas: bool) -> None:
        ops = [Op("read", 0.1, 0.2, 0, "a", None, 0), Op("write", 1.0, 1.1, 0, "a", 5)]
        ops += [Op("write", 2.0, 2.5, 0, "b", 7), Op("read", 2.1, 2.2, 1, "b", None, 0)]
        ops += [Op("read", 3.0, 3.1, 1, key, None, v) for key, v in (("a", 5), ("b", 7))]
        if cas:
            ops.append(Op("cas", 4.0, 4.1, 1, "b", [7, 8]))
        assert judge("linearizable", ops, ()).verdict is PASS
        wrong = [replace(op, back=3) if op.start == 2.1 else op for op in ops]
        assert judge("linearizable", wrong, ()).verdict is FAIL

    @pytest.mark.parametrize("first", ["write", "cas"])
    def test_what_was_refused_hides_nothing(self, first: str) -> None:
        ops = [Op(first, 0.1, 0.2, 0, "k", [4, 5] if first == "cas" else 4, how="fail")]
        ops += [Op("read", 1.0, 1.1, 0, "k", None, 3), Op(first, 2.0, 2.1, 0, "k", 6)]
        ops += [Op("read", 3.0, 3.1, 0, "k", None, 6)]
        if first == "cas":
            ops = [replace(op, value=[3, 6]) if op.start == 2.0 else op for op in ops]
        assert judge("linearizable", ops, ()).verdict is PASS

    def test_counters_begin_one_by_one(self) -> None:
        ops = [Op("read", 0.2, 0.3, 0, "a", None, 10), Op("read", 0.4, 0.5, 0, "b", None, 0)]
        ops += [Op("increment", 1.0, 1.1, 0, key, 1) for key in ("a", "b")]
        ops += [Op("read", 5.0, 5.1, 0, "a", None, 11), Op("read", 5.2, 5.3, 0, "b", None, 1)]
        assert judge("counter_bounds", ops, ()).verdict is PASS
        low = [replace(op, back=10) if op.start == 5.0 else op for op in ops]
        assert judge("counter_bounds", low, ()).verdict is FAIL

    def test_what_was_refused_and_is_there_is_not_what_was_there_before(self) -> None:
        ops = [Op("write", 0.1, 0.2, 0, "k", 4, how="fail"), Op("read", 1.0, 1.1, 0, "k", None, 4)]
        ops += [Op("write", 2.0, 2.1, 0, "k", 6), Op("read", 3.0, 3.1, 0, "k", None, 6)]
        for check in ("linearizable", "no_phantoms"):
            assert judge(check, ops, ()).verdict is FAIL
        ops = [Op("increment", 0.1, 0.2, 0, None, 1, how="fail"), Op("read", 1.0, 1.1, back=1)]
        ops += [Op("increment", 2.0, 2.1, 0, None, 1), Op("read", 3.0, 3.1, back=2)]
        assert judge("counter_bounds", ops, ()).verdict is FAIL
        ops = [Op("buy", 0.0, 0.05, 0, "tea", 99, how="fail"), *GOOD["stock"]()]
        assert judge("never_oversold", ops, ()).verdict is UNKNOWN

    def test_a_read_under_way_when_the_adds_begin_excuses_only_what_was_not_added(self) -> None:
        ops = [
            Op("read", 0.0, 5.0, 1, back=[5, 6, 99]),
            Op("add", 1.0, 2.0, 0, None, 5, how="fail"),
        ]
        ops += [Op("add", 3.0, 4.0, 0, None, 6), Op("read", 6.0, 7.0, 1, back=[5, 6, 99])]
        found = judge("no_phantoms", ops, ())
        assert (found.verdict, found.measured) == (FAIL, "1 phantom (of 3)")
        before = [Op("read", -2.0, -1.0, 1, back=[5]), *ops]
        assert judge("no_phantoms", before, ()).verdict is PASS, "it was there before"

    def test_a_key_made_later_may_hold_what_it_was_made_with(self) -> None:
        ops = [Op("read", 0.1, 0.2, 0, "a", None, 0), Op("write", 1.0, 1.1, 0, "a", 1)]
        ops += [Op("read", 2.0, 2.1, 0, "a", None, 1), Op("write", 3.0, 3.5, 0, "b", 1)]
        ops += [Op("read", 3.1, 3.2, 1, "b", None, 0), Op("read", 4.0, 4.1, 1, "b", None, 1)]
        assert judge("no_phantoms", ops, ()).verdict is PASS
        other = [replace(op, back=7) if op.start == 3.1 else op for op in ops]
        assert judge("no_phantoms", other, ()).verdict is FAIL
        read_first = [*other, Op("read", 2.5, 2.6, 1, "b", None, 7)]
        assert judge("no_phantoms", read_first, ()).verdict is PASS


class TestDoubt:
    def lock(self, refused_at: float, got_at: float) -> Finding:
        ops = [
            Op("acquire", 0.0, 1.0, 3, "l"),
            Op("release", 5.0, refused_at, 3, "l", how="fail"),
            Op("acquire", 2.0, got_at, 0, "l"),
            Op("release", got_at + 2, got_at + 3, 0, "l"),
        ]
        return judge("mutual_exclusion", ops, ())

    def test_a_refused_release_does_not_prove_that_the_hold_had_ended(self) -> None:
        assert self.lock(7.0, 6.0).verdict is UNKNOWN
        assert self.lock(7.0, 4.0).verdict is FAIL, "the release had not even begun"
        assert self.lock(7.0, 8.0).verdict is PASS, "it had been told that it holds nothing"


class TestEnoughToPass:
    @pytest.mark.parametrize("check", ["fresh_within", "never_goes_back"])
    def test_reads_after_writes_of_the_same_key_are_needed(self, check: str) -> None:
        ops = [Op("write", float(n), n + 0.5, 0, "a", n) for n in (1, 2, 3)]
        ops += [Op("read", 8.0 + n, 8.1 + n, 1, "b", None, None) for n in range(2)]
        found = judge(check, ops, ())
        assert found.verdict is UNKNOWN
        assert "began after a write of the same key had been acknowledged" in (found.reason or "")

    @pytest.mark.parametrize("check", ["mutual_exclusion", "fencing"])
    def test_releases_must_have_succeeded(self, check: str) -> None:
        ops = [replace(op, how="fail") if op.op == "release" else op for op in GOOD["lock"]()]
        assert (judge(check, ops).reason or "").startswith("no release of workload `w` was ack")

    def test_most_acquisitions_must_have_given_a_token(self) -> None:
        ops = GOOD["lock"]()
        silent = places(ops, "acquire")[5:]
        few = [replace(op, back=None) if n in silent else op for n, op in enumerate(ops)]
        assert "only 5 of 39 acquisitions" in (judge("fencing", few).reason or "")
        half = [replace(op, back=None) if n in silent[20:] else op for n, op in enumerate(ops)]
        assert judge("fencing", half).verdict is PASS

    @pytest.mark.parametrize("check", ["no_duplicates", "no_phantoms"])
    def test_a_window_in_which_nothing_was_added_is_unknown(self, check: str) -> None:
        ops = [op for op in GOOD["set"]() if op.op != "add" or op.start < 9 or op.start > 11.5]
        kept = [op.value for op in ops if op.op == "add"]
        ops = [replace(op, back=kept) if op.back else op for op in ops]
        assert judge(check, ops, ()).verdict is PASS
        found = judge(check, ops, (), during="settle")
        assert (found.verdict, found.reason) == (PASS, None)
        quiet = [op for op in ops if op.op != "add" or op.start < 9]
        quiet = [replace(op, back=kept[:17]) if op.back else op for op in quiet]
        found = judge(check, quiet, (), during="settle")
        assert found.verdict is UNKNOWN
        assert "there was nothing in this window" in (found.reason or "")

    @pytest.mark.parametrize("view", ["read", "truth"])
    def test_every_item_must_be_read_in_the_end_through_every_view(self, view: str) -> None:
        ops = [Op("read", 0.0, 0.1, 0, key, None, 2) for key in ("tea", "mug")]
        ops += [Op("buy", 1.0, 1.1, 0, key, 1) for key in ("tea", "mug")]
        views = [(op, key) for op in ("read", "truth") for key in ("tea", "mug")]
        ops += [Op(op, 5.0, 5.1, 0, key, None, 1) for op, key in views]
        assert judge("never_oversold", ops, ()).verdict is PASS
        ops = [op for op in ops if (op.op, op.key, op.start) != (view, "mug", 5.0)]
        found = judge("never_oversold", ops, ())
        assert (found.verdict, found.reason) == (
            UNKNOWN,
            f"no final read of `{view}` of mug succeeded: none was tried (1 of 2 keys unread)",
        )

    def test_what_could_not_be_sold_out_is_noted_beside_the_pass(self) -> None:
        ops = [Op("read", 0.0, 0.1, 0, "x", None, 100), Op("buy", 1.0, 1.1, 0, "x", 1)]
        ops += [Op("read", 2.0, 2.1, 0, "x", None, 99)]
        found = judge("never_oversold", ops, ())
        assert (found.verdict, len(found.notes)) == (PASS, 1)
        assert judge("never_oversold", GOOD["stock"]()).notes == ()


class TestWords:
    def test_numbers_are_never_rounded_to_look_alike_and_never_too_long(self) -> None:
        assert plain(1700000000001) == "1700000000001"
        assert plain(12.0) == "12"
        assert plain(10**400) == "1" + "0" * 23 + "... (401 digits)"
        assert plain(float("inf")) == "inf"

    def test_a_number_above_all_others_is_one(self) -> None:
        assert number(float("inf")) == float("inf")
        assert [number(text) for text in ("inf", "nan", "1e999", "x")] == [None] * 4
        assert number("1" + "0" * 400) == 10**400

    def test_keys_are_numbers_or_text(self) -> None:
        keys: list[Json] = [17, 17.0, "17", None, True, {"b": 1, "a": [2]}, 1.5]
        assert [key_of(key) for key in keys] == [
            *(17, 17, "17", None, "true", '{"a": [2], "b": 1}', "1.5")
        ]


def feed(messages: int, subscribers: int, reconnects: int, *, number: bool) -> list[Event]:
    """Return a minute of messages; every subscriber comes back many times and is told the last."""
    rows: list[Event] = []

    def both(t: float, process: int, op: str, sent: Json, back: Json) -> None:
        for kind, value in (("invoke", sent), ("ok", back)):
            key = None if op == "subscribe" else "room"
            rows.append(Event(t, kind, process, "w", op, key, value, len(rows) // 2))  # type: ignore[arg-type]

    every = messages // reconnects
    for subscriber in range(subscribers):
        both(0.0, 10 + subscriber, "subscribe", None, None)
    for n in range(messages):
        t = 1 + n * 60 / messages
        both(t, 0, "publish", n, n)
        for subscriber in range(subscribers):
            if n % every == every - 1:
                rows.append(
                    Event(t, "info", 10 + subscriber, "w", "subscribe", None, None, subscriber)
                )
                both(t, 10 + subscriber, "subscribe", None, None)
                offered: Json = n if number else list(range(n - every // 2, n + 1))
                both(t + 1e-4, 10 + subscriber, "resync", None, offered)
            elif n % every < every // 2:
                both(t, 10 + subscriber, "receive", None, n)
    return rows


@pytest.mark.parametrize("number", [True, False])
def test_resync_is_linear(number: bool) -> None:
    """30,000 messages, 3 subscribers and 300 reconnects took minutes when it was cubic."""
    history = feed(30_000, 3, 300, number=number)
    start = process_time()
    for check in ("resync", "no_gaps", "order"):
        found = judge(check, history, ())
        assert found.verdict is PASS, found
    assert process_time() - start < 3, "a second for each"
