"""What died, was restarted or was removed in a run although no fault aimed at it.

Decided from the engine's events, from the replicas as they were read back when everything had
settled, and from what the scenario allows; nothing else, so a stored run is always judged alike.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from chaoskit.checks._fault_position import named
from chaoskit.record.events import ContainerChanged, LastLines, ReplicaSeen, ReplicasRead
from chaoskit.record.reader import RunLog
from chaoskit.records import FaultWindow
from chaoskit.scenario.document import Scenario
from chaoskit.text import count, moment, seconds_text

Reason = Literal["exited", "oom", "stopped", "removed"]

_SLACK = 0.5  # seconds between the engine's clock and what faults record
_LATE = 1.0  # seconds by which word of memory that ran out may come after that of the death
_OOM = 5.0  # seconds from running out of memory to word of the death by it, on a busy machine
_ENDING = frozenset({signal.SIGINT, signal.SIGQUIT, signal.SIGKILL, signal.SIGTERM})
_AT_ONCE = 1.0  # seconds between the death and the removal of one `docker rm --force`
_REMOVING = ("recreate", "exec")  # faults that remove containers
_UP = ("running", "paused")


@dataclass(slots=True)
class _End:
    """One end of a life of a replica; `back` is when it was started again."""

    at: float
    born: float | None
    reason: Reason
    exit_code: int | None
    signal: int | None = None
    back: float | None = None
    process: bool = False  # only one process of it: the replica itself lived on


@dataclass(frozen=True, slots=True)
class Death:
    """What happened to one replica, `times` times from `at` to `until`, run-clock seconds.

    `down` says that it was not up when everything had settled, `looping` that it had started again
    just then, as it had done in vain before. `text` is one sentence.
    """

    service: str
    replica: int
    at: float
    until: float
    times: int
    reason: Reason
    exit_code: int | None
    back: float | None
    down: bool
    looping: bool
    allowed: bool
    process: bool
    text: str = ""
    lines: tuple[str, ...] = ()

    @property
    def unsettling(self) -> bool:
        """Return whether a run with it cannot be a pass."""
        return (self.down or self.looping) and not self.allowed

    @property
    def interference(self) -> bool:
        """Return whether somebody else took a part of the stack away."""
        return self.unsettling and self.reason in ("stopped", "removed")


@dataclass(slots=True)
class _Replica:
    """What the engine told of one replica, in order of time."""

    changes: list[tuple[float, ContainerChanged]] = field(default_factory=list)
    lines: dict[float, tuple[str, ...]] = field(default_factory=dict)  # by the time of death


def deaths(scenario: Scenario, log: RunLog) -> list[Death]:
    """Return what died or was restarted without a fault that aimed at it, in order of time; and of
    those that a fault aimed at, what was not up again in the end."""
    replicas = _replicas(log)
    several = {service for service, number in replicas if number > 1}
    judging = _Judging(scenario, log)
    found = []
    for (service, number), replica in replicas.items():
        who = f"`{service}[{number}]`" if service in several else f"`{service}`"
        found += judging.deaths(who, service, number, replica)
    return sorted(found, key=lambda death: death.at)


class _Judging:
    """What all replicas are judged by: the faults, the read-back, what the scenario allows."""

    def __init__(self, scenario: Scenario, log: RunLog) -> None:
        read_back = [(t, one) for t, one in log.events if isinstance(one, ReplicasRead)]
        self._read_at, seen = read_back[-1] if read_back else (float("-inf"), None)
        self._was_read = seen is not None
        self._jobs = () if seen is None else seen.jobs
        replicas = () if seen is None else seen.replicas
        self._states = {(one.service, one.replica): one for one in replicas}
        self._first = min((window.injected for window in log.windows), default=float("inf"))
        self._windows = log.windows
        self._aims = _Aims(scenario, log)
        self._scenario = scenario

    def deaths(self, who: str, service: str, number: int, replica: _Replica) -> list[Death]:
        """Return what happened to one replica; `who` is what a sentence calls it."""
        ends = list(_ends(replica.changes))
        down = _is_down(replica.changes, self._states.get((service, number)), self._read_at)
        last = next((end for end in reversed(ends) if not end.process), None)
        told = [end for end in ends if self._tells(service, end, lost=end is last and down)]
        found = []
        for group in _grouped(told):
            is_down = down and group[-1] is last
            looping = self._was_read and not down and group[-1] is last
            death = Death(
                service,
                number,
                group[0].at,
                group[-1].at,
                len(group),
                group[0].reason,
                group[0].exit_code,
                group[-1].back,
                down=is_down,
                looping=looping and _loops(group, self._read_at),
                allowed=self._scenario.may(service, "exit" if is_down else "restart"),
                process=group[0].process,
                lines=next((replica.lines[e.at] for e in group if e.at in replica.lines), ()),
            )
            text = _sentence(who, death, group[0], self._windows)
            found.append(replace(death, text=text))
        return found

    def _tells(self, service: str, end: _End, *, lost: bool) -> bool:
        """Return whether an end is told; `lost` says that the replica did not come back."""
        if self._aims.at(service, end):
            if end.reason == "stopped":
                end.reason = "exited"  # by the fault, not by somebody else
            return lost and self._was_read
        completed = end.exit_code == 0 and end.back is None and end.reason == "exited"
        return not (completed and (service in self._jobs or end.at < self._first))


class _Aims:
    """Which fault was meant to end which replica."""

    def __init__(self, scenario: Scenario, log: RunLog) -> None:
        kinds = {fault.name: fault for fault in scenario.injections()}
        self._windows: list[tuple[FaultWindow, bool]] = []
        for window in log.windows:
            fault = kinds.get(window.id)
            everywhere = fault is not None and fault.runs_on_host
            risky = fault is not None and fault.risks_processes
            if everywhere or risky or window.ends_processes:
                self._windows.append((window, everywhere))

    def at(self, service: str, end: _End) -> bool:
        """Return whether a fault meant this end: it came while the fault was in force, or a little
        later of a life that had begun before."""
        for window, everywhere in self._windows:
            if not everywhere and service not in window.services:
                continue
            healed = float("inf") if window.healed is None else window.healed
            if not window.injected - _SLACK <= end.at <= healed + _SLACK:
                continue
            if end.reason == "removed" and window.fault not in _REMOVING:
                continue
            if end.at <= healed or end.born is None or end.born < window.injected:
                return True
        return False


def _replicas(log: RunLog) -> dict[tuple[str, int], _Replica]:
    """Return what happened to each replica until the run was judged: its teardown ends them all."""
    until = min((p.start for p in log.phases if p.name in ("judge", "down")), default=float("inf"))
    found: dict[tuple[str, int], _Replica] = {}
    for t, event in log.events:
        if isinstance(event, ContainerChanged) and t < until:
            found.setdefault((event.service, event.replica), _Replica()).changes.append((t, event))
        elif isinstance(event, LastLines):
            replica = found.setdefault((event.service, event.replica), _Replica())
            replica.lines[event.died] = event.lines
    for replica in found.values():
        replica.changes.sort(key=lambda change: change[0])
    return found


def _ends(changes: Sequence[tuple[float, ContainerChanged]]) -> Iterator[_End]:
    """Yield each end of a replica's lives, in order of time."""
    ends: list[_End] = []
    born: float | None = None
    killed: int | None = None
    starved: list[float] = []
    for t, event in changes:
        match event.action:
            case "start":
                if ends and ends[-1].back is None and not ends[-1].process:
                    ends[-1].back = t
                born, killed, starved = t, None, []
            case "kill" if event.signal in _ENDING or event.signal is None:
                killed = event.signal or signal.SIGTERM
            case "oom":
                last = ends[-1] if ends else None
                if (
                    last
                    and (last.reason, last.exit_code) == ("exited", 137)
                    and t - last.at <= _LATE
                ):
                    last.reason = "oom"
                else:
                    starved.append(t)
            case "die":
                by_memory = event.exit_code == 137 and any(t - s <= _OOM for s in starved)
                early = [s for s in starved if not by_memory or t - s > _OOM]
                ends += [_End(s, born, "oom", None, process=True) for s in early]
                reason: Reason = "exited"
                if killed is not None:
                    reason = "stopped"
                elif by_memory:
                    reason = "oom"
                ends.append(_End(t, born, reason, event.exit_code, killed))
                killed, starved = None, []
            case "destroy":
                if ends and t - ends[-1].at <= _AT_ONCE and ends[-1].back is None:
                    ends.pop()
                ends.append(_End(t, born, "removed", None))
    ends += [_End(s, born, "oom", None, process=True) for s in starved]
    return iter(ends)


