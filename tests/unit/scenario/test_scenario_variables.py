"""`${VAR}` in values, and secrets that stay out of every message."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chaoskit.scenario.masking import masked, masked_line
from chaoskit.secrets import named_like_a_secret

if TYPE_CHECKING:
    from tests.unit.scenario.conftest import Desk


def test_a_variable_is_replaced_from_the_environment_passed_in(desk: Desk) -> None:
    loaded = desk.load(desk.changed(("100ms", "${EVERY}")), {"EVERY": "250ms"})
    assert loaded.scenario.probes["chat"].every == 0.25


def test_an_unquoted_variable_can_become_a_number(desk: Desk) -> None:
    text = desk.changed(("rate: 50/s", "clients: ${N:-5}\n    rate: 50/s"))
    assert desk.load(text).scenario.workloads["members"].clients == 5
    assert desk.load(text, {"N": "7"}).scenario.workloads["members"].clients == 7
    assert desk.load(text, {"N": ""}).scenario.workloads["members"].clients == 5


def test_a_quoted_variable_stays_text(desk: Desk) -> None:
    text = desk.changed(("rate: 50/s", 'clients: "${N}"\n    rate: 50/s'))
    assert desk.problem(text, {"N": "7"}).message == (
        "`clients` expects a whole number, got the text `7`"
    )


def test_two_dollars_are_one_and_other_dollars_stay(desk: Desk) -> None:
    text = desk.changed(("stack:", "description: $${X} $5 $.a\nstack:"))
    assert desk.load(text).scenario.description == "${X} $5 $.a"


def test_a_missing_variable_is_a_problem_at_its_own_place(desk: Desk) -> None:
    problem = desk.problem_after(("http://chat:8082/healthz,", "http://chat:${PORT}/healthz,"))
    assert problem.message == "environment variable `PORT` is not set"
    assert desk.underlined(problem) == "${PORT}"
    assert problem.hint == "set it, or give a default: ${PORT:-...}"


@pytest.mark.parametrize("written", ['"${A-b}"', '"${}"', '"${A"', '"${A:-${B}}"'])
def test_other_forms_of_reference_are_refused(desk: Desk, written: str) -> None:
    problem = desk.problem_after(("name: redis-restart", f"name: {written}"))
    assert problem.message == "this is not a variable reference"


def test_keys_are_not_substituted(desk: Desk) -> None:
    problem = desk.problem(desk.changed(("name:", "${NAME}:")), {"NAME": "name"})
    assert problem.message.startswith("unknown key `${NAME}`; did you mean `name`?")


def test_a_variable_cannot_add_structure(desk: Desk) -> None:
    text = desk.changed(("stack:", "description: ${D}\nstack:"))
    assert desk.load(text, {"D": "x, y: {z"}).scenario.description == "x, y: {z"


def test_a_password_in_a_url_is_masked_and_the_caret_stays_in_its_column(desk: Desk) -> None:
    text = desk.changed(
        ("url: redis://redis:6379/0 }", "url: redis://me:correct-horse@redis:6379/0, every: 5 }")
    )
    assert desk.rendered(text) == (
        "scenario.yaml:6:77: a duration needs a unit: write 5s or 5ms\n"
        "    6 |   cache: { probe: redis, url: redis://me:***@redis:6379/0,           every: 5 }\n"
        "                                                                                    ^"
    )


@pytest.mark.parametrize(
    ("old", "new", "environ"),
    [
        ("redis://redis:6379/0", "mysql://u:hunter2@redis:6379/0", {}),
        ("redis://redis:6379/0", "redis://u:hunter2/x@redis:6379/0", {}),
        ("redis://redis:6379/0", '"redis://u:a hunter2 b@redis:x/0"', {}),
        ("redis://redis:6379/0", "redis://u:${PW}@redis:x/0", {"PW": "hunter2"}),
        ("redis://redis:6379/0", "redis://u:${PW:-hunter2}@redis:x/0", {}),
        ("redis://redis:6379/0", "${REDIS_PASSWORD}", {"REDIS_PASSWORD": "hunter2"}),
        ("redis://redis:6379/0", "${REDIS_PASSWORD:-hunter2}", {}),
        ("redis://redis:6379/0", "redis://r/0?password=hunter2, every: 7", {}),
        ("compose.yaml", "compose.yaml\n  env: {DB_PASSWORD: hunter2, X: 1}", {}),
        ("compose.yaml", "compose.yaml\n  env: {apiKey: [hunter2]}", {}),
        ("compose.yaml", "compose.yaml\n  ports: redis://u:hunter2@x", {}),
        ("timeline:", "\tx: redis://u:hunter2@x\ntimeline:", {}),
    ],
)
def test_no_secret_reaches_a_message(
    desk: Desk, old: str, new: str, environ: dict[str, str]
) -> None:
    rendered = "\n".join(p.render() for p in desk.problems(desk.changed((old, new)), environ))
    assert "hunter2" not in rendered


def test_masking_moves_nothing_behind_the_value() -> None:
    line = "a: { url: postgres://u:secret-word@db:5432/x, API_TOKEN: abcdefgh, b: 1 }"
    shown = masked_line(line)
    assert shown.startswith("a: { url: postgres://u:***@db:5432/x,   ")
    assert "API_TOKEN: ***," in shown
    assert shown.index("b: 1") == line.index("b: 1")


def test_a_bare_reference_is_not_masked() -> None:
    line = "url: postgres://app:${DB_PASSWORD}@db/x"
    assert masked_line(line) == line


def test_ordinary_text_is_not_masked() -> None:
    for text in ("passes: 3", "http://chat:8082/healthz", "tokenizer: x", "compass: n"):
        assert masked(text) == masked_line(text) == text
    assert not named_like_a_secret("passive")
    assert all(map(named_like_a_secret, ["DB_PASSWORD", "apiKey", "token", "client-secret"]))
