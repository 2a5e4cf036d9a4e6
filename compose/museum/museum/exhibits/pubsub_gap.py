"""Pub/sub gap: Redis forgets who is not listening, and nobody asks what was missed."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from museum.plumbing import CREATED, FIXED, StoreErrors, database, log, redis

AGAIN = 0.1  # seconds before the next try to subscribe

publisher = redis(timeout=0.5)
subscriber = redis(timeout=None)  # it listens for as long as nothing is said
_rooms: set[asyncio.Queue[int | None]] = set()  # one for each listener; None: look what is new
_relay: asyncio.Task[None] | None = None


async def open() -> None:
    global _relay
    await database.execute("CREATE TABLE IF NOT EXISTS moves (n bigint PRIMARY KEY)")
    _relay = asyncio.create_task(relay())


async def publish(request: Request) -> Response:
    n = (await request.json())["n"]
    await database.execute("INSERT INTO moves VALUES (%s)", n)
    try:
        await publisher.publish("moves", n)
    except StoreErrors as error:
        log("not_published", n=n, error=type(error).__name__)  # it is stored, after all
    return CREATED


async def relay() -> None:
    """Hand what Redis says to every listener, and subscribe again when it is back."""
    while True:
        try:
            async with subscriber.pubsub() as channel:
                await channel.subscribe("moves")
                async for message in channel.listen():
                    if message["type"] == "message":
                        tell_all(int(message["data"]))
                    elif FIXED:  # subscribed, perhaps again: something may have been missed
                        tell_all(None)
        except StoreErrors as error:
            log("subscription_lost", error=type(error).__name__)
        await asyncio.sleep(AGAIN)


def tell_all(n: int | None) -> None:
    for room in _rooms:
        room.put_nowait(n)


async def listen(socket: WebSocket) -> None:
    await socket.accept()
    last = await database.one("SELECT coalesce(max(n), 0) FROM moves")
    room: asyncio.Queue[int | None] = asyncio.Queue()
    _rooms.add(room)
    await socket.send_json({"ready": True})
    try:
        while True:
            n = await room.get()
            if not FIXED:
                await socket.send_json({"n": n})
                continue
            # A message is only the news that there is something: what it is, the database says.
            for n in await database.rows("SELECT n FROM moves WHERE n > %s ORDER BY n", last):
                await socket.send_json({"n": n})
                last = n
    except (WebSocketDisconnect, RuntimeError):
        pass  # the listener is gone
    finally:
        _rooms.discard(room)


ROUTES = [Route("/moves", publish, methods=["POST"]), WebSocketRoute("/moves/live", listen)]
