"""Counters behind `GET /metrics`."""

from dataclasses import asdict, dataclass


@dataclass(slots=True)
class Metrics:
    """Totals since the process started."""

    cache_hits: int = 0
    cache_misses: int = 0
    cache_errors: int = 0
    redis_down_changes: int = 0
    redis_up_changes: int = 0
    postgres_down_changes: int = 0
    postgres_up_changes: int = 0
    worker_cycles: int = 0
    worker_cycle_errors: int = 0
    worker_batches: int = 0
    worker_items: int = 0
    worker_item_errors: int = 0
    lazy_updates: int = 0
    lazy_update_errors: int = 0
    joins: int = 0
    leaves: int = 0

    def as_dict(self) -> dict[str, int]:
        """All counters by name."""
        return asdict(self)
