"""The run's clock: monotonic, taken over by another process, and apart from a wall clock."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chaoskit.clock import Clock


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
