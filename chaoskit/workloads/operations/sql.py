"""Operations on PostgreSQL itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator

from chaoskit.errors import EnvironmentFailure
from chaoskit.fields import PostgresUrl, Target
from chaoskit.records import Json, Outcome
from chaoskit.stack.routes import Routes
from chaoskit.wire import load
from chaoskit.wire.postgres import PostgresLink, postgres_words
from chaoskit.workloads.operations._base import OperationModel, Refused, Reply
from chaoskit.workloads.operations._template import Slot, Template, TemplateText

if TYPE_CHECKING:
    import psycopg

# Connection lost, shutdown, crash, completion unknown, system error, internal error.
_DOUBTFUL = ("08", "57P", "40003", "58", "XX")


def _unquoted(text: str) -> str:
    quotes = 0
    for piece in Template.parse(text).pieces:
        if isinstance(piece, str):
            quotes += piece.count("'")
        elif quotes % 2:
            raise ValueError(
                f"write {{{piece.name}}} without quotes: it is bound as a parameter, not pasted"
            )
    return text


class SqlOperation(OperationModel):
    """One SQL statement in autocommit; slots become bound parameters.

    A SELECT (or RETURNING) gives the list of its first column, or of its rows where it has
    several columns; any other statement gives the number of rows it changed.
    """

    sql: Annotated[TemplateText, AfterValidator(_unquoted)]
    store: PostgresUrl
    refused: Refused

    @property
    def target(self) -> Target:
        return self.store.target

    @property
    def placeholders(self) -> frozenset[str]:
        return Template.parse(self.sql).names

    def statement(self) -> str:
        """Return the statement with psycopg's `%(name)s` for each slot."""
        return "".join(
            f"%({piece.name})s" if isinstance(piece, Slot) else piece.replace("%", "%%")
            for piece in Template.parse(self.sql).pieces
        )

    def load(self) -> None:
        load("psycopg")

    def connect(self, routes: Routes) -> SqlOperationSession:
        return SqlOperationSession(self, routes)


class SqlOperationSession:
    """One kept connection."""

    def __init__(self, operation: SqlOperation, routes: Routes) -> None:
        self._statement = operation.statement()
        self._link = PostgresLink(operation.store, routes)

    async def run(self, fields: Mapping[str, Json]) -> Reply:
        import psycopg

        try:
            await self._link.connect()
        except EnvironmentFailure as error:
            return Reply("fail", error=error.message)
        except (psycopg.Error, OSError) as error:
            return Reply("fail", error=postgres_words(error))  # the statement was not sent
        try:
            rows = await self._link.execute(self._statement, fields)
        except psycopg.Error as error:
            return Reply(outcome_of(error), error=postgres_words(error))
        except OSError as error:
            return Reply("info", error=postgres_words(error))
        if rows is None:
            return Reply("ok", value=self._link.changed)
        single = all(len(row) == 1 for row in rows)
        return Reply("ok", value=[row[0] for row in rows] if single else rows)

    async def close(self) -> None:
        await self._link.close()


def outcome_of(error: psycopg.Error) -> Outcome:
    """Return `fail` where the server says that it rolled the statement back, else `info`."""
    import psycopg

    state = error.sqlstate
    if state is None:  # raised by psycopg before sending, or the connection broke
        unsent = psycopg.ProgrammingError | psycopg.DataError | psycopg.NotSupportedError
        return "fail" if isinstance(error, unsent) else "info"
    fatal = error.diag.severity_nonlocalized in ("FATAL", "PANIC")
    return "info" if fatal or state.startswith(_DOUBTFUL) else "fail"
