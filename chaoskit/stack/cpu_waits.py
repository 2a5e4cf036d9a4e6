"""How long the tasks of containers waited for a CPU: the kernel counts it for each of them.

`/proc/PID/task/TID/schedstat` has it as its second number, in nanoseconds, as the kernel's page
"Scheduler Statistics" tells it. Waiting because of a quota of one's own counts as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from chaoskit.docker.containers import Container
from chaoskit.stack.connections import proc_of

_NANO = 1e9


class CpuWaits:
    """Counts from one look to the next; tasks that came and went in between are not seen."""

    def __init__(self) -> None:
        self._seen: dict[Path, int] = {}

    def since_last(self, containers: list[Container]) -> dict[str, float]:
        """Return for how many seconds the tasks of each service waited since the last look, all
        added up. A service whose processes this host does not show is left out."""
        now: dict[Path, int] = {}
        waited: dict[str, float] = {}
        for container in containers:
            if not container.state.running or proc_of(container, "cgroup") is None:
                continue
            service = container.state.service
            waited.setdefault(service, 0.0)
            for task in _tasks(container.pid):
                if (total := _waited(task)) is not None:
                    now[task] = total
                    waited[service] += max(0, total - self._seen.get(task, total)) / _NANO
        self._seen = now
        return waited


def _tasks(pid: int) -> Iterator[Path]:
    """Yield the folders of the tasks of a process and of those that it started."""
    waiting = [pid]
    while waiting:
        try:
            tasks = list(Path(f"/proc/{waiting.pop()}/task").iterdir())
        except OSError:  # it has ended
            continue
        for task in tasks:
            yield task
            try:
                waiting += map(int, (task / "children").read_text().split())
            except OSError:
                continue


def _waited(task: Path) -> int | None:
    try:
        return int((task / "schedstat").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return None
