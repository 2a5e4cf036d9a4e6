"""`chaoskit check`: answers and errors about hand-made files, and stored runs judged again."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Output

Cli = Callable[..., Output]
Row = dict[str, Any]


def row(t: float, kind: str, op: str, number: int, value: Any = None, **more: Any) -> Row:
    return {"t": t, "type": kind, "process": 0, "op": op, "value": value, "id": number} | more


def adds(*values: int) -> list[Row]:
    found = []
    for number, value in enumerate(values):
        found.append(row(number + 1.0, "invoke", "add", number, value))
        found.append(row(number + 1.1, "ok", "add", number, value))
    return found


def read(value: Any, number: int = 90, at: float = 30.0) -> list[Row]:
    return [row(at, "invoke", "read", number), row(at + 0.1, "ok", "read", number, value)]


GOOD = [*adds(1, 2, 3), *read([1, 2, 3])]


def lines(rows: Sequence[Row]) -> str:
    return "".join(json.dumps(one) + "\n" for one in rows)


@pytest.fixture
def judge(cli: Cli, tmp_path: Path) -> Callable[..., Output]:
    """Check a file with these rows, or this text."""

    def run(content: Sequence[Row] | str | bytes, *arguments: str, workload: str = "set") -> Output:
        text = content if isinstance(content, str | bytes) else lines(content)
        (tmp_path / "h.ndjson").write_bytes(text if isinstance(text, bytes) else text.encode())
        return cli("check", "h.ndjson", "--workload", workload, *arguments)

    return run


def shown(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.splitlines())


def test_a_good_history_passes(judge: Cli) -> None:
    done = judge(GOOD)
    assert (done.code, done.stderr) == (0, "")
    assert shown(done.stdout) == (
        "h.ndjson: 4 operations (4 ok)\n"
        "\n"
        "verdict  check          subject  measured             expected\n"
        "──────────────────────────────────────────────────────────────────────\n"
        "PASS     no_duplicates  history  0 duplicated (of 3)  none duplicated\n"
        "PASS     no_loss        history  0 lost (of 3)        none lost\n"
        "PASS     no_phantoms    history  0 phantoms (of 3)    no phantom"
    )


def test_a_bad_history_fails_with_a_witness_and_the_formal_name(judge: Cli) -> None:
    done = judge([*adds(1, 2, 3, 4), *read([1, 4])], "--check", "no_loss")
    assert (done.code, done.stderr) == (1, "")
    assert shown(done.stdout) == (
        "h.ndjson: 5 operations (5 ok)\n"
        "\n"
        "verdict  check    subject  measured            expected\n"
        "─────────────────────────────────────────────────────────\n"
        "FAIL     no_loss  history  2 lost, 50% (of 4)  none lost\n"
        "\n"
        "FAIL  no_loss history\n"
        "  2 of 4 acknowledged values of workload `history` are lost (50%): oldest\n"
        "  acknowledged at 2.10 s, newest at 3.10 s [lost update / durability]\n"
        "  expected none lost, measured 2 lost, 50% (of 4)\n"
        "  witness:\n"
        "    - LOST 2: absent from 1 of 1 final reads of read, acknowledged at 2.10 s\n"
        "    - LOST 3: absent from 1 of 1 final reads of read, acknowledged at 3.10 s"
    )


def test_a_history_without_a_final_read_is_unknown_and_says_what_is_missing(judge: Cli) -> None:
    done = judge(adds(1, 2), "--check", "no_loss")
    assert done.code == 3
    assert "workload `history` never read back what it wrote" in shown(done.stdout)


def test_a_bound_may_allow_some_loss(judge: Cli) -> None:
    rows = [*adds(1, 2, 3, 4), *read([1, 2, 3])]
    assert judge(rows, "--check", "no_loss", "--field", "at_most=25%").code == 0
    assert judge(rows, "--check", "no_loss", "--field", "at_most=24%").code == 1


def test_reads_that_all_say_404_are_unknown_and_the_reason_tells_of_none(judge: Cli) -> None:
    rows = [row(1, "invoke", "write", 0, 1, key="a"), row(1.1, "ok", "write", 0, 1, key="a")]
    rows += [
        row(2, "invoke", "read", 1, key="a"),
        row(2.1, "fail", "read", 1, key="a", error="status 404"),
    ]
    done = judge(rows, "--check", "fresh_within", workload="versions")
    assert done.code == 3
    assert (
        "no read of workload `history` returned anything: status 404; see its `read`; if a 404 "
        "says that there is nothing, give it `none: [404]`"
    ) in " ".join(done.stdout.split())


def test_what_is_not_quite_right_about_a_file_is_noted(judge: Cli) -> None:
    rows = [*GOOD[6:], GOOD[0] | {"node": "n1"}, *GOOD[1:6]]
    rows += [row(40, "invoke", "nap", 99), row(41, "ok", "nap", 99)]
    done = judge(lines(rows) + '{"t": 31.0, "type": "inv', "--check", "no_loss")
    assert done.code == 0
    assert done.stderr == (
        "note: the last line, 11, is torn and was left out\n"
        "note: 6 lines are out of order in time, the first is line 3; they were sorted\n"
        "note: the unknown field `node` (line 3) was ignored\n"
        "note: the operations `nap` mean nothing to a `set`: left out\n"
    )


class TestErrors:
    def test_a_line_that_cannot_be_right_is_named_by_its_number(self, judge: Cli) -> None:
        done = judge([*GOOD, row(40, "ok", "add", 77, 4)])
        assert (done.code, done.stdout) == (2, "")
        assert done.stderr == "error: h.ndjson:9: id 77 is completed but was never invoked\n"

    def test_an_empty_file_a_torn_one_and_a_binary_one(self, judge: Cli) -> None:
        empty = judge("")
        assert (empty.code, empty.stderr) == (2, "error: `h.ndjson` holds no operation\n")
        torn = judge('{"t": 1')
        assert torn.stderr == "error: `h.ndjson` holds no operation: its line 1 is torn\n"
        binary = judge(bytes(range(256)) * 4)
        assert binary.code == 2
        assert binary.stderr.startswith("error: h.ndjson:1: not JSON: ")

    def test_the_wrong_kind_of_workload_is_named_with_the_right_one(self, judge: Cli) -> None:
        done = judge(GOOD, workload="register")
        assert (done.code, done.stdout) == (2, "")
        assert done.stderr == (
            "error: workload `history` has the operations `add`, `read`: those of `set`, not of "
            "`register`\n"
            "hint: such as `--workload set`\n"
        )

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("--check", "order"), "`order` does not judge the history of a `set` workload"),
            (("--check", "no_los"), "there is no check `no_los`; did you mean `no_loss`?"),
            (("--name", "x"), "the file has no workload called `x`"),
            (("--check", "no_loss", "--field", "at=1"), "check `no_loss` has no field `at`"),
            (("--field", "at_most"), "`--field at_most` is not NAME=VALUE"),
        ],
    )
    def test_what_the_command_line_asks_for_must_exist(
        self, judge: Cli, arguments: tuple[str, ...], message: str
    ) -> None:
        done = judge(GOOD, *arguments)
        assert (done.code, done.stdout) == (2, "")
        assert done.stderr.splitlines()[0] == f"error: {message}"

    def test_a_name_of_nothing_is_neither_a_file_nor_a_run(self, cli: Cli) -> None:
        done = cli("check", "nothing", "--workload", "set")
        assert done.code == 2
        assert done.stderr == (
            "error: `nothing` is neither a history file nor a run\n"
            "hint: give the path of a file, or a run: there is none in `.chaoskit/runs`\n"
        )

    def test_a_file_needs_a_kind_and_one_of_its_workloads(self, cli: Cli, tmp_path: Path) -> None:
        several = [one | {"workload": name} for name in ("a", "b") for one in GOOD]
        (tmp_path / "h.ndjson").write_text(lines(several))
        assert cli("check", "h.ndjson").stderr.splitlines()[0] == (
            "error: a history file needs `--workload KIND`: what its operations mean"
        )
        both = cli("check", "h.ndjson", "--workload", "set")
        assert both.stderr.endswith(
            "error: the file holds several workloads\nhint: choose with --name: `a`, `b`\n"
        )
        assert cli("check", "h.ndjson", "--workload", "set", "--name", "b").code == 0


def test_explain_says_what_a_check_means_cannot_tell_and_what_turns_an_unknown(
    judge: Cli,
) -> None:
    done = judge(GOOD, "--check", "no_duplicates", "--explain")
    assert done.code == 0
    assert shown(done.stdout).partition("\n\nno_duplicates\n")[2] == (
        "  No value appears more than once in one read, neither through the app nor in the store.\n"
        "\n"
        "  `at_most` allows a share of the stored values to be there more than once, `during` picks"
        " values\n"
        "  by when they were added. Usual causes: a lost reply and a retry, by a client, a proxy or"
        " a\n"
        "  library.\n"
        "  formal name  double execution: not idempotent\n"
        "  cannot tell  A duplicate that the store or the read drops, such as one in a set or"
        " behind\n"
        "               DISTINCT.\n"
        "  if unknown   See that the final reads return every stored value."
    )


def test_registers_start_with_what_is_given_and_search_within_a_budget(judge: Cli) -> None:
    rows = [row(1, "invoke", "cas", 0, [7, 8]), row(1.1, "ok", "cas", 0, [7, 8]), *read(8)]
    assert judge(rows, "--initial", "7", workload="register").code == 0
    assert judge(rows, "--initial", "6", workload="register").code == 1
    done = judge(rows, "--budget", "soon", workload="register")
    assert done.code == 2
    assert done.stderr.startswith("error: check `linearizable`: budget")


PLAN = {
    "document": {
        "name": "small",
        "stack": {"compose": "compose.yaml"},
        "workloads": {
            "m": {
                "workload": "set",
                "add": {"http": "POST http://web:80/", "json": {"id": "{value}"}},
                "read": {"http": "GET http://web:80/", "values": "$[*]"},
            }
        },
        "probes": {"web": {"probe": "http", "url": "http://web:80/"}},
        "timeline": {"faults": [{"id": "down", "fault": "kill", "service": "redis", "for": "2s"}]},
        "expect": [
            {"check": "no_loss", "workload": "m", "at_most": "50%"},
            {"check": "no_duplicates", "workload": "m"},
        ],
    }
}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A stored run that was killed before it was judged: ten adds, the fault at 4 - 6 s."""
    folder = tmp_path / ".chaoskit/runs/20260101T000000Z-small-abc"
    folder.mkdir(parents=True)
    started = {"t": 0, "event": "run_started", "started_at": "2026-01-01T00:00:00+00:00"}
    events: list[Row] = [started]
    fault: Row = {"fault": "kill", "target": "redis", "services": ["redis"], "id": "down"}
    for name, start, end in (("baseline", 0, 4), ("faults", 4, 6), ("settle", 6, 20)):
        events.append({"t": start, "event": "phase_started", "phase": name})
        events.append({"t": end, "event": "phase_ended", "phase": name})
    events.append({"t": 4, "event": "fault_injected"} | fault)
    events.append({"t": 6, "event": "fault_healed", "id": "down"})
    concluded: Row = {"proven": True, "reason": None, "evidence": []}
    events.append({"t": 20, "event": "fault_concluded", "id": "down"} | concluded)
    history = [one | {"workload": "m"} for one in [*adds(*range(10)), *read(list(range(9)))]]
    (folder / "events.ndjson").write_text(lines(events))
    (folder / "history.ndjson").write_text(lines(history))
    (folder / "scenario.yaml").write_text("name: ${NOT_SET_ANY_MORE}\n")
    (folder / "plan.json").write_text(json.dumps(PLAN))
    return folder


