"""Operations on Redis itself."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator

from chaoskit.errors import EnvironmentFailure
from chaoskit.fields import RedisUrl, Target
from chaoskit.records import Json
from chaoskit.stack.routes import Routes
from chaoskit.wire import load
from chaoskit.wire.redis import RedisLink, RedisRefused, redis_error_text
from chaoskit.workloads.operations._base import OperationModel, Refused, Reply
from chaoskit.workloads.operations._template import Template, TemplateText

# An error from these may come after a part of their effects.
_SCRIPTS = frozenset({"EVAL", "EVALSHA", "FCALL", "EXEC"})


def _splits(command: str) -> str:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ValueError(f"not a command: {str(error).lower()}") from None
    if not words:
        raise ValueError("a command is missing, such as `SADD members {value}`")
    return command


class RedisOperation(OperationModel):
    """One Redis command, split like a shell does; slots are filled after splitting."""

    redis: Annotated[TemplateText, AfterValidator(_splits)]
    store: RedisUrl
    refused: Refused

    @property
    def target(self) -> Target:
        return self.store.target

    @property
    def placeholders(self) -> frozenset[str]:
        return Template.parse(self.redis).names

    def load(self) -> None:
        load("redis.asyncio", "redis.backoff")

    def connect(self, routes: Routes) -> RedisOperationSession:
        return RedisOperationSession(self, routes)


class RedisOperationSession:
    """One kept connection."""

    def __init__(self, operation: RedisOperation, routes: Routes) -> None:
        self._arguments = [Template.parse(word) for word in shlex.split(operation.redis)]
        self._link = RedisLink(operation.store, routes)

    async def run(self, fields: Mapping[str, Json]) -> Reply:
        from redis.exceptions import RedisError

        arguments = [argument.text(fields) for argument in self._arguments]
        try:
            await self._link.connect()
        except EnvironmentFailure as error:
            return Reply("fail", error=error.message)
        except (RedisRefused, RedisError, OSError) as error:
            return Reply("fail", error=redis_error_text(error))  # the command was not sent
        try:
            return Reply("ok", value=await self._link.exchange(arguments))
        except RedisRefused as error:
            doubtful = arguments[0].upper() in _SCRIPTS
            return Reply("info" if doubtful else "fail", error=redis_error_text(error))
        except (RedisError, OSError) as error:
            return Reply("info", error=redis_error_text(error))

    async def close(self) -> None:
        await self._link.close()