def _is_down(
    changes: Sequence[tuple[float, ContainerChanged]], state: ReplicaSeen | None, read_at: float
) -> bool:
    """Return whether a replica was down in the end: as it was read back, and what came later."""
    later = [
        event.action
        for t, event in changes
        if event.action in ("start", "die", "destroy") and t > read_at
    ]
    if later:
        return later[-1] != "start"
    if state is None:
        return any(event.action == "start" for _, event in changes)
    return state.status not in _UP


def _grouped(ends: Sequence[_End]) -> list[list[_End]]:
    """Group what happened again and again in the same way."""
    groups: list[list[_End]] = []
    for end in ends:
        last = groups[-1][-1] if groups else None
        alike = last is not None and (last.reason, last.exit_code, last.process) == (
            end.reason,
            end.exit_code,
            end.process,
        )
        if alike and (end.process or (last is not None and last.back is not None)):
            groups[-1].append(end)
        else:
            groups.append([end])
    return groups


def _loops(group: Sequence[_End], until: float) -> bool:
    """Return whether a replica that is up was not up for longer than it had been before in vain."""
    back = group[-1].back
    if len(group) < 2 or back is None or until == float("inf"):
        return False
    lives = [end.at - end.born for end in group[1:] if end.born is not None]
    return until - back <= max(lives, default=0.0)


