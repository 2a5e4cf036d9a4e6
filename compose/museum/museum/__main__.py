"""Start the exhibit that BUG names: `python3 -m museum`."""

import asyncio
import importlib
import os
import pkgutil
import sys
from types import ModuleType

import psycopg
import redis.exceptions
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from museum import exhibits
from museum.plumbing import FIXED, log

PORT = 8080
EX_CONFIG = 78  # sysexits.h


async def healthz(_: Request) -> Response:
    """The process runs: that is all that most health checks say."""
    return Response("ok")


async def not_available(_: Request, error: Exception) -> Response:
    """A store that cannot be reached is the honest 503."""
    log("store_failed", error=type(error).__name__)
    return Response(status_code=503)


def application(exhibit: ModuleType) -> Starlette:
    return Starlette(
        routes=[Route("/healthz", healthz), *exhibit.ROUTES],
        exception_handlers={
            psycopg.Error: not_available,
            redis.exceptions.RedisError: not_available,
            OSError: not_available,
        },
    )


async def serve(exhibit: ModuleType) -> None:
    if hasattr(exhibit, "open"):
        await exhibit.open()
    config = uvicorn.Config(
        application(exhibit),
        host="0.0.0.0",
        port=PORT,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
    await uvicorn.Server(config).serve()


def main() -> int:
    """Serve until stopped; returns the exit code."""
    names = sorted(one.name.replace("_", "-") for one in pkgutil.iter_modules(exhibits.__path__))
    bug = os.environ.get("BUG", "")
    if bug not in names:
        log("no_such_exhibit", bug=bug, exhibits=names)
        return EX_CONFIG
    log("open", bug=bug, fixed=FIXED)
    asyncio.run(serve(importlib.import_module(f"museum.exhibits.{bug.replace('-', '_')}")))
    return 0


sys.exit(main())
