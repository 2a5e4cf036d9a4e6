"""The value types of scenario files: what they accept, refuse, and print."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from chaoskit.fields import (
    Duration,
    Edge,
    HttpUrl,
    Percentage,
    PostgresUrl,
    Rate,
    RedisUrl,
    Size,
    Target,
    TcpUrl,
    Url,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("300ms", 0.3),
        ("1.5s", 1.5),
        ("2m", 120),
        ("1h30m", 5400),
        ("1m1.5s", 61.5),
        ("100us", 0.0001),
        ("100µs", 0.0001),
        ("0s", 0),
        ("168h", 604800),
    ],
)
def test_a_duration_is_read_with_its_unit(text: str, seconds: float) -> None:
    assert Duration.parse(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (5, "needs a unit: write 5s or 5ms"),
        (0.5, "needs a unit"),
        ("5", "needs a unit"),
        (True, "got `true`"),
        (None, "got nothing"),
        ([], "got a list"),
        ({}, "got a mapping"),
        ("-1s", "not a duration"),
        ("+1s", "not a duration"),
        ("1 s", "not a duration"),
        ("1S", "not a duration"),
        ("1d", "not a duration"),
        ("s", "not a duration"),
        ("", "not a duration"),
        ("1s ", "not a duration"),
        ("1s\n", "not a duration"),
        ("1..5s", "not a duration"),
        ("1e3s", "not a duration"),
        ("٣s", "not a duration"),
        ("169h", "longer than a week"),
        ("9" * 400 + "h", "longer than a week"),
    ],
)
def test_what_is_not_a_duration_is_refused_in_plain_words(value: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Duration.parse(value)


@given(st.integers(0, 7 * 24 * 3600 * 1_000_000))
def test_a_duration_prints_as_text_that_reads_back_the_same(microseconds: int) -> None:
    duration = Duration(microseconds / 1e6)
    assert Duration.parse(str(duration)) == pytest.approx(duration, abs=2e-6, rel=1e-11)


@pytest.mark.parametrize(
    ("text", "rate"), [("50/s", 50), ("300/m", 5), ("0.5/s", 0.5), ("3600/h", 1)]
)
def test_a_rate_is_read_as_events_per_second(text: str, rate: float) -> None:
    assert Rate.parse(text) == pytest.approx(rate)


@pytest.mark.parametrize("value", [50, "50", "50/d", "-1/s", "0/s", "100001/s", "/s", None, "1 /s"])
def test_what_is_not_a_rate_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"rate|out of range"):
        Rate.parse(value)


@given(st.floats(1e-9, 100_000))
def test_a_rate_prints_as_text_that_reads_back(rate: float) -> None:
    assert Rate.parse(str(Rate(rate))) == pytest.approx(rate, rel=1e-5)


@pytest.mark.parametrize(
    ("text", "share", "shown"),
    [("99%", 0.99, "99%"), ("0.1%", 0.001, "0.1%"), ("100%", 1, "100%"), ("7%", 0.07, "7%"),
     ("99.99999%", 0.9999999, "99.99999%"), ("0.000001%", 1e-8, "0.000001%")],
)  # fmt: skip
def test_a_percentage_is_a_share_and_prints_as_written(text: str, share: float, shown: str) -> None:
    assert Percentage.parse(text) == pytest.approx(share)
    assert str(Percentage.parse(text)) == shown


@pytest.mark.parametrize("value", [99, 0.99, "99", "101%", "-1%", "%", None, "1e1%"])
def test_what_is_not_a_percentage_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"percentage|above 100%"):
        Percentage.parse(value)


@pytest.mark.parametrize(
    ("text", "count"),
    [("512B", 512), ("64KB", 64_000), ("64KiB", 65_536), ("1.5MiB", 1_572_864), ("1GB", 10**9)],
)
def test_a_size_is_read_as_bytes(text: str, count: int) -> None:
    assert Size.parse(text) == count


@pytest.mark.parametrize("value", [512, "512", "64kb", "64 KB", "-1B", "2000GiB", "1TB", None])
def test_what_is_not_a_size_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"size|larger"):
        Size.parse(value)


@given(st.integers(0, 1024**4))
def test_a_size_prints_as_text_that_reads_back_the_same(count: int) -> None:
    assert Size.parse(str(Size(count))) == count


names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,20}", fullmatch=True)


@given(names, names, st.none() | st.integers(1, 65535))
def test_an_edge_prints_as_text_that_reads_back_the_same(
    client: str, upstream: str, port: int | None
) -> None:
    if client != upstream:
        edge = Edge(client, upstream, port)
        assert Edge.parse(str(edge)) == edge


@pytest.mark.parametrize("text", ["chat->redis", "chat -> redis", " chat  ->  redis "])
def test_spaces_around_an_edge_s_arrow_do_not_matter(text: str) -> None:
    assert Edge.parse(text) == Edge("chat", "redis")


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("chat", "expected an edge"),
        ("chat > redis", "expected an edge"),
        ("chat -> redis -> db", "expected an edge"),
        ("-> redis", "expected an edge"),
        ("chat -> redis:x", "expected an edge"),
        ("chat -> redis:0", "not a TCP port"),
        ("chat -> redis:65536", "not a TCP port"),
        ("chat -> chat", "both ends"),
        (None, "got nothing"),
        (["chat", "redis"], "got a list"),
    ],
)
def test_what_is_not_an_edge_is_refused(value: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Edge.parse(value)


@pytest.mark.parametrize(
    ("kind", "text", "target", "shown"),
    [
        (HttpUrl, "http://chat:8082/healthz?x=1", Target("chat", 8082, "http"),
         "http://chat:8082/healthz?x=1"),
        (HttpUrl, "https://chat", Target("chat", 443, "tls"), "https://chat:443"),
        (HttpUrl, "http://Chat_1:/", Target("Chat_1", 80, "http"), "http://Chat_1:80/"),
        (RedisUrl, "redis://:pw@redis/2", Target("redis", 6379, "redis"),
         "redis://:***@redis:6379/2"),
        (PostgresUrl, "postgres://a:b@db/app", Target("db", 5432, "postgres"),
         "postgres://a:***@db:5432/app"),
        (PostgresUrl, "postgresql://a@db:1/app", Target("db", 1, "postgres"),
         "postgresql://a@db:1/app"),
        (TcpUrl, "tcp://rabbit:5672", Target("rabbit", 5672, "tcp"), "tcp://rabbit:5672"),
    ],
)  # fmt: skip
def test_a_url_names_a_service_and_never_shows_its_password(
    kind: type[Url], text: str, target: Target, shown: str
) -> None:
    url = kind.parse(text)
    assert url.target == target
    assert str(url) == shown
    assert kind.parse(url) is url


def test_a_password_is_read_decoded() -> None:
    url = PostgresUrl.parse("postgres://us%40er:p%40ss@db/my%20app?sslmode=disable")
    assert (url.user, url.password) == ("us@er", "p@ss")
    assert url.database == "my app"
    assert url.option("sslmode") == "disable"
    assert url.option("other") is None


@pytest.mark.parametrize(("text", "db"), [("redis://r", 0), ("redis://r/", 0), ("redis://r/3", 3)])
def test_a_redis_url_names_a_database_by_number(text: str, db: int) -> None:
    assert RedisUrl.parse(text).db == db


@pytest.mark.parametrize(
    ("kind", "value", "says"),
    [
        (HttpUrl, "chat:8082", "expected a URL starting with http:// or https://"),
        (HttpUrl, "redis://chat", "`redis://` is not possible here"),
        (HttpUrl, "http://:80/", "no host"),
        (HttpUrl, "http://chat:99999/", "up to 65535"),
        (HttpUrl, "http://chat:x/", "not a URL"),
        (HttpUrl, "http://chat:0/", "0 is not a TCP port"),
        (HttpUrl, 80, "the bare number 80"),
        (HttpUrl, None, "nothing"),
        (RedisUrl, "redis://redis/cache", "not a Redis database"),
        (TcpUrl, "tcp://rabbit", "needs a port"),
    ],
)
def test_what_is_not_a_url_here_is_refused(kind: type[Url], value: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        kind.parse(value)


@pytest.mark.parametrize("kind", [Duration, Rate, Percentage, Size, Edge, HttpUrl])
def test_in_a_model_each_type_refuses_a_bare_number_and_has_a_text_schema(kind: type) -> None:
    adapter: TypeAdapter[object] = TypeAdapter(kind)
    with pytest.raises(ValidationError):
        adapter.validate_python(5)
    schema = adapter.json_schema()
    assert schema["type"] == "string"
    for example in schema.get("examples", ()):
        value = adapter.validate_python(example)
        assert adapter.validate_json(adapter.dump_json(value)) == value


def test_zero_is_a_duration_of_its_own() -> None:
    assert not Duration.zero()
    assert str(Duration.zero()) == "0s"


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("sslmode=bogus", "`sslmode=bogus` is not possible here"),
        ("sslmode=verify-full", "certificates are not checked"),
        ("sslmode=require&sslmode=disable", "`sslmode` is given more than once"),
        ("sslrootcert=ca.pem", "`sslrootcert` is no option"),
        ("sslmode=require&application_name=x", "`application_name` is no option"),
    ],
)
def test_an_option_that_would_be_ignored_is_refused(option: str, said: str) -> None:
    with pytest.raises(ValueError, match="here") as caught:
        PostgresUrl.parse(f"postgres://u:p@db/app?{option}")
    assert said in str(caught.value)
