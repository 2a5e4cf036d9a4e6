"""Runs the scenarios at `scenarios/*.yaml` on other versions of Docker Compose.

They are built from their Go modules.

python tools/compat.py                     all versions of the table below
python tools/compat.py --only 2.40.3       one of them; any version will do

The engine stays the one of this machine. What passed is written to docs/compatibility.json, from
which tools/gen_docs.py makes the table in the README. Needs Go, and the network for the modules.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench_common import CHAOSKIT, ROOT

VERSIONS = ("2.24.6", "2.40.3", "5.5.0")
RECORD = ROOT / "docs/compatibility.json"
BUILT = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "chaoskit-compat"
TRIES = 2  # a run that was not sure of itself is tried again; a failed one never is


def built(version: str) -> Path:
    """Return the Compose plug-in of a version; building it takes minutes, once."""
    plugin = BUILT / version / "docker-compose"
    if plugin.exists():
        return plugin
    if shutil.which("go") is None:
        sys.exit("compat: Compose is built with Go, which is not there: https://go.dev/doc/install")
    module = f"github.com/docker/compose/v{version.partition('.')[0]}"
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "go.mod").write_text(f"module compat\ngo 1.21\nrequire {module} v{version}\n")
        (folder / "tools.go").write_text(
            f'//go:build tools\n\npackage compat\n\nimport _ "{module}/cmd"\n'
        )
        print(f"compat: building Compose {version}", flush=True)
        flags = f"-X {module}/internal.Version=v{version}"
        output = folder / "docker-compose"
        for argv in (
            ["go", "mod", "tidy"],
            ["go", "build", "-trimpath", "-ldflags", flags, "-o", str(output), f"{module}/cmd"],
        ):
            done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(
                    f"compat: {' '.join(argv[:3])} for Compose {version}:\n{done.stderr[-2000:]}"
                )
        plugin.parent.mkdir(parents=True, exist_ok=True)
        partial = plugin.with_suffix(".new")
        shutil.copy(output, partial)
        partial.rename(plugin)
    return plugin


def tried(version: str, scenarios: Sequence[Path]) -> dict[str, str]:
    """Run each scenario with a Compose version; return the verdicts by scenario."""
    plugin = built(version)
    verdicts: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as made:
        config = Path(made) / "docker"
        (config / "cli-plugins").mkdir(parents=True)
        (config / "cli-plugins/docker-compose").symlink_to(plugin)
        environment = {**os.environ, "DOCKER_CONFIG": str(config)}
        said = output(["docker", "compose", "version", "--short"], environment)
        if said.strip().lstrip("v") != version:
            sys.exit(f"compat: Compose {version} says that it is {said.strip()}")
        for scenario in scenarios:
            runs = Path(made) / "runs" / scenario.stem
            for _ in range(TRIES):
                start = time.monotonic()
                argv = [str(CHAOSKIT), "run", str(scenario), "--runs-dir", str(runs)]
                done = subprocess.run(
                    argv, env=environment, cwd=ROOT, capture_output=True, text=True, check=False
                )
                verdict = {0: "passed", 1: "failed", 3: "unknown"}.get(
                    done.returncode, f"exit {done.returncode}"
                )
                print(
                    f"{version:<8} {scenario.stem:<18} {verdict:<8} "
                    f"{time.monotonic() - start:5.1f} s",
                    flush=True,
                )
                if verdict != "unknown":
                    break
            verdicts[scenario.stem] = verdict
            if verdict != "passed":
                print(done.stdout[-3000:], done.stderr[-3000:], sep="\n", flush=True)
    return verdicts


def output(argv: Sequence[str], environment: dict[str, str] | None = None) -> str:
    """Return what a command prints."""
    return subprocess.run(argv, env=environment, capture_output=True, text=True, check=True).stdout


def main() -> int:
    """Try the versions, and write down what they did."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--only", action="append", help="a version of Compose, such as 2.40.3")
    versions: list[str] = parser.parse_args().only or list(VERSIONS)
    for version in versions:
        if re.fullmatch(r"\d+\.\d+\.\d+", version) is None:
            parser.error(f"`{version}` is no version such as 2.40.3")
    scenarios = sorted((ROOT / "scenarios").glob("*.yaml"))
    record = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    engine = output(["docker", "version", "--format", "{{.Server.Version}}"]).strip()
    good = True
    for version in versions:
        verdicts = tried(version, scenarios)
        good = good and set(verdicts.values()) == {"passed"}
        record[version] = {
            "date": time.strftime("%Y-%m-%d", time.gmtime()),
            "engine": engine,
            "passed": sum(verdict == "passed" for verdict in verdicts.values()),
            "of": len(scenarios),
        }
        RECORD.write_text(json.dumps(dict(sorted(record.items())), indent=2) + "\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
