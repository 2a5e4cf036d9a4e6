"""When a fault starts: at a time, when something is observed, or after another fault."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from chaoskit.fields import Duration, Model, Name

Timeout = Annotated[
    Duration, Field(gt=0, description="How long to wait; an unmet condition is `unknown`.")
]


class When(Model):
    """Something observed: a probe that fails or is well, or so many acknowledged writes."""

    probe: Name | None = None
    is_: Annotated[Literal["failing", "healthy"] | None, Field(alias="is")] = None
    workload: Name | None = None
    acknowledged: Annotated[int | None, Field(ge=1)] = None
    timeout: Timeout = Duration(30)

    @model_validator(mode="after")
    def _one_condition(self) -> When:
        by_probe = self.probe is not None and self.is_ is not None
        by_workload = self.workload is not None and self.acknowledged is not None
        given = [self.probe, self.is_, self.workload, self.acknowledged]
        if by_probe == by_workload or sum(value is not None for value in given) != 2:
            raise ValueError(
                "`when` is `{probe: NAME, is: failing | healthy}`"
                " or `{workload: NAME, acknowledged: COUNT}`"
            )
        return self

    def __str__(self) -> str:
        if self.probe is not None:
            return f"when probe {self.probe} is {self.is_}"
        return f"when workload {self.workload} has {self.acknowledged} acknowledged writes"


class After(Model):
    """Another fault: `delay` after it was injected, or after it was healed."""

    fault: Name
    injected: Literal[True] | None = None
    healed: Literal[True] | None = None
    delay: Duration = Duration.zero()
    timeout: Timeout = Duration(60)

    @model_validator(mode="after")
    def _one_moment(self) -> After:
        if (self.injected is None) == (self.healed is None):
            raise ValueError("`after` needs `injected: true` or `healed: true`")
        return self

    def __str__(self) -> str:
        moment = "injected" if self.injected else "healed"
        wait = f"{self.delay} " if self.delay else ""
        return f"{wait}after {self.fault} is {moment}"


class Repeat(Model):
    """So many times in all, one start every so often."""

    times: Annotated[int, Field(ge=2, le=1000)]
    every: Annotated[Duration, Field(gt=0)]
