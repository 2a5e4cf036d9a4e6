"""What is wrong although every block is well-formed: names that lead nowhere, impossible times.

The reference lints read the nodes, so they also work on a file whose models do not validate.
"""

from __future__ import annotations

from collections.abc import Iterator
from os.path import normpath
from pathlib import Path as FilePath

from chaoskit.errors import Problem
from chaoskit.scenario.document import KINDS, Scenario
from chaoskit.scenario.ids import fault_ids
from chaoskit.scenario.nodes import Mapping, Node, Path, Scalar, Sequence, child
from chaoskit.scenario.overlaps import CLASH_FIX, clashes
from chaoskit.scenario.quiet import end_of, parts_of
from chaoskit.scenario.source import Source, leads_nowhere
from chaoskit.scenario.suggest import closest, did_you_mean
from chaoskit.text import listed, seconds_text

_DAY = 24 * 3600
_SHORTEST_PART = 1.0  # seconds of a fault between quiet periods


def references(source: Source) -> Iterator[Problem]:
    """Yield a problem for every probe, workload or fault that is named but not there."""
    known = {"probe": _names(source, "probes"), "workload": _names(source, "workloads")}
    ids, problems = _fault_ids(source)
    known["fault"] = ids
    yield from problems
    for index, block in enumerate(_items(source, ("expect",))):
        yield from _dangling(source, block, ("expect", index), known)
        yield from _misapplied(source, block, ("expect", index))
    for index, block in enumerate(_items(source, ("timeline", "faults"))):
        for key, below in block.entries.items() if isinstance(block, Mapping) else ():
            yield from _dangling(source, below, ("timeline", "faults", index, key), known)


def timing(source: Source, scenario: Scenario) -> Iterator[Problem]:
    """Yield a problem for every time that makes no sense."""
    gate = scenario.timeline.gate
    if gate.within < gate.for_:
        path: Path = ("timeline", "gate", "within")
        yield source.problem(path, f"`within` is shorter than `for` ({gate.for_})")
    if scenario.stack.up_timeout <= 0:
        yield source.problem(("stack", "up_timeout"), "`up_timeout` must be longer than zero")
    for name, probe in scenario.probes.items():
        for field in ("every", "timeout"):
            if getattr(probe, field) <= 0:
                yield source.problem(("probes", name, field), f"`{field}` must be longer than zero")
    for name, workload in scenario.workloads.items():
        if workload.timeout <= 0:
            path = ("workloads", name, "timeout")
            yield source.problem(path, "`timeout` must be longer than zero")
    for index, fault in enumerate(scenario.timeline.faults):
        at = max((one.at or 0.0 for one in fault.repetitions()), default=0.0)
        end = at + (fault.for_ or 0)
        if end > _DAY:
            where = ("timeline", "faults", index, "at" if at > _DAY else "for")
            yield source.problem(where, f"the fault would end {seconds_text(end)} into the run")


def quiet(source: Source, scenario: Scenario) -> Iterator[Problem]:
    """Yield a problem for quiet periods that cannot be kept, or that leave a fault no time."""
    periods = scenario.timeline.quiet
    if periods is None:
        return
    where: Path = ("timeline", "quiet")
    if periods.for_ <= 0:
        yield source.problem((*where, "for"), "`for` must be longer than zero")
        return
    if periods.every <= periods.for_:
        text = "`quiet.every` must be longer than `for`: it counts between starts"
        yield source.problem((*where, "every"), text)
        return
    faults = [one for fault in scenario.timeline.faults for one in fault.repetitions()]
    over = end_of(faults, scenario.timeline.hold)
    if over <= periods.every:
        text = f"all faults are over after {seconds_text(over)}, before the first quiet period"
        yield source.problem((*where, "every"), text, "shorter `every`, or longer faults")
    for index, fault in enumerate(scenario.timeline.faults):
        path: Path = ("timeline", "faults", index)
        if fault.when is not None or fault.after is not None:
            text = (
                f"`{fault.name}` starts when something is observed: nobody knows beforehand into"
                " which parts, each with its proof, quiet periods would cut it"
            )
            hint = "give it `at`; or leave `timeline.quiet` out and let `repeat` inject it again"
            yield source.problem(path, text, hint)
            continue
        for one in [p for r in fault.repetitions() for p in parts_of(r, periods, over)]:
            if one.for_ is not None and one.for_ < _SHORTEST_PART and one.for_ != fault.for_:
                text = (
                    f"quiet periods leave `{one.name}` only {one.for_} from {one.at} on: too short"
                    " to prove it"
                )
                yield source.problem(path, text, "let it start, end or be quiet at other times")


