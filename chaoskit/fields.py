"""The value types of scenario files: durations, rates, percentages, sizes, edges, targets.

They sit below every kind, because a fault, a probe and a check are made of them. Each is parsed
from text with a unit; a bare number is refused, because `timeout: 5` means different things to
different people.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self
from urllib.parse import parse_qsl, unquote, urlsplit

import durationpy
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationInfo,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from chaoskit.ports import HTTP, HTTPS, POSTGRES, REDIS, SCHEMES
from chaoskit.text import decimal, seconds_text

_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]*"


class Model(BaseModel):
    """A block of a scenario file: frozen, and strict about unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Written:
    """A value that a scenario writes as text: parsed by `parse`, written back by `str`."""

    __slots__ = ()

    json_pattern: ClassVar[str]
    json_example: ClassVar[str]

    @classmethod
    def parse(cls, value: object) -> Self:
        raise NotImplementedError

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls._validate, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )

    @classmethod
    def _validate(cls, value: object) -> Self:
        return value if isinstance(value, cls) else cls.parse(value)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string", "pattern": cls.json_pattern, "examples": [cls.json_example]}


class Duration(Written, float):
    """A length of time, in seconds; written `300ms`, `1.5s`, `2m`, `1h30m`."""

    json_pattern = r"^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$"
    json_example = "300ms"

    @classmethod
    def zero(cls) -> Duration:
        return cls(0.0)

    @classmethod
    def parse(cls, value: object) -> Self:
        """Parse Go-style text; raises `ValueError` for bare numbers, signs and unknown units."""
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError(f"expected a duration such as 300ms, got {_described(value)}")
        text = str(value)
        if not isinstance(value, str) or re.fullmatch(r"[0-9.]+", text):
            raise ValueError(f"a duration needs a unit: write {text}s or {text}ms")
        if not re.fullmatch(cls.json_pattern, text):
            raise ValueError(f"`{text}` is not a duration: write it like 300ms, 1.5s, 2m or 1h30m")
        try:
            seconds = durationpy.from_str(text).total_seconds()
        except (OverflowError, ValueError):  # its pattern fits, so it is only too large
            seconds = float("inf")
        if seconds > 7 * 24 * 3600:
            raise ValueError(f"`{text}` is longer than a week")
        return cls(seconds)

    def __str__(self) -> str:
        """Return text that parses back to the same value: short where that is exact."""
        short = seconds_text(float(self))
        if re.fullmatch(self.json_pattern, short) and self.parse(short) == self:
            return short
        return f"{decimal(float(self), 12)}s"

    __repr__ = __str__


class Day(Written, date):
    """A day; written `2027-01-31`."""

    json_pattern = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
    json_example = "2027-01-31"

    @classmethod
    def parse(cls, value: object) -> Self:
        if isinstance(value, str) and re.fullmatch(cls.json_pattern, value):
            with suppress(ValueError):  # no such day, such as the 31st of April
                return cls.fromisoformat(value)
        raise ValueError(f"expected a day such as 2027-01-31, got {_described(value)}")


class Days(Written, int):
    """A number of days; written `30d`."""

    json_pattern = r"^[0-9]{1,5}d$"
    json_example = "30d"

    @classmethod
    def parse(cls, value: object) -> Self:
        if isinstance(value, str) and re.fullmatch(cls.json_pattern, value):
            return cls(value[:-1])
        raise ValueError(f"expected days such as 30d, got {_described(value)}")

    def __str__(self) -> str:
        return f"{int(self)}d"

    __repr__ = __str__


class Rate(Written, float):
    """Events per second; written `50/s` or `300/m`."""

    json_pattern = r"^[0-9]+(\.[0-9]+)?/(s|m|h)$"
    json_example = "50/s"

    @classmethod
    def parse(cls, value: object) -> Self:
        match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)/(s|m|h)", str(value))
        if not isinstance(value, str) or match is None:
            raise ValueError(f"expected a rate such as 50/s, got {_described(value)}")
        rate = float(match[1]) / {"s": 1, "m": 60, "h": 3600}[match[2]]
        if not 0 < rate <= 100_000:
            raise ValueError(f"`{value}` is out of range: above 0/s, at most 100000/s")
        return cls(rate)

    def __str__(self) -> str:
        return f"{decimal(float(self), 6)}/s"

    __repr__ = __str__


class Percentage(Written, float):
    """A share between 0 and 1; written `99%` or `0.1%`."""

    json_pattern = r"^[0-9]+(\.[0-9]+)?%$"
    json_example = "99%"

    @classmethod
    def parse(cls, value: object) -> Self:
        match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)%", str(value))
        if not isinstance(value, str) or match is None:
            raise ValueError(f"expected a percentage such as 99%, got {_described(value)}")
        if float(match[1]) > 100:
            raise ValueError(f"`{value}` is above 100%")
        return cls(float(match[1]) / 100)

    def __str__(self) -> str:
        return f"{decimal(float(self) * 100, 10)}%"

    __repr__ = __str__


