"""Values from elsewhere are evidence for nothing, and the answer says what was seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import pytest

from chaoskit.checks._base import REGISTRY
from chaoskit.records import Event, Evidence, FaultWindow, Finding, Json, Phase, Verdict

PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN
PHASES = (Phase("baseline", 0, 3), Phase("faults", 3, 6), Phase("settle", 6, 10))
KILL = FaultWindow("kill", "kill", "redis", 3.0, 5.0)


class Told:
    """A history that is being written: operations that take 10 ms, one after the other."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(
        self,
        t: float,
        op: str,
        sent: Json = None,
        got: Json = None,
        key: Any = None,
        process: int = 0,
    ) -> None:
        number = len(self.events)
        back = sent if got is None else got
        self.events.append(Event(t, "invoke", process, "w", op, key, sent, number))
        self.events.append(Event(t + 0.01, "ok", process, "w", op, key, back, number))


def judge(kind: str, events: Sequence[Event], **fields: Any) -> Finding:
    found = REGISTRY.get(kind)
    assert found is not None
    evidence = Evidence(PHASES, [KILL], history={"w": events})
    return found.model_validate({"check": kind, "workload": "w", **fields}).judge(evidence)


def times(every: float = 0.1, end: float = 9.0) -> list[float]:
    return [round(0.1 + n * every, 3) for n in range(int(end / every))]


# -- versions ------------------------------------------------------------------------------------


def versions(read: Callable[[int, float], Json], before: Json = None) -> list[Event]:
    """Return writes of rising versions, each read twice: `read` says what of version and time."""
    tell = Told()
    tell(0.0, "read", None, before, "k") if before is not None else None
    for n, t in enumerate(times(), 1):
        tell(t, "write", n, None, "k")
        tell(t + 0.03, "read", None, read(n, t), "k")
        tell(t + 0.06, "truth", None, read(n, t), "k", 1)
    for t in (9.5, 9.6):
        tell(t, "read", None, read(n, t), "k")
        tell(t + 0.03, "truth", None, read(n, t), "k", 1)
    return tell.events


class TestVersions:
    CHECKS: ClassVar[dict[str, dict[str, Any]]] = {
        "read_your_writes": {},
        "never_goes_back": {},
        "fresh_within": {"within": "1s"},
        "converges": {"within": "200ms"},
    }

    @pytest.mark.parametrize("kind", CHECKS)
    def test_what_was_written_passes(self, kind: str) -> None:
        events = versions(lambda n, _t: n)
        assert judge(kind, events, **self.CHECKS[kind]).verdict is PASS

    @pytest.mark.parametrize("kind", CHECKS)
    def test_a_field_that_nobody_wrote_is_no_version(self, kind: str) -> None:
        events = versions(lambda _n, t: 1_000_000 + round(t * 1000))
        found = judge(kind, events, **self.CHECKS[kind])
        assert found.verdict in (FAIL, UNKNOWN)
        if kind != "converges":
            assert found.reason == (
                "workload `w`: 184 reads returned versions that nobody wrote, such as 1000100 of "
                "k; see what the reads extract, and who else writes"
            )

    @pytest.mark.parametrize("kind", ["read_your_writes", "never_goes_back", "fresh_within"])
    def test_a_single_version_from_elsewhere_is_enough(self, kind: str) -> None:
        events = versions(lambda n, t: 5000 if t == 9.6 else n)
        found = judge(kind, events, **self.CHECKS[kind])
        assert (found.verdict, "2 reads returned" in (found.reason or "")) == (UNKNOWN, True)

    def test_what_was_there_before_is_not_from_elsewhere(self) -> None:
        events = versions(lambda n, t: 40 if t < 0.35 else n, before=40)
        found = judge("fresh_within", events, within="1s")
        assert found.verdict is PASS

    def test_what_is_stale_fails_whatever_else_is_read(self) -> None:
        events = versions(lambda n, t: 3 if t > 5 else 9000 if t > 4 else n)
        assert judge("fresh_within", events, within="1s").verdict is FAIL


