"""summary.md: the verdict first, tables that hold, text that cannot break out."""

from __future__ import annotations

from chaoskit.judge.result import Quantity, Result
from chaoskit.report.summary import escaped, render
from tests.unit.report.conftest import with_expected_failure

PASSING = r"""## PASS: redis-restart

**2 of 2 checks passed under 1 proven fault**

2 checks: 2 passed; 1 fault proven; 21.3s; exit 0

_Redis dies; no acknowledged participant is lost._

### Checks

| verdict | check | subject | measured | expected |
| --- | --- | --- | --- | --- |
| **PASS** | availability | chat | 99.4% (of 312) | \>= 99% |
| **PASS** | no_loss | members | 0 lost (of 912) | none lost |

### Faults

| fault | target | proven | effect | time to detect | time to recover |
| --- | --- | --- | --- | --- | --- |
| restart | redis | yes | redis\[1\] started again at 3.31 s | 21.4ms | 1.2s |

### Workloads

| workload | sent of due | ok | fail | info | p99 from due | from sent |
| --- | --- | --- | --- | --- | --- | --- |
| members (set) | 916 of 920 | 914 | 3 | 1 | 4.2s | 155ms |

### Notes

- \`restart\` ends processes, not the machine

Run it again:

```text
chaoskit run scenarios/redis-restart.yaml --seed 7
```
"""


def test_a_check_that_fails_as_expected_is_called_so(passing: Result) -> None:
    text = render([with_expected_failure(passing)])
    assert "## PASS: redis-restart" in text
    assert "| **EXPECTED FAIL** | availability | chat |" in text
    assert "- expected to fail until 2027-01-31: 80% of 312 samples were good" in text
    assert "# chaoskit: 2 PASS, 0 FAIL, 0 UNKNOWN of 2 scenarios" in render([passing, passing])


def test_a_passing_run(passing: Result) -> None:
    assert render([passing]) == PASSING


def test_a_failing_run_explains_the_failure_before_the_unknown(failing: Result) -> None:
    text = render([failing])
    assert text.startswith("## FAIL: redis-kill\n\n**37 of 912 acknowledged values of workload")
    assert text.index("**FAIL no_loss members**") < text.index("**UNKNOWN recovery cache**")
    assert "\n12.30 s chat | [red]cache | `down`\n" in text
    assert "### Left behind" in text
    assert "| slow (latency) | chat -\\> redis | **NO** |" in text


def test_a_suite_starts_with_one_row_each(passing: Result, failing: Result) -> None:
    lines = render([passing, failing]).splitlines()
    assert lines[0] == "# chaoskit: 1 PASS, 1 FAIL, 0 UNKNOWN of 2 scenarios"
    assert lines[4].startswith("| **PASS** | redis-restart | 2 of 2 | 1 fault proven | 21.3s |")
    assert lines[5].startswith("| **FAIL** | redis-kill | 1 of 3 | 1 of 2 faults proven |")


def test_every_table_row_has_as_many_cells_as_its_head(failing: Result) -> None:
    check = failing.checks[1].model_copy(
        update={"measured": Quantity(text="a | b\n`c`"), "subject": "x|y"}
    )
    text = render([failing.model_copy(update={"checks": [check]})])
    row = next(line for line in text.splitlines() if line.startswith("| **FAIL**"))
    assert row.replace("\\|", "").count("|") == 6
    assert r"x\|y | a \| b \`c\`" in row


def test_escaping_leaves_plain_names_readable() -> None:
    assert escaped("no_loss of chat-1") == "no_loss of chat-1"
    assert escaped("_a_ <b> #1 a*b") == r"\_a\_ \<b\> \#1 a\*b"


def test_a_fence_is_longer_than_what_it_holds(failing: Result) -> None:
    check = failing.checks[1].model_copy(update={"witness": ["````", "x"]})
    text = render([failing.model_copy(update={"checks": [check]})])
    assert "\n`````text\n````\nx\n`````\n" in text


def test_what_died_is_told_with_its_last_lines(deadly: Result) -> None:
    assert r"""
### Died or restarted without a fault that was meant to do it

- \`worker\` exited with code 1 at 3.20 s, during restart redis, and stayed down

  ```text
  redis went away
  ```
""" in render([deadly])
