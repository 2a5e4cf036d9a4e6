"""Secrets never reach an output, and hiding them never breaks one."""

from __future__ import annotations

import html
import json
import re
import time
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from chaoskit.records import Json
from chaoskit.secrets import MASK, Redactor, forms_of, passwords_in, secrets_in, without_secrets


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("redis://:hunter22@redis:6379/0", "redis://:***@redis:6379/0"),
        ("postgres://app:pw@db/app", "postgres://app:***@db/app"),
        ("at postgresql+psycopg://a:b@db", "at postgresql+psycopg://a:***@db"),
        ("postgres://app:p@ss@db/app", "postgres://app:***@db/app"),
        ("a://u:one@h:1,b://u:two@h:2", "a://u:***@h:1,b://u:***@h:2"),
        ('{"url":"redis://:pw@a","to":"x@y"}', '{"url":"redis://:***@a","to":"x@y"}'),
        ("http://chat:8082/healthz", "http://chat:8082/healthz"),
        ("user@example.com and http://chat", "user@example.com and http://chat"),
    ],
)
def test_a_password_in_a_url_is_masked_without_being_known(text: str, clean: str) -> None:
    assert Redactor().clean(text) == clean


def test_a_known_secret_is_masked_wherever_it_stands() -> None:
    assert Redactor(["s3cr3t-1"]).clean("x=s3cr3t-1;s3cr3t-1") == f"x={MASK};{MASK}"


def test_short_values_stay_because_they_are_ordinary_words() -> None:
    assert Redactor(["redis", "1", ""]).clean("redis 1 is up") == "redis 1 is up"


def test_names_to_keep_stay_readable() -> None:
    redactor = Redactor(["postgres", "s3cr3t-1"], keep=["postgres"])
    assert redactor.clean("postgres s3cr3t-1") == f"postgres {MASK}"


def test_of_two_secrets_that_overlap_the_longer_goes_first() -> None:
    assert Redactor(["secret", "secret-and-more"]).clean("is secret-and-more") == f"is {MASK}"


def test_secrets_can_be_added_later() -> None:
    redactor = Redactor(["first-one"])
    redactor.add(["second-one"])
    assert redactor.clean("first-one second-one") == f"{MASK} {MASK}"


@pytest.mark.parametrize("secret", ['quo"te\\slash', "pässwörd-é", "line\nbreak", "a.b*c[d"])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_a_secret_is_found_in_json_text_however_it_is_escaped(
    secret: str, ascii_only: bool
) -> None:
    text = json.dumps({"log": f"password is {secret}!"}, ensure_ascii=ascii_only)
    assert json.loads(Redactor([secret]).clean(text)) == {"log": f"password is {MASK}!"}


@pytest.mark.parametrize("secret", ["123456", "outcome", "t\":1.5"])  # fmt: skip
def test_a_document_stays_what_it_is_when_a_secret_looks_like_a_part_of_it(secret: str) -> None:
    document: Json = {"t": 1.123456, "outcome": "ok", "value": [123456, None, True]}
    assert Redactor([secret]).clean_json(document) == document


def test_texts_of_a_document_are_cleaned_at_every_depth() -> None:
    document: Json = {"a": ["s3cr3t-1", {"b": "url redis://:pw@h"}], "n": 1}
    assert Redactor(["s3cr3t-1"]).clean_json(document) == {
        "a": [MASK, {"b": "url redis://:***@h"}],
        "n": 1,
    }


@pytest.mark.parametrize(
    "key",
    [
        "POSTGRES_PASSWORD",
        "PGPASSWORD",
        "DB_PASS",
        "JWT_SECRET",
        "SECRET_KEY",
        "SECRET_KEY_BASE",
        "AWS_SECRET_ACCESS_KEY",
        "API_KEY",
        "apikey",
        "GITHUB_TOKEN",
        "REDIS_AUTH",
        "credentials",
    ],
)
def test_values_of_keys_named_like_a_secret_are_secrets(key: str) -> None:
    assert secrets_in({key: "the-value"}) == ["the-value"]


