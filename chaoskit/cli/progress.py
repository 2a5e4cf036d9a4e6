"""Showing what goes on: lines as they come, and on a terminal a live view below. On stderr."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, TextIO

from chaoskit.record import events as e
from chaoskit.text import printable, seconds_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.live import Live

    from chaoskit.record.events import Recorded


class Progress:
    """Prints lines, and on a terminal shows what `render` returns for its width.

    A terminal that goes away must never stop healing, so writing errors end the output only.
    """

    def __init__(self, console: Console, render: Callable[[int], RenderableType]) -> None:
        self._console = console
        self._render = render
        self._live: Live | None = None

    def start(self) -> None:
        """Show the live view from now on."""
        from rich.live import Live

        console, render = self._console, self._render
        if self._live is None and console.is_terminal and not console.is_dumb_terminal:
            self._live = Live(
                console=console,
                refresh_per_second=5,
                transient=True,
                get_renderable=lambda: render(console.width),
            )
            self._live.start()

    def stop(self) -> None:
        """Take the live view away, also where the terminal is gone."""
        if self._live:
            with contextlib.suppress(OSError, ValueError):
                self._live.stop()
            self._live = None

    def say(self, line: str) -> None:
        """Print a line."""
        try:
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)
        except (OSError, ValueError):
            self.stop()
            self._console = _nowhere()


def line_of(recorded: Recorded) -> str | None:
    """Return what to print for an event, None for those that are not worth a line."""
    t, event = recorded
    said = _said(t, event)
    return None if said is None else f"{t:7.2f} s  {said}"


def _said(t: float, event: e.RunEvent) -> str | None:
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
