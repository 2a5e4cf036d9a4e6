"""The guard itself: run as a script of its own, with nothing but the standard library.

It waits for its parent's end on a pipe, which costs no processor time and some megabytes, and only
then becomes the process that heals. On the pipe it is told, a line each:

    lease FAULT DEADLINE    the fault must be healed by then, in seconds of CLOCK_MONOTONIC
    healed FAULT
    done                    nothing is left to be done: go
"""

import os
import select
import signal
import sys
import time


def main() -> None:
    """Watch over the run folder that is the first argument; the others go to the healer."""
    folder, options = sys.argv[1], sys.argv[2:]
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sign, signal.SIG_IGN)  # it ends with its parent, or with its work
    leases: dict[str, float] = {}
    pending = b""
    while True:
        timeout = min((end - time.monotonic() for end in leases.values()), default=None)
        if not select.select([0], [], [], timeout if timeout is None else max(0.0, timeout))[0]:
            _heal_overdue(folder, options, leases)
            continue
        chunk = os.read(0, 65536)
        if not chunk:
            break
        *lines, pending = (pending + chunk).split(b"\n")
        for line in lines:
            words = line.decode().split(" ")
            if words[0] == "done":
                return
            if words[0] == "lease":
                leases[words[1]] = float(words[2])
            elif words[0] == "healed":
                leases.pop(words[1], None)
    os.execv(sys.executable, _command(folder, *options))  # noqa: S606  # nothing of it comes from a shell


def _heal_overdue(folder: str, options: list[str], leases: dict[str, float]) -> None:
    import subprocess  # a megabyte that it does without until then

    for fault in [fault for fault, end in leases.items() if end <= time.monotonic()]:
        del leases[fault]
        subprocess.Popen(_command(folder, "--lease", fault, *options), stdin=subprocess.DEVNULL)


def _command(folder: str, *options: str) -> list[str]:
    return [sys.executable, "-P", "-m", "chaoskit.recovery.recover", folder, *options]


if __name__ == "__main__":
    main()
