"""`python3 -m max_api`: counts by MAX id, and `PUT /control` to make it fail or slow down while running.

- `failure_rate` 0..1: this share of questions fails, evenly spread, so that runs repeat.
- `status`: what failing questions are answered with. Other than 200 and without a rate: every question.
- `latency`: each question waits that long first.
- `bad_ids`: these chats get an answer that is no count.

A chat starts empty; `PUT /chats/{max_id}` {"participants_count": 12} changes the truth.
"""

import asyncio
import json
import os
import signal
import sys
from dataclasses import asdict, dataclass, field
from typing import Any

import uvicorn
from chat.config import parse_duration
from chat.log import capture_library_logs, log
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

PORT = 8080
EX_CONFIG = 78


@dataclass(slots=True)
class Control:
    """How to behave."""

    failure_rate: float = 0.0
    latency: str = "0s"
    status: int = 200
    bad_ids: list[int] = field(default_factory=list)

    def changed(self, **changes: Any) -> "Control":
        """A checked copy; raises ValueError or TypeError saying what is wrong."""
        new = Control(**{**asdict(self), **changes})
        if type(new.failure_rate) not in (int, float) or not 0 <= new.failure_rate <= 1:
            raise ValueError("`failure_rate` must be a number from 0 to 1")
        if type(new.status) is not int or not 200 <= new.status <= 599:
            raise ValueError("`status` must be a status code from 200 to 599")
        if not isinstance(new.bad_ids, list) or any(type(item) is not int for item in new.bad_ids):
            raise ValueError("`bad_ids` must be a list of whole numbers")
        try:
            parse_duration(new.latency)
        except (ValueError, TypeError):
            raise ValueError("`latency` must be a duration such as 300ms") from None
        return new


class Mock:
    """The counts and the behaviour."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._counts: dict[int, int] = {}
        self._owed = 0.0  # failures due so far

    async def get(self, request: Request) -> Response:
        """The count of one chat, or what the control says."""
        control, max_id = self._control, int(request.path_params["max_id"])
        await asyncio.sleep(parse_duration(control.latency))
        self._owed += control.failure_rate or (1.0 if control.status != 200 else 0.0)
        if self._owed >= 1:
            self._owed -= 1
            status = 500 if control.status == 200 else control.status
            return JSONResponse({"error": "as you wished"}, status)
        count: object = "many" if max_id in control.bad_ids else self._counts.get(max_id, 0)
        return JSONResponse({"id": max_id, "participants_count": count})

    async def put(self, request: Request) -> Response:
        """Change the truth about one chat."""
        try:
            count = json.loads(await request.body())["participants_count"]
        except (ValueError, KeyError, TypeError):
            count = None
        if type(count) is not int or count < 0:
            return JSONResponse({"error": "`participants_count` must be a whole number"}, 400)
        self._counts[int(request.path_params["max_id"])] = count
        return JSONResponse({"id": int(request.path_params["max_id"]), "participants_count": count})

    async def control(self, request: Request) -> Response:
        """GET shows the behaviour; PUT changes what it names."""
        if request.method == "PUT":
            try:
                self._control = self._control.changed(**json.loads(await request.body()))
            except (ValueError, TypeError) as error:
                return JSONResponse({"error": str(error)}, 400)
            self._owed = 0.0
            log("control", **asdict(self._control))
        return JSONResponse(asdict(self._control))

    async def healthz(self, _: Request) -> Response:
        """The mock itself is fine, however it behaves."""
        return JSONResponse({"status": "ok"})

    def application(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[
                Route("/healthz", self.healthz),
                Route("/control", self.control, methods=["GET", "PUT"]),
                Route("/chats/{max_id:int}", self.get, methods=["GET"]),
                Route("/chats/{max_id:int}", self.put, methods=["PUT"]),
            ]
        )


def main() -> int:
    """Run until stopped; returns the exit code."""
    capture_library_logs()
    try:
        control = Control().changed(
            failure_rate=float(os.environ.get("FAILURE_RATE", "0")),
            latency=os.environ.get("LATENCY", "0s"),
            status=int(os.environ.get("STATUS", "200")),
        )
    except ValueError as error:
        log("bad_configuration", "error", message=f"FAILURE_RATE, LATENCY or STATUS: {error}")
        return EX_CONFIG
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(
            number, lambda *_: None
        )  # uvicorn raises the signal once more after its shutdown
    log("started", http_port=PORT)
    host = "0.0.0.0"  # noqa: S104  # inside a container
    uvicorn.run(
        Mock(control).application(),
        host=host,
        port=PORT,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    log("stopped")
    return 0


sys.exit(main())
