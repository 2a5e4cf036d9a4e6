"""Checks over the history of a set workload, and mutations of a good history they must notice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chaoskit.checks.histories.set import elements
from chaoskit.records import Event, Json, Verdict

if TYPE_CHECKING:
    from tests.unit.checks.conftest import Build, SetStory

PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN
ALL = ("no_loss", "no_duplicates", "no_phantoms")


@pytest.mark.parametrize("kind", ALL)
class TestEverySetCheck:
    def test_passes_a_history_where_all_is_well(
        self, kind: str, build: Build, story: SetStory
    ) -> None:
        evidence = build.evidence(history=story.events(), faults=[build.fault()])
        found = build.judge(kind, evidence)
        assert (found.verdict, found.reason) == (PASS, None)
        assert found.measured.startswith("0 ")

    def test_passes_without_any_fault(self, kind: str, build: Build, story: SetStory) -> None:
        assert build.judge(kind, build.evidence(history=story.events())).verdict is PASS

    def test_takes_a_number_and_its_text_for_the_same(
        self, kind: str, build: Build, story: SetStory
    ) -> None:
        story.truth = [str(value) for value in story.truth]
        assert build.judge(kind, build.evidence(history=story.events())).verdict is PASS

    def test_is_unknown_without_a_final_read(
        self, kind: str, build: Build, story: SetStory
    ) -> None:
        found = build.judge(kind, build.evidence(history=story.events(error="timed out")))
        assert found.verdict is UNKNOWN
        assert found.reason == "no final read of `read` succeeded: timed out"
        found = build.judge(kind, build.evidence(history=story.events(final=0)))
        assert found.reason == "no final read of `read` succeeded: none was tried"

    def test_a_read_before_the_last_add_is_not_final(
        self, kind: str, build: Build, story: SetStory
    ) -> None:
        story.add(5000, 20.45, "info")
        found = build.judge(kind, build.evidence(history=story.events()))
        assert found.reason == "no final read of `read` succeeded: none was tried"

    def test_is_unknown_when_nothing_was_acknowledged(
        self, kind: str, build: Build, story: SetStory
    ) -> None:
        for line in story.lines:
            line.how, line.error = "fail", "status 403"
        story.read = story.truth = []
        found = build.judge(kind, build.evidence(history=story.events()))
        assert found.verdict is UNKNOWN
        assert found.reason == (
            "no add of workload `members` was acknowledged: status 403; "
            "see its `add` and the statuses in `ok`"
        )

    def test_is_unknown_when_before_during_or_after_the_faults_nothing_came(
        self, kind: str, build: Build, story: SetStory
    ) -> None:
        for injected, healed, what in (
            (0.4, 2.0, "before the first fault"),
            (10.02, 10.4, "while a fault was in force"),
            (10.0, 19.5, "after the last heal"),
            (10.0, None, "was never healed"),
        ):
            fault = build.fault(injected, healed)
            found = build.judge(kind, build.evidence(history=story.events(), faults=[fault]))
            assert found.verdict is UNKNOWN
            assert what in (found.reason or "")

    def test_is_unknown_without_any_event(self, kind: str, build: Build) -> None:
        found = build.judge(kind, build.evidence(history=[]))
        assert found.reason == "workload `members` has no history"

    def test_is_unknown_when_nothing_was_read(
        self, kind: str, build: Build, story: SetStory
    ) -> None:
        adds = [event for event in story.events() if event.op == "add"]
        found = build.judge(kind, build.evidence(history=adds))
        assert found.reason == "workload `members` never read back what it wrote"


class TestNoLoss:
    def test_tells_the_whole_story(self, build: Build, story: SetStory) -> None:
        gone = {1020, 1021, 1022, 1023, 1005, 1006, 1007}
        story.truth = [value for value in story.truth if value not in gone]
        evidence = build.evidence(history=story.events(), faults=[build.fault()])
        found = build.judge("no_loss", evidence)
        assert (found.verdict, found.measured, found.bound) == (
            FAIL,
            "7 lost, 18.4% (of 38)",
            "none lost",
        )
        assert found.reason == (
            "7 of 38 acknowledged values of workload `members` are lost (18.4%): oldest "
            "acknowledged at 2.51 s, 7.49s before kill redis was injected, newest at 11.51 s; "
            "4 inside fault windows, 3 outside [lost update / durability]"
        )
        assert found.witness[0] == (
            "LOST 1005: absent from 3 of 3 final reads of truth, present in read, "
            "acknowledged at 2.51 s, 7.49s before kill (kill redis) 10.0 - 12.0 s"
        )
        assert found.witness[3] == (
            "LOST 1020: absent from 3 of 3 final reads of truth, present in read, "
            "acknowledged at 10.01 s, during kill (kill redis) 10.0 - 12.0 s"
        )
        assert found.witness[5] == "... and 2 more"
        assert found.at == pytest.approx(2.51)

    def test_says_how_long_before_the_heal(self, build: Build, story: SetStory) -> None:
        story.truth.remove(1021)
        evidence = build.evidence(history=story.events(), faults=[build.fault()])
        found = build.judge("no_loss", evidence)
        assert "1 of 38 acknowledged values of workload `members` is lost (2.6%): " in (
            found.reason or ""
        )
        assert "10.51 s, 1.49s before kill redis healed; 1 inside" in (found.reason or "")

    def test_says_when_only_the_app_does_not_show_it(self, build: Build, story: SetStory) -> None:
        story.read.remove(1021)
        found = build.judge("no_loss", build.evidence(history=story.events()))
        assert (found.reason or "").endswith(
            "all of them are still in the store (`truth`), the app does not show them "
            "[lost update / durability]"
        )

    def test_an_allowed_share_may_be_lost(self, build: Build, story: SetStory) -> None:
        story.truth.remove(1021)
        evidence = build.evidence(history=story.events())
        assert build.judge("no_loss", evidence, at_most="2.64%").verdict is PASS
        found = build.judge("no_loss", evidence, at_most="2.63%")
        assert (found.verdict, found.bound) == (FAIL, "<= 2.63% lost")
        assert found.measured == "1 lost, 2.631% (of 38)"

    @pytest.mark.parametrize("how", ["info", "none", "fail"])
    def test_what_was_not_acknowledged_cannot_be_lost(
        self, how: str, build: Build, story: SetStory
    ) -> None:
        story.end(1021, how)
        story.truth.remove(1021)
        story.read.remove(1021)
        assert build.judge("no_loss", build.evidence(history=story.events())).verdict is PASS

    def test_unanswered_adds_and_the_limits_of_a_kill_are_noted(
        self, build: Build, story: SetStory
    ) -> None:
        story.end(1021, "info")
        evidence = build.evidence(history=story.events(), faults=[build.fault()])
        found = build.judge("no_loss", evidence)
        assert found.notes == (
            "1 add had no clear answer; 1 of them is stored, both is allowed",
            (
                "`kill` ends processes, not the machine: "
                "this says nothing about what a power cut would lose (fsync)"
            ),
        )

    def test_a_loss_is_a_failure_even_where_the_rest_proves_nothing(
        self, build: Build, story: SetStory
    ) -> None:
        story.truth.remove(1021)
        evidence = build.evidence(history=story.events(), faults=[build.fault(10.0, 19.5)])
        assert build.judge("no_loss", evidence).verdict is FAIL

    def test_only_the_last_final_read_decides(self, build: Build, story: SetStory) -> None:
        events = story.events()
        first = next(e for e in events if e.op == "truth" and e.type == "ok" and e.t > 20)
        value = [item for item in story.truth if item != 1021]
        changed = [event if event is not first else _with_value(event, value) for event in events]
        assert build.judge("no_loss", build.evidence(history=changed)).verdict is PASS

    def test_during_picks_the_adds_by_their_acknowledgement(
        self, build: Build, story: SetStory
    ) -> None:
        story.truth.remove(1021)
        evidence = build.evidence(history=story.events(), faults=[build.fault()])
        found = build.judge("no_loss", evidence, during={"fault": "kill"})
        assert found.measured == "1 lost, 25% (of 4)"
        assert build.judge("no_loss", evidence, during="settle").verdict is PASS


class TestNoDuplicates:
    def test_names_what_is_stored_twice(self, build: Build, story: SetStory) -> None:
        story.truth += ["1021", 1021]
        evidence = build.evidence(history=story.events(), faults=[build.fault()])
        found = build.judge("no_duplicates", evidence)
        assert (found.verdict, found.measured) == (FAIL, "1 duplicated (of 38)")
        assert found.reason == (
            "1 value of workload `members` appears more than once in one read: oldest added at "
            "10.51 s, 1.49s before kill redis healed; 1 inside fault windows, 0 outside "
            "[double execution: not idempotent]"
        )
        assert found.witness == (
            (
                "DUPLICATED 1021: 3 times in one read of truth, first seen at 20.15 s; its add was "
                "acknowledged at 10.51 s, during kill (kill redis) 10.0 - 12.0 s"
            ),
        )
        assert found.at == pytest.approx(10.51)

    def test_the_same_value_in_two_views_is_no_duplicate(
        self, build: Build, story: SetStory
    ) -> None:
        assert build.judge("no_duplicates", build.evidence(history=story.events())).verdict is PASS


class TestNoPhantoms:
    def test_what_was_there_before_is_no_phantom(self, build: Build, story: SetStory) -> None:
        story.first = [7]
        story.truth.append(7)
        story.read.append("7")
        assert build.judge("no_phantoms", build.evidence(history=story.events())).verdict is PASS

    def test_names_what_was_never_added(self, build: Build, story: SetStory) -> None:
        story.read.append(666)
        found = build.judge("no_phantoms", build.evidence(history=story.events()))
        assert (found.verdict, found.measured) == (FAIL, "1 phantom (of 39)")
        assert found.reason == (
            "workload `members`: 1 value was never written and yet read: first at 20.15 s "
            "[integrity: a read from nowhere]"
        )
        assert found.witness == ("PHANTOM 666: never written, first seen at 20.15 s in read",)

    def test_names_what_was_refused_and_is_there(self, build: Build, story: SetStory) -> None:
        story.add(666, 11.0, "fail", "status 409")
        story.truth.append(666)
        evidence = build.evidence(history=story.events(), faults=[build.fault()])
        found = build.judge("no_phantoms", evidence)
        assert (found.reason or "").startswith("workload `members`: 1 value was refused but stored")
        assert found.witness == (
            (
                "REFUSED BUT STORED 666: first seen at 20.15 s in truth, "
                "refused (status 409) at 11.01 s, during kill (kill redis) 10.0 - 12.0 s"
            ),
        )

    @pytest.mark.parametrize("how", ["info", "none"])
    def test_an_add_without_a_clear_answer_may_be_there(
        self, how: str, build: Build, story: SetStory
    ) -> None:
        story.end(1021, how)
        assert build.judge("no_phantoms", build.evidence(history=story.events())).verdict is PASS

    def test_says_so_when_nobody_looked_before_the_first_add(
        self, build: Build, story: SetStory
    ) -> None:
        story.read.append(666)
        events = [event for event in story.events() if event.op == "add" or event.t > 20]
        found = build.judge("no_phantoms", build.evidence(history=events))
        assert found.verdict is FAIL
        assert "so they may have been there already" in (found.reason or "")


def _with_value(event: Event, value: Json) -> Event:
    return Event(
        event.t, event.type, event.process, event.workload, event.op, event.key, value, event.id
    )


def test_whole_floats_null_and_objects_are_elements_too() -> None:
    assert elements([17.0, None, {"b": 1, "a": 2}]) == [17, "null", '{"a": 2, "b": 1}']
    assert elements(["17", "-3", "017", "x", "1" * 5]) == [17, -3, "017", "x", 11111]
