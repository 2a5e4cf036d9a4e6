"""`http_delay`: single requests, or their answers, handed on late."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator

from chaoskit.faults.contract import Forecast, fault
from chaoskit.faults.engines.http import HttpFault
from chaoskit.fields import Duration
from chaoskit.records import Json
from chaoskit.text import seconds_text


@fault("http_delay")
class HttpDelay(HttpFault):
    """Delay single HTTP requests of one edge, or their answers.

    `direction: reply` (the default) holds the answer back: the upstream has done its work. With
    `request` it has not been asked yet, and never is when the client gives up before. `match`
    says which requests, `fraction`, `first` or `every` how many of these.
    """

    example = (
        "{ at: 2s, for: 5s, fault: http_delay, edge: web -> api, delay: 2s, every: 3,"
        " match: { method: GET } }"
    )

    delay: Annotated[Duration, Field(ge=0.001, le=Duration(600))]
    direction: Literal["request", "reply"] = "reply"

    @model_validator(mode="after")
    def _ends_in_time(self) -> HttpDelay:
        if self.for_ is not None and self.delay >= self.for_:
            raise ValueError("`delay` must be shorter than `for`: the heal lets go what is held")
        return self

    def forecast(self) -> Forecast:
        what = "" if self.direction == "request" else "the answers to "
        return Forecast(
            f"{what}{self.hit} handed on {seconds_text(self.delay)} late",
            "remove the rule from the relay; what it holds back goes on at once",
            "a slow connection: others, and other requests, are not slower",
        )

    def act(self) -> Mapping[str, Json]:
        request = self.direction == "request"
        return {"act": "delay", "seconds": float(self.delay), "request": request}

    @property
    def done(self) -> str:
        return f"delayed by {seconds_text(self.delay)}"