def order(source: Source, scenario: Scenario) -> Iterator[Problem]:
    """Yield a problem for faults that wait for each other, or for a heal that comes too late."""
    faults = {fault.name: fault for fault in scenario.timeline.faults}
    for index, fault in enumerate(scenario.timeline.faults):
        seen = [fault.name]
        gate = fault.after
        while gate is not None and gate.fault in faults and gate.fault not in seen:
            seen.append(gate.fault)
            gate = faults[gate.fault].after
        path = ("timeline", "faults", index, "after", "fault")
        if gate is not None and gate.fault == fault.name:
            yield source.problem(path, f"`{' -> '.join([*seen, fault.name])}` wait for each other")
        first = faults.get(fault.after.fault) if fault.after and fault.after.healed else None
        if first is not None and first.for_ is None and not first.instant:
            text = f"`{first.name}` has no `for`: it is healed only when all faults are over"
            yield source.problem(path, text)


def overlaps(source: Source, scenario: Scenario) -> Iterator[Problem]:
    """Yield a problem for every fault that starts, by its time in the file, while another one has
    what only one can have."""
    for one in clashes(scenario, lambda fault: fault.holds()):
        line = source.span(("timeline", "faults", one.first)).line
        text = one.sentence(f" in line {line}")
        yield source.problem(("timeline", "faults", one.second), text, CLASH_FIX)


def expected_failures(source: Source, scenario: Scenario) -> Iterator[Problem]:
    """Yield a problem for every `expect_fail` that does not say which check it is about."""
    titles = [f"{check.check} {check.subject}" for check in scenario.expect]
    kinds = {check.check for check in scenario.expect}
    several = isinstance(scenario.expect_fail, list)
    for index, expected in enumerate(scenario.expected_failures):
        path: Path = ("expect_fail", index, "check") if several else ("expect_fail", "check")
        checks = [check for check in scenario.expect if expected.names(check)]
        named = [f"{check.check} {check.subject}" for check in checks]
        if not named:
            text = f"`expect` has no check `{expected.check}`"
            text += did_you_mean(expected.check, {*titles, *kinds})
            yield source.problem(path, text, f"there are {listed(titles)}")
        elif len(set(named)) > 1:
            text = f"`{expected.check}` may be any of {len(named)} checks"
            yield source.problem(path, text, f"write it with its subject: {listed(named)}")
        elif len(named) > 1:
            text = f"{len(named)} checks are called `{named[0]}`: which one fails is not clear"
            yield source.problem(path, text, "leave one of them, or expect both to pass")


# As Compose looks for them: the first of each that is there.
_COMPOSE_FILES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
_OVERRIDES = tuple(
    f"{stem}.override.{end}" for stem in ("compose", "docker-compose") for end in ("yml", "yaml")
)


def compose_files(source: Source, folder: FilePath) -> tuple[list[FilePath], list[Problem]]:
    """Return the Compose files that exist, and a problem for each that does not."""
    node = source.node(("stack", "compose"))
    entries: list[tuple[Path, Node]] = [(("stack", "compose"), node)] if node else []
    if isinstance(node, Sequence):
        entries = [(("stack", "compose", i), item) for i, item in enumerate(node.items)]
    found: list[FilePath] = []
    problems: list[Problem] = []
    for path, item in entries:
        if not isinstance(item, Scalar) or item.spoiled or not isinstance(item.value, str):
            continue
        file = folder / item.value
        try:
            is_there, is_folder = file.exists(), file.is_dir()
        except (OSError, ValueError):
            is_there, is_folder = False, False
        if is_folder and not (own := _as_compose_reads(file)):
            text = f"`{item.value}` is a directory without a Compose file"
            hint = f"Compose looks for {', '.join(_COMPOSE_FILES)}"
            problems.append(source.problem(path, text, hint))
        elif is_folder:
            found += own
        elif is_there and not file.is_file():
            problems.append(source.problem(path, f"`{item.value}` is not a regular file"))
        elif not is_there:
            problems.append(_no_compose_file(source, path, item.value, file))
        else:
            # Named alone, the file that Compose would find by itself brings its override along.
            own = [] if isinstance(node, Sequence) else _as_compose_reads(file.parent)
            found += own if own and own[0] == file.resolve() else [file.resolve()]
    return found, problems


