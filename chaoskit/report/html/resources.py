"""What the stack used: lanes of memory and of the machine's load, and both in words."""

from __future__ import annotations

from collections.abc import Sequence

from chaoskit.judge.result import Result
from chaoskit.record.events import HostLoad, ResourcesSampled
from chaoskit.record.reader import RunRecord
from chaoskit.report.html.downsample import extremes
from chaoskit.report.html.model import Lane, Line, Room, Table
from chaoskit.text import count

_MIB = 1024**2
_COLUMNS = 300  # of values, in each line


def resource_lanes(record: RunRecord, room: Room) -> list[Lane]:
    """Return the lanes of memory and of load; none for what was not recorded."""
    sampled = [(t, one) for t, one in record.log.events if isinstance(one, ResourcesSampled)]
    return [*_memory(sampled, room), *_load(sampled, room)]


def _memory(sampled: Sequence[tuple[float, ResourcesSampled]], room: Room) -> list[Lane]:
    lines, rows = [], []
    for name in sorted({name for _, one in sampled for name in one.services}):
        found = [(t, one.services[name] / _MIB) for t, one in sampled if name in one.services]
        lines.append(_line(name, found, room))
        used = [memory for _, memory in found]
        rows.append([name, *(f"{value:.1f} MiB" for value in (used[0], max(used), used[-1]))])
    if not lines:
        return []
    highest = max(y for line in lines for y in line.y)
    return [
        Lane(
            "memory",
            "memory of services",
            f"{count(len(lines), 'service')}, looked at every other second, without the page cache",
            "linear",
            Table(("service", "first", "most", "last"), rows),
            " MiB",
            0.0,
            highest * 1.1,
            lines=lines,
            height=130,
        )
    ]


def _load(sampled: Sequence[tuple[float, ResourcesSampled]], room: Room) -> list[Lane]:
    found = [(t, one.host) for t, one in sampled if one.host is not None]
    waits = [(t, one.cpu_pressure * 100) for t, one in found if one.cpu_pressure is not None]
    if not waits:
        return []
    values = [value for _, value in waits]
    words = f"{sum(values) / len(values):.0f}% of the time on average, {max(values):.0f}% at most"
    table = Table(
        ("at", "some task waited", "load average"),
        [
            [f"{t:.1f} s", _share(one.cpu_pressure), f"{one.load1:.2f}"]
            for t, one in found[:: max(1, len(found) // 100)]
        ],
    )
    return [
        Lane(
            "load",
            "load of this machine: how much of the time some task waited for a CPU",
            words,
            "linear",
            table,
            "%",
            0.0,
            100.0,
            lines=[_line("waiting", waits, room)],
            height=90,
        )
    ]


def _share(pressure: float | None) -> str:
    return "-" if pressure is None else f"{pressure:.0%}"


def _line(name: str, found: Sequence[tuple[float, float]], room: Room) -> Line:
    times, values = [t for t, _ in found], [value for _, value in found]
    return Line(name, *extremes(times, values, room.span, _COLUMNS))


def load_in_words(record: RunRecord) -> str:
    """Return how busy the machine of the stack was, or why nobody knows."""
    sampled = list(record.log.every(ResourcesSampled))
    found = [one.host for one in sampled if one.host is not None]
    if not sampled:
        return "not recorded"
    if not found:
        return "not recorded: the engine is not on the machine that chaoskit ran on"
    load = f"load average {max(one.load1 for one in found):.1f} at most on {found[0].cpus} CPUs"
    return f"{load}; {_pressure(found)}"


def _pressure(found: Sequence[HostLoad]) -> str:
    shares = [one.cpu_pressure for one in found if one.cpu_pressure is not None]
    if not shares:
        return "its kernel does not tell how long tasks waited for a CPU"
    return f"some task waited for a CPU {sum(shares) / len(shares):.0%} of the time"


def peaks_in_words(result: Result) -> str:
    """Return the most memory that each service was seen to use, or that nobody knows."""
    known = [
        f"{one.service} {one.peak_memory / _MIB:.1f} MiB"
        for one in result.stack.services
        if one.peak_memory is not None
    ]
    return ", ".join(known) or "not recorded"
