"""Showing a run while it goes on: a live line on a terminal, plain lines elsewhere. On stderr."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TextIO

from chaoskit.records import Json
from chaoskit.text import seconds_text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from chaoskit.record.writer import LiveCounts


class Progress:
    """Prints a line for every event worth one; on a terminal also a live line of counts.

    A terminal that goes away must never stop healing, so writing errors end the output only.
    """

    def __init__(self, console: Console, scenario: str) -> None:
        from rich.live import Live

        self._console = console
        self._scenario = scenario
        self._phase = "starting"
        self._tallies: LiveCounts | None = None
        self._t = 0.0
        self._live: Live | None = None
        if console.is_terminal and not console.is_dumb_terminal:
            self._live = Live(
                console=console, refresh_per_second=5, transient=True, get_renderable=self._status
            )

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live_off()

    def _live_off(self) -> None:
        if self._live:
            with contextlib.suppress(OSError, ValueError):
                self._live.stop()
            self._live = None

    def watch(self, counts: LiveCounts) -> None:
        """Show these counts from now on."""
        self._tallies = counts

    def __call__(self, row: Mapping[str, Json]) -> None:
        """Take note of an event of the run."""
        event: Mapping[str, Any] = row
        self._t = float(event["t"])
        if event["event"] == "phase_started":
            self._phase = str(event["phase"])
        line = _line(event)
        if line is None:
            return
        try:
            self._console.print(
                f"{self._t:7.2f} s  {line}", markup=False, highlight=False, soft_wrap=True
            )
        except (OSError, ValueError):
            self._live_off()
            self._console = _nowhere()

    def _status(self) -> Text:
        from rich.text import Text

        text = Text(no_wrap=True, overflow="ellipsis")
        text.append(f"{self._scenario}: {self._phase}", style="bold")
        if self._tallies is not None:
            for name, tally in self._tallies.probes.items():
                good = tally.last is not None and tally.last.outcome == "ok"
                text.append(f"  {name} ", style="")
                text.append("ok" if good else "failing", style="green" if good else "red")
            for name, counts in self._tallies.workloads.items():
                text.append(f"  {name} {counts.ok} ok", style="")
                if counts.fail or counts.info:
                    text.append(f", {counts.fail} fail, {counts.info} info", style="yellow")
        return text


def _line(event: Mapping[str, Any]) -> str | None:
    """Return what to print for an event, None for those that are not worth a line."""
    match event["event"]:
        case "run_started":
            return f"{event['scenario']}: run {event['run']}"
        case "phase_started":
            return f"phase {event['phase']}"
        case "progress":
            return f"  {event['text']}"
        case "fault_injected":
            return f"  fault {event['id']}: {event['fault']} {event['target']} injected"
        case "fault_healed":
            return f"  fault {event['id']}: healed"
        case "fault_failed":
            return f"  fault {event['id']}: {event['reason']}"
        case "heal_failed":
            return f"  fault {event['id']}: heal failed: {event['reason']}"
        case "doubt" | "note":
            return f"  {event['text']}"
        case "ended_early":
            return f"ended early: {event['reason']}"
        case "run_ended":
            return f"{event['verdict']} after {seconds_text(float(event['t']))}"
    return None


def _nowhere() -> Console:
    from rich.console import Console

    return Console(quiet=True)


def stderr_console() -> Console:
    """Return the console for progress: respects NO_COLOR, TERM=dumb and pipes."""
    return console(sys.stderr)


def console(file: TextIO) -> Console:
    """Return a console that raises `BrokenPipeError` when its reader is gone.

    Rich's own exits the process there, in the middle of a run whose faults are in force.
    """
    from rich.console import Console

    class Patient(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    return Patient(file=file)