# -- sets ----------------------------------------------------------------------------------------


def members(
    shown: Callable[[list[Json]], list[Json]], before: Sequence[Json] = (), values: int = 1000
) -> list[Event]:
    """Return adds, and reads that show of the added values what `shown` says."""
    tell, added = Told(), list[Json]()
    tell(0.0, "read", None, list(before))
    for n, t in enumerate(times()):
        added.append(values + n)
        tell(t, "add", values + n)
        if n % 10 == 5:
            tell(t + 0.03, "read", None, shown(added))
    tell(9.5, "read", None, shown(added))
    return tell.events


class TestSets:
    @pytest.mark.parametrize("kind", ["no_duplicates", "no_phantoms"])
    @pytest.mark.parametrize(
        ("page", "verdict"), [(90, PASS), (75, PASS), (71, UNKNOWN), (50, UNKNOWN)]
    )
    def test_a_page_of_the_values_says_nothing_of_the_others(
        self, kind: str, page: int, verdict: Verdict
    ) -> None:
        found = judge(kind, members(lambda added: added[:page]))
        assert found.verdict is verdict
        if verdict is UNKNOWN:
            assert (found.reason or "").startswith(
                f"the last final read of `read` shows {page} of 90 acknowledged values"
            )

    @pytest.mark.parametrize("kind", ["no_duplicates", "no_phantoms"])
    def test_what_is_lost_is_not_on_another_page(self, kind: str) -> None:
        def without(first: int, last: int) -> list[Event]:
            return members(lambda added: [*added[:first], *added[last:]])

        swallowed = without(20, 60)  # and what came after it is there
        assert judge(kind, swallowed).verdict is PASS
        forgot = members(lambda added: added if len(added) < 50 else added[50:])
        assert judge(kind, forgot).verdict is PASS
        no_more = members(lambda added: added[:40])
        assert judge(kind, no_more).verdict is UNKNOWN
        latest = members(lambda added: added[-40:])
        assert judge(kind, latest).verdict is UNKNOWN

    def test_what_no_view_shows_is_lost(self) -> None:
        tell = Told()
        tell.events = members(lambda added: added[:40])
        tell(9.7, "truth", None, [1000 + n for n in range(40)])
        assert judge("no_duplicates", tell.events).verdict is PASS

    def test_each_view_has_to_show_them(self) -> None:
        events = members(lambda added: list(added))
        tell = Told()
        tell.events = list(events)
        tell(9.7, "truth", None, [1000])
        found = judge("no_duplicates", tell.events)
        assert (found.verdict, "`truth` shows 1 of 90" in (found.reason or "")) == (UNKNOWN, True)

    def test_duplicates_on_the_page_fail_all_the_same(self) -> None:
        found = judge("no_duplicates", members(lambda added: [*added[:20], *added[:5]]))
        assert found.verdict is FAIL

    def test_a_loss_that_is_allowed_is_not_a_page(self) -> None:
        found = judge("no_loss", members(lambda added: added[:60]), at_most="50%")
        assert found.verdict is PASS

    @pytest.mark.parametrize("kind", ["no_loss", "no_duplicates"])
    def test_values_that_were_there_before_are_no_evidence(self, kind: str) -> None:
        old: list[Json] = [1000 + n for n in range(90)]
        found = judge(kind, members(lambda _added: old, before=old))
        assert found.verdict is UNKNOWN
        assert (found.reason or "").startswith(
            "workload `w`: 90 of 90 values were there before they were added"
        )

    @pytest.mark.parametrize("kind", ["no_loss", "no_duplicates", "no_phantoms"])
    def test_values_of_others_do_not_matter(self, kind: str) -> None:
        others: list[Json] = ["ann", 1, 2, 99_999]
        found = judge(kind, members(lambda added: [*others, *added], before=others))
        assert found.verdict is PASS


# -- queues and events ---------------------------------------------------------------------------