def _sentence(who: str, death: Death, end: _End, faults: Sequence[FaultWindow]) -> str:
    code = "" if death.exit_code is None else f" with code {death.exit_code}"
    match death.reason:
        case "removed":
            what = "was removed by somebody else"
        case "stopped":
            what = f"was ended by somebody else ({signal.Signals(end.signal or 15).name})"
        case "oom" if death.process:
            what = "had a process killed because its memory ran out"
        case "oom":
            what = "was killed because its memory ran out"
        case _:
            what = f"exited{code}"
    text = f"{who} {what} at {moment(death.at)}{_position(death.at, faults)}"
    if death.times > 1:
        text += f" {count(death.times, 'time')} until {moment(death.until)}"
    if death.down:
        text += " and stayed down" if death.reason != "removed" else ""
    elif death.looping:
        text += " and was still restarting in the end"
    elif death.back is not None:
        text += f" and was started again {seconds_text(death.back - death.until)} later"
    text = text.removesuffix(",")
    return text + (", as the scenario allows" if death.allowed else "")


def _position(t: float, faults: Sequence[FaultWindow]) -> str:
    """Return which faults were in force, else how long after the last one it was."""
    active = [named(fault) for fault in faults if fault.covers(t)]
    if active:
        return f", during {' and '.join(active)},"
    healed = [(fault.healed, fault) for fault in faults if fault.healed and fault.healed < t]
    if healed:
        at, fault = max(healed, key=lambda pair: pair[0])
        return f", {seconds_text(t - at)} after {named(fault)} was healed,"
    return ", before any fault," if faults else ""


def advice(found: Sequence[Death]) -> list[str]:
    """Return how to say that a death is meant, for each service that has one."""
    services = dict.fromkeys(
        death.service for death in found if death.unsettling and not death.interference
    )
    return [
        f"if `{service}` may end like that, say so: `allow: {{service: {service}, may: exit}}`"
        for service in services
    ]
