"""When a pass would prove nothing: the clear cases of "When a pass would prove nothing".

This is the other half of an oracle. It names only what nobody can argue about; everything else is
left to the check.
"""

from __future__ import annotations

from collections.abc import Sequence

from tests.judging.oracles.case import Call, Case, calls, some

LONG = 1.0  # seconds: nothing may be due in a shorter fault


def proves_nothing(
    case: Case,
    writes: Sequence[str],
    reads: Sequence[str] = (),
    *,
    also: Sequence[str] = (),
    final: bool = False,
    refusals_count: bool = False,
) -> str:
    """Return why a pass of a check with these operations would prove nothing, or nothing.

    `also` names operations that must succeed where they are used, `final` says that the check is
    about what is left in the end, and `refusals_count` that a write that was refused after the
    faults is as good as one that was acknowledged.
    """
    all_ = calls(case)
    for kind in {one.op for one in all_} & {*writes, *reads, *also}:
        if not some(all_, kind, ok=True):
            return f"no {kind} succeeded"
    if not some(all_, *writes):
        return "nothing was written"
    if reads and not some(all_, *reads):
        return "nothing was read"
    if final:
        missing = _without_final_read(all_, writes, reads)
        if missing:
            return f"no final {missing}"
    elif reads and not _read_after_write(all_, writes, reads):
        return "nothing was read after a write"
    return _around_faults(case, all_, writes, refusals_count)


def _without_final_read(all_: list[Call], writes: Sequence[str], reads: Sequence[str]) -> str:
    last = max([one.start for one in some(all_, *writes)])
    for view in {one.op for one in some(all_, *reads)}:
        if not any(one.start > last and one.got is not None for one in some(all_, view, ok=True)):
            return view
    return ""


def _read_after_write(all_: list[Call], writes: Sequence[str], reads: Sequence[str]) -> bool:
    first = min([one.start for one in some(all_, *writes, ok=True)])
    return any(one.end > first for one in some(all_, *reads, ok=True))


def _around_faults(
    case: Case, all_: list[Call], writes: Sequence[str], refusals_count: bool
) -> str:
    if not case.faults:
        return ""
    tried = some(all_, *writes)
    good = some(all_, *writes, ok=True)
    if not any(one.ended < case.faults[0].injected for one in good):
        return "nothing was written before the fault"
    for fault in case.faults:
        if fault.healed is None:
            return "never healed"
        under_way = [
            one for one in tried if one.begun <= fault.healed and one.ended >= fault.injected
        ]
        if fault.healed - fault.injected >= LONG and not under_way:
            return "nothing was tried during the fault"
        after = [one for one in tried if one.ok or (refusals_count and one.refused)]
        if not any(one.ended > fault.healed for one in after):
            return "nothing was written after the heal"
    return ""
