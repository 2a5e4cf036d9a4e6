"""Every error chaoskit raises on purpose, as one tree, and the exit codes of its commands.

    ChaoskitError                    70  message, hint, exit_code
    ├── Crashed                      70  the process of a scenario in a suite ended before it did
    ├── UsageError                    2  wrong command line
    │   ├── ScenarioInvalid           2  every problem of one scenario file, with positions
    │   └── Owned                     2  the run to recover has a live owner
    ├── NothingSelected               5  no scenario matched
    ├── EnvironmentFailure            4  Docker, Compose, images, Toxiproxy, ports
    │   ├── CommandFailed             4  argv, exit status, tail of stderr
    │   ├── StackNotReady             4  the stack did not come up; its logs are attached
    │   ├── StoreFailed               4  the run folder cannot be written or read
    │   │   └── NotTrusted            4  somebody else may have written it: nothing is undone
    │   ├── EngineGone                4  the Docker engine does not answer, and may be back later
    │   ├── ToxiproxyUnreachable      4  a Toxiproxy does not answer
    │   └── RelayUnreachable          4  the relay behind proxies does not answer
    └── FaultFailed                   3  a fault could not be injected, verified or healed
        ├── NoSuchContainer           3  a container that should be there is not
        ├── ToxiproxyWedged           3  Toxiproxy answers, but one of its proxies hangs
        ├── ToxiproxyRefused          3  Toxiproxy said no
        └── GateUnmet                 3  the steady state was not reached

Beside the tree stand errors that never reach the user, each caught by the module that knows it:
    RedisRefused, WebSocketRefused, WebSocketEnded, GrpcFailed, FeedEnded
        what the system under test answered: recorded as a sample or an operation, so it is data
    NoMatch, NoMetric      nothing, or no one number, is found in an answer: data as well
    NoCertificate          what a server showed cannot be read, which is data as well
    Stopped, Unresolvable  end the reading of a scenario or of one value; they become a `Problem`
    NoNumber               a document has a number that cannot be held; who reads it says where
    NotHttp                a relay cannot read what passes, and hands it on unread from then on
    NotJudged              a check has nothing to judge: its verdict is `unknown`
    Interrupted            a signal before the run began; its exit code is the signal's

Messages say what, where and what to do: lower case, names in backticks, no full stop.
What docker-py and requests raise is translated in `docker.errors`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum


class ExitCode(IntEnum):
    """What the exit status of every command means. A signal ends with 128 plus its number."""

    PASSED = 0
    FAILED = 1
    USAGE = 2  # wrong command line or scenario
    UNKNOWN = 3
    ENVIRONMENT = 4
    NOTHING_SELECTED = 5
    LEFT_BEHIND = 6
    INTERNAL = 70
    HANGUP = 129
    INTERRUPTED = 130
    TERMINATED = 143

    @property
    def by_signal(self) -> bool:
        return self > 128


class ChaoskitError(Exception):
    """An error with a message for people, an optional hint, and the exit code of the command."""

    exit_code = ExitCode.INTERNAL

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(ChaoskitError):
    """The command line asks for something that does not exist or contradicts itself."""

    exit_code = ExitCode.USAGE


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a scenario file; `line` and `column` count from 1.

    With a `code` it is a warning: the scenario can be run, but proves little.
    """

    file: str
    line: int
    column: int
    message: str
    source: str = ""
    width: int = 1
    hint: str | None = None
    code: str | None = None

    def render(self) -> str:
        """Return `file:line:column: message`, the source line, a caret and the hint."""
        message = self.message if self.code is None else f"warning: {self.message} [{self.code}]"
        text = f"{self.file}:{self.line}:{self.column}: {message}"
        if self.source:
            margin = f"{self.line:>5} | "
            caret = " " * (len(margin) + self.column - 1) + "^" * max(1, self.width)
            text += f"\n{margin}{self.source}\n{caret}"
        if self.hint:
            text += f"\n      = {self.hint}"
        return text


class ScenarioInvalid(UsageError):
    """A scenario file that cannot be run; carries all of its problems at once."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda p: (p.file, p.line, p.column)))
        super().__init__("\n".join(problem.render() for problem in self.problems))


class NothingSelected(ChaoskitError):
    """A directory without scenarios, or a filter that matches none."""

    exit_code = ExitCode.NOTHING_SELECTED


class EnvironmentFailure(ChaoskitError):
    """Docker, Compose, an image, Toxiproxy or a port is not usable."""

    exit_code = ExitCode.ENVIRONMENT


class CommandFailed(EnvironmentFailure):
    """An external command returned a non-zero status or ran past its deadline."""

    def __init__(
        self, argv: Sequence[str], status: int | None, stderr: str, *, hint: str | None = None
    ) -> None:
        self.argv = tuple(argv)
        self.status = status
        self.stderr = stderr
        how = "ran past its deadline" if status is None else f"failed with status {status}"
        tail = "\n".join(stderr.strip().splitlines()[-12:])
        super().__init__(
            f"`{' '.join(argv[:6])}` {how}" + (f":\n{tail}" if tail else ""), hint=hint
        )


class StackNotReady(EnvironmentFailure):
    """The stack did not become ready in time; `logs` holds the last lines of each service."""

    def __init__(
        self, message: str, logs: dict[str, list[str]], *, hint: str | None = None
    ) -> None:
        self.logs = logs
        super().__init__(message, hint=hint)


class FaultFailed(ChaoskitError):
    """A fault could not be injected, read back or healed."""

    exit_code = ExitCode.UNKNOWN


class StoreFailed(EnvironmentFailure):
    """The run folder cannot be written or read."""


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, what it came from, and what came together: nearest first, each once."""
    seen: set[int] = set()
    waiting: list[BaseException] = [error]
    while waiting:
        current = waiting.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        if isinstance(current, BaseExceptionGroup):
            waiting.extend(current.exceptions)
        # Also the suppressed ones: httpcore hides the OSError it wraps.
        waiting.extend(e for e in (current.__cause__, current.__context__) if e is not None)
