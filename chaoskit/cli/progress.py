"""Showing a run while it goes on: a live line on a terminal, plain lines elsewhere. On stderr."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, TextIO

from chaoskit.record import events as e
from chaoskit.text import printable, seconds_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console, ConsoleOptions, RenderableType

    from chaoskit.cli.live import LiveView
    from chaoskit.record.events import Recorded
    from chaoskit.record.writer import LiveCounts


class Progress:
    """Prints a line for every event worth one; on a terminal also a live view.

    A terminal that goes away must never stop healing, so writing errors end the output only.
    """

    def __init__(self, console: Console, view: LiveView, clean: Callable[[str], str] = str) -> None:
        """`clean` keeps secrets out of what is printed."""
        from rich.live import Live

        self._console = console
        self._clean = clean
        self._view = view
        self._live: Live | None = None
        if console.is_terminal and not console.is_dumb_terminal:
            self._live = Live(
                console=console,
                refresh_per_second=5,
                transient=True,
                get_renderable=lambda: view.render(console.width),
            )

    def start(self) -> None:
        """Show the live view from now on."""
        if self._live:
            self._live.start()

    def stop(self) -> None:
        """End the live view, also where the terminal is gone."""
        if self._live:
            with contextlib.suppress(OSError, ValueError):
                self._live.stop()
            self._live = None

    def watch(self, counts: LiveCounts) -> None:
        """Show these counts from now on."""
        self._view.counts = counts

    def __call__(self, recorded: Recorded) -> None:
        """Take note of an event of the run."""
        t, event = recorded
        self._view(recorded)
        line = _line(t, event)
        if line is None:
            return
        try:
            self._console.print(
                f"{t:7.2f} s  {self._clean(line)}", markup=False, highlight=False, soft_wrap=True
            )
        except (OSError, ValueError):
            self.stop()
            self._console = _nowhere()


def _line(t: float, event: e.RunEvent) -> str | None:
    """Return what to print for an event, None for those that are not worth a line."""
    match event:
        case e.RunStarted(scenario=scenario, run=run):
            return f"{scenario}: run {run}"
        case e.PhaseStarted(phase=phase):
            return f"phase {phase}"
        case e.FaultInjected(id=id, fault=fault, target=target):
            return f"  fault {id}: {fault} {target} injected"
        case e.FaultHealed(id=id):
            return f"  fault {id}: healed"
        case e.FaultGone(id=id):
            return f"  fault {id}: gone with the stack"
        case e.FaultNotInjected(id=id, reason=reason):
            return f"  fault {id}: {reason}"
        case e.HealFailed(id=id, reason=reason):
            return f"  fault {id}: heal failed: {reason}"
        case e.Progressed(text=text) | e.RunUnproven(text=text) | e.Noted(text=text):
            return f"  {text}"
        case e.RunEndedEarly(reason=reason):
            return f"ended early: {reason}"
        case e.RunEnded(verdict=verdict):
            return f"{verdict} after {seconds_text(t)}"
    return None


def _nowhere() -> Console:
    from rich.console import Console

    return Console(quiet=True)


def stderr_console() -> Console:
    """Return the console for progress: respects NO_COLOR, TERM=dumb and pipes."""
    return console(sys.stderr)


def console(file: TextIO) -> Console:
    """Return a console that shows nothing that a terminal would act on, and raises
    `BrokenPipeError` when its reader is gone.

    Rich's own exits the process there, in the middle of a run whose faults are in force.
    """
    from rich.console import Console
    from rich.segment import Segment

    class Patient(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

        def render(
            self, renderable: RenderableType, options: ConsoleOptions | None = None
        ) -> Iterator[Segment]:
            for text, style, control in super().render(renderable, options):
                yield Segment(text if control else printable(text), style, control)

    return Patient(file=file)
