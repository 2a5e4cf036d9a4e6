"""Exit codes say the same in the code, in the help and in the README."""

from __future__ import annotations

import re
import signal
from pathlib import Path

from chaoskit.cli.main import app
from chaoskit.errors import ExitCode

README = Path(__file__).parents[2] / "README.md"


def test_the_readme_has_a_row_for_every_exit_code() -> None:
    section = README.read_text(encoding="utf-8").partition("\n## Exit codes\n")[2]
    rows = re.findall(r"^\| ([\d, ]+) \|", section.partition("\n## ")[0], re.MULTILINE)
    documented = [int(code) for row in rows for code in row.split(", ")]
    assert sorted(documented) == sorted(ExitCode)


def test_the_help_names_every_exit_code_that_no_signal_causes() -> None:
    named = re.findall(r"\b\d+\b", str(app.info.epilog))
    assert [int(code) for code in named] == [code for code in ExitCode if not code.by_signal]


def test_a_signal_ends_with_128_plus_its_number() -> None:
    by_signal = {int(code) - 128 for code in ExitCode if code.by_signal}
    assert by_signal == {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
