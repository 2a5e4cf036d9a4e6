"""Secrets never reach an output, and hiding them never breaks one."""

from __future__ import annotations

import json
import time

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


@pytest.mark.parametrize("unit", ["a", "a.b-", "token={a}", "--token ", "://", "a://b:", "token='"])
def test_endless_words_are_searched_in_no_time(unit: str) -> None:
    begun = time.perf_counter()
    passwords_in(unit * (200_000 // len(unit)))
    assert time.perf_counter() - begun < 5  # it was minutes where it was quadratic
