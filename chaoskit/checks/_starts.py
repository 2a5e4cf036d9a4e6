"""When the containers of a service started and became healthy, from what the engine reported."""

from __future__ import annotations

from collections.abc import Sequence

from chaoskit.records import ContainerEvent, Evidence
from chaoskit.text import count, moment

HEALTH, HEALTHY = "health_status", "health_status: healthy"


def of_service(evidence: Evidence, service: str) -> list[ContainerEvent]:
    """Return the events of a service's containers in order of time."""
    found = [event for event in evidence.containers if event.service == service]
    return sorted(found, key=lambda event: event.t)


def started(evidence: Evidence, service: str) -> float | None:
    """Return when the first container of a service started."""
    events = of_service(evidence, service)
    return next((event.t for event in events if event.action == "start"), None)


def healthy(evidence: Evidence, service: str) -> float | None:
    """Return when the first container of a service was reported healthy."""
    events = of_service(evidence, service)
    return next((event.t for event in events if event.action == HEALTHY), None)


def ready(evidence: Evidence, service: str) -> float | None:
    """Return when a service was healthy, or started where it has no health check."""
    events = of_service(evidence, service)
    if any(event.action.startswith(HEALTH) for event in events):
        return healthy(evidence, service)
    return started(evidence, service)


def note_of_earlier(events: Sequence[ContainerEvent], start: float) -> tuple[str, ...]:
    """Return what to say of `events` that came while the stack started, before what is judged."""
    earlier = [event for event in events if event.t < start]
    if not earlier:
        return ()
    first, many = earlier[0], count(len(earlier), "time")
    what = "was started again" if first.action == "start" else "died"
    return (
        (
            f"service `{first.service}` {what} {many} while the stack started, first at "
            f"{moment(first.t)}: that is before the baseline, and not judged"
        ),
    )


def again(events: Sequence[ContainerEvent]) -> list[ContainerEvent]:
    """Return the starts of a service's containers that are not the first of their replica."""
    seen: set[int] = set()
    found = []
    for event in events:
        if event.action != "start":
            continue
        if event.replica in seen:
            found.append(event)
        seen.add(event.replica)
    return found
