"""Numbers from Prometheus: its pages of text, and its answers to queries.

The text format is told at https://prometheus.io/docs/instrumenting/exposition_formats/, the answer
of a query at https://prometheus.io/docs/prometheus/latest/querying/api/.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from chaoskit.fields import Written
from chaoskit.numeric import read_json
from chaoskit.text import count, one_line

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABEL = r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*'
_SELECTOR = re.compile(rf"({_NAME})\s*(?:\{{((?:{_LABEL},?)*)\s*\}})?")
_BLOCK = r'(?:\{((?:[^"}]|"(?:[^"\\\n]|\\.)*")*)\})?'  # labels; a value may hold a brace
_ESCAPES = {"n": "\n"}
_SHOWN = 3  # series that an error names


class NoMetric(Exception):
    """There is no single number; the text says why. `absent`: there is no such series at all."""

    def __init__(self, text: str, *, absent: bool = False) -> None:
        super().__init__(text)
        self.absent = absent


@dataclass(frozen=True, slots=True)
class Selector(Written):
    """The series of one metric that have these labels, and maybe more: `jobs{state="failed"}`."""

    name: str
    labels: Mapping[str, str]

    json_pattern = rf"^\s*{_NAME}"
    json_example = 'jobs_total{state="failed"}'

    @classmethod
    def parse(cls, value: object) -> Self:
        found = _SELECTOR.fullmatch(value.strip()) if isinstance(value, str) else None
        if found is None:
            raise ValueError(
                f"expected a metric such as {cls.json_example}, with labels that are equal; "
                "for anything else ask a Prometheus, with `query`"
            )
        return cls(found[1], _labels(found[2] or ""))

    def __str__(self) -> str:
        return _series(self.name, self.labels)


def total(page: str, wanted: Selector) -> float:
    """Return the sum over the series of a page that a selector means. Raises `NoMetric`."""
    numbers, others = [], []
    for labels, number in _lines(page, wanted.name):
        if wanted.labels.items() <= labels.items():
            numbers.append(number)
        else:
            others.append(_series(wanted.name, labels))
    if numbers:
        return sum(numbers)
    if not others:
        raise NoMetric(f"the page has no `{wanted.name}`", absent=True)
    more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
    seen = f"{', '.join(others[:_SHOWN])}{more}"
    raise NoMetric(f"the page has no `{wanted}`, only {seen}", absent=True)


def answered(document: bytes) -> float:
    """Return the one number that a query gave. Raises `NoMetric`."""
    try:
        answer: Any = read_json(document)
        if answer["status"] != "success":
            raise NoMetric(one_line(f"the query was refused: {answer['error']}"))
        kind, result = answer["data"]["resultType"], answer["data"]["result"]
        if kind == "vector" and len(result) == 1:
            return float(result[0]["value"][1])
        if kind == "scalar":
            return float(result[1])
    except (ValueError, LookupError, TypeError):
        raise NoMetric("this is no answer of a Prometheus to a query") from None
    if kind != "vector":
        raise NoMetric(f"the query gives a {kind}, not one number")
    if not result:
        raise NoMetric("the query gives nothing", absent=True)
    raise NoMetric(f"the query gives {count(len(result), 'number')}: let it `sum` or `max` them")


def _lines(page: str, name: str) -> Iterator[tuple[Mapping[str, str], float]]:
    line = re.compile(rf"^{re.escape(name)}(?=[ \t{{])[ \t]*{_BLOCK}[ \t]*([^\s{{]+)", re.MULTILINE)
    for found in line.finditer(page):
        try:
            yield _labels(found[1] or ""), float(found[2])
        except ValueError:
            raise NoMetric(f"`{one_line(found[2], 40)}` of `{name}` is no number") from None


def _labels(text: str) -> dict[str, str]:
    return {name: _unescaped(value) for name, value in re.findall(_LABEL, text)}


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), text)


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _series(name: str, labels: Mapping[str, str]) -> str:
    inside = ",".join(f'{label}="{_escaped(value)}"' for label, value in labels.items())
    return f"{name}{{{inside}}}" if inside else name
