"""The `postgres` probe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import JsonValue

from chaoskit.fields import PostgresUrl, Target
from chaoskit.probes._base import Observed, Probe, Session, probe
from chaoskit.stack.routes import Routes
from chaoskit.text import shown
from chaoskit.wire import load
from chaoskit.wire.postgres import PostgresLink, postgres_words


@probe("postgres")
class PostgresProbe(Probe):
    """Run one SQL query, SELECT 1 unless told otherwise, and look at the rows.

    `expect` is the list of rows, each a list of columns; rows of one column may be written plain
    (`expect: [5]`). Without it every answer that is not an error is good.
    """

    example: ClassVar[str] = (
        "{ probe: postgres, url: postgres://chat:chat@postgres:5432/chat, every: 200ms, "
        'query: "SELECT count(*) FROM chats", expect: [[7]] }'
    )

    url: PostgresUrl
    query: str = "SELECT 1"
    expect: list[JsonValue] | None = None

    def targets(self) -> Sequence[Target]:
        return [self.url.target]

    def asks(self) -> str:
        return str(self.url)

    def load(self) -> None:
        load("psycopg")

    async def connect(self, routes: Routes) -> PostgresSession:
        return PostgresSession(self, routes)


class PostgresSession(Session):
    """One connection, opened by the first observation."""

    def __init__(self, probe: PostgresProbe, routes: Routes) -> None:
        self._link = PostgresLink(probe.url, routes)
        self._query = probe.query
        self._expect = (
            None
            if probe.expect is None
            else [row if isinstance(row, list) else [row] for row in probe.expect]
        )

    async def observe(self) -> Observed:
        import psycopg

        try:
            await self._link.connect()
            rows = await self._link.execute(self._query)
        except (psycopg.Error, OSError) as error:
            return Observed(False, postgres_words(error), broken=True)
        if self._expect is not None and rows != self._expect:
            return Observed(False, f"rows were {shown(rows)} not {shown(self._expect)}")
        single = rows is not None and len(rows) == 1 and len(rows[0]) == 1
        return Observed(True, value=rows[0][0] if rows and single else None)

    async def close(self) -> None:
        await self._link.close()
