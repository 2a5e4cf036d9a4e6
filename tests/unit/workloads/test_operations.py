"""How an operation ended: refused is `fail`, doubt is `info`, and nothing is sent twice."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import psycopg
import pytest
from psycopg import errors
from pydantic import TypeAdapter, ValidationError

from chaoskit.errors import EnvironmentFailure
from chaoskit.stack.routes import Routes
from chaoskit.workloads.operations import Operation
from chaoskit.workloads.operations._base import OperationModel, Reply, refuses
from chaoskit.workloads.operations.http import HttpOperation
from chaoskit.workloads.operations.sql import SqlOperation, outcome_of
from tests.fakes.fixed_routes import FixedRoutes
from tests.fakes.local_servers import (
    Misbehave,
    Seen,
    http,
    misbehaving,
    refused_routes,
    resp,
    serve,
)

pytestmark = pytest.mark.asyncio

POST = "POST http://chat:8082/things"
GET = "GET http://chat:8082/things"
REDIS = "redis://chat:8082/0"
POSTGRES = "postgres://u:p@chat:8082/d"
ADAPTER: TypeAdapter[Any] = TypeAdapter(Operation)


def made(**fields: Any) -> OperationModel:
    operation = ADAPTER.validate_python(fields)
    assert isinstance(operation, OperationModel)
    return operation


async def done(operation: OperationModel, routes: Routes, **fields: Any) -> Reply:
    session = operation.connect(routes)
    try:
        return await session.run(fields)
    finally:
        await session.close()


KINDS: dict[str, dict[str, Any]] = {
    "http": {"http": POST, "json": {"a": "{value}"}},
    "redis": {"redis": "SADD s {value}", "store": REDIS},
    "sql": {"sql": "INSERT INTO t VALUES ({value})", "store": POSTGRES},
}


@pytest.mark.parametrize("kind", KINDS)
async def test_refused_before_sending_is_fail(kind: str) -> None:
    reply = await done(made(**KINDS[kind]), refused_routes(), value=1)
    assert reply == Reply("fail", error="connection refused")


@pytest.mark.parametrize("kind", KINDS)
async def test_no_route_is_fail(kind: str) -> None:
    reply = await done(made(**KINDS[kind]), FixedRoutes({}), value=1)
    assert reply == Reply("fail", error="no route to `chat:8082`")
    with pytest.raises(EnvironmentFailure):
        FixedRoutes({}).address(made(**KINDS[kind]).target)


@pytest.mark.parametrize("kind", ["http", "redis"])
@pytest.mark.parametrize(
    ("how", "error"), [("close", "connection closed"), ("reset", "connection reset")]
)
async def test_a_connection_lost_after_sending_is_info(kind: str, how: str, error: str) -> None:
    async with serve(misbehaving(how, read=True)) as server:
        reply = await done(made(**KINDS[kind]), server.routes(), value=1)
    assert reply == Reply("info", error=error)
    assert len(server.requests) == 1


async def test_a_postgres_connection_lost_before_the_statement_is_fail() -> None:
    async with serve(misbehaving("close", read=True)) as server:
        reply = await done(made(**KINDS["sql"]), server.routes(), value=1)
    assert reply == Reply("fail", error="connection closed")


@pytest.mark.parametrize("kind", KINDS)
async def test_closing_in_the_middle_is_prompt(kind: str) -> None:
    async with serve(misbehaving("stall", read=True)) as server:
        session = made(**KINDS[kind]).connect(server.routes())
        work = asyncio.create_task(session.run({"value": 1}))
        while not server.requests:
            await asyncio.sleep(0.005)
        start = time.monotonic()
        await session.close()
        work.cancel()
        await asyncio.wait({work}, timeout=5)
        assert work.done()
        assert time.monotonic() - start < 5  # psycopg alone would wait 10 s for the server


@pytest.mark.parametrize(
    ("fields", "status", "outcome"),
    [
        ({}, 200, "ok"),
        ({}, 204, "ok"),
        ({"ok": [201]}, 201, "ok"),
        ({"ok": [201]}, 200, "info"),
        ({}, 302, "info"),
        ({}, 404, "fail"),
        ({}, 409, "fail"),
        ({"ok": [201, 409]}, 409, "ok"),
        ({"info": [409]}, 409, "info"),
        ({"fail": [503]}, 503, "fail"),
        ({"fail": [202]}, 202, "fail"),
        ({}, 500, "info"),
        ({}, 503, "info"),
    ],
)
async def test_a_status_says_how_it_ended(fields: Any, status: int, outcome: str) -> None:
    async with serve(http(lambda seen: (status, {}))) as server:
        reply = await done(made(http=POST, **fields), server.routes())
    assert reply.outcome == outcome
    assert reply.error == (None if outcome == "ok" else f"status {status}")


async def test_a_request_carries_the_filled_template_and_the_services_name() -> None:
    operation = made(
        http="POST http://u:p@chat:8082/c/{key}?n={value}&b={{}}",
        json={"id": "{value}", "text": "no {value}", "{key}": ["{value}", 1, None, "{{x}}"]},
        headers={"Idempotency-Key": "op-{id}"},
    )
    assert operation.placeholders == {"key", "value", "id"}
    async with serve(http(lambda seen: (200, {}))) as server:
        await done(operation, server.routes(), key="a b/c", value=7, id=3)
    seen = server.requests[0]
    assert seen.path == "/c/a%20b%2Fc?n=7&b={}"
    assert json.loads(seen.body) == {"id": 7, "text": "no 7", "a b/c": [7, 1, None, "{x}"]}
    assert seen.headers["host"] == "chat:8082"
    assert seen.headers["idempotency-key"] == "op-3"
    assert seen.headers["content-type"] == "application/json"
    assert seen.headers["authorization"] == "Basic dTpw"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
@pytest.mark.parametrize("how", ["close", "reset"])
async def test_nothing_is_sent_twice_when_a_kept_connection_breaks(method: str, how: str) -> None:
    def answer(seen: Seen) -> tuple[int, Any]:
        if len(server.requests) == 1:
            return 200, {}
        raise Misbehave(how)

    async with serve(http(answer)) as server:
        session = made(http=f"{method} http://chat:8082/").connect(server.routes())
        assert (await session.run({})).outcome == "ok"
        assert (await session.run({})).outcome == "info"
        await session.close()
        assert (len(server.requests), server.connections) == (2, 1)


async def test_an_answer_cut_short_is_info() -> None:
    def cut(server: Any) -> Any:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
            await writer.drain()

        return handle

    async with serve(cut) as server:
        assert await done(made(http=GET), server.routes()) == Reply(
            "info", error="connection closed"
        )


@pytest.mark.parametrize(
    ("values", "body", "reply"),
    [
        ("$.p[*].id", {"p": [{"id": 1}, {"id": 2}]}, Reply("ok", [1, 2])),
        ("$.p[*].id", {"p": []}, Reply("ok", [])),
        ("$.p[*]", {"p": []}, Reply("ok", [])),
        ("$.p[?@.id > 5].id", {"p": [{"id": 1}]}, Reply("ok", [])),
        ("$.p[*].id", {}, Reply("info", None, "no match for $.p[*].id")),
        ("$.p[*].id", {"p": None}, Reply("info", None, "no match for $.p[*].id")),
        ("$.p[*].id", {"p": [{"uid": 1}]}, Reply("info", None, "no match for $.p[*].id")),
        ("$.p", {"p": [1]}, Reply("ok", [1])),
        ("$.p", {"p": []}, Reply("ok", [])),
        ("$.p", {}, Reply("info", None, "no match for $.p")),
        ("$.p", {"p": 1}, Reply("info", None, "$.p is not a list")),
        ("$", [1, 2], Reply("ok", [1, 2])),
        ("$[*]", [], Reply("ok", [])),
        ("$.p", "<html>", Reply("info", None, "the answer is not JSON")),
    ],
)
async def test_a_missing_list_is_not_an_empty_one(values: str, body: Any, reply: Reply) -> None:
    async with serve(http(lambda seen: (200, body))) as server:
        assert await done(made(http=GET, values=values), server.routes()) == reply


async def test_a_single_value_is_read() -> None:
    operation = made(http=GET, value="$.n")
    bodies = iter([{"n": 3}, {"n": None}, {}])
    async with serve(http(lambda seen: (200, next(bodies)))) as server:
        replies = [await done(operation, server.routes()) for _ in range(3)]
    assert replies == [
        Reply("ok", 3),
        Reply("ok", None),
        Reply("info", error="no match for $.n"),
    ]


@pytest.mark.parametrize(
    ("raw", "reply"),
    [
        (b":1\r\n", Reply("ok", 1)),
        (b"*2\r\n$1\r\n1\r\n$1\r\n2\r\n", Reply("ok", ["1", "2"])),
        (b"$-1\r\n", Reply("ok", None)),
        (b"-READONLY You can't write against a read only replica\r\n", "fail"),
        (b"-OOM command not allowed\r\n", "fail"),
        (b"-MISCONF Errors writing to the AOF file\r\n", "fail"),
        (b"-LOADING Redis is loading\r\n", "fail"),
        (b"-ERR max number of clients reached\r\n", "fail"),
    ],
)
async def test_an_error_from_redis_means_not_executed(raw: bytes, reply: Reply | str) -> None:
    async with serve(resp(lambda words: raw)) as server:
        got = await done(made(redis="SADD 's x' {value}", store=REDIS), server.routes(), value=5)
    assert server.requests == [["SADD", "s x", "5"]]
    assert got.outcome == reply if isinstance(reply, str) else got == reply


async def test_an_error_from_a_script_leaves_doubt() -> None:
    async with serve(resp(lambda words: b"-ERR in script\r\n")) as server:
        got = await done(made(redis="EVAL 'x' 0", store=REDIS), server.routes())
    assert got.outcome == "info"


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (errors.UniqueViolation(), "fail"),
        (errors.CheckViolation(), "fail"),
        (errors.SerializationFailure(), "fail"),
        (errors.DeadlockDetected(), "fail"),
        (errors.QueryCanceled(), "fail"),
        (errors.ReadOnlySqlTransaction(), "fail"),
        (errors.AdminShutdown(), "info"),
        (errors.CrashShutdown(), "info"),
        (errors.ConnectionFailure(), "info"),
        (errors.StatementCompletionUnknown(), "info"),
        (errors.IoError(), "info"),
        (psycopg.OperationalError("server closed the connection unexpectedly"), "info"),
        (psycopg.ProgrammingError("cannot adapt type"), "fail"),
    ],
)
async def test_what_postgres_says_decides(error: psycopg.Error, outcome: str) -> None:
    assert outcome_of(error) == outcome


async def test_sql_slots_become_parameters() -> None:
    operation = made(sql="SELECT '{{%}}', {value}, {key} % 2", store=POSTGRES)
    assert isinstance(operation, SqlOperation)
    assert operation.statement() == "SELECT '{%%}', %(value)s, %(key)s %% 2"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"http": "http://chat:8082/"}, "expected a method and a URL"),
        ({"http": "FETCH http://chat:8082/"}, "expected a method and a URL"),
        ({"http": "GET http://{key}:8082/"}, "the host cannot be a template"),
        ({"http": "GET redis://chat/"}, "only http:// or https://"),
        ({"http": "GET http://chat/{"}, "a lone `{`"),
        ({"http": POST, "json": {"a": ["}"]}}, "a lone `}`"),
        ({"http": GET, "ok": [200], "info": [200]}, "listed twice"),
        ({"http": GET, "values": "$..id"}, "a missing list would look like an empty one"),
        ({"http": GET, "values": "$.a", "value": "$.b"}, "either `values` or `value`"),
        ({"http": GET, "value": "id"}, "a JSONPath starts with `$`"),
        ({"http": GET, "json_": 1}, "Extra inputs"),
        ({"redis": "GET 'x", "store": REDIS}, "no closing quotation"),
        ({"redis": "GET x"}, "Field required"),
        ({"sql": "SELECT '{value}'", "store": POSTGRES}, "without quotes"),
        ({"grpc": "x"}, "an operation is one of"),
    ],
)
async def test_mistakes_are_found_when_the_scenario_is_read(fields: Any, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        made(**fields)
    assert message in str(caught.value)


async def test_a_request_is_shown_without_its_password() -> None:
    operation = made(http="GET http://u:secret@chat:8082/")
    assert isinstance(operation, HttpOperation)
    assert "secret" not in json.dumps(operation.model_dump(mode="json", by_alias=True))


# -- what an answer holds ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "status", "body", "reply"),
    [
        ({"value": "$.n", "none": [204, 404]}, 404, {}, Reply("ok", None)),
        ({"value": "$.n", "none": [204, 404]}, 204, "", Reply("ok", None)),
        ({"values": "$.all", "none": [404]}, 404, {}, Reply("ok", [])),
        ({"value": "$.n"}, 404, {}, Reply("fail", error="status 404")),
        ({"value": "$.n", "none": [404]}, 200, {"n": 1}, Reply("ok", 1)),
        (
            {"values": "$[*]", "columns": ["id", "sum"]},
            200,
            [{"id": 1, "sum": 5, "x": 0}, {"id": 2, "sum": 7, "x": 0}],
            Reply("ok", [[1, 5], [2, 7]]),
        ),
        (
            {"values": "$[*]", "columns": ["id", "sum"]},
            200,
            [{"id": 1}],
            Reply("info", error="an item of the list has no field `sum`"),
        ),
        (
            {"values": "$[*]", "columns": ["id"]},
            200,
            [3],
            Reply("info", error="an item of the list has no field `id`"),
        ),
    ],
)
async def test_nothing_and_columns_are_read(
    fields: Any, status: int, body: Any, reply: Reply
) -> None:
    async with serve(http(lambda seen: (status, body))) as server:
        assert await done(made(http=GET, **fields), server.routes()) == reply


@pytest.mark.parametrize(
    ("answer", "refused", "says"),
    [
        (0, [0], True),
        ([0], [0], True),
        ([], [None], True),
        (None, [None], True),
        (False, [False], True),
        ({"a": 1, "b": 2}, [{"b": 2, "a": 1}], True),
        (1, [0], False),
        (0, [False], False),
        ([0, 0], [0], False),
        (None, [], False),
    ],
)
async def test_an_answer_can_say_that_it_was_refused(answer: Any, refused: Any, says: bool) -> None:
    operation = made(redis="GET x", store=REDIS, refused=refused)
    assert refuses(operation, answer) is says


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"refused": [0]}, "`refused` lists answers: it needs `value`"),
        ({"columns": ["id"]}, "it needs `values`"),
        ({"columns": [], "values": "$"}, "at least 1 item"),
        ({"none": [404], "fail": [404]}, "status 404 is listed twice"),
    ],
)
async def test_rules_without_an_answer_to_judge_are_mistakes(fields: Any, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        made(http=GET, **fields)
    assert message in str(caught.value)
