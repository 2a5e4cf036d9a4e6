"""Checks over samples: stories they must pass, fail, and leave open."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from chaoskit.records import Verdict

if TYPE_CHECKING:
    from tests.unit.checks.conftest import Build

PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN


class TestAvailability:
    def test_passes_when_every_sample_is_ok(self, build: Build) -> None:
        found = build.judge("availability", build.evidence(samples=build.samples()), at_least="99%")
        assert (found.verdict, found.measured, found.bound) == (PASS, "100% (of 200)", ">= 99%")

    def test_fails_with_the_failing_stretches_as_witness(self, build: Build) -> None:
        samples = build.samples(lambda due: 10.0 <= due < 10.5 or due == 15.0)
        evidence = build.evidence(samples=samples, faults=[build.fault()])
        found = build.judge("availability", evidence, at_least="99%")
        assert (found.verdict, found.measured) == (FAIL, "97% (of 200)")
        assert found.reason == (
            "probe `cache` was ok in 194 of 200 samples (97%), in 2 failing stretches"
        )
        assert found.witness == (
            (
                "10.00 - 10.40 s: 5 failed (connection refused), "
                "during kill (kill redis) 10.0 - 12.0 s"
            ),
            "15.00 s: 1 failed (connection refused), 3.01s after kill (kill redis) 10.0 - 12.0 s",
        )
        assert found.at == pytest.approx(10.01)

    def test_shows_at_most_six_witness_lines(self, build: Build) -> None:
        samples = build.samples(lambda due: round(due * 10) % 10 == 0)
        found = build.judge("availability", build.evidence(samples=samples), at_least="99%")
        assert len(found.witness) == 6
        assert found.witness[-1] == "... and 15 more"

    def test_passes_on_the_bound_exactly(self, build: Build) -> None:
        samples = build.samples(lambda due: due == 1.0, every=0.02)
        assert len(samples) == 1000
        evidence = build.evidence(samples=samples)
        assert build.judge("availability", evidence, at_least="99.9%").verdict is PASS
        assert build.judge("availability", evidence, at_least="99.91%").verdict is FAIL

    def test_never_rounds_across_the_bound_nor_up_to_all(self, build: Build) -> None:
        samples = build.samples(lambda due: due == 1.0, every=0.0008)
        found = build.judge("availability", build.evidence(samples=samples), at_least="100%")
        assert (found.verdict, found.measured) == (FAIL, "99.9% (of 25000)")
        found = build.judge("availability", build.evidence(samples=samples), at_least="99.95%")
        assert (found.verdict, found.measured) == (PASS, "99.99% (of 25000)")

    def test_counts_info_as_not_ok(self, build: Build) -> None:
        samples = build.samples(end=1.0)
        samples[3] = replace(samples[3], outcome="info")
        found = build.judge("availability", build.evidence(samples=samples), at_least="95%")
        assert found.verdict is FAIL

    def test_looks_only_into_its_window(self, build: Build) -> None:
        samples = build.samples(lambda due: 10.0 <= due <= 12.0)
        evidence = build.evidence(samples=samples, faults=[build.fault()])
        for during, verdict in (("baseline", PASS), ("settle", PASS), ("faults", FAIL)):
            found = build.judge("availability", evidence, at_least="99%", during=during)
            assert found.verdict is verdict
        found = build.judge("availability", evidence, at_least="1%", during={"fault": "kill"})
        assert (found.verdict, found.measured) == (FAIL, "0% (of 21)")

    @pytest.mark.parametrize("again", ["kill-2", "kill.2", "kill-2.2"])
    def test_what_is_asked_of_a_fault_is_asked_of_every_injection_of_it(
        self, build: Build, again: str
    ) -> None:
        samples = build.samples(lambda due: due in (10.5, 14.5, 14.6))
        once = build.fault()
        faults = [once, replace(once, id=again, injected=14.0, healed=16.0)]
        evidence = build.evidence(samples=samples, faults=faults)
        found = build.judge("availability", evidence, at_least="93%", during={"fault": "kill"})
        assert (found.verdict, found.measured) == (FAIL, "90.4% (of 21)")
        assert found.notes == ("the worst of 2 injections of fault `kill`",)
        found = build.judge("availability", evidence, at_least="90%", during={"fault": "kill"})
        assert (found.verdict, found.measured) == (PASS, "90.4% (of 21)")
        found = build.judge("availability", evidence, at_least="93%", during={"fault": again})
        assert (found.verdict, found.notes) == (FAIL, ())
        other = [once, replace(faults[1], target="another")]
        evidence = build.evidence(samples=samples, faults=other)
        found = build.judge("availability", evidence, at_least="93%", during={"fault": "kill"})
        assert found.verdict is PASS

    def test_is_unknown_without_samples_or_window(self, build: Build) -> None:
        evidence = build.evidence(samples=build.samples(start=21.0, end=22.0))
        found = build.judge("availability", evidence, at_least="99%")
        assert found.verdict is UNKNOWN
        assert found.reason == "probe `cache` gave no sample in this window"
        found = build.judge("availability", evidence, at_least="99%", during={"fault": "slow"})
        assert found.reason == "fault `slow` was never injected"


class TestLatency:
    def test_passes_and_shows_every_bound(self, build: Build) -> None:
        evidence = build.evidence(samples=build.samples())
        found = build.judge("latency", evidence, p50="50ms", max="1s")
        assert (found.verdict, found.measured, found.bound) == (
            PASS,
            "p50 10ms, max 10ms (of 200)",
            "p50 <= 50ms, max <= 1s",
        )

    def test_a_timeout_counts_with_the_time_it_took(self, build: Build) -> None:
        samples = build.samples(lambda due: due in (10.0, 10.1, 10.2), took_bad=1.5)
        evidence = build.evidence(samples=samples, faults=[build.fault()])
        found = build.judge("latency", evidence, p99="1s")
        assert (found.verdict, found.measured) == (FAIL, "p99 1.5s (of 200, 3 failed)")
        assert found.reason == (
            "the p99 latency of probe `cache` is 1.5s, above 1s: "
            "3 of 200 samples took longer, 3 of them failed"
        )
        assert found.witness[0] == (
            "10.00 s: took 1.5s (failed: connection refused), "
            "during kill (kill redis) 10.0 - 12.0 s"
        )

    def test_failing_fast_does_not_make_it_better(self, build: Build) -> None:
        samples = build.samples(lambda due: due >= 5.0, took=0.2, took_bad=0.001)
        found = build.judge("latency", build.evidence(samples=samples), p50="100ms")
        assert (found.verdict, found.measured) == (FAIL, "p50 200ms (of 200, 150 failed)")

    def test_is_unknown_when_nothing_succeeded(self, build: Build) -> None:
        samples = build.samples(lambda due: True)
        found = build.judge("latency", build.evidence(samples=samples), p50="100ms")
        assert found.verdict is UNKNOWN
        assert "no sample of probe `cache` succeeded" in (found.reason or "")

    def test_uses_the_nearest_rank(self, build: Build) -> None:
        samples = [
            replace(sample, done=sample.due + 0.001 * (n + 1))
            for n, sample in enumerate(build.samples(end=10.0))
        ]
        evidence = build.evidence(samples=samples)
        assert build.judge("latency", evidence, p99="99ms").verdict is PASS
        found = build.judge("latency", evidence, p99="98ms", p50="50ms", p95="1s")
        assert found.measured == "p50 50ms, p95 95ms, p99 99ms (of 100)"
        assert found.verdict is FAIL

    def test_shows_the_slowest_in_order_of_time(self, build: Build) -> None:
        samples = build.samples(took=0.3)
        found = build.judge("latency", build.evidence(samples=samples), max="100ms")
        assert len(found.witness) == 6
        assert found.witness[-1] == "... and 195 more"

    def test_does_not_round_across_the_bound(self, build: Build) -> None:
        samples = build.samples(took=1.0004)
        found = build.judge("latency", build.evidence(samples=samples), max="1s")
        assert (found.verdict, found.measured) == (FAIL, "max 1.0004s (of 200)")

    def test_wants_a_bound(self, build: Build) -> None:
        with pytest.raises(ValueError, match="give at least one of"):
            build.check("latency", probe="cache")


class TestDowntime:
    def test_measures_from_the_first_failure_to_the_next_good_answer(self, build: Build) -> None:
        samples = build.samples(lambda due: 10.0 <= due < 12.0 or due == 5.0)
        evidence = build.evidence(samples=samples, faults=[build.fault()])
        found = build.judge("downtime", evidence, at_most="3s")
        assert (found.verdict, found.measured) == (PASS, "2.01s")
        found = build.judge("downtime", evidence, at_most="2s")
        assert found.verdict is FAIL
        assert found.reason == (
            "probe `cache` failed for 2.01s from 10.00 s, during kill (kill redis) 10.0 - 12.0 s"
        )
        assert len(found.witness) == 2

    def test_passes_when_nothing_failed(self, build: Build) -> None:
        found = build.judge("downtime", build.evidence(samples=build.samples()), at_most="0s")
        assert (found.verdict, found.measured) == (PASS, "0s (never failed)")

    def test_failing_to_the_end_is_a_failure_or_unknown_never_a_pass(self, build: Build) -> None:
        evidence = build.evidence(samples=build.samples(lambda due: due >= 18.0))
        found = build.judge("downtime", evidence, at_most="5s")
        assert (found.verdict, found.measured) == (UNKNOWN, ">= 1.91s")
        found = build.judge("downtime", evidence, at_most="1s")
        assert found.verdict is FAIL
        assert "until the end of the run" in (found.reason or "")

    def test_follows_a_stretch_beyond_the_window(self, build: Build) -> None:
        evidence = build.evidence(samples=build.samples(lambda due: 12.0 <= due < 15.0))
        found = build.judge("downtime", evidence, at_most="5s", during="faults")
        assert (found.verdict, found.measured) == (PASS, "3.01s")


class TestRecovery:
    def test_measures_from_the_heal_to_the_first_good_answer(self, build: Build) -> None:
        samples = build.samples(lambda due: 10.0 <= due < 13.5)
        evidence = build.evidence(samples=samples, faults=[build.fault()])
        found = build.judge("recovery", evidence, within="5s")
        assert (found.verdict, found.measured, found.bound) == (PASS, "1.51s", "<= 5s")
        found = build.judge("recovery", evidence, within="1s")
        assert found.verdict is FAIL
        assert found.reason == (
            "probe `cache` took 1.51s to recover after kill redis healed at 12.00 s"
        )
        assert found.witness == ("kill (kill redis) 10.0 - 12.0 s: healthy again after 1.51s",)

    def test_a_fault_nobody_noticed_counts_as_zero(self, build: Build) -> None:
        evidence = build.evidence(samples=build.samples(), faults=[build.fault()])
        found = build.judge("recovery", evidence, within="5s")
        assert (found.verdict, found.measured) == (PASS, "0s")

    def test_a_probe_that_was_back_before_the_heal_took_no_time(self, build: Build) -> None:
        samples = build.samples(lambda due: 10.0 <= due < 11.0)
        evidence = build.evidence(samples=samples, faults=[build.fault()])
        assert build.judge("recovery", evidence, within="0s").verdict is PASS

    def test_a_short_healthy_moment_does_not_count(self, build: Build) -> None:
        samples = build.samples(lambda due: 10.0 <= due < 16.0 and not 12.5 <= due < 13.0)
        evidence = build.evidence(samples=samples, faults=[build.fault()])
        assert build.judge("recovery", evidence, within="5s").measured == "4.01s"
        short = build.judge("recovery", evidence, within="5s", stable="400ms")
        assert short.measured == "510ms"

    def test_never_recovered_says_how_long_was_watched(self, build: Build) -> None:
        samples = build.samples(lambda due: due >= 10.0)
        evidence = build.evidence(samples=samples, faults=[build.fault()])
        found = build.judge("recovery", evidence, within="5s")
        assert (found.verdict, found.measured) == (FAIL, "not recovered")
        assert found.reason == (
            "probe `cache` was not healthy again after kill redis healed at 12.00 s, "
            "watched for 7.91s (80 samples)"
        )

    def test_watching_for_less_than_the_bound_is_unknown(self, build: Build) -> None:
        samples = build.samples(lambda due: due >= 10.0)
        evidence = build.evidence(samples=samples, faults=[build.fault()])
        found = build.judge("recovery", evidence, within="10s")
        assert (found.verdict, found.measured) == (UNKNOWN, "unclear")
        assert "watched for only 7.91s" in (found.reason or "")

    def test_no_sample_after_the_heal_is_unknown(self, build: Build) -> None:
        evidence = build.evidence(samples=build.samples(end=11.5), faults=[build.fault()])
        found = build.judge("recovery", evidence, within="5s")
        assert found.verdict is UNKNOWN
        assert "no sample came after it" in (found.reason or "")

    def test_three_samples_are_enough_at_the_end_and_two_are_not(self, build: Build) -> None:
        for end, verdict in ((12.8, PASS), (12.7, UNKNOWN)):
            samples = build.samples(lambda due: 10.0 <= due < 12.5, end=end)
            evidence = build.evidence(samples=samples, faults=[build.fault()])
            assert build.judge("recovery", evidence, within="5s").verdict is verdict

    def test_what_another_fault_held_up_is_not_counted(self, build: Build) -> None:
        """Whatever the bound is: it decides, and does not say how long it took."""
        samples = build.samples(lambda due: 4.0 <= due < 12.5)
        faults = [build.fault(4.0, 5.0, "first"), build.fault(4.5, 12.0, "second")]
        evidence = build.evidence(samples=samples, faults=faults)
        for within, verdict in (("9s", PASS), ("1s", PASS), ("400ms", FAIL)):
            found = build.judge("recovery", evidence, within=within)
            assert (found.verdict, found.measured) == (verdict, "510ms (slowest of 2)")

    def test_every_fault_counts_and_the_slowest_is_shown(self, build: Build) -> None:
        samples = build.samples(lambda due: 4.0 <= due < 5.5 or 10.0 <= due < 12.3)
        faults = [build.fault(4.0, 5.0, "first"), build.fault()]
        evidence = build.evidence(samples=samples, faults=faults)
        found = build.judge("recovery", evidence, within="5s")
        assert (found.verdict, found.measured) == (PASS, "510ms (slowest of 2)")
        found = build.judge("recovery", evidence, within="400ms")
        assert (found.verdict, len(found.witness)) == (FAIL, 2)
        assert build.judge("recovery", evidence, within="400ms", fault="kill").verdict is PASS

    def test_the_next_fault_ends_the_watch(self, build: Build) -> None:
        samples = build.samples(lambda due: 4.0 <= due < 12.0)
        faults = [build.fault(4.0, 5.0, "first"), build.fault(6.0, 11.9, "second")]
        found = build.judge("recovery", build.evidence(samples=samples, faults=faults), within="5s")
        assert found.verdict is UNKNOWN
        assert "first" in found.witness[0]

    def test_the_clock_waits_for_a_fault_that_is_still_in_force(self, build: Build) -> None:
        samples = build.samples(lambda due: 5.0 <= due < 12.5)
        faults = [build.fault(5.0, 6.0, "first"), build.fault(5.5, 12.0, "second")]
        evidence = build.evidence(samples=samples, faults=faults)
        found = build.judge("recovery", evidence, within="1s", fault="first")
        assert (found.verdict, found.measured) == (PASS, "510ms")
        assert build.judge("recovery", evidence, within="100ms").verdict is FAIL

    def test_a_fault_never_healed_is_unknown(self, build: Build) -> None:
        evidence = build.evidence(samples=build.samples(), faults=[build.fault(healed=None)])
        assert build.judge("recovery", evidence, within="5s").verdict is UNKNOWN

    def test_a_run_without_faults_has_nothing_to_recover_from(self, build: Build) -> None:
        found = build.judge("recovery", build.evidence(samples=build.samples()), within="5s")
        assert (found.verdict, found.measured) == (UNKNOWN, "nothing")

    def test_a_timeout_sent_before_the_heal_does_not_delay_it(self, build: Build) -> None:
        samples = build.samples(lambda due: 10.0 <= due < 12.0, took_bad=1.0)
        evidence = build.evidence(samples=samples, faults=[build.fault()])
        assert build.judge("recovery", evidence, within="5s").measured == "10ms"


class TestDetection:
    def test_measures_from_the_injection_to_the_first_failure(self, build: Build) -> None:
        samples = build.samples(lambda due: 10.5 <= due < 12.0)
        evidence = build.evidence(samples=samples, faults=[build.fault()])
        found = build.judge("detection", evidence, within="2s")
        assert (found.verdict, found.measured, found.bound) == (PASS, "510ms", "<= 2s")
        found = build.judge("detection", evidence, within="500ms")
        assert found.reason == (
            "kill redis, injected at 10.00 s: probe `cache` noticed after 510ms "
            "(connection refused)"
        )
        assert found.verdict is FAIL

    def test_a_fault_nobody_noticed_fails(self, build: Build) -> None:
        evidence = build.evidence(samples=build.samples(), faults=[build.fault()])
        found = build.judge("detection", evidence, within="2s")
        assert (found.verdict, found.measured) == (FAIL, "not noticed")
        assert "did not notice it, watched for 4s" in (found.reason or "")

    def test_noticing_long_after_the_heal_does_not_count(self, build: Build) -> None:
        evidence = build.evidence(
            samples=build.samples(lambda due: due >= 15.0), faults=[build.fault()]
        )
        assert build.judge("detection", evidence, within="2s").measured == "not noticed"

    def test_a_probe_that_was_failing_before_shows_nothing(self, build: Build) -> None:
        evidence = build.evidence(
            samples=build.samples(lambda due: due >= 9.0), faults=[build.fault()]
        )
        found = build.judge("detection", evidence, within="2s")
        assert found.verdict is UNKNOWN
        assert "was failing before it was injected" in (found.reason or "")

    def test_a_failure_after_the_next_fault_says_nothing_about_the_first(
        self, build: Build
    ) -> None:
        samples = build.samples(lambda due: 11.0 <= due < 12.0)
        faults = [build.fault(10.5, 12.0, "first"), build.fault(10.9, 12.0, "second")]
        evidence = build.evidence(samples=samples, faults=faults)
        found = build.judge("detection", evidence, within="2s", fault="first")
        assert found.verdict is UNKNOWN
        assert "the next fault came 400ms later" in (found.reason or "")
        assert build.judge("detection", evidence, within="2s", fault="second").verdict is PASS

    def test_samples_that_ended_too_early_are_unknown(self, build: Build) -> None:
        evidence = build.evidence(samples=build.samples(end=10.5), faults=[build.fault()])
        found = build.judge("detection", evidence, within="2s")
        assert found.verdict is UNKNOWN
        assert "the samples ended" in (found.reason or "")

    def test_other_windows_than_the_whole_run_are_refused(self, build: Build) -> None:
        with pytest.raises(ValueError, match="Input should be 'all'"):
            build.check("detection", probe="cache", within="2s", during="baseline")
