"""`signal`: one signal to the main process."""

from __future__ import annotations

import re
from collections.abc import Mapping
from signal import Signals
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator, Field

from chaoskit.clock import until
from chaoskit.errors import ChaoskitError
from chaoskit.faults.contract import Forecast, Receipt, fault
from chaoskit.faults.engines import containers
from chaoskit.faults.engines.containers import ContainersUndo, ReplicaRow, ServiceFault
from chaoskit.fields import Duration
from chaoskit.stack.connections import proc_of
from chaoskit.tasks import together
from chaoskit.text import seconds_text

if TYPE_CHECKING:
    from chaoskit.docker.containers import Container
    from chaoskit.stack.stack import Stack

_POLL = 0.02
_OTHER_KINDS = {"SIGKILL": "kill", "SIGSTOP": "pause", "SIGTSTP": "pause"}
_HARMLESS = ("SIGWINCH", "SIGCONT", "SIGURG")  # no process dies of them

Reaction = Literal["handled", "deadly", "dropped", "unknown"]


def _named(value: object) -> object:
    if isinstance(value, str) and value in _OTHER_KINDS:
        raise ValueError(f"write `fault: {_OTHER_KINDS[value]}` for {value}: it can be healed")
    return value


SignalName = Annotated[
    Literal[
        "SIGHUP", "SIGINT", "SIGQUIT", "SIGABRT", "SIGALRM", "SIGPIPE", "SIGTERM",
        "SIGUSR1", "SIGUSR2", "SIGURG", "SIGWINCH", "SIGCONT",
    ],
    BeforeValidator(_named),
]  # fmt: skip


class SignalUndo(ContainersUndo):
    """What was sent, and what each main process does with it; `since` is in seconds of the engine's
    clock."""

    signal: str
    since: float
    reactions: Mapping[int, Reaction]


@fault("signal")
class Signal(ServiceFault[SignalUndo]):
    """Send a signal to the main process of a service.

    `watch` is how long to see what becomes of it: it goes on, it exits (then the heal starts it
    again), or its restart policy brings it back. A main process that is process 1 of its container
    and has no handler for the signal never gets it: the kernel drops it, and the run is `unknown`.
    """

    undo_model = SignalUndo
    risks_processes = True
    example = "{ at: 2s, fault: signal, service: redis, signal: SIGHUP, watch: 100ms }"
    instant = True

    signal: SignalName
    watch: Annotated[Duration, Field(gt=0, le=Duration(60))] = Duration(1)

    def forecast(self) -> Forecast:
        return Forecast(
            f"{self.signal} to the main process of {self.target}, watched for"
            f" {seconds_text(self.watch)}",
            "start the same containers again, if they exited",
            "what its handler is meant to do: that is for your probes and checks",
        )

    async def prepare(self, stack: Stack) -> SignalUndo:
        hit, whole = await self.chosen(stack)
        number = Signals[self.signal].value
        return self.undo_for(
            map(ReplicaRow.of, hit),
            whole,
            signal=self.signal,
            since=(await stack.machine.info()).now,
            reactions={c.state.replica: await _reaction(stack, c, number) for c in hit},
        )

    async def inject(self, stack: Stack, undo: SignalUndo) -> None:
        found = await containers.targets(stack, undo)
        await together(*(stack.containers.kill(c.id, self.signal) for c in found))
        if self.signal not in _HARMLESS:
            await until(lambda: _gone(stack, undo), within=self.watch, every=_POLL)

    @classmethod
    async def verify_injected(cls, stack: Stack, undo: SignalUndo) -> Receipt:
        name = undo.signal
        number = Signals[name].value
        events = await stack.events.since(stack.project, undo.since, undo.service)
        sent = {e.replica for e in events if e.action == "kill" and e.signal == number}
        holds, parts = True, []
        for row, now in await containers.pairs(stack, undo):
            label = row.name
            if row.replica not in sent:
                holds = False
                parts.append(f"the engine sent no {name} to {label}")
            elif now is None:
                parts.append(f"{label} got {name} and is gone")
            elif now.state.started_at != row.started_at:
                was, then = row.started_at, now.state.started_at
                clocks = f"started {containers.clock(was)} -> {containers.clock(then)}"
                parts.append(f"{label} got {name}, exited and is back: {clocks}")
            elif not now.state.running:
                parts.append(f"{label} got {name}: {containers.said(now.state)}")
            else:
                reaction = undo.reactions.get(row.replica, "unknown")
                holds = holds and reaction != "dropped"
                parts.append(f"{label} {_GOES_ON[reaction].format(name)}")
        return Receipt(holds, "; ".join(parts))


async def _gone(stack: Stack, undo: SignalUndo) -> bool:
    """Return whether every target has exited since, back or not."""
    return all(
        now is not None and not (now.state.running and now.state.started_at == row.started_at)
        for row, now in await containers.pairs(stack, undo)
    )


_GOES_ON = {
    "handled": "got {}, which its main process handles, and goes on",
    "deadly": "got {} and goes on",
    "dropped": "never got {}: its main process has no handler, so the kernel drops it",
    "unknown": "was sent {} and goes on",
}


async def _reaction(stack: Stack, container: Container, number: int) -> Reaction:
    """Read from the kernel what the main process does with a signal."""
    text = proc_of(container, "status")
    if text is None:
        try:
            argv = ["cat", "/proc/1/status"]
            text = (await stack.exec.run(container.id, argv)).out
        except ChaoskitError:
            return "unknown"
    masks = {key: int(value, 16) for key, value in re.findall(r"(Sig\w+):\s+([0-9a-f]+)", text)}
    if "SigCgt" not in masks or "SigIgn" not in masks:
        return "unknown"
    bit = 1 << (number - 1)
    if masks["SigCgt"] & bit:
        return "handled"
    if masks["SigIgn"] & bit:
        return "dropped"
    spaces = re.search(r"NSpid:(.*)", text)
    first = spaces is not None and spaces[1].split()[-1:] == ["1"]
    return "dropped" if first else "deadly"