def jobs(
    received: Callable[[int], Json], before: Sequence[Json] = (), op: str = "receive"
) -> list[Event]:
    tell = Told()
    for value in before:
        tell(0.0, "drain", None, [value])
    for n, t in enumerate(times()):
        tell(t, "send", 1000 + n)
        tell(t + 0.03, op, None, received(n))
    tell(9.5, "drain", None, [])
    return tell.events


class TestQueues:
    KINDS = ("at_most_n_duplicates", "order")

    @pytest.mark.parametrize("kind", KINDS)
    def test_messages_that_nobody_sent_are_no_evidence(self, kind: str) -> None:
        found = judge(kind, jobs(lambda n: 10**9 + n))
        assert found.verdict is UNKNOWN
        assert any(
            words in (found.reason or "")
            for words in ("0 of 90 acknowledged messages were received", "no message of workload")
        )

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize(("foreign", "verdict"), [(0, PASS), (9, PASS), (30, UNKNOWN)])
    def test_a_few_of_others_are_not_the_matter(
        self, kind: str, foreign: int, verdict: Verdict
    ) -> None:
        events = jobs(lambda n: [1000 + n, 10**9 + n] if n < foreign else 1000 + n)
        found = judge(kind, events)
        assert found.verdict is verdict
        if verdict is UNKNOWN:
            assert found.reason == (
                "workload `w`: 30 of 120 messages that were received were never sent by it, such "
                "as 1000000000; see what `receive` extracts, and who else sends"
            )

    @pytest.mark.parametrize("kind", [*KINDS, "no_phantoms"])
    def test_half_of_them_are_too_few(self, kind: str) -> None:
        found = judge(kind, jobs(lambda n: 1000 + n if n % 2 else None))
        assert found.verdict is UNKNOWN

    def test_what_an_earlier_run_left_is_not_what_was_sent(self) -> None:
        events = jobs(lambda _n: None, before=[1000 + n for n in range(90)])
        found = judge("no_loss", events)
        assert found.verdict in (FAIL, UNKNOWN)
        assert "90 of 90 values were there before they were sent" in (found.reason or "")


def feed(heard: Callable[[int], Json], resync: Callable[[int], Json] | None = None) -> list[Event]:
    """Return messages of which a subscriber hears what `heard` says, and may ask for the rest."""
    tell = Told()
    tell(0.0, "subscribe", None, None, "a", 9)
    for n, t in enumerate(times()):
        tell(t, "publish", 1000 + n, None, "a")
        if heard(n) is not None:
            tell(t + 0.03, "receive", None, heard(n), "a", 9)
        if resync is not None and n % 30 == 15:
            tell(t + 0.05, "subscribe", None, None, "a", 9)
            tell(t + 0.07, "resync", None, resync(n), "a", 9)
    return tell.events


class TestEvents:
    KINDS = ("at_most_n_duplicates", "order")

    @pytest.mark.parametrize("kind", [*KINDS, "no_gaps"])
    def test_ones_own_messages_pass(self, kind: str) -> None:
        assert judge(kind, feed(lambda n: 1000 + n)).verdict is PASS

    @pytest.mark.parametrize("kind", KINDS)
    def test_messages_that_nobody_published_are_no_evidence(self, kind: str) -> None:
        found = judge(kind, feed(lambda n: 7 + n))
        assert found.verdict is UNKNOWN

    def test_a_resync_to_a_number_that_nobody_published_covers_nothing(self) -> None:
        lost = feed(lambda n: None if n % 5 == 0 else 1000 + n, resync=lambda _n: 1_700_000_000)
        for kind, fields in (("no_gaps", {}), ("resync", {"within": "1s"})):
            found = judge(kind, lost, **fields)
            assert found.verdict in (FAIL, UNKNOWN)
        assert "1700000000 as the last number" in (judge("no_gaps", lost).reason or "")

    def test_a_resync_that_knows_messages_before_they_are_published_knows_old_ones(self) -> None:
        lost = feed(
            lambda n: None if n % 5 == 0 else 1000 + n,
            resync=lambda _n: [1000 + n for n in range(90)],
        )
        found = judge("no_gaps", lost)
        assert found.verdict is UNKNOWN
        assert "were there before they were published" in (found.reason or "")

    def test_a_resync_that_returns_what_was_missed_passes(self) -> None:
        caught = feed(
            lambda n: None if n in (12, 14) else 1000 + n,
            resync=lambda n: [1, 2, *(1000 + m for m in range(n + 1))],
        )
        assert judge("no_gaps", caught).verdict is PASS
        caught = feed(lambda n: None if n in (12, 14) else 1000 + n, resync=lambda n: 1000 + n)
        assert judge("no_gaps", caught).verdict is PASS


