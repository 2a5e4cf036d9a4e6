"""The `redis` probe."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import ClassVar

from pydantic import JsonValue, field_validator

from chaoskit.fields import RedisUrl, Target
from chaoskit.probes._base import Observed, Probe, Session, probe
from chaoskit.stack.routes import Routes
from chaoskit.text import shown
from chaoskit.wire import load
from chaoskit.wire.redis import RedisLink, RedisRefused, redis_error_text


@probe("redis")
class RedisProbe(Probe):
    """Send one Redis command, PING unless told otherwise, and look at the reply.

    `command` is split like a shell does. Without `expect` every reply that is not an error is
    good (PING has to answer PONG). Replies are text, so `expect: 5` and `expect: "5"` are alike.
    """

    example: ClassVar[str] = (
        "{ probe: redis, url: redis://redis:6379/0, every: 100ms, command: GET mode, expect: open }"
    )

    url: RedisUrl
    command: str = "PING"
    expect: JsonValue = None

    @field_validator("command")
    @classmethod
    def _splits(cls, command: str) -> str:
        try:
            words = shlex.split(command)
        except ValueError as error:
            raise ValueError(f"not a command: {str(error).lower()}") from None
        if not words:
            raise ValueError("a command is missing, such as `GET mode`")
        return command

    def targets(self) -> Sequence[Target]:
        return [self.url.target]

    def asks(self) -> str:
        return str(self.url)

    def load(self) -> None:
        load("redis.asyncio", "redis.backoff")

    async def connect(self, routes: Routes) -> RedisSession:
        return RedisSession(self, routes)


class RedisSession(Session):
    """One connection, opened by the first observation."""

    def __init__(self, probe: RedisProbe, routes: Routes) -> None:
        self._link = RedisLink(probe.url, routes)
        self._arguments = shlex.split(probe.command)
        self._expect = probe.expect
        if self._arguments[0].upper() == "PING" and len(self._arguments) == 1:
            self._expect = "PONG" if probe.expect is None else probe.expect

    async def observe(self) -> Observed:
        from redis.exceptions import RedisError

        try:
            await self._link.connect()
            reply = await self._link.exchange(self._arguments)
        except RedisRefused as error:
            return Observed(False, redis_error_text(error))
        except (RedisError, OSError) as error:
            return Observed(False, redis_error_text(error), broken=True)
        if self._expect is not None and not _same(reply, self._expect):
            return Observed(False, f"reply was {shown(reply)} not {shown(self._expect)}")
        return Observed(True, value=None if self._arguments == ["PING"] else reply)

    async def close(self) -> None:
        await self._link.close()


def _same(reply: object, expect: object) -> bool:
    if reply is None or isinstance(reply, list) or isinstance(expect, bool | list | dict):
        return reply == expect
    return str(reply) == str(expect)
