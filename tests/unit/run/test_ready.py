"""Before the faults: each starts what makes its injection quick, and may fail to."""

from __future__ import annotations

from typing import Any, cast

import pytest

from chaoskit.errors import EnvironmentFailure
from chaoskit.run.injector import Injection, Injector


class Fault:
    """A fault that says with an error how its preparations went."""

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error
        self.asked = False

    def canary(self) -> None:
        """No edge of its is counted."""

    async def ready(self, stack: object) -> None:
        self.asked = True
        if self._error is not None:
            raise self._error


async def ready(*faults: Fault) -> None:
    nothing = cast("Any", None)
    injector = Injector(nothing, nothing, nothing, nothing, nothing)
    await injector.ready([Injection(cast("Any", fault)) for fault in faults])


async def test_what_cannot_be_prepared_now_is_said_when_it_is_injected() -> None:
    faults = [Fault(EnvironmentFailure("no helper image")), Fault()]
    await ready(*faults)
    assert all(fault.asked for fault in faults)


async def test_a_defect_in_the_preparations_is_not_swallowed() -> None:
    with pytest.raises(TypeError, match="a defect"):
        await ready(Fault(TypeError("a defect")), Fault())
