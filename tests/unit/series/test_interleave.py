"""Two variants in turns: each run is a process that sees its variables, heals by itself, and is
told of every signal. Here that process writes a run folder and nothing else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chaoskit.cli import interleave as module
from chaoskit.cli.compared import CompareRequest, compare_as_asked
from chaoskit.cli.interleave import interleave
from chaoskit.errors import EnvironmentFailure, ExitCode, UsageError

ROOT = Path(__file__).parents[3]
RUN = f"""
import os, sys
from pathlib import Path
sys.path.insert(0, {str(ROOT)!r})
from tests.unit.series.test_index import stored
runs = Path(sys.argv[sys.argv.index("--runs-dir") + 1])
number = len(list(runs.glob("2*"))) if runs.exists() else 0
folder = stored(runs, number)
path = folder / "result.json"
seconds = (1.0 if os.environ["TAG"] == "a" else 1.5) + number / 500
new = f'"time_to_recover":{{seconds}}'
path.write_text(path.read_text().replace('"time_to_recover":0.25', new))
with open(runs / "order", "a") as file:
    file.write(os.environ["TAG"] + sys.argv[sys.argv.index("--seed") + 1] + " ")
print(path.read_text())
raise SystemExit(int(os.environ.get("CODE", "0")))
"""


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(module, "_RUN", RUN)
    return tmp_path / "runs"


def test_variants_take_turns_and_the_slower_one_is_found(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = interleave(Path("s.yaml"), ("TAG=a", "TAG=b"), 6, runs, as_json=True)
    out, err = capsys.readouterr()
    ran = (runs / "order").read_text().split()
    assert "".join(run[0] for run in ran) == "abbaabbaabba"
    seeds = [int(run[1:]) - int(ran[0][1:]) for run in ran]
    assert seeds == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert code is ExitCode.FAILED
    outcomes = {row["name"]: row["outcome"] for row in json.loads(out)}
    assert outcomes["slow: time to recover"] == "worse"
    assert err.startswith("run 1 of 12: A, TAG=a\nrun 2 of 12: B, TAG=b\nrun 3 of 12: B, TAG=b\n")
    first = min(path.name for path in runs.glob("2*"))
    assert f"compare them again: `chaoskit compare {runs}/{first}," in err


def test_a_run_that_was_not_judged_ends_it_and_names_what_there_is(
    runs: Path, tmp_path: Path
) -> None:
    (tmp_path / "b.env").write_text("TAG=b\nexport CODE=4\n")
    with pytest.raises(EnvironmentFailure, match="ended with exit code 4") as failed:
        interleave(Path("s.yaml"), ("TAG=a", str(tmp_path / "b.env")), 3, runs, as_json=False)
    assert failed.value.hint is not None
    assert "not both ran yet" in failed.value.hint
    assert len((runs / "order").read_text().split()) == 2


@pytest.mark.parametrize(
    ("sides", "said"),
    [
        (("TAG=a", "TAG=a"), "set the same"),
        (("TAG=a", "no/such.env"), "neither an env file nor NAME=VALUE"),
        (("TAG=a", "."), "cannot read the env file"),
    ],
)
def test_what_is_no_variant_is_said_before_anything_runs(
    runs: Path, sides: tuple[str, str], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        interleave(Path("s.yaml"), sides, 3, runs, as_json=False)
    assert not runs.exists()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ((None, None, None, None), "not both are named"),
        (("a", None, None, None), "not both are named"),
        (("a", "b", "v1", None), "a baseline is one side already"),
        (("a", None, "v1", ("A=1", "A=2")), "take one|two ways"),
        ((None, None, None, ("A=1", "A=2")), "needs one scenario"),
        (("a", "b", None, ("A=1", "A=2")), "needs one scenario"),
    ],
)
def test_each_way_to_compare_has_its_own_words(
    tmp_path: Path,
    asked: tuple[str | None, str | None, str | None, tuple[str, str] | None],
    said: str,
) -> None:
    with pytest.raises(UsageError, match=said):
        compare_as_asked(CompareRequest(*asked, 3, tmp_path, False))


WAITING = """
import signal, sys, time
def heal(number, frame):
    print("healed after", number, file=sys.stderr, flush=True)
    raise SystemExit(128 + number)
for number in (2, 15):
    signal.signal(number, heal)
print("waiting", file=sys.stderr, flush=True)
time.sleep(30)
"""
OUTER = """
import sys
from pathlib import Path
from chaoskit.cli import interleave as module
module._RUN = sys.argv[1]
module.interleave(Path("s.yaml"), ("A=1", "A=2"), 2, Path(sys.argv[2]), as_json=False)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_reaches_the_run_which_heals_and_ends_it_all(
    tmp_path: Path, number: signal.Signals
) -> None:
    argv = [sys.executable, "-c", OUTER, WAITING, str(tmp_path)]
    process = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert [process.stderr.readline() for _ in range(2)][1] == "waiting\n"
    began = time.monotonic()
    os.kill(process.pid, number)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 128 + number
    assert err == f"healed after {int(number)}\n"
    assert time.monotonic() - began < 20
