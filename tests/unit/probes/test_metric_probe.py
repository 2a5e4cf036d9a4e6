"""The `metric` probe: numbers of Prometheus pages and of queries, and why there is none."""

from __future__ import annotations

import json
from typing import Any

import prometheus_client
import pytest
from pydantic import ValidationError

from chaoskit.probes._base import Observed
from chaoskit.probes.metric import MetricProbe
from chaoskit.wire.metrics import NoMetric, Selector, answered, total
from tests.fakes.local_servers import Seen, http, serve

PAGE = """# HELP jobs_total Jobs.
# TYPE jobs_total counter
jobs_total{queue="mail",state="failed"} 3 1395066363000
jobs_total{queue="web",state="failed"} 4
jobs_total{queue="mail",state="done"} 1.5e3
jobs_total_created 99
depth 120
load{cpu="a}b\\\\c\\"d"}\t0.25 # {trace_id="x"} 0.67
broken NaN
"""


def made(**fields: Any) -> MetricProbe:
    base = {"probe": "metric", "url": "http://chat:8082/metrics"}
    return MetricProbe.model_validate(base | fields)


async def observed(answer: Any, status: int = 200, **fields: Any) -> tuple[Observed, Seen]:
    text = answer if isinstance(answer, str) else json.dumps(answer)
    async with serve(http(lambda _: (status, text))) as server:
        session = await made(**fields).connect(server.routes())
        try:
            return await session.observe(), server.requests[0]
        finally:
            await session.close()


@pytest.mark.parametrize(
    ("metric", "number"),
    [
        ("depth", 120),
        (' jobs_total { state = "failed" , } ', 7),
        ('jobs_total{queue="web",state="failed"}', 4),
        ("jobs_total", 1507),
        ("jobs_total{}", 1507),
        (r'load{cpu="a}b\\c\"d"}', 0.25),
    ],
)
def test_the_series_that_have_these_labels_are_summed(metric: str, number: float) -> None:
    assert total(PAGE, Selector.parse(metric)) == number


@pytest.mark.parametrize(
    ("metric", "text"),
    [
        ("jobs", "the page has no `jobs`"),
        (
            'jobs_total{state="new"}',
            (
                'the page has no `jobs_total{state="new"}`, only jobs_total{queue="mail",'
                'state="failed"}, jobs_total{queue="web",state="failed"}, '
                'jobs_total{queue="mail",state="done"}'
            ),
        ),
    ],
)
def test_a_series_that_is_not_there_is_said_with_those_that_are(metric: str, text: str) -> None:
    with pytest.raises(NoMetric) as caught:
        total(PAGE, Selector.parse(metric))
    assert (str(caught.value), caught.value.absent) == (text, True)


def test_a_selector_is_written_as_it_is_read() -> None:
    wanted = Selector("load", {"cpu": 'a}b\\c"d\n', "n": "1"})
    assert Selector.parse(str(wanted)) == wanted


def test_pages_of_the_official_library_are_read() -> None:
    registry = prometheus_client.CollectorRegistry()
    jobs = prometheus_client.Counter("jobs", "Jobs\nof all.", ["path"], registry=registry)
    times = prometheus_client.Histogram("wait", "Waits.", registry=registry)
    jobs.labels('a "b" \\ {c}\n').inc(3)
    jobs.labels("other").inc(4)
    times.observe(0.3)
    page = prometheus_client.generate_latest(registry).decode()
    assert total(page, Selector.parse("jobs_total")) == 7
    assert total(page, Selector("jobs_total", {"path": 'a "b" \\ {c}\n'})) == 3
    assert total(page, Selector.parse(r'jobs_total{path="a \"b\" \\ {c}\n"}')) == 3
    assert total(page, Selector.parse('wait_bucket{le="0.5"}')) == 1


VECTOR = {"status": "success", "data": {"resultType": "vector", "result": []}}


