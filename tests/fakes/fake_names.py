"""Look-ups in memory: plays what helpers with `dns_program` do; the contract tests hold the program
against real resolvers."""

from __future__ import annotations

import json
from collections.abc import Sequence

from tests.fakes.fake_networks import FakeNetfilter

REAL = "10.0.0.3"


class FakeNames:
    """The helpers that answer look-ups, by name: in whose namespace, and their orders."""

    def __init__(self, netfilter: FakeNetfilter) -> None:
        self._netfilter = netfilter
        self._responders: dict[str, tuple[str, dict[str, object]]] = {}
        self.asked: dict[str, int] = {}  # what every client asked for, set by tests

    def start(self, name: str, network_of: str | None, argv: Sequence[str]) -> None:
        if argv[3:4] == ["serve"]:
            self._responders[name] = network_of or "", json.loads(argv[4])

    def printed(self, name: str) -> list[str]:
        if name not in self._responders:
            return []
        rows: list[dict[str, object]] = [{"ports": {"127.0.0.11": 40001}}]
        rows += [{"asked": self.asked}] if self.asked else []
        return [f"2026-01-01T00:00:00Z {json.dumps(row)}" for row in rows]

    def remove(self, name: str) -> None:
        self._responders.pop(name, None)

    def run(self, container_id: str, argv: Sequence[str]) -> tuple[int, str]:
        said, seconds = REAL, 0.0
        if self._netfilter.of(container_id, "nat")[0].jumps:
            orders = [one for where, one in self._responders.values() if where == container_id]
            if not orders:
                return 0, json.dumps({"said": "Connection refused", "seconds": 0.0})
            said, seconds = str(orders[0]["answer"] or REAL), float(str(orders[0]["delay"]))
        return 0, json.dumps({"said": said, "seconds": seconds})