class TestARun:
    def test_is_judged_again_with_the_checks_of_its_scenario(self, cli: Cli, run: Path) -> None:
        done = cli("check", run.name)
        out = shown(done.stdout)
        assert done.code == 3, "it was cut off, so nothing passes"
        assert "the run was cut off after the settle phase" in out
        assert "PASS     no_loss        m        1 lost, 10% (of 10)" in out
        assert "`kill` ends processes, not the machine" in " ".join(out.split())

    def test_keeps_the_reason_that_the_run_had(self, cli: Cli, run: Path) -> None:
        rows: list[Row] = [
            {"t": 20, "event": "phase_started", "phase": "final"},
            {"t": 20, "event": "run_unproven", "text": "a port was served too late"},
            {"t": 21, "event": "phase_ended", "phase": "final"},
        ]
        with (run / "events.ndjson").open("a") as events:
            events.write(lines(rows))
        done = cli("check", run.name)
        assert (done.code, "UNKNOWN  small: a port was served too late" in done.stdout) == (3, True)

    def test_may_be_held_to_another_bound(self, cli: Cli, run: Path) -> None:
        done = cli("check", "abc", "--check", "no_loss", "--field", "at_most=5%")
        assert done.code == 3
        assert "FAIL     no_loss  m        1 lost, 10% (of 10)  <= 5% lost" in shown(done.stdout)
        assert "3.1s after kill redis healed" not in done.stdout
        assert "4.1s after kill redis healed" in " ".join(done.stdout.split())

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("--check", "order"), "the scenario of this run has no check `order`"),
            (("--field", "at_most=5%"), "name the check whose fields are to be changed"),
            (
                ("--workload", "set"),
                "`--workload` is for a file: a run is judged with the checks of its scenario",
            ),
        ],
    )
    def test_refuses_what_only_a_file_can_have(
        self, cli: Cli, run: Path, arguments: tuple[str, ...], message: str
    ) -> None:
        done = cli("check", str(run), *arguments)
        assert done.code == 2
        assert done.stderr.splitlines()[0] == f"error: {message}"

    def test_without_its_plan_it_cannot_be_judged(self, cli: Cli, run: Path) -> None:
        (run / "plan.json").unlink()
        done = cli("check", str(run))
        assert done.code == 4
        assert done.stderr.startswith("error: cannot read `")
        assert "hint: the run was killed before it began" in done.stderr
