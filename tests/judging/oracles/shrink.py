"""The smallest history on which two still disagree: operations are left out, one by one."""

from __future__ import annotations

from collections.abc import Callable

from tests.judging.oracles.case import Case
from tests.judging.oracles.simulate import dropped


def smallest(case: Case, still: Callable[[Case], bool]) -> Case:
    """Leave out whatever can be left out of a case for which `still` holds."""
    while True:
        smaller = next((one for one in _smaller(case) if still(one)), None)
        if smaller is None:
            return case
        case = smaller


def _smaller(case: Case) -> list[Case]:
    in_time = tuple(sorted(case.lines, key=lambda line: line.t))
    found = [] if in_time == case.lines else [Case(in_time, case.fields, case.faults)]
    if case.faults and not isinstance(case.fields.get("during"), dict):
        found.append(Case(case.lines, case.fields))
    for name in case.fields:
        fewer = {key: value for key, value in case.fields.items() if key != name}
        found.append(Case(case.lines, fewer, case.faults))
    for number in {line.id: None for line in case.lines}:
        lines = tuple(dropped(case.lines, number))
        if lines:
            found.append(Case(lines, case.fields, case.faults))
    return found
