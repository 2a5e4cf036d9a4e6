"""`exec`: commands of the author's own, for everything that no other kind does."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, cast
from weakref import WeakKeyDictionary

from pydantic import Field, model_validator

from chaoskit.docker.compose_cli import PROJECT_VARIABLE
from chaoskit.errors import FaultFailed
from chaoskit.faults.contract import Fault, Forecast, Receipt, Undo, fault
from chaoskit.fields import Command, Duration, ServiceName
from chaoskit.secrets import passwords_in
from chaoskit.tasks import together
from chaoskit.text import last_words, seconds_text

if TYPE_CHECKING:
    from chaoskit.docker.containers import Container
    from chaoskit.stack.proxy import Proxy
    from chaoskit.stack.stack import Stack

_SHOWN = 300  # characters of what a command printed
_CANNOT_RUN = (126, 127)
_printed: WeakKeyDictionary[Stack, dict[str, str]] = WeakKeyDictionary()  # by inject commands


class ExecUndo(Undo):
    """The commands, and where they run: in these replicas of `service`, or on the host."""

    fault: str
    service: str | None
    replicas: tuple[int, ...]
    verify: Command
    heal: Command | None
    timeout: Annotated[float, Field(gt=0, le=3600)]
    directory: str

    @property
    def on_host(self) -> bool:
        return self.service is None

    @property
    def commands(self) -> Sequence[str]:
        if self.heal is None:
            return ()
        return [
            one if isinstance(one, str) else shlex.join(one) for one in (self.heal, self.verify)
        ]

    def masked(self, clean: Callable[[str], str]) -> Self:
        def cleaned(command: Command) -> Command:
            return clean(command) if isinstance(command, str) else list(map(clean, command))

        heal = None if self.heal is None else cleaned(self.heal)
        return self.model_copy(update={"verify": cleaned(self.verify), "heal": heal})


class _WithoutHeal:
    """True on an instance that has no heal command: it is over as soon as it is injected."""

    def __get__(self, made: Exec | None, kind: type[Exec]) -> bool:
        return made is not None and made.heal_ is None


@fault("exec")
class Exec(Fault[ExecUndo]):
    """Run commands of your own that put a fault in force, prove it and undo it.

    They run inside the containers of `service`, or on this machine with `host: true`, which `run`
    only does with `--allow-host-exec`. A text goes to a shell, a list is run as it is. `verify`
    exits 0 exactly while the fault is in force: before it and after `heal` it must not. Without
    `heal` nothing is undone, and the fault takes no `for`. A command that takes longer than
    `timeout` fails; on the host it is killed, in a container it may go on. Commands on the host
    find the run's Compose project in `CHAOSKIT_PROJECT`. They are kept in the ledger, where
    passwords are masked: let them read those from a variable.
    """

    undo_model = ExecUndo
    risks_processes = True  # whatever a command does to its container is meant
    example = (
        "{ at: 2s, for: 4s, fault: exec, service: chat, inject: touch /tmp/full,"
        " verify: test -e /tmp/full, heal: rm -f /tmp/full }"
    )
    instant: ClassVar[bool] = cast("bool", _WithoutHeal())

    service: ServiceName | None = None
    replica: Annotated[int | None, Field(ge=1, le=1000)] = None
    host: bool = False
    inject_: Annotated[Command, Field(alias="inject")]
    verify: Command
    heal_: Annotated[Command | None, Field(alias="heal")] = None
    timeout: Annotated[Duration, Field(gt=0, le=Duration(3600))] = Duration(10)

    @model_validator(mode="after")
    def _one_place(self) -> Exec:
        if (self.service is None) == (not self.host):
            raise ValueError("`exec` runs either in a `service` or, with `host: true`, on the host")
        if self.host and self.replica is not None:
            raise ValueError("`replica` needs a `service`")
        for name, command in (("verify", self.verify), ("heal", self.heal_)):
            if command is not None and passwords_in(_said(command)):
                raise ValueError(
                    f"`{name}` contains a password, which the ledger masks: read it from a variable"
                )
        return self

    @property
    def target(self) -> str:
        if self.service is None:
            return "host"
        return self.service if self.replica is None else f"{self.service}[{self.replica}]"

    @property
    def runs_on_host(self) -> bool:
        return self.host

    def services(self) -> Sequence[str]:
        return [] if self.service is None else [self.service]

    def restarts_services(self) -> Sequence[str]:
        return self.services()

    def listeners(self, stack: Stack) -> Sequence[Proxy]:
        if self.service is None or self.replica is not None:
            return ()
        return stack.proxies_to(self.service)[:1]

    def forecast(self) -> Forecast:
        undo = "nothing: there is no heal command"
        if self.heal_ is not None:
            undo = f"run `{_said(self.heal_)}` there"
        return Forecast(f"`{_said(self.inject_)}` run on {self.target}", undo)

    async def prepare(self, stack: Stack) -> ExecUndo:
        replicas: list[int] = []
        if self.service is not None:
            found = await stack.replicas(self.service, self.replica)
            for container in found:
                if not container.state.running:
                    raise FaultFailed(
                        f"`{container.name}` is {container.state.status}, not running"
                    )
            replicas = [container.state.replica for container in found]
        undo = ExecUndo(
            fault=self.name,
            service=self.service,
            replicas=tuple(replicas),
            verify=self.verify,
            heal=self.heal_,
            timeout=float(self.timeout),
            directory=str(Path.cwd()),
        )
        for place, status, text in await _everywhere(stack, undo, self.verify):
            if status == 0:
                raise FaultFailed(f"{place}: `verify` succeeds before the fault: it proves nothing")
            if status is None or status in _CANNOT_RUN:
                raise FaultFailed(f"{place}: `verify` {_ended(self.verify, undo, status, text)}")
        return undo

    async def inject(self, stack: Stack, undo: ExecUndo) -> None:
        done = await _everywhere(stack, undo, self.inject_)
        _printed.setdefault(stack, {})[self.name] = "; ".join(text for _, _, text in done if text)
        _check(done, self.inject_, undo)

    @classmethod
    async def heal(cls, stack: Stack, undo: ExecUndo) -> None:
        if undo.heal is not None:
            _check(await _everywhere(stack, undo, undo.heal), undo.heal, undo)

    @classmethod
    async def verify_injected(cls, stack: Stack, undo: ExecUndo) -> Receipt:
        done = await _everywhere(stack, undo, undo.verify)
        printed = _printed.get(stack, {}).get(undo.fault)
        before = f"inject printed `{printed}`; " if printed else ""
        return Receipt(all(status == 0 for _, status, _ in done), before + _verified(undo, done))

    @classmethod
    async def verify_healed(cls, stack: Stack, undo: ExecUndo) -> Receipt:
        if undo.heal is None:
            return Receipt(True, "there is nothing to undo")
        done = await _everywhere(stack, undo, undo.verify)
        gone = all(status not in (0, None, *_CANNOT_RUN) for _, status, _ in done)
        return Receipt(gone, _verified(undo, done))


Done = tuple[str, int | None, str]  # where, exit status (None: no end in time), what it printed


async def _everywhere(stack: Stack, undo: ExecUndo, command: Command) -> list[Done]:
    """Run a command in every container of the undo data, as they are now, or on the host.

    Raises `FaultFailed` when one of them does not run.
    """
    if undo.service is None:
        variables = {PROJECT_VARIABLE: stack.project, "CHAOSKIT_FAULT": undo.fault}
        status, text = await _on_host(command, undo.directory, variables, undo.timeout)
        return [("host", status, last_words(text, _SHOWN))]
    wanted = set(undo.replicas)
    found = await stack.containers.of(stack.project, undo.service)
    found = [container for container in found if container.state.replica in wanted]
    if len(found) < len(wanted):
        raise FaultFailed(f"`{undo.service}` has lost {len(wanted) - len(found)} containers")
    for container in found:
        if not container.state.running:
            raise FaultFailed(
                f"`{container.name}` is {container.state.status}: no command can run in it"
            )

    async def inside(container: Container) -> Done:
        argv = ["sh", "-c", command] if isinstance(command, str) else command
        done = await stack.exec.run(container.id, argv, within=undo.timeout)
        return container.name, done.status, last_words(f"{done.out} {done.err}", _SHOWN)

    return await together(*(inside(container) for container in found))


async def _on_host(
    command: Command, directory: str, variables: Mapping[str, str], within: float
) -> tuple[int | None, str]:
    """Run a command on this machine; past its time, it and all its children are killed."""
    argv = ["sh", "-c", command] if isinstance(command, str) else command
    options: dict[str, Any] = {
        "cwd": directory,
        "env": {**os.environ, **variables},
        "stdin": asyncio.subprocess.DEVNULL,
        "stdout": asyncio.subprocess.PIPE,
        "stderr": asyncio.subprocess.STDOUT,
        "start_new_session": True,
    }
    try:
        process = await asyncio.create_subprocess_exec(*argv, **options)
    except OSError as error:
        return _CANNOT_RUN[1], error.strerror or str(error)
    reading = asyncio.create_task(process.communicate())
    try:
        async with asyncio.timeout(within):
            out, _ = await asyncio.shield(reading)
        return process.returncode, out.decode(errors="replace")
    except TimeoutError:
        return None, ""
    finally:
        if not reading.done():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await asyncio.wait([reading])


def _check(done: Sequence[Done], command: Command, undo: ExecUndo) -> None:
    """Raise `FaultFailed` for a command that did not succeed everywhere."""
    for place, status, text in done:
        if status != 0:
            raise FaultFailed(f"{place}: {_ended(command, undo, status, text)}")


def _verified(undo: ExecUndo, done: Sequence[Done]) -> str:
    many = len(done) > 1
    return "; ".join(
        (f"{place}: " if many else "") + _ended(undo.verify, undo, status, text)
        for place, status, text in done
    )


def _ended(command: Command, undo: ExecUndo, status: int | None, text: str) -> str:
    if status is None:
        return f"`{_said(command)}` did not end within {seconds_text(undo.timeout)}"
    return f"`{_said(command)}` exited {status}" + (f": {text}" if text else "")


def _said(command: Command) -> str:
    return command if isinstance(command, str) else " ".join(command)
