"""The `metric` probe."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, ClassVar, Self
from urllib.parse import quote

from pydantic import Field, model_validator

from chaoskit.fields import Duration, HttpUrl, Target
from chaoskit.numeric import TOLERANCE
from chaoskit.probes._base import Observed, Probe, Session, probe
from chaoskit.probes.http import HttpExpect, HttpProbe, HttpSession
from chaoskit.stack.routes import Routes
from chaoskit.text import one_line
from chaoskit.wire.error_text import LONGEST
from chaoskit.wire.metrics import NoMetric, Selector, answered, total

_MOST_READ = 8 * 1024**2  # bytes of a page
_EXACT = 2**53  # above it floats leave whole numbers out
_QUERY = "/api/v1/query"
_REFUSALS = [400, 422]  # their bodies say what is wrong with a query
_TEXT = {"Accept": "text/plain; version=0.0.4, application/json"}
Bound = Annotated[float, Field(allow_inf_nan=False)]


@probe("metric")
class MetricProbe(Probe):
    """Read one number from a page of Prometheus metrics, or ask a Prometheus for it.

    `metric` with the `url` of the page is a name, maybe with labels: the sum over all series that
    have these, whatever others they have. `query` with the `url` of a Prometheus is PromQL that
    gives a single number. The number is the sample's value, which checks `value` and `invariant`
    judge; with `at_least`, `at_most` or `equals` the probe itself fails outside of them. No such
    series is a failure, too, unless `missing` says what that counts as: many counters with labels
    appear only with their first event.
    """

    example: ClassVar[str] = (
        "{ probe: metric, url: http://api:9090/metrics, every: 500ms, "
        """metric: 'http_requests_total{code="500"}', missing: 0, at_most: 10 }"""
    )

    url: HttpUrl
    metric: Selector | None = None
    query: Annotated[str | None, Field(min_length=1)] = None
    headers: dict[str, str] = Field(default_factory=dict)
    missing: Bound | None = None
    at_least: Bound | None = None
    at_most: Bound | None = None
    equals: Bound | None = None
    every: Duration = Duration(0.5)

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        if (self.metric is None) == (self.query is None):
            raise ValueError("give either `metric`, of a page, or `query`, for a Prometheus")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError("`at_least` is above `at_most`")
        return self

    def targets(self) -> Sequence[Target]:
        return [self.url.target]

    def asks(self) -> str:
        return str(self.url)

    def load(self) -> None:
        self._request().load()

    async def connect(self, routes: Routes) -> Session:
        return HttpSession(self._request(), routes, self._look, _MOST_READ)

    def _request(self) -> HttpProbe:
        url, statuses = self.url, [200]
        if self.query is not None:
            url = replace(url, path=f"{url.path.rstrip('/')}{_QUERY}?query={quote(self.query)}")
            statuses += _REFUSALS
        expect = HttpExpect(status=statuses)
        return HttpProbe(probe="http", url=url, headers=_TEXT | self.headers, expect=expect)

    def _look(self, body: bytes) -> Observed:
        try:
            if self.metric is None:
                number = answered(body)
            else:
                number = total(body.decode(errors="replace"), self.metric)
        except NoMetric as error:
            if not error.absent or self.missing is None:
                return Observed(False, one_line(str(error), LONGEST))
            number = self.missing
        if not math.isfinite(number):
            return Observed(False, one_line(f"{self._what} is {number}", LONGEST))
        value = int(number) if number.is_integer() and abs(number) < _EXACT else number
        wanted = self._missed(number)
        if wanted is not None:
            text = one_line(f"{self._what} is {value}, not {wanted}", LONGEST)
            return Observed(False, text, value)
        return Observed(True, value=value)

    @property
    def _what(self) -> str:
        return "the query" if self.metric is None else f"`{self.metric}`"

    def _missed(self, number: float) -> str | None:
        """Return the bound that a number is outside of."""
        if self.equals is not None and abs(number - self.equals) > TOLERANCE:
            return f"{self.equals:g}"
        if self.at_least is not None and number < self.at_least - TOLERANCE:
            return f">= {self.at_least:g}"
        if self.at_most is not None and number > self.at_most + TOLERANCE:
            return f"<= {self.at_most:g}"
        return None
