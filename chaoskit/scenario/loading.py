"""Load a scenario file: all of its problems at once, or a scenario that can be planned."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from chaoskit.errors import Problem, ScenarioInvalid
from chaoskit.fields import FOLDER
from chaoskit.scenario import lints, nodes
from chaoskit.scenario.discover import find
from chaoskit.scenario.document import Scenario, scenario_model
from chaoskit.scenario.dotenv import variables
from chaoskit.scenario.ids import fault_ids
from chaoskit.scenario.pydantic_errors import problems_of
from chaoskit.scenario.source import MOST_PROBLEMS, STDIN, Source, parsed, text_of
from chaoskit.scenario.warnings import warnings_of


@dataclass(frozen=True, slots=True)
class Loaded:
    """A valid scenario, the file it came from, and the Compose files it names."""

    scenario: Scenario
    path: Path
    compose_files: list[Path]
    source: Source

    def warnings(self) -> list[Problem]:
        """Return what makes the scenario prove little, although it can be run."""
        return warnings_of(self.source, self.scenario)

    def problem(
        self, path: nodes.Path, message: str, hint: str | None = None, *, word: str | None = None
    ) -> Problem:
        """Return a problem at a place such as `("probes", "chat", "url")`.

        A place that is not in the file stands for the nearest block around it; `word` narrows the
        caret to a part of the value.
        """
        return self.source.problem(path, message, hint, word=word)


def load(path: Path, environ: Mapping[str, str], *, compose: bool = True) -> Loaded:
    """Read and check a scenario file; `environ` is what `${VAR}` is replaced from, before
    the `.env` beside the Compose file.

    Without `compose`, the Compose files need not be there: a stored run is only judged again.
    Raises `ScenarioInvalid` with every problem of the file, `UsageError` when there is no file.
    """
    text = text_of(path)
    source = parsed(path, text, environ)
    files, missing = lints.compose_files(source, path.parent) if compose else ([], [])
    if files and (beside := variables(files[0].parent)):
        source = parsed(path, text, {**beside, **environ})
        files, missing = lints.compose_files(source, path.parent)
    problems = list(source.problems)
    scenario: Scenario | None = None
    model = scenario_model()
    try:
        # as JSON, so that strict mode still takes a list where a model wants a tuple
        scenario = model.model_validate_json(
            json.dumps(source.data),
            strict=True,
            by_alias=True,
            by_name=False,
            context={FOLDER: path.parent.resolve()},
        )
    except ValidationError as error:
        problems += problems_of(error, source, model)
    else:
        problems += lints.timing(source, scenario)
        problems += lints.order(source, _with_ids(scenario))
        problems += lints.quiet(source, _with_ids(scenario))
        problems += lints.expected_failures(source, scenario)
        if not problems:
            problems += lints.overlaps(source, _with_ids(scenario))
    problems += lints.references(source)
    problems += missing
    if scenario is None or problems:
        raise ScenarioInvalid(_distinct(problems))
    return Loaded(_with_ids(scenario), path, files, source)


def _distinct(problems: Iterable[Problem]) -> list[Problem]:
    """Drop repetitions: content under an alias is wrong once, however often it is used."""
    return list(dict.fromkeys(problems))[:MOST_PROBLEMS]


def _with_ids(scenario: Scenario) -> Scenario:
    faults = scenario.timeline.faults
    ids = fault_ids([(fault.id, fault.fault) for fault in faults])
    named = [
        fault.model_copy(update={"id": fault_id})
        for fault, fault_id in zip(faults, ids, strict=True)
    ]
    timeline = scenario.timeline.model_copy(update={"faults": named})
    return scenario.model_copy(update={"timeline": timeline})


def load_all(
    paths: Sequence[Path], environ: Mapping[str, str], *, stdin: bool = False
) -> list[Loaded]:
    """Find and load scenarios, with `stdin` also the one of `-`.

    Raises `ScenarioInvalid` with the problems of all files at once.
    """
    loaded, problems = [], list[Problem]()
    from_stdin = [path for path in paths if path == STDIN] if stdin else []
    named = [path for path in paths if path not in from_stdin]
    for path in (*from_stdin[:1], *(find(named) if named or not from_stdin else ())):
        try:
            loaded.append(load(path, environ))
        except ScenarioInvalid as error:
            problems += error.problems
    if problems:
        raise ScenarioInvalid(problems)
    return loaded
