"""The rows of the fault matrix: every kind with the settings that are measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

CLIENT, DIRECT = "client", "direct"  # behind proxies, and not
UPSTREAMS = {"redis": "redis", "postgres": "postgres", "http": "web", "tcp": "echo"}
SERVICES = list(UPSTREAMS.values())
SCRATCH = "/scratch"  # a small file system of each upstream's own

# What a heal does not put back, because the documentation of the kind says so. Whoever stops or
# replaces a container may also get it back with another address. A new container takes its volumes
# from the old one by name, which it goes on showing.
NEW_PROCESS = frozenset({"started", "address"})
CRASHED = NEW_PROCESS | {"restarts"}
NEW_CONTAINER = CRASHED | {"id", "VolumesFrom"}
LOST = frozenset({"data"})


@dataclass(frozen=True, slots=True)
class Row:
    """One fault of the matrix; on an upstream each, or one on all of them.

    `only` are the upstreams that it can act on, where that is not all. `proxied` says that it acts
    on the edges of one client alone: the other one must be spared.
    """

    name: str
    kind: str
    setting: str  # in words, for the page
    faults: Sequence[Mapping[str, Any]]  # as a scenario writes them
    stores: Sequence[str] = ()  # of which writing and reading is observed: it is for these alone
    only: Sequence[str] = ()
    proxied: bool = False
    probes: Sequence[str] = ()  # what else is looked at, besides the state of the containers
    thorough: bool = False
    comes_back: bool = (
        False  # by itself, while the fault is in force: new ones are tried until then
    )
    abrupt: bool = False  # whether a server's last words get out is chance: they are left away
    changes: frozenset[str] = field(default_factory=frozenset)

    @property
    def upstreams(self) -> Sequence[str]:
        """The upstreams that it is meant for."""
        return self.only or self.stores or list(UPSTREAMS)


def _said(fields: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in fields.items())


def _edge(kind: str, *probes: str, **fields: Any) -> Row:
    faults = [
        {"id": f"{kind}-{service}", "fault": kind, "edge": f"{CLIENT} -> {service}", **fields}
        for service in SERVICES
    ]
    return Row(kind, kind, _said(fields), faults, proxied=True, probes=probes)


def _http(kind: str, name: str = "", **fields: Any) -> Row:
    name = name or kind
    fault = {"id": name.replace(" ", "-"), "fault": kind, "edge": f"{CLIENT} -> web", **fields}
    return Row(name, kind, _said(fields), [fault], only=["http"], proxied=True)


def _service(kind: str, name: str = "", **more: Any) -> Row:
    options = {
        key: more.pop(key) for key in ("probe", "changes", "abrupt", "comes_back") if key in more
    }
    name, probe = name or kind, options.pop("probe", None)
    faults = [
        {"id": f"{name.replace(' ', '-')}-{service}", "fault": kind, "service": service, **more}
        for service in SERVICES
    ]
    return Row(name, kind, _said(more), faults, probes=[probe] if probe else [], **options)


def _partition(name: str, setting: str, engine: str, **fields: Any) -> Row:
    id = name.translate(str.maketrans(" ,", "--"))
    fault = {"id": id, "fault": "partition", "engine": engine, **fields}
    said = f"engine: {engine}, {setting}"
    by_proxy = engine == "proxy"
    return Row(name, "partition", said, [fault], proxied=by_proxy, probes=["asked"])


def _partitions() -> list[Row]:
    rows = []
    for engine, clients in (("proxy", [CLIENT]), ("netfilter", [CLIENT, DIRECT])):
        both = {"groups": [clients, SERVICES]}
        there, back = {"from": clients, "to": SERVICES}, {"from": SERVICES, "to": clients}
        rows += [
            _partition(f"partition {engine}", "both ways", engine, **both),
            _partition(f"partition {engine} requests", "from the client", engine, **there),
            _partition(f"partition {engine} replies", "from the upstream", engine, **back),
        ]
    return rows


def _loss() -> Row:
    faults = [
        {
            "id": f"packet_loss-{service}",
            "fault": "packet_loss",
            "between": [CLIENT, service],
            "percent": "20%",
        }
        for service in SERVICES
    ]
    setting = "percent: 20%"
    return Row("packet_loss", "packet_loss", setting, faults, proxied=True, thorough=True)


def _disconnect() -> Row:
    faults = [
        {
            "id": f"disconnect-{service}",
            "fault": "disconnect",
            "service": service,
            "network": f"to-{service}",
        }
        for service in SERVICES
    ]
    setting = "network: the one with its clients"
    return Row("disconnect", "disconnect", setting, faults)


def _dns(answer: str) -> Row:
    name = f"dns {answer}"
    fault = {
        "id": name.replace(" ", "-"),
        "fault": "dns",
        "service": CLIENT,
        "names": SERVICES,
        "answer": answer,
    }
    return Row(name, "dns", f"names: of the upstreams, answer: {answer}", [fault], proxied=True)


def _store(upstream: str, kind: str, changes: frozenset[str] = frozenset(), **fields: Any) -> Row:
    fault = {"id": kind, "fault": kind, "service": UPSTREAMS[upstream], **fields}
    return Row(kind, kind, _said(fields), [fault], stores=[upstream], changes=changes)


ROWS = [
    _edge("latency", delay="300ms"),
    _edge("bandwidth", rate="5KB/s"),
    _edge("fragment", size="50B", delay="3ms"),
    _edge("truncate", bytes="300B"),
    _edge("slow_close", delay="300ms"),
    _edge("reset"),
    _edge("refuse"),
    _edge("flap", up="60s", down="60s"),
    _edge("blackhole", "asked"),
    _edge("drop_requests", "asked"),
    _edge("drop_replies", "asked"),
    _edge("stall", "asked"),
    _http("http_error", status=503),
    _http("http_delay", delay="300ms"),
    _http("http_malformed", "http_malformed cut", damage="cut_body"),
    _http("http_malformed", "http_malformed broken", damage="broken_json"),
    _http("http_lost_reply"),
    _http("http_lost_reply", "http_lost_reply 502", status=502),
    *_partitions(),
    _loss(),
    _disconnect(),
    _dns("nxdomain"),
    _dns("127.0.0.1"),
    _service("pause"),
    _service("stop", changes=NEW_PROCESS),
    _service("kill", abrupt=True, changes=NEW_PROCESS),
    _service("restart", changes=NEW_PROCESS),
    _service("readdress", comes_back=True, changes=NEW_PROCESS),
    _service("signal", signal="SIGINT", watch="10s", changes=NEW_PROCESS),
    _service("crash", abrupt=True, changes=CRASHED),
    _service("recreate", "recreate keep", volumes="keep", probe="data", changes=NEW_CONTAINER),
    _service(
        "recreate", "recreate lose", volumes="lose", probe="data", changes=NEW_CONTAINER | LOST
    ),
    _service("cpu", limit="10%", probe="loop"),
    _service("memory", limit="150MiB", probe="hunger"),
    _service("stress", workers=1, probe="load"),
    _service("disk_full", mount=SCRATCH, probe="disk"),
    replace(
        _service(
            "exec",
            inject=f"touch {SCRATCH}/broken",
            verify=f"test -e {SCRATCH}/broken",
            heal=f"rm -f {SCRATCH}/broken",
            probe="broken",
        ),
        setting=f"inject: touch {SCRATCH}/broken",
    ),
    _store("redis", "redis_flush", LOST),
    _store("redis", "redis_corrupt", keys="matrix:seed"),
    _store("redis", "redis_evict", maxmemory="500KB", policy="noeviction"),
    _store("redis", "redis_pause"),
    _store("redis", "redis_kill_clients"),
    _store("postgres", "postgres_terminate"),
    _store("postgres", "postgres_exhaust"),
    _store("postgres", "postgres_lock", table="matrix"),
    _store("postgres", "postgres_read_only"),
]

# One or two of each family, measured once more with an inject that does nothing.
SHAMS = (
    "latency",
    "http_error",
    "partition netfilter",
    "dns nxdomain",
    "kill",
    "restart",
    "cpu",
    "redis_corrupt",
    "postgres_read_only",
)
