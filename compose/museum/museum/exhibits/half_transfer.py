"""Half a transfer: debit and credit are two transactions, and something comes in between."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from museum.plumbing import DONE, FIXED, answer, database

ACCOUNTS = range(1, 21)
START = 1000

DEBIT = "UPDATE accounts SET balance = balance - %s WHERE id = %s"
CREDIT = "UPDATE accounts SET balance = balance + %s WHERE id = %s"


async def open() -> None:
    await database.execute(
        "CREATE TABLE IF NOT EXISTS accounts (id int PRIMARY KEY, balance bigint NOT NULL)"
    )
    for account in ACCOUNTS:
        await database.execute(
            "INSERT INTO accounts VALUES (%s, %s) ON CONFLICT DO NOTHING", account, START
        )


async def transfer(request: Request) -> Response:
    body = await request.json()
    source, target, amount = body["from"], body["to"], body["amount"]
    if FIXED:
        async with database.session() as session, session.transaction():
            # In the same order for everybody: two transfers must not wait for each other.
            await session.execute(
                "SELECT FROM accounts WHERE id = ANY(%s) ORDER BY id FOR UPDATE", [[source, target]]
            )
            await session.execute(DEBIT, [amount, source])
            await session.execute(CREDIT, [amount, target])
    else:
        await database.execute(DEBIT, amount, source)
        await database.execute(CREDIT, amount, target)
    return DONE


async def accounts(_: Request) -> Response:
    rows = await database.rows("SELECT id, balance FROM accounts")
    return answer(accounts=[{"id": account, "balance": balance} for account, balance in rows])


ROUTES = [Route("/transfers", transfer, methods=["POST"]), Route("/accounts", accounts)]
