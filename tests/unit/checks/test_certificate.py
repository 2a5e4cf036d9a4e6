"""Check `certificate` on what `tls` probes recorded."""

from __future__ import annotations

from typing import Any

import pytest

from chaoskit.records import Finding, Json, Sample, Verdict
from tests.unit.checks.conftest import Build

GOOD: dict[str, Json] = {
    "days_left": 45.5,
    "not_after": "2027-01-31 10:00 UTC",
    "names": ["web.example", "*.shop.example"],
    "chain": "trusted",
}


def judged(build: Build, *values: Json, **fields: Any) -> Finding:
    samples = [
        Sample("cache", t, t, t + 0.1, "ok" if value else "fail", None, value)
        for t, value in enumerate(values, 1)
    ]
    evidence = build.evidence(samples=samples)
    return build.judge("certificate", evidence, **fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"valid_for": "45d"},
        {"name": "web.example"},
        {"name": "WEB.example"},
        {"name": "a.shop.example"},
        {"chain": True},
        {"valid_for": "30d", "name": "web.example", "chain": True},
    ],
)
def test_a_certificate_that_lasts_and_is_its_own_and_trusted_passes(
    build: Build, fields: dict[str, Any]
) -> None:
    finding = judged(build, GOOD, GOOD | {"days_left": 45.4}, None, **fields)
    assert finding.verdict is Verdict.PASS
    assert finding.measured == "valid for 45.4 days (of 2 handshakes)"


@pytest.mark.parametrize(
    ("changes", "fields", "reason"),
    [
        (
            {"days_left": 12.25},
            {"valid_for": "30d"},
            "is valid until 2027-01-31 10:00 UTC, for 12.2 days only",
        ),
        ({"days_left": -1.0}, {"valid_for": "0d"}, "expired on 2027-01-31 10:00 UTC"),
        (
            {},
            {"name": "b.a.shop.example"},
            "is for `web.example`, `*.shop.example`, not for `b.a.shop.example`",
        ),
        (
            {},
            {"name": "shop.example"},
            "is for `web.example`, `*.shop.example`, not for `shop.example`",
        ),
        ({"names": []}, {"name": "web"}, "is for no name, not for `web`"),
        ({"chain": "certificate has expired"}, {"chain": True}, "is not trusted: certificate has"),
    ],
)
def test_what_is_wrong_with_a_certificate_is_said(
    build: Build, changes: dict[str, Json], fields: dict[str, Any], reason: str
) -> None:
    finding = judged(build, GOOD | changes, **fields)
    assert finding.verdict is Verdict.FAIL
    assert f"the certificate that probe `cache` was shown {reason}" in (finding.reason or "")


def test_one_bad_certificate_among_good_ones_fails_and_has_its_moment(build: Build) -> None:
    finding = judged(build, GOOD, GOOD | {"chain": "certificate has expired"}, GOOD, chain=True)
    assert finding.verdict is Verdict.FAIL
    assert "1 of 3 times: first at 2.10 s" in (finding.reason or "")
    assert finding.at == 2.1
    assert len(finding.witness) == 1


def test_nothing_shown_and_nothing_asked_is_unknown(build: Build) -> None:
    finding = judged(build, None, None, name="web")
    assert finding.verdict is Verdict.UNKNOWN
    assert finding.reason == "probe `cache` was shown no certificate in this window"
    finding = judged(build, GOOD | {"chain": None}, chain=True)
    assert finding.verdict is Verdict.UNKNOWN
    assert finding.reason == "probe `cache` looks at no chain: give it `ca`"
    finding = judged(build, 17, name="web")  # a probe of another kind
    assert finding.verdict is Verdict.UNKNOWN


def test_what_it_asks_for_is_said(build: Build) -> None:
    check = build.check("certificate", probe="cache", valid_for="30d", name="web", chain=True)
    assert check.bound == "valid for 30 days, for web, by a trusted chain"


def test_it_must_ask_for_something(build: Build) -> None:
    with pytest.raises(ValueError, match="at least one of"):
        build.check("certificate", probe="cache")
    with pytest.raises(ValueError, match="expected days such as 30d, got `30h`"):
        build.check("certificate", probe="cache", valid_for="30h")
