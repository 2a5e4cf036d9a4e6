"""Sets of any values, and any one mutation of what is read: found by hypothesis."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from chaoskit.checks.histories.operations import element
from chaoskit.checks.histories.set import elements, set_history
from chaoskit.records import Event, Json


@settings(deadline=None)
@given(data=st.data(), count=st.integers(1, 30))
def test_every_mutation_of_a_final_read_is_noticed_and_nothing_else(
    data: st.DataObject, count: int
) -> None:
    values: list[Json] = list(range(count))
    victim = data.draw(st.sampled_from(values))
    mutation = data.draw(st.sampled_from(["none", "drop", "double", "invent"]))
    shown = list(values)
    if mutation == "drop":
        shown.remove(victim)
    elif mutation == "double":
        shown.append(str(victim))
    elif mutation == "invent":
        shown.append(count + 1)
    events = []
    for number, value in enumerate(values):
        events.append(Event(number, "invoke", 0, "m", "add", None, value, number))
        events.append(Event(number + 0.5, "ok", 0, "m", "add", None, value, number))
    events.append(Event(count + 1, "invoke", 0, "m", "truth", None, None, count))
    events.append(Event(count + 2, "ok", 0, "m", "truth", None, shown, count))
    found = set_history(events)
    truth = found.views["truth"]
    assert [one.add.element for one in found.lost()] == ([victim] if mutation == "drop" else [])
    assert list(truth.duplicated) == ([victim] if mutation == "double" else [])
    assert list(truth.unexplained_at) == ([count + 1] if mutation == "invent" else [])


@settings(deadline=None)
@given(st.lists(st.one_of(st.integers(), st.text(), st.floats(allow_nan=False), st.booleans())))
def test_the_fast_way_and_the_slow_way_agree_on_elements(values: list[Json]) -> None:
    assert list(elements(values)) == [element(value) for value in values]
