"""Samples that chaoskit itself sent or saw too late are no evidence, for nor against."""

from __future__ import annotations

from chaoskit.judge.lateness import without_late
from chaoskit.probes.tcp import TcpProbe
from chaoskit.records import Evidence, Sample

PROBES = {"p": TcpProbe.model_validate({"probe": "tcp", "url": "tcp://a:1", "timeout": "1s"})}


def sample(due: float, late: float = 0.0, stalled: float = 0.0) -> Sample:
    sent = due + late
    return Sample("p", due, sent, sent + 1.0, "fail", "no answer within 1s", stalled=stalled)


def kept(*samples: Sample) -> tuple[int, list[str], bool]:
    evidence, late = without_late(Evidence((), (), samples={"p": samples}), PROBES)
    texts = [one.text for one in late]
    return len(evidence.samples["p"]), texts, any(one.too_much for one in late)


def test_what_was_sent_on_time_is_evidence() -> None:
    assert kept(sample(1.0), sample(2.0, late=0.4), sample(3.0, stalled=0.4)) == (3, [], False)


def test_what_was_sent_late_by_half_of_its_timeout_is_none() -> None:
    many = [sample(number) for number in range(9)]
    said = "1 of 10 samples of probe `p` say nothing about it: chaoskit itself was up to 800ms late"
    assert kept(*many, sample(9.0, late=0.8)) == (9, [said], False)


def test_a_stall_while_the_answer_was_waited_for_counts_like_lateness() -> None:
    assert kept(*(sample(n) for n in range(9)), sample(9.0, late=0.2, stalled=0.4))[0] == 9


def test_where_too_many_are_none_it_is_a_reason_for_unknown() -> None:
    assert kept(sample(1.0), sample(2.0), sample(3.0, stalled=0.9))[2]


def test_a_probe_that_the_scenario_does_not_have_is_left_alone() -> None:
    late = Sample("other", 1.0, 9.0, 9.1, "ok")
    evidence, found = without_late(Evidence((), (), samples={"other": [late]}), PROBES)
    assert (evidence.samples["other"], found) == ([late], [])
