"""The `exec` probe."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import Field

from chaoskit.docker.exec import ExecResult
from chaoskit.errors import ChaoskitError
from chaoskit.fields import Command, Duration, ServiceName
from chaoskit.numeric import read_json
from chaoskit.probes._base import Observed, Probe, Session, probe
from chaoskit.probes.container import not_running
from chaoskit.records import Json
from chaoskit.scripts import script
from chaoskit.stack.routes import Routes
from chaoskit.text import last_words, one_line, shown
from chaoskit.wire.error_text import LONGEST

MOST_PRINTED = 64 * 1024  # bytes that are looked at


@probe("exec")
class ExecProbe(Probe):
    """Run a command inside a container of a service and look at its exit status.

    It runs in the first replica, or in `replica`, as the user and with the environment of the
    container. A text goes to a shell and is killed after `timeout` where the container has that
    command; a list is run as it is, and may go on. `contains` is text that it has to print, to its
    standard output, among the first 64 KiB. A single number that it prints is the sample's value,
    which check `value` judges. Starting a command takes about 0.1 s, and eight run at once.
    """

    example: ClassVar[str] = (
        "{ probe: exec, service: redis, run: redis-cli ping, contains: PONG, every: 1s }"
    )

    service: ServiceName
    run: Command
    replica: Annotated[int, Field(ge=1)] = 1
    exit: Annotated[
        int, Field(ge=0, le=255, description="The exit status of a command that is good.")
    ] = 0
    contains: Annotated[str | None, Field(min_length=1)] = None
    every: Duration = Duration(1)
    timeout: Duration = Duration(5)

    def services(self) -> Sequence[str]:
        return [self.service]

    @property
    def argv(self) -> list[str]:
        """What the container runs."""
        if not isinstance(self.run, str):
            return self.run
        seconds = str(max(1, math.ceil(self.timeout)))
        return ["sh", "-c", script("probes/within.sh"), "sh", seconds, self.run]

    async def connect(self, routes: Routes) -> ExecSession:
        return ExecSession(self, routes)


class ExecSession(Session):
    """Nothing is kept between two commands."""

    def __init__(self, probe: ExecProbe, routes: Routes) -> None:
        self._probe = probe
        self._routes = routes
        command = probe.run if isinstance(probe.run, str) else " ".join(probe.run)
        self.waiting_for = f"end of `{one_line(command, 80)}`"

    async def observe(self) -> Observed:
        probe = self._probe
        states = await self._routes.container_states(probe.service)
        state = next((state for state in states if state.replica == probe.replica), None)
        if state is None:
            return Observed(False, "no such container")
        if not state.running:
            return Observed(False, f"{state.service}[{state.replica}] {not_running(state)}")
        try:
            done = await self._routes.execute(
                state.container_id, probe.argv, probe.timeout, MOST_PRINTED
            )
        except ChaoskitError as error:  # it stopped in this moment
            return Observed(False, one_line(error.message, LONGEST))
        return self._judged(done)

    def _judged(self, done: ExecResult) -> Observed:
        wanted = self._probe.contains
        if done.status is None:
            return Observed(False, f"no {self.waiting_for} within {self._probe.timeout}")
        if done.status != self._probe.exit:
            said = last_words(done.err or done.out, LONGEST - 30)
            text = f"exited {done.status} not {self._probe.exit}"
            return Observed(False, one_line(f"{text}: {said}" if said else text, LONGEST))
        if wanted is not None and wanted not in done.out:
            printed = shown(done.out.strip()) if done.out.strip() else "nothing"
            return Observed(False, f"printed {printed}, without {shown(wanted)}")
        return Observed(True, value=_number(done.out))

    async def close(self) -> None:
        return None


def _number(text: str) -> Json:
    """Return the number that a text is, None for any other text."""
    try:
        found: Json = read_json(text)
    except ValueError:
        return None
    return found if isinstance(found, int | float) and not isinstance(found, bool) else None