def vector(*numbers: str) -> dict[str, Any]:
    result = [{"metric": {"n": str(n)}, "value": [1.5, text]} for n, text in enumerate(numbers)]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (vector("17"), 17.0),
        ({"status": "success", "data": {"resultType": "scalar", "result": [1.5, "0.5"]}}, 0.5),
        (vector(), "the query gives nothing"),
        (vector("1", "2"), "the query gives 2 numbers: let it `sum` or `max` them"),
        (
            {"status": "success", "data": {"resultType": "matrix", "result": []}},
            "the query gives a matrix, not one number",
        ),
        ({"status": "error", "error": "parse\nerror"}, "the query was refused: parse error"),
        ({"status": "success"}, "this is no answer of a Prometheus to a query"),
        ([], "this is no answer of a Prometheus to a query"),
        ("<html>", "this is no answer of a Prometheus to a query"),
    ],
)
def test_a_query_gives_one_number_or_the_reason_why_not(answer: Any, found: float | str) -> None:
    document = json.dumps(answer).encode()
    if isinstance(found, float):
        assert answered(document) == found
        return
    with pytest.raises(NoMetric) as caught:
        answered(document)
    assert str(caught.value) == found


@pytest.mark.parametrize(
    ("fields", "result"),
    [
        ({"metric": "depth"}, Observed(True, value=120)),
        ({"metric": "depth", "at_least": 120, "at_most": 120}, Observed(True, value=120)),
        ({"metric": "depth", "equals": 120}, Observed(True, value=120)),
        ({"metric": "depth", "at_most": 100}, Observed(False, "`depth` is 120, not <= 100", 120)),
        ({"metric": "depth", "at_least": 1e3}, Observed(False, "`depth` is 120, not >= 1000", 120)),
        ({"metric": "depth", "equals": 0.5}, Observed(False, "`depth` is 120, not 0.5", 120)),
        ({"metric": "none"}, Observed(False, "the page has no `none`")),
        ({"metric": "none", "missing": 0}, Observed(True, value=0)),
        (
            {"metric": "none", "missing": 0, "at_least": 1},
            Observed(False, "`none` is 0, not >= 1", 0),
        ),
        ({"metric": "broken", "missing": 0}, Observed(False, "`broken` is nan")),
    ],
)
async def test_the_number_is_the_value_and_bounds_make_it_fail(
    fields: dict[str, Any], result: Observed
) -> None:
    assert (await observed(PAGE, **fields))[0] == result


async def test_a_query_goes_to_the_api_and_its_refusal_is_said() -> None:
    query = 'sum(rate(jobs{a="b"}[1m])) / 2'
    result, seen = await observed(vector("0.5"), url="http://chat:8082/prom/", query=query)
    assert result == Observed(True, value=0.5)
    assert seen.path == (
        "/prom/api/v1/query?query=sum%28rate%28jobs%7Ba%3D%22b%22%7D%5B1m%5D%29%29%20/%202"
    )
    refusal = {"status": "error", "errorType": "bad_data", "error": "unclosed parenthesis"}
    result, _ = await observed(refusal, 400, query="sum(")
    assert result == Observed(False, "the query was refused: unclosed parenthesis")
    result, _ = await observed("down", 503, query="x")
    assert result.error == "status 503"


async def test_a_page_that_is_not_there_is_a_status_and_its_password_is_sent() -> None:
    result, seen = await observed("", 404, url="http://u:secret@chat:8082/m", metric="x")
    assert result.error == "status 404"
    assert seen.headers["authorization"].startswith("Basic ")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "give either `metric`"),
        ({"metric": "a", "query": "b"}, "give either `metric`"),
        ({"metric": "a", "at_least": 2, "at_most": 1}, "`at_least` is above"),
        ({"metric": 'a{b!="c"}'}, "labels that are equal"),
        ({"metric": 'a{b=~"c"}'}, "labels that are equal"),
        ({"metric": "a{b=c}"}, "expected a metric"),
        ({"metric": "rate(a)"}, "expected a metric"),
        ({"metric": "a", "at_most": float("nan")}, "finite"),
    ],
)
def test_what_is_no_metric_is_found_when_the_scenario_is_read(
    fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        made(**fields)
