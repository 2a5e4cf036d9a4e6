"""Registering a kind checks what its users rely on."""

from __future__ import annotations

import pytest

from chaoskit.faults import REGISTRY as FAULTS
from chaoskit.registry import Registry, summary


@pytest.fixture
def registry() -> Registry[object]:
    return Registry("fault", "chaoskit.faults")


def kind(doc: str | None = "Do something.\n\nMore.", example: str = "{ fault: x }") -> type:
    return type("Kind", (), {"__doc__": doc, "example": example})


def test_a_registered_kind_knows_its_name(registry: Registry[object]) -> None:
    made = registry.register("x")(kind())
    assert made.kind == "x"  # type: ignore[attr-defined]  # registration sets it
    assert registry.get("x") is made


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (kind(doc=None), "`x` has no docstring"),
        (kind(doc="  \n"), "`x` has no docstring"),
        (kind(example=""), "`x` has no example"),
        (type("Kind", (), {"__doc__": "Do."}), "`x` has no example"),
    ],
)
def test_a_kind_without_words_or_an_example_is_refused(
    registry: Registry[object], made: type, says: str
) -> None:
    with pytest.raises(TypeError, match=says):
        registry.register("x")(made)


def test_a_name_is_taken_once(registry: Registry[object]) -> None:
    registry.register("x")(kind())
    with pytest.raises(TypeError, match="`x` is registered twice"):
        registry.register("x")(kind())


def test_every_file_of_a_package_is_found_and_listed_by_name() -> None:
    names = FAULTS.names()
    assert names == sorted(names)
    assert {"kill", "latency", "partition", "restart"} <= set(names)
    assert [one.kind for one in FAULTS] == names
    assert FAULTS.get("no-such-fault") is None


def test_a_summary_is_the_first_line_of_the_docstring() -> None:
    assert summary(kind()) == "Do something."
