"""Settings from the environment, checked before anything starts."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from urllib.parse import urlsplit

BUGS = ("", "cache-as-truth", "no-reconnect")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class ConfigError(Exception):
    """One line for each bad variable: its name, its value, what is expected."""


def masked(value: str) -> str:
    """The value with the password of a URL hidden."""
    return re.sub(r"(?<=://)([^/@]*):[^@]*@", r"\1:***@", value)


def parse_duration(text: str) -> float:
    """Seconds of `1h`, `15m`, `30s`, `500ms`, `1h30m`."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError("a duration such as 500ms, 30s, 15m or 1h")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def _duration(low: float, high: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        seconds = parse_duration(text)
        if not low <= seconds <= high:
            raise ValueError(f"a duration from {low:g}s to {high:g}s")
        return seconds

    return parse


def _integer(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"\d{1,9}", text) or not low <= int(text) <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return int(text)

    return parse


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError("true or false")
    return text.lower() == "true"


def _url(*schemes: str, empty: bool = False) -> Callable[[str], str]:
    def parse(text: str) -> str:
        expected = ValueError(f"a URL such as {schemes[0]}://host:port")
        if empty and not text:
            return text
        try:
            parts = urlsplit(text)
            _ = parts.port  # raises when it is no number
        except ValueError:
            raise expected from None
        if parts.scheme not in schemes or not parts.hostname:
            raise expected
        return text

    return parse


def _bug(text: str) -> str:
    if text not in BUGS:
        raise ValueError(f"nothing, or one of {', '.join(BUGS[1:])}")
    return text


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting; durations in seconds. Each field is the variable of the same name in capitals."""

    database_url: str
    max_api_url: str
    redis_url: str
    redis_max_retries: int
    redis_retry_delay: float
    redis_health_check_interval: float
    participants_cache_ttl: float
    participants_update_interval: float
    participants_full_update_hour: int
    participants_batch_size: int
    participants_max_api_timeout: float
    participants_stale_threshold: float
    participants_enable_background_sync: bool
    participants_enable_lazy_update: bool
    participants_integration_disabled: bool
    bug: str

    def public(self) -> dict[str, object]:
        """All settings for the log, without secrets."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            name: masked(value) if isinstance(value, str) else value
            for name, value in found.items()
        }


# variable: default, and the parser that says what it expects
_VARIABLES: dict[str, tuple[str, Callable[[str], object]]] = {
    "DATABASE_URL": ("postgres://chat:chat@postgres:5432/chat", _url("postgres", "postgresql")),
    "MAX_API_URL": ("http://max-api:8080", _url("http", "https")),
    "REDIS_URL": ("redis://redis:6379/0", _url("redis", "rediss", empty=True)),
    "REDIS_MAX_RETRIES": ("5", _integer(0, 100)),
    "REDIS_RETRY_DELAY": ("1s", _duration(0.01, 60)),
    "REDIS_HEALTH_CHECK_INTERVAL": ("30s", _duration(0.05, 3600)),
    "PARTICIPANTS_CACHE_TTL": ("1h", _duration(0.1, 2_592_000)),
    "PARTICIPANTS_UPDATE_INTERVAL": ("15m", _duration(0.1, 86_400)),
    "PARTICIPANTS_FULL_UPDATE_HOUR": ("3", _integer(0, 23)),
    "PARTICIPANTS_BATCH_SIZE": ("50", _integer(1, 10_000)),
    "PARTICIPANTS_MAX_API_TIMEOUT": ("30s", _duration(0.05, 300)),
    "PARTICIPANTS_STALE_THRESHOLD": ("1h", _duration(0, 2_592_000)),
    "PARTICIPANTS_ENABLE_BACKGROUND_SYNC": ("true", _boolean),
    "PARTICIPANTS_ENABLE_LAZY_UPDATE": ("true", _boolean),
    "PARTICIPANTS_INTEGRATION_DISABLED": ("false", _boolean),
    "BUG": ("", _bug),
}


def load(environ: Mapping[str, str]) -> Settings:
    """Read and check every variable; raises `ConfigError` naming all bad ones."""
    values: dict[str, object] = {}
    problems = []
    for name, (default, parse) in _VARIABLES.items():
        text = environ.get(name, default)
        try:
            values[name.lower()] = parse(text)
        except ValueError as error:
            problems.append(f'{name}="{masked(text)}" is not valid: expected {error}')
    if problems:
        raise ConfigError("\n".join(problems))
    return Settings(**values)  # type: ignore[arg-type]  # each parser returns its field's type
