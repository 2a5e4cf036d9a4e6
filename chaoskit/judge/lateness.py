"""Samples that say more about chaoskit than about the app: those that it sent or saw too late."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from chaoskit.checks._schedule import ENOUGH
from chaoskit.probes._base import Probe
from chaoskit.records import Evidence
from chaoskit.text import count, seconds_text

_SHARE = 0.5  # of a probe's timeout, from which on lateness could be what failed it


@dataclass(frozen=True, slots=True)
class Late:
    """What was left out of a probe's samples: a sentence, and whether that was too much."""

    text: str
    too_much: bool


def without_late(evidence: Evidence, probes: Mapping[str, Probe]) -> tuple[Evidence, list[Late]]:
    """Return the evidence without samples that were late by half of their timeout or more, and what
    that left out."""
    kept, late = dict(evidence.samples), []
    for name, samples in evidence.samples.items():
        if name not in probes:
            continue
        most = _SHARE * probes[name].timeout
        kept[name] = [sample for sample in samples if sample.lateness < most]
        lost = len(samples) - len(kept[name])
        if lost:
            worst = max(sample.lateness for sample in samples)
            text = (
                f"{lost} of {count(len(samples), 'sample')} of probe `{name}` say nothing about it:"
                f" chaoskit itself was up to {seconds_text(worst)} late"
            )
            late.append(Late(text, lost > (1 - ENOUGH) * len(samples)))
    return replace(evidence, samples=kept), late
