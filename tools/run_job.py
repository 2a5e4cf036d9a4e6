"""Run the steps of a workflow's job, or of an action, here, in order, as a runner of GitHub would.

    tools/run_job.py .github/workflows/chaos.yml rehearse --matrix shard=1 --input scenarios=...
    tools/run_job.py action.yml --input scenarios=...

Only `run:` steps are run, by bash with the same options; a step that `uses:` an action is named and
left out, for this machine has its checkout and its Python already. Prints what the steps print, and
then how each ended. Exit code: 0 when the job is green, 1 when it is red or cannot be run here.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")
_TERM = re.compile(r"'(?P<text>[^']*)'|(?P<context>[a-z]+)\.(?P<name>[\w-]+)")


@dataclass
class Job:
    """What its steps see, and how they ended."""

    contexts: Mapping[str, Mapping[str, str]]
    environment: dict[str, str]
    ended: list[tuple[str, str]] = field(default_factory=list)
    failed: bool = False

    def step(self, step: Mapping[str, Any]) -> None:
        """Run one step, or say why it is left out."""
        name = str(step.get("name") or step.get("uses") or step["run"].splitlines()[0])
        if "run" not in step:
            self.ended.append((name, "left out"))
            return
        if not self._wanted(str(step.get("if", "success()"))):
            self.ended.append((name, "skipped"))
            return
        print(f"== {name}", flush=True)
        environment = {key: self.filled(str(value)) for key, value in step.get("env", {}).items()}
        script = self.filled(step["run"])
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
            env={**os.environ, **self.environment, **environment},
            cwd=step.get("working-directory"),
            check=False,
        )
        self.failed |= done.returncode != 0 and not step.get("continue-on-error")
        self.ended.append((name, "ok" if done.returncode == 0 else f"exit {done.returncode}"))

    def _wanted(self, condition: str) -> bool:
        known = {"success()": not self.failed, "always()": True, "failure()": self.failed}
        if condition not in known:
            sys.exit(f"cannot tell what `if: {condition}` means")
        return known[condition]

    def filled(self, text: str) -> str:
        """Return a text with its `${{ }}` replaced: names, texts, and `||` between them."""
        return _EXPRESSION.sub(lambda match: self._value(match[1]), text)

    def _value(self, expression: str) -> str:
        for part in expression.split("||"):
            term = _TERM.fullmatch(part.strip())
            if term is None or (term["context"] and term["context"] not in self.contexts):
                sys.exit(f"cannot work out `{expression}`")
            text = term["text"]
            value = self.contexts[term["context"]].get(term["name"], "") if text is None else text
            if value:
                return value
        return ""


def main() -> int:
    """Run a job and return 0 when it is green."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("workflow", type=Path)
    parser.add_argument("job", nargs="?", help="of a workflow")
    for sort in ("matrix", "input"):
        parser.add_argument(f"--{sort}", action="append", default=[], metavar="NAME=VALUE")
    asked = parser.parse_args()
    document = yaml.safe_load(asked.workflow.read_text(encoding="utf-8"))
    is_action = "runs" in document
    steps = document["runs"]["steps"] if is_action else document["jobs"][asked.job]["steps"]
    declared = document.get("inputs", {}).items()
    contexts = {
        "matrix": dict(pair.split("=", 1) for pair in asked.matrix),
        "inputs": {name: str(one["default"]) for name, one in declared if "default" in one}
        | dict(pair.split("=", 1) for pair in asked.input),
    }
    with tempfile.TemporaryDirectory() as scratch:
        summary = Path(os.environ.get("GITHUB_STEP_SUMMARY") or f"{scratch}/summary.md")
        environment = {
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_WORKSPACE": str(Path.cwd()),
            "GITHUB_ACTION_PATH": str(asked.workflow.resolve().parent),
            "GITHUB_STEP_SUMMARY": str(summary),
            "GITHUB_OUTPUT": f"{scratch}/output",
            "GITHUB_ENV": f"{scratch}/env",
            "RUNNER_TEMP": scratch,
        }
        job = Job(contexts, environment)
        for step in steps:
            job.step(step)
    for name, how in job.ended:
        print(f"{how:<9} {name}")
    return 1 if job.failed else 0


if __name__ == "__main__":
    sys.exit(main())
