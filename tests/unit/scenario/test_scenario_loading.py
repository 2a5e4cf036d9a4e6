"""A valid scenario: its models, ids, files; and the schema editors get."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from chaoskit.errors import NothingSelected, Problem, ScenarioInvalid, UsageError
from chaoskit.faults.contract import REGISTRY as FAULTS
from chaoskit.faults.contract import Fault
from chaoskit.fields import Edge
from chaoskit.plan.against_stack import against_stack
from chaoskit.scenario.discover import find, left_out
from chaoskit.scenario.document import KINDS
from chaoskit.scenario.ids import fault_ids
from chaoskit.scenario.loading import Loaded, load, load_all
from chaoskit.scenario.schema import scenario_schema
from chaoskit.workloads._base import REGISTRY as WORKLOADS

if TYPE_CHECKING:
    from tests.unit.scenario.conftest import Desk

FUZZ = settings(
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
EXAMPLES = [(sort, kind.kind, kind) for sort, registry in KINDS.items() for kind in registry]


def test_a_good_scenario_loads_with_its_kinds_and_defaults(desk: Desk) -> None:
    scenario = desk.load().scenario
    assert [type(fault).__name__ for fault in scenario.timeline.faults] == ["Restart", "Latency"]
    assert [(check.check, check.subject) for check in scenario.expect] == [
        ("availability", "chat"),
        ("no_loss", "members"),
    ]
    timeline, stack = scenario.timeline, scenario.stack
    times = [timeline.gate.for_, timeline.gate.within, timeline.baseline, timeline.hold]
    assert [float(time) for time in times] == [1, 15, 3, 5]
    assert (stack.proxy, stack.ports, float(stack.up_timeout)) == ("needed", "drop", 90)


def test_every_fault_has_an_id_after_loading(desk: Desk) -> None:
    text = desk.changed(
        ("  faults:", "  faults:\n    - { fault: restart, service: chat }"),
        ("99% }", "99%, during: {fault: restart-2} }"),
    )
    assert [f.id for f in desk.load(text).scenario.timeline.faults] == [
        *("restart", "restart-2"),
        "slow",
    ]


def test_default_ids_stay_clear_of_explicit_ones() -> None:
    given_ids = [(None, "kill"), ("kill", "stop"), (None, "kill"), ("kill-3", "kill")]
    assert fault_ids(given_ids) == ["kill-2", "kill", "kill-4", "kill-3"]


def test_compose_files_are_found_relative_to_the_scenario(desk: Desk) -> None:
    (desk.folder / "more").mkdir()
    (desk.folder / "more" / "b.yaml").touch()
    text = desk.changed(("compose: compose.yaml", "compose: [compose.yaml, more/../more/b.yaml]"))
    assert desk.load(text).compose_files == [
        desk.folder / "compose.yaml",
        desk.folder / "more" / "b.yaml",
    ]


def test_a_later_lint_can_point_into_the_file(desk: Desk) -> None:
    loaded = desk.load()
    problem = loaded.problem(("timeline", "faults", 1, "edge"), "no such path", word="redis")
    assert (problem.file, problem.line) == (str(desk.file), 16)
    assert desk.underlined(problem) == "redis"
    assert loaded.problem(("probes", "chat", "nothing"), "x").line == 5
    assert loaded.problem((), "x").line == 1


# -- against the stack -------------------------------------------------------------------------


def nothing_wrong(edge: Edge) -> str | None:
    return None


def test_a_scenario_that_fits_its_stack_has_no_problem(desk: Desk) -> None:
    assert against_stack(desk.load(), ["chat", "redis"], nothing_wrong) == []


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("redis://redis:6379/0", "redis://rediss:6379/0", 6),
        ("redis://redis:6379/0", "redis://u:rediss@rediss:6379/0", 6),
        ("GET http://chat", "GET http://rediss", 12),
        ("service: redis", "service: rediss", 15),
        ("chat -> redis", "chat -> rediss", 16),
        ("chat -> redis", "host -> rediss:6379", 16),
        ("99% }", "99% }\n  - { check: stays_up, service: rediss }", 19),
        ("compose.yaml", "compose.yaml\n  edges: [{edge: rediss -> chat, port: 1}]", 4),
        ("fault: restart, service: redis", "fault: partition, groups: [[chat], [rediss]]", 15),
        ("stack:", "allow: { service: rediss, may: exit }\nstack:", 2),
        (
            "stack:",
            "allow: [{ service: chat, may: exit }, { service: rediss, may: exit }]\nstack:",
            2,
        ),
    ],
)
def test_a_service_that_is_not_in_the_stack_is_pointed_at(
    desk: Desk, old: str, new: str, line: int
) -> None:
    problems = against_stack(desk.load(desk.changed((old, new))), ["chat", "redis"], nothing_wrong)
    assert [p.message for p in problems] == [
        "no service `rediss` in the Compose project; did you mean `redis`?"
    ]
    assert problems[0].line == line
    assert desk.underlined(problems[0]) in ("rediss", "redis://u:***@rediss:6379/0")


def test_host_may_be_the_client_of_an_edge_but_not_its_upstream(desk: Desk) -> None:
    services = ["chat", "redis"]
    right = desk.load(desk.changed(("chat -> redis", "host -> redis")))
    assert against_stack(right, services, nothing_wrong) == []
    wrong = desk.load(desk.changed(("chat -> redis", "chat -> host")))
    assert "no service `host`" in against_stack(wrong, services, nothing_wrong)[0].message


def test_what_is_wrong_with_an_edge_is_said_at_the_edge(desk: Desk) -> None:
    def refuse(edge: Edge) -> str | None:
        return f"`{edge}` uses host networking"

    (problem,) = against_stack(desk.load(), ["chat", "redis"], refuse)
    assert (problem.line, desk.underlined(problem)) == (16, "chat -> redis")
    assert problem.message == "`chat -> redis` uses host networking"


# -- kinds -------------------------------------------------------------------------------------


Schema = dict[str, Any]


@pytest.fixture(scope="module")
def schema() -> Schema:
    """Return the schema of the kinds there always are."""
    return scenario_schema()


@pytest.fixture
def new_kind() -> Iterator[None]:
    @FAULTS.register("eclipse")
    class Eclipse(Fault):
        """Nothing but darkness."""

        example: ClassVar[str] = "{ fault: eclipse, deep: true }"
        deep: bool = False

        def services(self) -> list[str]:
            return []

    yield
    del FAULTS._kinds["eclipse"]


@pytest.mark.usefixtures("new_kind")
def test_a_kind_registered_later_is_known_at_once(desk: Desk) -> None:
    text = desk.changed(("fault: restart, service: redis", "fault: eclipse, deep: true"))
    assert desk.load(text).scenario.timeline.faults[0].kind == "eclipse"
    assert "eclipse" in json.dumps(scenario_schema())


def test_a_kind_that_is_gone_is_unknown_again(desk: Desk) -> None:
    desk.load()
    problem = desk.problem_after(("fault: restart, service: redis", "fault: eclipse"))
    assert problem.message == "no fault is called `eclipse`"


def with_subjects(text: str, check: dict[str, Any], kind: Any) -> str:
    """Return the scenario with the probe and the workload that the example of a check names."""
    probe, workload = check.get("probe"), check.get("workload")
    if probe is not None and f"  {probe}:" not in text:
        text = text.replace("probes:\n", f"probes:\n  {probe}: {{probe: tcp, url: tcp://x:1}}\n")
    if workload is not None and f"  {workload}:" not in text:
        example = WORKLOADS.get(next(iter(kind.workloads)))
        assert example is not None
        block = " ".join(example.example.split())
        text = text.replace("workloads:\n", f"workloads:\n  {workload}: {block}\n")
    return text


@pytest.mark.parametrize(
    ("sort", "name", "kind"), EXAMPLES, ids=[f"{sort}-{name}" for sort, name, _ in EXAMPLES]
)
def test_the_example_of_every_kind_loads_and_fits_the_schema(
    desk: Desk, schema: Schema, sort: str, name: str, kind: Any
) -> None:
    block = " ".join(kind.example.split())
    text = desk.good
    if sort == "probe":
        text = text.replace("probes:\n", f"probes:\n  x: {block}\n")
    elif sort == "workload":
        text = text.replace("workloads:\n", f"workloads:\n  x: {block}\n")
    elif sort == "fault":
        text = text.replace("faults:\n", f"faults:\n    - {block}\n")
    else:
        text = text.replace("expect:\n", f"expect:\n  - {block}\n")
        text = with_subjects(text, yaml.safe_load(block), kind)
    loaded = desk.load(text)
    Draft202012Validator(schema).validate(loaded.source.data)
    assert f"{sort} {name}" in json.dumps(schema)


def test_the_schema_is_valid_and_refuses_what_loading_refuses(desk: Desk, schema: Schema) -> None:
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    validator = Draft202012Validator(schema)
    good = yaml.safe_load(desk.good)
    validator.validate(good)
    changes: list[dict[str, Any]] = [
        {"nmae": 1},
        {"probes": {}},
        {"probes": {"a b": {"probe": "tcp", "url": "tcp://a:1"}}},
        {"probes": {"x": {"probe": "nothing"}}},
        {"timeline": {"faults": [{"fault": "restart", "service": "a", "for_": "1s"}]}},
        {"timeline": {"baseline": 3}},
    ]
    for change in changes:
        assert not validator.is_valid(good | change), change


def test_the_schema_carries_aliases_and_descriptions(schema: Schema) -> None:
    definitions = schema["$defs"]
    assert set(definitions["Gate"]["properties"]) == {"for", "within"}
    faults = definitions["Timeline"]["properties"]["faults"]["items"]["oneOf"]
    kinds = [one for one in faults if one["title"] == "fault latency"]
    assert kinds[0]["properties"]["fault"]["const"] == "latency"
    assert "for" in kinds[0]["properties"]
    assert kinds[0]["description"]


# -- finding -----------------------------------------------------------------------------------


def test_a_directory_stands_for_its_scenarios(desk: Desk, tmp_path: Path) -> None:
    wanted = ["a.yaml", "deep/b.yml", "deep/empty.yaml", "z-broken.yaml"]
    files = {
        "a.yaml": desk.good,
        "deep/b.yml": desk.good,
        "deep/empty.yaml": "",
        "z-broken.yaml": "stak: {}\nexpect: [\n",
        "compose.yaml": "services: {}\n",
        "playbook.yaml": "- hosts: all\n",
        ".chaoskit/runs/1/scenario.yaml": desk.good,
        "notes.txt": desk.good,
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = find([tmp_path, tmp_path / "a.yaml"])
    assert [str(path.relative_to(tmp_path)) for path in found] == wanted


def test_a_broken_file_that_is_left_out_is_warned_of(desk: Desk, tmp_path: Path) -> None:
    files = {
        "a.yaml": desk.good,
        "broken.yaml": "nmae: a\nprobs: [\n",
        "broken-list.yml": "- a\n- [\n",
        "broken-scenario.yaml": "expect: [\n",  # loading says what is wrong with it
        "compose.yaml": "services: {}\n---\nname: ${X:-{}}\n",
        "apart/broken.yaml": "nmae: [\n",
        "apart/.chaoskit-ignore": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = left_out([tmp_path, tmp_path / "a.yaml"])
    assert [(Path(one.file).name, one.line, one.code) for one in found] == [
        ("broken-list.yml", 2, "no-yaml"),
        ("broken.yaml", 2, "no-yaml"),
    ]
    assert "left out, it is no YAML and has no key of a scenario: " in found[0].message
    assert left_out([tmp_path / "broken.yaml"]) == []  # it is named: an error
    with pytest.raises(ScenarioInvalid, match=r"broken.yaml:2:"):
        load_all([tmp_path / "broken.yaml"], {})


def test_a_pattern_stands_for_the_scenarios_that_fit_it(desk: Desk, tmp_path: Path) -> None:
    for name in ("suite/deep/redis-a.yaml", "suite/pg-b.yaml", "redis-c.yaml", ".old/redis-d.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(desk.good)
    found = find([tmp_path / "**" / "redis-*.yaml", tmp_path / "su*"])
    assert sorted(file.name for file in found) == ["pg-b.yaml", "redis-a.yaml", "redis-c.yaml"]
    with pytest.raises(UsageError, match="no file or folder fits"):
        find([tmp_path / "kafka-*.yaml"])


def test_a_directory_below_a_hidden_one_can_be_named(desk: Desk, tmp_path: Path) -> None:
    folder = tmp_path / ".hidden"
    folder.mkdir()
    (folder / "a.yaml").write_text(desk.good)
    assert find([folder]) == [folder / "a.yaml"]


def test_a_folder_that_stands_apart_counts_only_where_it_is_named(
    desk: Desk, tmp_path: Path
) -> None:
    for name in ("a.yaml", "apart/b.yaml", "apart/deep/c.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(desk.good)
    (tmp_path / "apart/.chaoskit-ignore").write_text("")
    assert find([tmp_path]) == [tmp_path / "a.yaml"]
    named = [tmp_path / "apart/b.yaml", tmp_path / "apart/deep/c.yaml"]
    assert find([tmp_path / "apart"]) == named
    assert find([tmp_path / "apart/deep"]) == named[1:]
    assert find([tmp_path, named[0]]) == [tmp_path / "a.yaml", named[0]]


def test_the_older_name_of_the_ignore_file_is_refused_with_the_new_one(
    desk: Desk, tmp_path: Path
) -> None:
    (tmp_path / "a.yaml").write_text(desk.good)
    (tmp_path / ".chaoskit-apart").write_text("")
    with pytest.raises(UsageError, match="has no effect any more") as raised:
        find([tmp_path])
    assert raised.value.hint == f"rename it to `{tmp_path / '.chaoskit-ignore'}`"


def test_a_directory_without_scenarios_selects_nothing(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services: {}\n")
    with pytest.raises(NothingSelected, match=f"no scenario in `{tmp_path}`"):
        find([tmp_path])


def test_a_path_that_does_not_exist_suggests_a_sibling(tmp_path: Path) -> None:
    (tmp_path / "scenarios").mkdir()
    with pytest.raises(UsageError, match=r"did you mean `.*/scenarios`"):
        find([tmp_path / "scenaros"])


# -- fuzz --------------------------------------------------------------------------------------


def loads_or_explains(desk: Desk, text: str | bytes) -> None:
    problems: tuple[Problem, ...] = ()
    try:
        loaded = desk.load(text)
    except ScenarioInvalid as invalid:
        problems = invalid.problems
    else:
        assert isinstance(loaded, Loaded)
        return
    assert problems
    for problem in problems:
        assert problem.line >= 1
        assert problem.column >= 1
        assert "\n" not in problem.message
        assert problem.render()


@FUZZ
@given(data=st.binary(max_size=300))
def test_random_bytes_never_crash_loading(desk: Desk, data: bytes) -> None:
    loads_or_explains(desk, data)


@FUZZ
@given(seed=st.integers(0, 2**32), pieces=st.lists(st.text(max_size=6), min_size=1, max_size=4))
def test_a_scenario_with_random_damage_never_crashes_loading(
    desk: Desk, seed: int, pieces: list[str]
) -> None:
    rng = random.Random(seed)
    text = desk.good
    signs = ["{", "}", "[", "]", "&a", "*a", "${X}", "'", "5", "!t", "~"]
    alphabet = [*pieces, *signs, '"', "\n", ": ", "- "]
    for _ in range(rng.randint(1, 4)):
        start = rng.randrange(len(text))
        text = text[:start] + rng.choice(alphabet) + text[start + rng.randint(0, 6) :]
    loads_or_explains(desk, text.encode("utf-8", "surrogatepass"))


KEYS = st.sampled_from(["fault", "probe", "for", "http", "status", "x"])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["5s", "50/s", "99%", "chat -> redis", "http://chat:1/", "9" * 99 + "h"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)


@FUZZ
@given(value=VALUES, seed=st.integers(0, 2**32))
def test_any_value_at_any_place_never_crashes_loading(desk: Desk, value: Any, seed: int) -> None:
    document = yaml.safe_load(desk.good)
    rng = random.Random(seed)
    block: Any = document
    while True:
        key = rng.choice(list(block) if isinstance(block, dict) else range(len(block)))
        if not isinstance(block[key], dict | list) or not block[key] or rng.random() < 0.3:
            block[key] = value
            break
        block = block[key]
    loads_or_explains(desk, yaml.safe_dump(document, allow_unicode=True))


def test_every_scenario_in_the_repository_loads() -> None:
    folder = Path(__file__).parents[3] / "scenarios"
    for file in sorted(folder.rglob("*.yaml")):
        assert load(file, {}).scenario.name


@pytest.mark.parametrize(
    ("written", "there", "read"),
    [
        ("compose.yaml", ["compose.override.yaml"], ["compose.yaml", "compose.override.yaml"]),
        (".", ["compose.override.yml"], ["compose.yaml", "compose.override.yml"]),
        (
            ".",
            ["docker-compose.yml", "docker-compose.override.yml"],
            ["compose.yaml", "docker-compose.override.yml"],
        ),
        ("[compose.yaml]", ["compose.override.yaml"], ["compose.yaml"]),
        ("other.yaml", ["other.yaml", "compose.override.yaml"], ["other.yaml"]),
        (
            "docker-compose.yml",
            ["docker-compose.yml", "compose.override.yaml"],
            ["docker-compose.yml"],
        ),
        ("sub", ["sub/docker-compose.yml"], ["docker-compose.yml"]),
        (".", [], ["compose.yaml"]),
    ],
)
def test_an_override_is_read_where_compose_would_read_it(
    desk: Desk, written: str, there: list[str], read: list[str]
) -> None:
    for name in there:
        (desk.folder / name).parent.mkdir(exist_ok=True)
        (desk.folder / name).write_text("services: {}\n")
    loaded = desk.load(desk.changed(("compose: compose.yaml", f"compose: {written}")))
    assert [file.name for file in loaded.compose_files] == read


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("NAME=from-file", "from-file"),
        ("export NAME = from-file # why", "from-file"),
        ("# NAME=no\r\nNAME='from-file' # why\r\n", "from-file"),
        ('NAME="from-file"', "from-file"),
        ("NAME: from-file", "from-file"),
        ("NAME=a#b", "a#b"),
        ("NAME='a$b'", "a$b"),
    ],
)
def test_variables_come_from_the_env_file_beside_the_compose_file(
    desk: Desk, line: str, name: str
) -> None:
    (desk.folder / "sub").mkdir()
    (desk.folder / "sub/compose.yaml").write_text("services: {}\n")
    (desk.folder / "sub/.env").write_bytes(f"OTHER=1\n{line}\n".encode())
    (desk.folder / ".env").write_text("NAME=from-beside-the-scenario\n")
    text = desk.changed(
        ("compose: compose.yaml", "compose: sub/compose.yaml"),
        ("name: redis-restart", "name: redis-restart\ndescription: ${NAME}"),
    )
    assert desk.load(text).scenario.description == name
    assert desk.load(text, {"NAME": "mine"}).scenario.description == "mine"


@pytest.mark.parametrize("content", ["OTHER=1", "NAME=${OTHER}", "NAME=$OTHER", None])
def test_a_variable_that_the_env_file_does_not_settle_is_not_set(
    desk: Desk, content: str | None
) -> None:
    if content is None:
        (desk.folder / ".env").symlink_to("/dev/zero")
    else:
        (desk.folder / ".env").write_text(content)
    text = desk.changed(("name: redis-restart", "name: redis-restart\ndescription: ${NAME}"))
    assert desk.problem(text).message == "environment variable `NAME` is not set"
