"""The copies of a run's files are YAML with the same keys, whatever way secrets are written."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from chaoskit.scenario.masked_copy import masked_copy
from chaoskit.secrets import Redactor, passwords_in

SECRETS = (
    "hunter2-Zq9",
    "p@ss:w0rd",
    "it's#7 bad",
    'quo"te-99x',
    "*star7&amp",
    "100%{x}9a",
    "a\\b8-cd",
)
KEYS = st.sampled_from(
    ["POSTGRES_PASSWORD", "password", "api_token", "image", "command", "x-note", "environment"]
)
SECRET = st.sampled_from(SECRETS)
URLS = st.sampled_from(
    ["redis://:{}@redis:6379/0", "postgres://app:{}@db/shop?sslmode=disable", "http://u:{}@web/"]
)


def shape(document: Any) -> Any:
    """Return what a document is made of: its keys, and how many values it has."""
    if isinstance(document, dict):
        return {key: shape(value) for key, value in document.items()}
    return [shape(one) for one in document] if isinstance(document, list) else None


def plain(value: str) -> str:
    try:
        return value if yaml.safe_load(f"a: {value}") == {"a": value} else json.dumps(value)
    except yaml.YAMLError:
        return json.dumps(value)


def in_flow(value: str) -> str:
    try:
        return value if yaml.safe_load(f"{{a: {value} }}") == {"a": value} else json.dumps(value)
    except yaml.YAMLError:
        return json.dumps(value)


SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": plain,
    "single": lambda value: "'" + value.replace("'", "''") + "'",
    "double": json.dumps,
    "literal": lambda value: f"|\n      {value}\n      more",
    "folded": lambda value: f">-\n      some\n      {value}",
    "list": lambda value: f"[{in_flow(value)}, 'other', {json.dumps(value)}]",
    "map": lambda value: f"{{ {in_flow('word')}: {in_flow(value)}, 'token': {json.dumps(value)} }}",
    "tagged": lambda value: f"!!str &here {json.dumps(value)}",
    "assigned": lambda value: f"\n      - {json.dumps('DB_PASSWORD=' + value)}\n      - A=b",
}


@given(
    st.lists(
        st.tuples(
            KEYS, SECRET, st.none() | URLS, st.sampled_from(sorted(SPELLINGS)), st.booleans()
        ),
        min_size=1,
        max_size=5,
    )
)
def test_a_copy_has_the_keys_of_the_file_and_no_secret_of_it(
    rows: list[tuple[str, str, str | None, str, bool]],
) -> None:
    text, secrets = "# a file\nservices:\n", []
    for number, (key, secret, url, spelling, commented) in enumerate(rows):
        value = (
            secret
            if url is None
            else url.format(secret.translate(str.maketrans("@/ '\"#", "______")))
        )
        secrets.append(value if url is None else value.partition("@")[0].rpartition(":")[2])
        text += f"  s{number}:\n    {key}: {SPELLINGS[spelling](value)}\n".replace(
            "&here", f"&here{number}"
        )
        text += f"    # password={secret}\n    other: 'kept' # {value}\n" if commented else ""
    secrets = [one for one in secrets if one]
    copy = masked_copy(text, Redactor([*secrets, *SECRETS]).clean)
    meant = yaml.safe_load(copy)
    assert shape(meant) == shape(yaml.safe_load(text)), copy
    assert not [one for one in secrets if one in copy], copy
    assert "kept" in copy or not any(row[-1] for row in rows)


@pytest.mark.parametrize(
    ("line", "copy"),
    [
        ("DB_PASSWORD: hunter2", "DB_PASSWORD: '***'"),
        ('DB_PASSWORD: "hunter2"  # why', 'DB_PASSWORD: "***"  # why'),
        ("url: 'redis://:hunter2@redis:6379'", "url: 'redis://:***@redis:6379'"),
        ("{url: redis://:hunter2@redis, db: 1}", "{url: redis://:***@redis, db: 1}"),
        ("url: http://u:hunter2@web/a", "url: http://u:***@web/a"),
        ("DB_PASSWORD: ${DB_PASSWORD}", "DB_PASSWORD: ${DB_PASSWORD}"),
        ("DB_PASSWORD: ${DB_PASSWORD:-hunter2}", "DB_PASSWORD: '***'"),
        ("note: ${DB_PASSWORD:-hunter2}", "note: '${DB_PASSWORD:-***}'"),
        ("password: [hunter2, 'x y']", "password: ['***', '***']"),
        ("token: 12345", "token: '***'"),
        ("command: app --password hunter2 --port 1", "command: app --password *** --port 1"),
        ("API_KEY_HEADER: X-Api-Key", "API_KEY_HEADER: X-Api-Key"),
        ("a: 1 # DB_PASSWORD=hunter2", "a: 1 # DB_PASSWORD=***"),
        ("x: |\n  DB_PASSWORD=hunter2\n  b", "x: |\n  DB_PASSWORD=***\n  b"),
        ("token: |  # of ci\n  hunter2\n\n  b", "token: |  # of ci\n  ***\n\n  ***"),
        ("other: a*b\nhunter2: 1", "other: a*b\nhunter2: 1"),
        ("a: b: hunter2", "a: b: ***"),  # no YAML
    ],
)
def test_only_what_is_secret_is_written_anew(line: str, copy: str) -> None:
    redactor = Redactor([*passwords_in(line), "hunter2"])
    assert masked_copy(line, redactor.clean) == copy


def test_a_key_that_is_a_secret_by_itself_is_masked() -> None:
    text = "'postgres://a:hunter2@db': 1\n? [redis, 'DB_PASSWORD=hunter2']\n: x\n"
    copy = masked_copy(text, Redactor(["hunter2"]).clean)
    assert "hunter2" not in copy
    assert "postgres://a:***@db" in copy
