"""The JSON Schema accepts what chaoskit writes, and nothing else."""

from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator, ValidationError

from chaoskit.judge.result import Result
from chaoskit.judge.schema import result_schema


def test_the_schema_is_valid_and_accepts_both_results(passing: Result, failing: Result) -> None:
    schema = result_schema()
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    for result in (passing, failing):
        document = json.loads(json.dumps(result.model_dump(mode="json")))
        validator.validate(document)
        assert Result.model_validate(document) == result


@pytest.mark.parametrize(
    "change", [{"verdict": "maybe"}, {"extra": 1}, {"schema_version": 1}, {"checks": [{}]}]
)
def test_the_schema_refuses_what_is_not_a_result(
    passing: Result, change: dict[str, object]
) -> None:
    document = {**passing.model_dump(mode="json"), **change}
    with pytest.raises(ValidationError):
        Draft202012Validator(result_schema()).validate(document)