def _as_compose_reads(folder: FilePath) -> list[FilePath]:
    """Return what `docker compose` without `--file` reads in a folder: a file, and its override."""
    sorts = (_COMPOSE_FILES, _OVERRIDES)
    there = [[folder / name for name in names if (folder / name).is_file()] for names in sorts]
    return [files[0].resolve() for files in there if files] if there[0] else []


def _no_compose_file(source: Source, path: Path, written: str, file: FilePath) -> Problem:
    if file.is_symlink():
        return source.problem(path, leads_nowhere(file))
    try:
        siblings = [entry.name for entry in file.parent.iterdir() if entry.is_file()]
    except (OSError, ValueError):
        siblings = []
    name = closest(file.name, siblings)
    meant = f"; did you mean `{FilePath(written).with_name(name)}`?" if name else ""
    text = f"no Compose file `{written}`{meant}"
    return source.problem(path, text, f"looked in `{normpath(file.parent)}`")


def _items(source: Source, path: Path) -> list[Node]:
    node = source.node(path)
    return node.items if isinstance(node, Sequence) else []


def _names(source: Source, block: str) -> list[str] | None:
    """Return the names a block defines; None when the block cannot say."""
    node = source.node((block,))
    if node is None and block == "workloads":
        return []
    return list(node.entries) if isinstance(node, Mapping) else None


def _text(node: Node | None) -> str | None:
    return node.value if isinstance(node, Scalar) and isinstance(node.value, str) else None


def _fault_ids(source: Source) -> tuple[list[str] | None, list[Problem]]:
    """Return the ids of all faults (None: unclear) and a problem for each doubled one."""
    blocks = _items(source, ("timeline", "faults"))
    given = [(_text(child(block, "id")), _text(child(block, "fault")) or "") for block in blocks]
    first: dict[str, int] = {}
    problems: list[Problem] = []
    for index, (explicit, _) in enumerate(given):
        path = ("timeline", "faults", index, "id")
        if explicit in first:
            text = f"the id `{explicit}` is taken by the fault in line {first[explicit]}"
            problems.append(source.problem(path, text, "ids are unique"))
        elif explicit is not None:
            first[explicit] = source.span(path).line
    guessed = any(
        explicit is None and kind not in KINDS["fault"].names() for explicit, kind in given
    )
    return (None if guessed else fault_ids(given)), problems


def _dangling(
    source: Source, node: Node, path: Path, known: dict[str, list[str] | None]
) -> Iterator[Problem]:
    """Yield a problem for every `probe:`, `workload:`, `fault:` at or below that leads nowhere."""
    if isinstance(node, Sequence):
        for index, item in enumerate(node.items):
            yield from _dangling(source, item, (*path, index), known)
    if not isinstance(node, Mapping):
        return
    for key, value in node.entries.items():
        names, text = known.get(key), _text(value)
        if names is not None and text is not None and text not in names:
            yield _no_such(source, (*path, key), key, text, names)
        yield from _dangling(source, value, (*path, key), known)


def _no_such(source: Source, path: Path, sort: str, name: str, names: list[str]) -> Problem:
    what = "fault has the id" if sort == "fault" else f"{sort} is called"
    suggestion = did_you_mean(name, names)
    hint = None
    if not suggestion:
        hint = f"there are {listed(names)}" if names else f"this scenario has no {sort}s"
    return source.problem(path, f"no {what} `{name}`{suggestion}", hint)


def _misapplied(source: Source, block: Node, path: Path) -> Iterator[Problem]:
    """Yield a problem when a check cannot judge the kind of workload it names."""
    check = KINDS["check"].get(_text(child(block, "check")) or "")
    name = _text(child(block, "workload"))
    judged: tuple[str, ...] = getattr(check, "workloads", ())
    workload = source.node(("workloads", name, "workload")) if name else None
    kind = _text(workload)
    if judged and kind in KINDS["workload"].names() and kind not in judged:
        text = (
            f"`{_text(child(block, 'check'))}` cannot judge `{name}`, a workload of kind `{kind}`"
        )
        yield source.problem((*path, "workload"), text, f"it judges {listed(judged)}")
