"""Operations: templates over http, redis, sql or websocket."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from pydantic import Discriminator, Tag

from chaoskit.workloads.operations.http import HttpOperation
from chaoskit.workloads.operations.redis import RedisOperation
from chaoskit.workloads.operations.sql import SqlOperation
from chaoskit.workloads.operations.websocket import WebSocketOperation


def _via(value: Any) -> str | None:
    for name in ("http", "redis", "sql", "websocket"):
        if (name in value) if isinstance(value, dict) else hasattr(value, name):
            return name
    return None


Operation: TypeAlias = Annotated[
    Annotated[HttpOperation, Tag("http")]
    | Annotated[RedisOperation, Tag("redis")]
    | Annotated[SqlOperation, Tag("sql")]
    | Annotated[WebSocketOperation, Tag("websocket")],
    Discriminator(
        _via,
        custom_error_type="operation_missing",
        custom_error_message="an operation is one of `http:`, `redis:`, `sql:` or `websocket:`",
    ),
]
