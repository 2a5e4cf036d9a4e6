"""What every registered check promises, whoever wrote it."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
import yaml

import chaoskit.checks
from chaoskit.checks._base import REGISTRY, Check
from chaoskit.records import Evidence, Finding, Verdict
from chaoskit.registry import summary

KINDS = list(REGISTRY)
DEFAULTS = {"check", "during"}


def example(kind: type[Check]) -> Check:
    return kind.model_validate(yaml.safe_load(kind.example))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
class TestEveryCheck:
    def test_lives_in_a_file_of_its_own_name(self, kind: type[Check]) -> None:
        assert Path(inspect.getfile(kind)).stem == kind.kind

    def test_has_a_first_line_that_is_a_sentence(self, kind: type[Check]) -> None:
        line = summary(kind)
        assert line[0].isupper()
        assert line[-1] in ".`"
        assert len(line) <= 95

    def test_has_an_example_on_one_line_that_validates(self, kind: type[Check]) -> None:
        assert "\n" not in kind.example
        assert kind.example.startswith("{ check: " + kind.kind)
        check = example(kind)
        assert check.check == kind.kind
        assert check.subject

    def test_survives_a_round_trip_through_yaml(self, kind: type[Check]) -> None:
        check = example(kind)
        text = yaml.safe_dump(check.model_dump(mode="json", exclude_unset=True))
        assert kind.model_validate(yaml.safe_load(text)) == check

    def test_refuses_an_unknown_field(self, kind: type[Check]) -> None:
        with pytest.raises(ValueError, match="extra_forbidden"):
            kind.model_validate({**yaml.safe_load(kind.example), "typo": 1})

    def test_has_a_schema_with_its_own_fields(self, kind: type[Check]) -> None:
        properties = kind.model_json_schema()["properties"]
        assert set(properties) > DEFAULTS

    def test_is_unknown_with_a_reason_when_nothing_was_recorded(self, kind: type[Check]) -> None:
        finding: Finding = example(kind).judge(Evidence((), ()))
        assert finding.verdict is Verdict.UNKNOWN
        assert finding.reason
        assert finding.bound


def test_every_file_without_underscore_registers_a_check() -> None:
    folder = Path(chaoskit.checks.__file__).parent
    files = {path.stem for path in folder.glob("*.py") if not path.stem.startswith("_")}
    assert files == set(REGISTRY.names())
