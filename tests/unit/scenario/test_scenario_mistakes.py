"""Single mistakes in the good scenario, and the one problem that each must give."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from tests.unit.scenario.conftest import Desk


class Mistake(NamedTuple):
    """`old` of the good scenario becomes `new`; the caret underlines `place`."""

    old: str
    new: str
    place: str
    message: str
    hint: str | None = None


MISTAKES = [
    Mistake("stack:", "stak:", "stak", "unknown key `stak`; did you mean `stack`?"),
    Mistake(
        "99% }",
        "99%, xyz: 1 }",
        "xyz",
        "unknown key `xyz` in item 1 of `expect`",
        "possible here: `during`",
    ),
    Mistake(
        "at: 5s",
        "at: 5 s",
        "5 s",
        "`5 s` is not a duration: write it like 300ms, 1.5s, 2m or 1h30m",
    ),
    Mistake("at: 5s", "at: 5sec", "5sec", "`5sec` is not a duration"),
    Mistake("at: 5s", "at: 12:30", "12:30", "`12:30` is not a duration"),
    Mistake("at: 5s", "at: -5s", "-5s", "`-5s` is not a duration"),
    Mistake("at: 5s", "at: [5s]", "[5s]", "expected a duration such as 300ms, got a list"),
    Mistake("at: 5s", "at: " + "9" * 99 + "h", "9" * 99 + "h", "is longer than a week"),
    Mistake("50/s", "50", "50", "expected a rate such as 50/s, got the bare number 50"),
    Mistake("99%", "true", "true", "expected a percentage such as 99%, got `true`"),
    Mistake("99%", "101%", "101%", "`101%` is above 100%"),
    Mistake(
        "chat -> redis", "chat > redis", "chat > redis", "expected an edge such as `chat -> redis`"
    ),
    Mistake("chat -> redis", "chat -> chat", "chat -> chat", "`chat` is on both ends"),
    Mistake(
        "http://chat:8082/healthz", "http://chat:x/", "http://chat:x/", "not a URL: after the host"
    ),
    Mistake(
        "http://chat:8082/healthz", "chat:8082", "chat:8082", "expected a URL starting with http://"
    ),
    Mistake(
        "probe: http", "probe: htpp", "htpp", "no probe is called `htpp`; did you mean `http`?"
    ),
    Mistake("probe: http", "probe: smoke", "smoke", "no probe is called `smoke`", "possible: "),
    Mistake(
        "probe: http",
        "probe: 5",
        "5",
        "`probe` expects the name of a kind, got the number 5",
        "possible: ",
    ),
    Mistake("probe: http", "porbe: http", "porbe", "unknown key `porbe`; did you mean `probe`?"),
    Mistake(
        "{ probe: http, url",
        "{ url",
        "chat",
        "a probe needs the key `probe`, which names its kind",
        "possible: ",
    ),
    Mistake(
        "check: availability", "check: availibility", "availibility", "did you mean `availability`?"
    ),
    Mistake(
        "workload: set\n",
        "workload: sett\n",
        "sett",
        "no workload is called `sett`; did you mean `set`?",
    ),
    Mistake(
        "fault: restart",
        "for: 2s, fault: restart",
        "2s",
        "`restart` is over at once and takes no `for`",
    ),
    Mistake(
        "expect:\n",
        "expect_fail: { check: no_los, reason: lost, until: 2027-01-31 }\nexpect:\n",
        "no_los",
        "`expect` has no check `no_los`; did you mean `no_loss`?",
        "there are `availability chat`, `no_loss members`",
    ),
    Mistake(
        "  - { check: no_loss, workload: members }\n",
        "  - { check: availability, probe: cache, at_least: 9% }\n"
        "expect_fail:\n  - { check: availability, reason: down, until: 2027-01-31 }\n",
        "availability",
        "`availability` may be any of 2 checks",
        "write it with its subject: `availability chat`, `availability cache`",
    ),
    Mistake(
        "expect:\n",
        "expect_fail: { check: no_loss, reason: lost, until: tomorrow }\nexpect:\n",
        "tomorrow",
        "expected a day such as 2027-01-31, got `tomorrow`",
    ),
    Mistake("for: 4s", "for: 0s", "0s", "`for` must be longer than zero"),
    Mistake(
        "at: 0s, fault",
        "for_: 1s, fault",
        "for_",
        "unknown key `for_` in item 1 of `faults`; did you mean `for`?",
    ),
    Mistake("every: 100ms", "every: 0s", "0s", "`every` must be longer than zero"),
    Mistake(
        "every: 100ms",
        "connection: kep",
        "kep",
        "`connection` expects one of `keep`, `new`, got the text `kep`; did you mean `keep`?",
    ),
    Mistake(
        "timeout: 1s",
        "expect: {status: ok}",
        "ok",
        "`status` expects a whole number or a list, got the text `ok`",
    ),
    Mistake(
        "timeout: 1s",
        "expect: {status: [200, ok]}",
        "ok",
        "item 2 of `status` expects a whole number",
    ),
    Mistake(
        "timeout: 1s",
        "expect: {status: '200'}",
        "'200'",
        "`status` expects a whole number",
        "write it without quotes: 200",
    ),
    Mistake("ok: [201]", "ok: 201", "201", "`ok` expects a list, got the number 201"),
    Mistake("ok: [201]", "okk: [201]", "okk", "unknown key `okk` in `add`; did you mean `ok`?"),
    Mistake(
        "compose: compose.yaml",
        "compose: compos.yaml",
        "compos.yaml",
        "no Compose file `compos.yaml`; did you mean `compose.yaml`?",
        "looked in",
    ),
    Mistake(
        "compose: compose.yaml",
        "compose: ..",
        "..",
        "`..` is a directory without a Compose file",
        "Compose looks for compose.yaml",
    ),
    Mistake("compose: compose.yaml", "compose: []", "[]", "`compose` needs at least 1 entry"),
    Mistake(
        "compose: compose.yaml",
        "compose: {a: b}",
        "{a: b}",
        "`compose` expects text or a list, got a mapping",
    ),
    Mistake(
        "compose: compose.yaml",
        "compose: [compose.yaml, 5]",
        "5",
        "item 2 of `compose` expects text",
        "write it in quotes",
    ),
    Mistake(
        "  compose: compose.yaml",
        "  compose: compose.yaml\n  proxy: some",
        "some",
        "`proxy` expects one of `needed`, `all`, `none`",
    ),
    Mistake(
        "  compose: compose.yaml",
        "  compose: compose.yaml\n  up_timeout: 0s",
        "0s",
        "`up_timeout` must be longer",
    ),
    Mistake(
        "timeline:",
        "timeline:\n  gate: {for: 5s, within: 1s}",
        "1s",
        "`within` is shorter than `for` (5s)",
    ),
    Mistake(
        "timeline:",
        "seed: 1_000\ntimeline:",
        "1_000",
        "`seed` expects a whole number, got the text `1_000`",
        "numbers have no `_`: write 1000",
    ),
    Mistake(
        "timeline:",
        "seed: 0x1F\ntimeline:",
        "0x1F",
        "`seed` expects a whole number",
        "numbers are decimal: write 31",
    ),
    Mistake("timeline:", "tags:\ntimeline:", "tags", "`tags` expects a list, got nothing"),
    Mistake(
        "timeline:",
        "tags: [yes, 1]\ntimeline:",
        "1",
        "item 2 of `tags` expects text, got the number 1",
        "write it in quotes",
    ),
    Mistake("redis-restart", "redis restart", "redis restart", "`redis restart` is not a name"),
    Mistake("redis-restart", "''", "''", "`` is not a name"),
    Mistake("cache:", "my cache:", "my cache", "`my cache` is not a name"),
    Mistake(
        "probe: chat, at",
        "probe: nothing, at",
        "nothing",
        "no probe is called `nothing`",
        "there are `chat`, `cache`",
    ),
    Mistake(
        "workload: members",
        "workload: member",
        "member",
        "no workload is called `member`; did you mean `members`?",
    ),
    Mistake(
        "99% }",
        "99%, during: {fault: slo} }",
        "slo",
        "no fault has the id `slo`; did you mean `slow`?",
    ),
    Mistake(
        "99% }",
        "99%, during: {fualt: slow} }",
        "fualt",
        "unknown key `fualt` in `during`; did you mean `fault`?",
    ),
    Mistake("99% }", "99%, during: fautls }", "fautls", "did you mean `faults`?"),
    Mistake("99% }", "99%, during: }", "during", "`during` expects one of"),
    Mistake(
        "at: 0s, fault",
        "id: slow, fault",
        "slow",
        "the id `slow` is taken by the fault in line 15",
        "ids are unique",
    ),
    Mistake("at: 5s", "at: 25h", "25h", "the fault would end 25h4s into the run"),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.new.strip())
def test_one_mistake_is_one_problem_at_its_place(desk: Desk, mistake: Mistake) -> None:
    problem = desk.problem_after((mistake.old, mistake.new))
    assert mistake.message in problem.message
    assert desk.underlined(problem) == mistake.place
    assert (mistake.hint or "") in (problem.hint or "")
    assert (mistake.hint is None) == (problem.hint is None)


def test_no_message_speaks_pydantic(desk: Desk) -> None:
    for mistake in MISTAKES:
        for problem in desk.problems(desk.changed((mistake.old, mistake.new))):
            text = problem.message + (problem.hint or "")
            for word in ("Input", "pydantic", "errors.", "valid ", "Value error", "type="):
                assert word not in text
            assert not text[0].isupper()
            assert not problem.message.endswith(".")


@pytest.mark.parametrize(
    ("allow", "underlined", "says"),
    [
        ("{ service: worker, may: exits }", "exits", "exit"),
        ("{ service: worker, mai: exit }", "mai", "did you mean `may`"),
        ("{ service: worker }", "allow", "`allow` needs the key `may`"),
        ("[{ service: worker, may: leave }]", "leave", "restart"),
        ("[worker]", "worker", ""),
        ("yes", "yes", ""),
    ],
)
def test_what_is_allowed_to_die_is_strict(
    desk: Desk, allow: str, underlined: str, says: str
) -> None:
    problem = desk.problem(desk.good + f"allow: {allow}\n")
    assert desk.underlined(problem) == underlined, problem.render()
    assert says in problem.render()
