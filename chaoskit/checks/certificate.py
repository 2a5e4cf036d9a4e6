"""Whether a server's certificate lasts, is its own, and is trusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from chaoskit.checks._base import NotJudged, ProbeCheck, check, samples_in
from chaoskit.checks._fault_position import fault_at
from chaoskit.checks._witness import capped
from chaoskit.fields import Days
from chaoskit.records import Evidence, Finding
from chaoskit.text import count, listed, moment


@check("certificate")
class CertificateCheck(ProbeCheck):
    """A server's certificate is valid for some time to come, for a name, and by a trusted chain.

    Judged is every certificate that a `tls` probe was shown. `valid_for` is how long it has to last
    from then on, in days; `name` is what clients call the server, which one of its names has to
    match, `*.example` included; `chain` wants a chain to an authority in the `ca` of the probe.
    """

    example: ClassVar[str] = (
        "{ check: certificate, probe: web-tls, valid_for: 30d, name: web.example, chain: true }"
    )
    remedy: ClassVar[str] = "Give the check a probe of kind `tls`, and look at why it fails."

    valid_for: Days | None = None
    name: str | None = Field(default=None, min_length=1)
    chain: bool = False

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if self.valid_for is None and self.name is None and not self.chain:
            raise ValueError("give at least one of `valid_for`, `name`, `chain`")
        return self

    @property
    def bound(self) -> str:
        parts = [] if self.valid_for is None else [f"valid for {count(int(self.valid_for), 'day')}"]
        parts += [] if self.name is None else [f"for {self.name}"]
        return ", ".join(parts + ["by a trusted chain"] * self.chain)

    def rule(self, evidence: Evidence) -> Finding:
        samples = samples_in(self, self.probe, evidence)
        seen = [(s.done, s.value) for s in samples if isinstance(s.value, Mapping)]
        shown = [(t, value) for t, value in seen if "not_after" in value]
        if not shown:
            raise NotJudged(f"probe `{self.probe}` was shown no certificate in this window")
        if self.chain and all(value["chain"] is None for _, value in shown):
            raise NotJudged(f"probe `{self.probe}` looks at no chain: give it `ca`")
        bad = [(t, wrong) for t, value in shown if (wrong := self._wrong(value)) is not None]
        least = min(float(value["days_left"]) for _, value in shown)  # type: ignore[arg-type]
        measured = f"valid for {least:.1f} days (of {count(len(shown), 'handshake')})"
        if not bad:
            return self.passed(measured)
        at, wrong = bad[0]
        reason = f"the certificate that probe `{self.probe}` was shown {wrong}"
        if len(bad) < len(shown):
            reason += f", {len(bad)} of {len(shown)} times: first at {moment(at)}"
            reason += f", {fault_at(evidence, at)}"
        lines = [f"{moment(t)} ({fault_at(evidence, t)}): it {wrong}" for t, wrong in bad]
        return self.failed(measured, reason, capped(lines), at)

    def _wrong(self, value: Mapping[str, Any]) -> str | None:
        left, names = float(value["days_left"]), value["names"]
        if self.valid_for is not None and left < max(self.valid_for, 0):
            if left < 0:
                return f"expired on {value['not_after']}"
            return f"is valid until {value['not_after']}, for {left:.1f} days only"
        if self.name is not None and not any(_means(name, self.name) for name in names):
            return f"is for {listed(names) or 'no name'}, not for `{self.name}`"
        if self.chain and value["chain"] != "trusted":
            return f"is not trusted: {value['chain']}"
        return None


def _means(written: str, name: str) -> bool:
    """Return whether a name of a certificate stands for a server's: `*` is one label, the first."""
    first, _, rest = name.lower().partition(".")
    return written in (name.lower(), f"*.{rest}") and bool(first)