@pytest.mark.parametrize(
    "key",
    [
        "POSTGRES_USER",
        "TOKEN_TTL",
        "AUTH_SERVICE_URL",
        "AUTH_BACKEND",
        "SECRET_NAME",
        "KEY_PREFIX",
        "AUTHOR",
        "MONKEY",
        "COMPASS",
        "tokenizer",
        "passes",
        "PWD",
    ],
)
def test_values_of_other_keys_are_not(key: str) -> None:
    assert secrets_in({key: "the-value"}) == []


def test_passwords_inside_urls_are_secrets_as_written_and_as_meant() -> None:
    assert secrets_in({"URL": "postgres://a:p%40ss-word@db/x"}) == ["p%40ss-word", "p@ss-word"]
    assert passwords_in("redis://:one@a redis://u:two@b redis://c") == ["one", "two"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("PGPASSWORD=hunter2 psql -c 'select 1'", ["hunter2"]),
        ("redis-server --requirepass hunter2 --port 1", ["hunter2"]),
        ("redis-server --user ops on >hunter2 ~* +@all --save ''", ["hunter2"]),
        ("user ops on >hunter2 >hunter3 +@all", ["hunter2", "hunter3"]),
        ("for user in a b; do echo $user >file; done", []),
        ("curl --api-key='hunter 2' http://x/?token=hunter3&page=2", ["hunter 2", "hunter3"]),
        ('PGPASSWORD=$PGPASSWORD psql --password "$PW"', []),
        ("GET /?token={value}", []),
        ("app --token-ttl 3600 --password --verbose", []),
    ],
)
def test_passwords_of_commands_are_found_unless_a_variable_holds_them(
    text: str, found: list[str]
) -> None:
    assert passwords_in(text) == found


def test_a_secret_is_known_without_its_scheme_and_by_its_lines() -> None:
    assert forms_of("Bearer abc-def") == ["Bearer abc-def", "abc-def"]
    assert forms_of("first\n  second\n") == ["first\n  second\n", "first", "second"]
    assert forms_of("{value}") == []
    assert forms_of("pre-{n}-post") == ["pre-", "-post"]


def test_in_a_document_values_are_masked_by_their_keys_and_placeholders_stay() -> None:
    document: Json = {
        "env": {"DB_PASSWORD": "pw", "API_KEYS": ["a", 7], "X": "pw"},
        "json": {"token": "{value}", "secret": "a{n}b"},
        "auth": {"url": "http://auth"},
    }
    assert without_secrets(document) == {
        "env": {"DB_PASSWORD": MASK, "API_KEYS": [MASK, MASK], "X": "pw"},
        "json": {"token": "{value}", "secret": f"{MASK}{{n}}{MASK}"},
        "auth": {"url": "http://auth"},
    }


