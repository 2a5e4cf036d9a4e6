"""Watching the scenarios of a command while they are run: one of them, or a suite."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from chaoskit.cli.live import LiveView
from chaoskit.cli.output import tell
from chaoskit.cli.progress import Progress, line_of, stderr_console
from chaoskit.cli.suite_view import SuiteView
from chaoskit.cli.warnings import warn
from chaoskit.errors import Problem
from chaoskit.plan.plan import Plan
from chaoskit.record.events import Recorded
from chaoskit.record.folder import RunFolder
from chaoskit.record.writer import Listener, LiveCounts
from chaoskit.scenario.loading import Loaded
from chaoskit.suite.execution import Ended

if TYPE_CHECKING:
    from rich.console import RenderableType


class Watching:
    """Shows the scenarios that run; `said` prints how each ended and says whether to go on.

    `stream` gets every event of a run as a line of JSON.
    """

    def __init__(
        self,
        scenarios: Sequence[Loaded],
        at_once: int,
        said: Callable[[Ended], bool],
        stream: Callable[[str], None],
    ) -> None:
        self._several = at_once > 1
        self._said = said
        self.stream = stream
        self._suite = SuiteView(scenarios, at_once) if len(scenarios) > 1 else None
        self._views: dict[int, LiveView] = {}
        self._names: dict[int, str] = {}
        self.progress = Progress(stderr_console(), self._render)

    def began(self, number: int, loaded: Loaded) -> None:
        """Take note that a scenario is prepared."""
        view = LiveView(loaded.scenario, loaded.scenario.injections())
        self._views[number], self._names[number] = view, loaded.scenario.name
        if self._suite:
            self._suite.began(number, view)

    def warned(self, text: str) -> None:
        """Print a warning."""
        tell(text)

    def heard(
        self, number: int, recorded: Recorded, clean: Callable[[str], str] = lambda text: text
    ) -> None:
        """Show an event of a run; `clean` keeps secrets out of what is printed."""
        self._views[number](recorded)
        line = line_of(recorded)
        if line is not None:
            name = f"{self._names[number]}: " if self._several else ""
            self.progress.say(name + clean(line))

    def count(self, number: int, counts: LiveCounts) -> None:
        """Show how the probes and workloads of a run are doing."""
        self._views[number].counts = counts

    def ended(self, number: int, ended: Ended) -> bool:
        """Say how a scenario ended; return whether others may begin."""
        self._views.pop(number, None)
        if self._suite:
            self._suite.ended(number, ended.result)
        self.progress.stop()
        go_on = self._said(ended)
        if go_on and self._several:
            self.progress.start()
        return go_on

    def _render(self, width: int) -> RenderableType:
        if self._suite:
            return self._suite.render(width)
        (view,) = self._views.values()
        return view.render(width)


class OneRun:
    """The audience of a run in this process."""

    def __init__(self, watching: Watching, number: int) -> None:
        self._watching = watching
        self._number = number

    def warn(self, warnings: Iterable[Problem]) -> None:
        warn(warnings)

    def note(self, text: str) -> None:
        tell(text)

    def begin(self, plan: Plan, folder: RunFolder) -> Listener:
        clean = folder.redactor

        def listen(recorded: Recorded) -> None:
            self._watching.heard(self._number, recorded, clean.clean)
            self._watching.stream(json.dumps(clean.clean_json(recorded.row())))

        return listen

    def watch(self, counts: LiveCounts) -> None:
        self._watching.count(self._number, counts)
        self._watching.progress.start()

    def end(self) -> None:
        self._watching.progress.stop()
