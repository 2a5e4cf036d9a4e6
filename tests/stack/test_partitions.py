"""Partitions, lost packets and lost networks, felt by real clients of a real stack."""

from __future__ import annotations

import fcntl
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.stack.running import STACKS, Chaoskit, Run, chats, fault

COMPOSE = str(STACKS / "two-pairs" / "compose.yaml")
PATHS = [(chat, store) for chat in ("chat-1", "chat-2") for store in ("redis", "postgres")]
GROUPS = [["chat-1", "redis"], ["chat-2", "postgres"]]
LEASE = 4.0  # seconds from the receipt on
SPLIT = {"chat-1/postgres", "chat-2/redis"}


@pytest.fixture(autouse=True)
def one_at_a_time() -> Iterator[None]:
    """The stack's network has a subnet of its own, which two copies at once cannot have."""
    with (Path(tempfile.gettempdir()) / "chaoskit-two-pairs.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def scenario(*faults: dict[str, Any], proxy: str = "needed", **more: Any) -> dict[str, Any]:
    """Return a scenario that watches all four paths from a chat to a store."""
    probe = {"probe": "http", "every": "200ms", "timeout": "2s"}
    return chats(
        stack={"compose": COMPOSE, "proxy": proxy},
        probes={
            f"{chat}-{store}": probe | {"url": f"http://{chat}:8000/{store}"}
            for chat, store in PATHS
        },
        faults=list(faults),
        timeline={"settle": "2s"},
        expect=more.get("expect", [{"check": "stays_up", "service": "chat-1"}]),
    )


def then(first: str, kind: str, **fields: Any) -> dict[str, Any]:
    """Return a fault that starts when another one is healed, however long that takes."""
    return {
        "fault": kind,
        "for": "4s",
        "after": {"fault": first, "healed": True, "delay": "1s"},
    } | fields


def states(run: Run, id: str) -> dict[str, set[str]]:
    """Return the outcomes on each path from a fault's receipt to the end of its lease."""
    receipt = next(
        row["t"]
        for row in run.rows("events.ndjson")
        if (row["event"], row.get("id")) == ("fault_receipt", id)
    )
    end = receipt + LEASE - 0.2
    return {
        f"{chat}/{store}": {s["outcome"] for s in run.samples(f"{chat}-{store}", receipt, end)}
        for chat, store in PATHS
    }


def splits_exactly_that(run: Run, id: str, cut: set[str]) -> None:
    assert states(run, id) == {
        path: {"fail"} if path in cut else {"ok"}
        for path in (f"{chat}/{store}" for chat, store in PATHS)
    }
    found = run.fault(id)
    assert found.proven, found.reason
    assert found.time_to_recover is not None


@pytest.mark.parametrize("proxy", ["needed", "all"])
def test_a_partition_splits_exactly_that_with_both_engines(chaoskit: Chaoskit, proxy: str) -> None:
    run = chaoskit.run(
        scenario(
            fault("partition", "0s", "4s", id="by-proxy", groups=GROUPS),
            then("by-proxy", "partition", id="by-packets", groups=GROUPS, engine="netfilter"),
            proxy=proxy,
        )
    )
    assert run.code == 0, run.output
    splits_exactly_that(run, "by-proxy", SPLIT)
    splits_exactly_that(run, "by-packets", SPLIT)
    words = " ".join(run.fault("by-packets").evidence)
    assert "packets dropped: " in words
    assert "chat-1 -> postgres" in words
    # No path inside a group is counted: nothing is dropped there.
    assert "chat-1 -> redis" not in words


def test_without_any_proxy_netfilter_cuts_a_service_off(chaoskit: Chaoskit) -> None:
    run = chaoskit.run(
        scenario(
            fault("partition", "0s", "4s", id="off", engine="netfilter",
                  groups=[["chat-1", "chat-2"], ["redis"]]),
            then("off", "packet_loss", between=["chat-1", "postgres"], percent="60%"),
            proxy="none",
        )
    )  # fmt: skip
    assert run.code == 0, run.output
    splits_exactly_that(run, "off", {"chat-1/redis", "chat-2/redis"})
    lossy = states(run, "packet_loss")
    assert "fail" in lossy["chat-1/postgres"]
    assert lossy["chat-2/postgres"] == lossy["chat-1/redis"] == {"ok"}
    assert "chat-1 -> postgres of " in " ".join(run.fault("packet_loss").evidence)


def test_a_partition_that_nobody_runs_into_is_unknown(chaoskit: Chaoskit) -> None:
    run = chaoskit.run(
        scenario(fault("partition", engine="netfilter", groups=[["redis"], ["postgres"]]))
    )
    assert run.code == 3, run.output
    found = run.fault("partition")
    assert not found.proven
    assert "nobody felt it: packets dropped: 0 redis -> postgres" in str(found.reason)


def test_a_service_that_loses_a_network_is_gone_for_its_clients(chaoskit: Chaoskit) -> None:
    run = chaoskit.run(
        scenario(
            fault("disconnect", "0s", "4s", id="lost", service="postgres", network="back"),
            then("lost", "disconnect", id="unused", service="postgres", network="vault"),
        )
    )
    assert run.code == 0, run.output
    splits_exactly_that(run, "lost", {"chat-1/postgres", "chat-2/postgres"})
    splits_exactly_that(run, "unused", set())
    assert "is off " in " ".join(run.fault("lost").evidence)


@pytest.mark.parametrize(
    ("body", "code", "says"),
    [
        ({"groups": [["chat-1", "redis"], ["redis"]]}, 2, "`redis` is in two groups"),
        ({"groups": [["chat-2[1]"], ["redis"]]}, 2, "`engine: netfilter`"),
        ({"groups": [["chat-2[3]"], ["redis"]], "engine": "netfilter"}, 2, "there is no 3"),
        ({"groups": [["chat-3"], ["redis"]], "engine": "netfilter"}, 2, "no service `chat-3`"),
        ({"groups": [["chat-9[1]"], ["redis"]], "engine": "netfilter"}, 2, "no service `chat-9`"),
        (
            {"groups": [["chat-2[1]"], ["chat-2[2]"], ["chat-2"]], "engine": "netfilter"},
            2, "none is left for `chat-2`",
        ),
        (
            {"fault": "disconnect", "service": "redis", "network": "vault"},
            2, "`redis` is not on a network `vault` (it is on: back)",
        ),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_before_anything_starts(
    chaoskit: Chaoskit, body: dict[str, Any], code: int, says: str
) -> None:
    run = chaoskit.run(scenario({"at": "0s", "fault": "partition", **body}))
    assert run.code == code, run.output
    assert says in run.output
    if code == 2:
        assert "scenario.yaml:" in run.output
    assert not (chaoskit.runs / "latest").exists()
