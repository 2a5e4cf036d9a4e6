"""What a client is to its driver."""

from __future__ import annotations

from chaoskit.workloads.operations._base import OperationSession


class Client:
    """One thread of operations: the process it is now, and its sessions by operation."""

    def __init__(self, place: int) -> None:
        self.place = place
        self.process = place
        self.sessions: dict[str, OperationSession] = {}
