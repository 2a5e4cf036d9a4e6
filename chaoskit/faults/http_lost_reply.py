"""`http_lost_reply`: the upstream does the work, and its client never hears of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from chaoskit.faults.contract import Forecast, fault
from chaoskit.faults.engines.http import HttpFault
from chaoskit.records import Json


@fault("http_lost_reply")
class HttpLostReply(HttpFault):
    """Lose the answers to HTTP requests of one edge: the upstream has done the work.

    What makes duplicates of clients that try again. The connection ends without a word, or with
    `status` the client gets that instead of the answer, as a gateway in between would say it.
    `match` says which requests, `fraction`, `first` or `every` how many of these.
    """

    example = (
        "{ at: 2s, for: 5s, fault: http_lost_reply, edge: web -> api, status: 502,"
        " match: { method: POST, path: /orders } }"
    )

    status: Annotated[int | None, Field(ge=400, le=599)] = None

    def forecast(self) -> Forecast:
        instead = "nothing" if self.status is None else f"{self.status}"
        return Forecast(
            f"the answers to {self.hit} lost, the client gets {instead}",
            "remove the rule from the relay; answers that are still to come arrive",
            "requests that are lost on their way: see `http_error`, `drop_requests`",
        )

    def act(self) -> Mapping[str, Json]:
        return {"act": "lose", "status": self.status, "headers": {}, "body": ""}

    @property
    def done(self) -> str:
        instead = "by the end of its connection" if self.status is None else f"by {self.status}"
        return f"done, and the answer replaced {instead}"