_UNITS = {"B": 1, "KB": 1000, "MB": 1000**2, "GB": 1000**3}
_LARGEST = 1024**4
_UNITS |= {"KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}


class Size(Written, int):
    """A number of bytes; written `512B`, `64KB` (1000), `64KiB` (1024), `1GiB`."""

    json_pattern = r"^[0-9]+(\.[0-9]+)?(B|KB|MB|GB|KiB|MiB|GiB)$"
    json_example = "64KB"

    @classmethod
    def parse(cls, value: object) -> Self:
        match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(B|KB|MB|GB|KiB|MiB|GiB)", str(value))
        if not isinstance(value, str) or match is None:
            raise ValueError(f"expected a size such as 64KB or 1MiB, got {_described(value)}")
        count = float(match[1]) * _UNITS[match[2]]
        if count > _LARGEST:
            raise ValueError(f"`{value}` is larger than 1024GiB")
        return cls(count)

    def __str__(self) -> str:
        return f"{int(self)}B"

    __repr__ = __str__


_BITS = {"kbit": 125, "Mbit": 125_000, "Gbit": 125_000_000}


class ByteRate(Written, int):
    """Bytes per second; written `64KB/s` (1000), `64KiB/s` (1024), `8Mbit/s` (a million bits)."""

    json_pattern = r"^[0-9]+(\.[0-9]+)?(B|KB|MB|GB|KiB|MiB|GiB|kbit|Mbit|Gbit)/s$"
    json_example = "64KB/s"

    @classmethod
    def parse(cls, value: object) -> Self:
        pattern = r"([0-9]+(?:\.[0-9]+)?)(B|KB|MB|GB|KiB|MiB|GiB|kbit|Mbit|Gbit)/s"
        match = re.fullmatch(pattern, str(value))
        if not isinstance(value, str) or match is None:
            raise ValueError(
                f"expected a data rate such as 64KB/s or 8Mbit/s, got {_described(value)}"
            )
        count = Decimal(match[1]) * (_UNITS | _BITS)[match[2]]
        if count > _LARGEST:
            raise ValueError(f"`{value}` is more than 1024GiB/s")
        if count != int(count):
            raise ValueError(f"`{value}` is not a whole number of bytes per second")
        return cls(count)

    def __str__(self) -> str:
        for unit in ("MB", "KB"):
            if self and self % _UNITS[unit] == 0:
                return f"{int(self) // _UNITS[unit]}{unit}/s"
        return f"{int(self)}B/s"

    __repr__ = __str__


HOST = "host"  # the client side of chaoskit's own path into the stack


@dataclass(frozen=True, slots=True)
class Edge(Written):
    """The TCP path from one service to one port of another; without a port, to all its ports."""

    client: str
    upstream: str
    port: int | None = None

    json_pattern: ClassVar[str] = rf"^{_NAME} ?-> ?{_NAME}(:[0-9]+)?$"
    json_example: ClassVar[str] = "chat -> redis"

    @classmethod
    def parse(cls, value: object) -> Self:
        if isinstance(value, cls):
            return value
        match = re.fullmatch(rf"({_NAME}) *-> *({_NAME})(?::([0-9]{{1,5}}))?", str(value).strip())
        if not isinstance(value, str) or match is None:
            raise ValueError(f"expected an edge such as `chat -> redis`, got {_described(value)}")
        port = int(match[3]) if match[3] else None
        if port is not None and not 0 < port < 65536:
            raise ValueError(f"`{port}` is not a TCP port")
        if match[1] == match[2]:
            raise ValueError(f"an edge joins two services; `{match[1]}` is on both ends")
        return cls(match[1], match[2], port)

    def __str__(self) -> str:
        return f"{self.client} -> {self.upstream}" + (f":{self.port}" if self.port else "")


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """A TCP port of a service, as named in a URL: what a probe or a workload talks to."""

    service: str
    port: int
    protocol: str = "tcp"


@dataclass(frozen=True, slots=True)
class Url(Written):
    """A URL whose host is a service name; chaoskit finds the reachable address itself."""

    scheme: str
    service: str
    port: int
    path: str = ""
    user: str | None = None
    password: str | None = None

    SCHEMES: ClassVar[Mapping[str, int]] = {"http": HTTP, "https": HTTPS}

    @classmethod
    def parse(cls, value: object) -> Self:
        """Parse and check scheme, host and port; raises `ValueError` in a user's words."""
        if isinstance(value, cls):
            return value
        wanted = " or ".join(f"{scheme}://" for scheme in cls.SCHEMES)
        if not isinstance(value, str) or "://" not in value:
            raise ValueError(f"expected a URL starting with {wanted}, got {_described(value)}")
        try:
            parts = urlsplit(value)
            port = parts.port
        except ValueError:
            raise ValueError("not a URL: after the host comes `:` and a port up to 65535") from None
        if parts.scheme not in cls.SCHEMES:
            raise ValueError(f"`{parts.scheme}://` is not possible here, only {wanted}")
        if port == 0:
            raise ValueError("0 is not a TCP port")
        if not parts.hostname:
            raise ValueError("the URL has no host; write the service name there")
        host = parts.netloc.rpartition("@")[2].rpartition(":")[0] or parts.netloc.rpartition("@")[2]
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        return cls(
            parts.scheme,
            host,
            port or cls.SCHEMES[parts.scheme],
            path,
            unquote(parts.username) if parts.username else None,
            unquote(parts.password) if parts.password else None,
        )

    @property
    def target(self) -> Target:
        known = SCHEMES.get(self.scheme)
        return Target(self.service, self.port, known.protocol if known else "tcp")

    def __str__(self) -> str:
        """Return the URL without its password: this is what output shows."""
        user = f"{self.user or ''}:***@" if self.password else f"{self.user}@" if self.user else ""
        return f"{self.scheme}://{user}{self.service}:{self.port}{self.path}"

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string", "pattern": f"^({'|'.join(cls.SCHEMES)})://"}


class HttpUrl(Url):
    """`http://chat:8082/healthz`."""


class RedisUrl(Url):
    """`redis://redis:6379/0`."""

    SCHEMES: ClassVar[Mapping[str, int]] = {"redis": REDIS}

    @classmethod
    def parse(cls, value: object) -> Self:
        url = super().parse(value)
        if not re.fullmatch(r"(/[0-9]*)?", url.path):
            raise ValueError(f"`{url.path}` is not a Redis database: write its number, such as /0")
        return url

    @property
    def db(self) -> int:
        """The number of the database; 0 where none is given."""
        return int(self.path.strip("/") or 0)


class PostgresUrl(Url):
    """`postgres://user:password@postgres:5432/database`."""

    SCHEMES: ClassVar[Mapping[str, int]] = {"postgres": POSTGRES, "postgresql": POSTGRES}
    SSL_MODES: ClassVar[Collection[str]] = ("disable", "allow", "prefer", "require")

    @classmethod
    def parse(cls, value: object) -> Self:
        url = super().parse(value)
        options = parse_qsl(urlsplit(url.path).query, keep_blank_values=True)
        if len(options) > 1 and {name for name, _ in options} == {"sslmode"}:
            raise ValueError("`sslmode` is given more than once here")
        for name, given in options:
            if name != "sslmode":
                raise ValueError(f"`{name}` is no option of the connection here, only `sslmode`")
            if given not in cls.SSL_MODES:
                raise ValueError(
                    f"`sslmode={given}` is not possible here, only {', '.join(cls.SSL_MODES)}:"
                    " certificates are not checked"
                )
        return url

    @property
    def database(self) -> str:
        """The name of the database; empty where none is given."""
        return unquote(urlsplit(self.path).path.strip("/"))

    def option(self, name: str) -> str | None:
        """Return one option of the query part, such as `sslmode`."""
        return dict(parse_qsl(urlsplit(self.path).query)).get(name)


class TcpUrl(Url):
    """`tcp://rabbit:5672`; the port must be given."""

    SCHEMES: ClassVar[Mapping[str, int]] = {"tcp": 0}

    @classmethod
    def parse(cls, value: object) -> Self:
        url = super().parse(value)
        if url.port == 0:
            raise ValueError(f"the URL needs a port, such as {url.scheme}://{url.service}:5672")
        return url


FOLDER = "folder"  # in the context of a validation: where the scenario file is


def _beside_scenario(written: str, info: ValidationInfo) -> str:
    """Return the absolute path of a file that is there; a stored scenario has it already."""
    if info.context is None:
        return written
    path = Path(info.context[FOLDER], written)
    if not path.is_file():
        raise ValueError(f"there is no file `{path}`")
    return str(path)


File = Annotated[str, Field(min_length=1), AfterValidator(_beside_scenario)]
Name = Annotated[str, Field(pattern=rf"^{_NAME}$", max_length=64)]
ServiceName = Annotated[str, Field(pattern=rf"^{_NAME}$", max_length=128)]
Command = (  # a text goes to a shell, a list is run as it is
    Annotated[str, Field(min_length=1)]
    | Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]
)


def _described(value: object) -> str:
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, int | float):
        return f"the bare number {value}"
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "a mapping"
    return "nothing" if value is None else f"`{value}`"