@pytest.mark.parametrize(
    "unit", ["a", "a.b-", "token={a}", "--token ", "://", "a://b:", "token='", "user ", "user a "]
)
def test_endless_words_are_searched_in_no_time(unit: str) -> None:
    begun = time.perf_counter()
    passwords_in(unit * (200_000 // len(unit)))
    assert time.perf_counter() - begun < 5  # it was minutes where it was quadratic


@pytest.mark.parametrize("secret", ["do$llar-7x", "p@ss/wörd&<1>", "it's 'quoted'", "aB3$"])
@pytest.mark.parametrize(
    "write",
    [
        pytest.param(lambda text: f"'{text}'", id="plain"),
        pytest.param(lambda text: text.replace("$", "$$"), id="as in a Compose file"),
        pytest.param(lambda text: quote(text, safe=""), id="in a query"),
        pytest.param(
            lambda text: re.sub("%..", lambda m: m[0].lower(), quote(text, safe="")),
            id="in a query, with small letters",
        ),
        pytest.param(quote_plus, id="in a form"),
        pytest.param(repr, id="as Python prints it"),
        pytest.param(json.dumps, id="as JSON"),
        pytest.param(html.escape, id="on a page"),
    ],
)
def test_a_secret_is_found_however_a_program_writes_it(
    secret: str, write: Callable[[str], str]
) -> None:
    shown = Redactor([secret]).clean(f"got {write(secret)} here")
    assert secret not in shown
    assert write(secret).strip("'\"") not in shown
    assert MASK in shown


@pytest.mark.parametrize("around", ["{}", "u:{}", "me:{}", "admin:{}", "x{}y", "{}\n"])
@pytest.mark.parametrize("encode", [b64encode, urlsafe_b64encode])
def test_a_secret_is_found_in_the_base64_of_whatever_it_stands_in(
    around: str, encode: Callable[[bytes], bytes]
) -> None:
    secret = "hunter2?>>correct-horse"
    encoded = encode(around.format(secret).encode()).decode()
    shown = Redactor([secret]).clean(f"Authorization: Basic {encoded}")
    assert MASK in shown
    assert encoded not in shown
    assert len(shown) < len(encoded)


@pytest.mark.parametrize("word", ["paperless", "noeviction", "running"])
def test_a_password_that_is_a_word_is_masked_only_where_something_says_what_it_is(
    word: str,
) -> None:
    clean = Redactor([word], keep=[word]).clean
    for harmless in (f"/srv/{word}/x is {word}", f"`{word}` is running", f"policy={word}"):
        assert clean(harmless) == harmless
    for telling in (
        f"password={word}",
        f"DB_PASSWORD: {word}",
        f'{{"token": "{word}"}}',
        f"--requirepass {word}",
        f"Authorization: Bearer {word}",
        f"redis://{word}:{word}@redis",
    ):
        assert MASK in clean(telling), telling
        assert not clean(telling).endswith(word)


def test_names_and_states_of_a_document_stay_whatever_the_passwords_are() -> None:
    redactor = Redactor(["s3cr3t-1"])
    document: Json = {
        "event": "s3cr3t-1",
        "file": "/srv/s3cr3t-1/x",
        "services": [{"service": "s3cr3t-1", "status": "s3cr3t-1", "reason": "s3cr3t-1 is wrong"}],
        "last_logs": {"file": ["s3cr3t-1"]},
        "value": {"service": "s3cr3t-1"},
    }
    assert redactor.clean_json(document) == {
        "event": "s3cr3t-1",
        "file": "/srv/s3cr3t-1/x",
        "services": [{"service": "s3cr3t-1", "status": "s3cr3t-1", "reason": f"{MASK} is wrong"}],
        "last_logs": {"file": [MASK]},
        "value": {"service": MASK},
    }


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("API_KEY_HEADER", "X-Api-Key", False),
        ("API_KEY_HEADER", "x-api-key", False),
        ("TOKEN_HEADER", "Authorization", False),
        ("AUTH_HEADER", "Authorization", False),
        ("apiKeyHeader", "X-RapidAPI-Key", False),
        ("AUTH_HEADER", "Bearer hunter2-x", True),
        ("AUTH_HEADER", "correct-horse", True),
        ("AUTH_HEADER", "X1-9f8e7d6c5b4a", True),
        ("API_KEY_NAME", "X-Api-Key", False),
        ("TOKEN_FIELD", "access_token", False),
        ("TOKEN_PARAM", "token", False),
        ("API_KEY", "X-Api-Key", True),
    ],
)
def test_what_a_header_is_called_is_no_secret(name: str, value: str, secret: bool) -> None:
    assert (value in secrets_in({name: value})) is secret


@pytest.mark.parametrize(
    "key", ["MYSQL_PWD", "DB_PASSWORD_PROD", "AUTH_HEADER", "JWT", "DSN", "SIGNING_KEY", "APP_KEY"]
)
def test_other_names_of_secrets_are_known(key: str) -> None:
    assert "the-value-1" in secrets_in({key: "the-value-1"})


@pytest.mark.parametrize(
    ("secret", "inside"),
    [
        ("Basic dXNlcjpiYXNpYzE4", "basic18"),
        ("user:pass-word-1", "pass-word-1"),
        ("app:go-dsn-1@tcp(db:3306)/shop", "go-dsn-1"),
        ("session=abc-def-1; Path=/", "abc-def-1"),
    ],
)
def test_what_is_inside_a_secret_is_one_too(secret: str, inside: str) -> None:
    assert inside in forms_of(secret)


def test_many_secrets_cost_a_line_no_time() -> None:
    redactor = Redactor([f"{n * 7919:x}-s3cr3t-{n}" for n in range(200)])
    lines = [f"2026-11-26 GET /items/{n} 200 {n * 7919:x} in {n} ms" for n in range(5000)]
    begun = time.perf_counter()
    assert all(redactor.clean(line) == line for line in lines)
    assert time.perf_counter() - begun < 3
