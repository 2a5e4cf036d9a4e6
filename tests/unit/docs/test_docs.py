"""The documentation is true: generated pages are current, examples are valid."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest
import yaml

from chaoskit.checks._base import REGISTRY as CHECKS
from chaoskit.checks._base import WorkloadCheck
from chaoskit.faults import REGISTRY
from chaoskit.scenario.loading import load

if TYPE_CHECKING:
    from tests.fakes.fake_world import World

ROOT = Path(__file__).resolve().parents[3]
PAGES = sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").glob("*.md"))
BLOCK = re.compile(r"```yaml\n(.*?)```", re.DOTALL)


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gen_docs", ROOT / "tools/gen_docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_pages_are_current() -> None:
    stale = [
        path.name
        for path, text in generator().pages().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    assert stale == [], "run `python tools/gen_docs.py`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_scenario_on_a_page_is_valid_and_warns_of_nothing(page: Path, tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services: {}\n")
    blocks = [block for block in BLOCK.findall(page.read_text(encoding="utf-8")) if whole(block)]
    assert blocks or page.name != "README.md"
    for block in blocks:
        (tmp_path / "scenario.yaml").write_text(block)
        warnings = load(tmp_path / "scenario.yaml", {}).warnings()
        assert [warning.message for warning in warnings] == []


def whole(block: str) -> bool:
    """Whether a block is a scenario, and not a part of one or of something else."""
    document = yaml.safe_load(block)
    return isinstance(document, dict) and {"name", "stack", "timeline"} <= document.keys()


def test_the_blocks_of_writing_scenarios_make_one_valid_scenario(tmp_path: Path) -> None:
    text = (ROOT / "docs/writing-scenarios.md").read_text()
    document = {"name": "all-blocks"}
    for block in BLOCK.findall(text):
        document |= yaml.safe_load(block)
    (tmp_path / "compose.yaml").write_text("services: {}\n")
    (tmp_path / "all.yaml").write_text(yaml.safe_dump(document))
    loaded = load(tmp_path / "all.yaml", {})
    scenario = loaded.scenario
    assert [warning.message for warning in loaded.warnings()] == []
    assert len(scenario.probes) == 11
    assert len(scenario.expect) == 10


@pytest.mark.parametrize("page", PAGES)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_the_files_that_the_page_on_architecture_names_are_there() -> None:
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    named = re.findall(r"`([a-z_]+/[a-z_/]+\.py)`", page)
    assert len(named) > 5
    assert [file for file in named if not (ROOT / "chaoskit" / file).exists()] == []


async def test_the_page_on_adding_a_fault_works(world: World, tmp_path: Path) -> None:
    page = (ROOT / "docs/adding-a-fault.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert code is not None
    file = tmp_path / "noop.py"
    file.write_text(code[1])
    spec = importlib.util.spec_from_file_location("noop", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["noop"] = module
    try:
        spec.loader.exec_module(module)
        assert "noop" in REGISTRY.names()
        assert "## noop" in generator().faults_page()
        noop = module.Noop.model_validate(yaml.safe_load(module.Noop.example))
        world.service("redis")
        stack = await world.stack()
        undo = await noop.prepare(stack)
        await noop.inject(stack, undo)
        assert (await noop.verify_injected(stack, undo)).holds
        await noop.heal(stack, undo)
        await noop.heal(stack, undo)
        assert (await noop.verify_healed(stack, undo)).holds
    finally:
        del sys.modules["noop"]
        del REGISTRY._kinds["noop"]


def test_the_page_on_suites_names_every_fault_after_which_no_stack_is_shared() -> None:
    text = (ROOT / "docs/suites.md").read_text(encoding="utf-8")
    told = re.search(r"faults that end processes \((.*?)\)", text, re.DOTALL)
    assert told is not None
    assert re.findall(r"`(\w+)`", told[1]) == [k.kind for k in REGISTRY if k.ends_processes]


def test_how_it_judges_names_every_check_over_a_history() -> None:
    text = (ROOT / "docs/how-it-judges.md").read_text()
    kinds = [kind for kind in CHECKS if issubclass(kind, WorkloadCheck)]
    assert [kind.kind for kind in kinds if f"`{kind.kind}`" not in text] == []
