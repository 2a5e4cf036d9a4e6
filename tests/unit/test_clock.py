"""The run's clock: monotonic, taken over by another process, and apart from a wall clock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from chaoskit.clock import Clock, until
from tests.fakes.virtual_time import now, virtual


def test_a_clock_goes_on_in_another_process() -> None:
    clock = Clock()
    again = Clock.resumed(clock.started_at, clock.origin)
    assert again.now() == pytest.approx(clock.now(), abs=0.05)
    assert again.started_at == clock.started_at


def test_after_a_boot_it_goes_on_by_the_wall_clock() -> None:
    started = Clock().started_at - timedelta(seconds=90)
    again = Clock.resumed(started, "another-boot 12.5")
    assert again.now() == pytest.approx(90, abs=0.5)


@pytest.mark.parametrize(
    ("shift", "words"), [(0.5, None), (-0.5, None), (3600, "3600 s forward"), (-7, "7 s back")]
)
def test_a_wall_clock_that_was_set_is_told(shift: float, words: str | None) -> None:
    clock = Clock()
    clock.started_at -= timedelta(seconds=shift)  # the same as setting the machine's clock
    jump = clock.jump()
    assert (jump is None) if words is None else (jump is not None and words in jump)


def sees(*values: object) -> Callable[[], Awaitable[object]]:
    """Return a look that sees these, one after the other, and then the last one for ever."""
    coming = list(values)

    async def look() -> object:
        return coming.pop(0) if len(coming) > 1 else coming[0]

    return look


@virtual
async def test_until_returns_the_first_value_that_is_as_wanted() -> None:
    assert await until(sees(0, None, 7, 8), within=9, every=2) == 7
    assert now() == 4


@virtual
async def test_until_looks_once_though_there_is_no_time() -> None:
    assert await until(sees("there", "gone"), within=-1, every=2) == "there"
    assert now() == 0


@virtual
async def test_until_looks_for_the_last_time_when_the_time_is_over() -> None:
    seen = await until(sees(1, 2, 3, 4, 5), within=5, every=2, met=lambda value: value == 5)
    assert (seen, now()) == (4, 5)


@virtual
async def test_until_ends_with_what_its_look_raises() -> None:
    async def look() -> bool:
        raise ValueError("not like that")

    with pytest.raises(ValueError, match="not like that"):
        await until(look, within=5, every=1)