# -- money ---------------------------------------------------------------------------------------


def bank(balances: Callable[[int], dict[str, Json]]) -> list[Event]:
    """Return transfers of 1 from x1 to x2 and back, and reads."""
    tell = Told()
    tell(0.0, "read", None, balances(0))
    for n, t in enumerate(times(), 1):
        source, target = ("x1", "x2") if n % 2 else ("x2", "x1")
        tell(t, "transfer", {"from": source, "to": target, "amount": 1})
        tell(t + 0.03, "read", None, balances(n))
    tell(9.5, "read", None, balances(90))
    return tell.events


class TestBanks:
    KINDS = ("conserved", "never_negative")

    @pytest.mark.parametrize("kind", KINDS)
    def test_accounts_that_no_transfer_touched_are_no_evidence(self, kind: str) -> None:
        found = judge(kind, bank(lambda _n: {"ann": 100, "bob": 100, "eve": 100}))
        assert found.verdict is UNKNOWN
        assert found.reason == (
            "workload `w`: `read` never shows `x1`, `x2` of the 2 accounts that money was moved "
            "between; it shows `ann`, `bob`, `eve`"
        )

    @pytest.mark.parametrize("kind", KINDS)
    def test_an_account_that_is_not_shown_may_hold_anything(self, kind: str) -> None:
        found = judge(kind, bank(lambda _n: {"x1": 100, "ann": 100}))
        assert found.verdict in (FAIL, UNKNOWN)

    @pytest.mark.parametrize("kind", KINDS)
    def test_the_accounts_that_were_touched_pass_beside_others(self, kind: str) -> None:
        found = judge(kind, bank(lambda n: {"x1": 100 - n % 2, "x2": 100 + n % 2, "ann": 7}))
        assert found.verdict is PASS


# -- what was found before, and stays so ---------------------------------------------------------


def counted(read: Callable[[int], Json]) -> list[Event]:
    tell = Told()
    tell(0.0, "read", None, read(0))
    for n, t in enumerate(times(), 1):
        tell(t, "increment", 1)
        tell(t + 0.03, "read", None, read(n))
    tell(9.5, "read", None, read(90))
    return tell.events


@pytest.mark.parametrize(("read", "verdict"), [(lambda n: n, PASS), (lambda _n: 7, FAIL)])
def test_a_counter_that_nobody_increments_fails(
    read: Callable[[int], Json], verdict: Verdict
) -> None:
    assert judge("counter_bounds", counted(read)).verdict is verdict


@pytest.mark.parametrize(("left", "verdict"), [(lambda n: 500 - n, PASS), (lambda _n: 500, FAIL)])
def test_the_stock_of_another_item_does_not_fit(
    left: Callable[[int], Json], verdict: Verdict
) -> None:
    tell = Told()
    tell(0.0, "read", None, left(0), "a")
    for n, t in enumerate(times(), 1):
        tell(t, "buy", 1, None, "a")
        tell(t + 0.03, "read", None, left(n), "a")
    tell(9.5, "read", None, left(90), "a")
    assert judge("never_oversold", tell.events).verdict is verdict


@pytest.mark.parametrize(
    ("read", "verdict"), [(lambda n, _t: n, PASS), (lambda n, t: 10**6 + n, FAIL)]
)
def test_a_register_that_shows_what_nobody_wrote_fails(
    read: Callable[[int, float], Json], verdict: Verdict
) -> None:
    events = [event for event in versions(read) if event.op != "truth"]
    assert judge("linearizable", events).verdict is verdict
