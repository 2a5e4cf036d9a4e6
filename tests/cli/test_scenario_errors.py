"""A scenario that cannot be run: every problem with its position, exit code 2, no traceback."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import SCENARIO

Cli = Callable[..., Any]
COMMANDS = pytest.mark.parametrize("command", ["run", "validate", "plan"])


def changed(path: Path, old: str, new: str) -> None:
    assert old in SCENARIO
    (path / "scenario.yaml").write_text(SCENARIO.replace(old, new))


@COMMANDS
def test_every_problem_of_a_file_is_shown_at_once_with_line_and_caret(
    cli: Cli, tmp_path: Path, command: str
) -> None:
    text = SCENARIO.replace("tags: [redis]", "tagz: [redis]\nname: again")
    text = text.replace("every: 100ms", "every: 5").replace("blackhole", "blackhol")
    text = text.replace("probe: chat, at_least: 99%", "probe: chta, at_least: 99")
    (tmp_path / "scenario.yaml").write_text(text)
    output = cli(command, "scenario.yaml")
    assert output.code == 2
    assert output.stdout == ""
    assert (
        output.stderr
        == """\
scenario.yaml:3:1: unknown key `tagz`; did you mean `tags`?
    3 | tagz: [redis]
        ^^^^
scenario.yaml:4:1: duplicate key `name`: the first is in line 1
    4 | name: again
        ^^^^
scenario.yaml:7:62: a duration needs a unit: write 5s or 5ms
    7 |   chat: { probe: http, url: http://chat:8000/healthz, every: 5 }
                                                                     ^
scenario.yaml:11:33: no fault is called `blackhol`; did you mean `blackhole`?
   11 |     - { at: 0s, for: 2s, fault: blackhol, edge: chat -> redis }
                                        ^^^^^^^^
scenario.yaml:14:35: no probe is called `chta`; did you mean `chat`?
   14 |   - { check: availability, probe: chta, at_least: 99 }
                                          ^^^^
scenario.yaml:14:51: expected a percentage such as 99%, got the bare number 99
   14 |   - { check: availability, probe: chta, at_least: 99 }
                                                          ^^
"""
    )


@COMMANDS
def test_a_missing_service_is_named_with_what_was_meant(
    cli: Cli, tmp_path: Path, command: str
) -> None:
    changed(tmp_path, "chat -> redis", "chat -> reddis")
    output = cli(command, "scenario.yaml")
    assert output.code == 2
    assert (
        output.stderr
        == """\
scenario.yaml:10:58: no service `reddis` in the Compose project; did you mean `redis`?
   10 |     - { at: 0s, for: 2s, fault: blackhole, edge: chat -> reddis }
                                                                 ^^^^^^
"""
    )


@COMMANDS
def test_an_edge_fault_without_proxies_is_refused_where_it_is_written(
    cli: Cli, tmp_path: Path, command: str
) -> None:
    changed(tmp_path, "compose.yaml }", "compose.yaml, proxy: none }")
    output = cli(command, "scenario.yaml")
    assert output.code == 2
    assert (
        output.stderr
        == """\
scenario.yaml:10:33: `blackhole` needs proxies, but `stack.proxy` is `none`
   10 |     - { at: 0s, for: 2s, fault: blackhole, edge: chat -> redis }
                                        ^^^^^^^^^
"""
    )


@pytest.mark.parametrize(
    ("old", "new", "place", "words"),
    [
        ("baseline: 1s", "baseline: 12:30", "8:13", "`12:30` is not a duration"),
        ("baseline: 1s", "baseline: 0123", "8:13", "a duration needs a unit"),
        ("name: shop", "name: yes", None, None),  # stays text: a fine name
        (
            "compose.yaml }",
            "compose.yaml, build: yes }",
            "4:40",
            "expects `true` or `false`, got the text",
        ),
        (
            "compose.yaml }",
            "compose.yaml, build: on }",
            "4:40",
            "expects `true` or `false`, got the text",
        ),
        ("compose.yaml }", "compose.yaml, env: {A: 0123, B: 12:30, C: no} }", None, None),
        ("at: 0s, for: 2s", "at: 0s, for: 2 s", "10:22", "not a duration"),
        ("at: 0s, for: 2s", "at: 0s, for: -2s", "10:22", "not a duration"),
        ("compose: compose.yaml", "compose: compsoe.yaml", "4:19", "did you mean `compose.yaml`"),
        ("http://chat:8000", "ftp://chat:8000", "6:29", "only http://"),
    ],
)
def test_what_yaml_and_typing_make_of_a_value_is_caught_where_it_is_written(
    cli: Cli, tmp_path: Path, old: str, new: str, place: str | None, words: str | None
) -> None:
    changed(tmp_path, old, new)
    output = cli("validate", "scenario.yaml")
    if place is None or words is None:
        assert output.code == 0, output.stderr
        return
    assert output.code == 2, output.stdout
    assert output.stderr.startswith(f"scenario.yaml:{place}: "), output.stderr
    assert words in output.stderr


@COMMANDS
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "scenario.yaml:1:1: the file is empty\n"),
        (b"# nothing\n", "scenario.yaml:1:1: the file is empty\n"),
        (b"x" * 5_000_000, "scenario.yaml:1:1: the file has 4.8 MiB; a scenario file has at most"),
        (b"\x7fELF" + bytes(range(256)), "scenario.yaml:1:5: this is a binary file\n"),
        (b"- a\n- b\n", "scenario.yaml:1:1: "),
        (b"name: [\n", "scenario.yaml:"),
        (b"name: \xff\xfe\n", "scenario.yaml:1:"),
        (b"a: &a [*a]\n", "scenario.yaml:1:"),
        (b"[" * 5000, "scenario.yaml:1:"),
    ],
    ids=["empty", "comment", "5 MB", "binary", "list", "torn", "latin", "loop", "deep"],
)
def test_a_file_that_is_no_scenario_at_all_says_so(
    cli: Cli, tmp_path: Path, command: str, content: bytes, said: str
) -> None:
    (tmp_path / "scenario.yaml").write_bytes(content)
    output = cli(command, "scenario.yaml")
    assert output.code == 2
    assert output.stderr.startswith(said), output.stderr
    assert len(output.stderr) < 4000


def test_a_compose_file_that_compose_refuses_is_shown_with_its_words(
    cli: Cli, tmp_path: Path
) -> None:
    (tmp_path / "compose.yaml").write_text("services: {chat: {image: [nonsense]}}\n")
    output = cli("validate", "scenario.yaml")
    assert output.code == 2
    file = tmp_path / "compose.yaml"
    assert output.stderr.startswith(f"error: Compose does not accept {file}:\n")
    assert "services.chat.image must be a string\n" in output.stderr
    assert output.stderr.endswith(f"hint: try `docker compose -f {file} config`\n")
