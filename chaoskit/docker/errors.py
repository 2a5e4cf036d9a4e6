"""What docker-py and requests raise, in our words: what is missing and what to do about it."""

from __future__ import annotations

import functools
import json
import os
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from chaoskit.docker.call import EngineGone, NoSuchContainer
from chaoskit.errors import ChaoskitError, EnvironmentFailure, causes
from chaoskit.text import one_line

T = TypeVar("T")

DEFAULT_ADDRESS = "unix:///var/run/docker.sock"

_START = "start Docker (Docker Desktop, `systemctl start docker` or `make setup`)"
_RESTART = "see the engine's log (`journalctl -u docker`) or restart it"
_PERMIT = (
    "join the group that owns the socket (`sudo usermod -aG docker $USER`, then log in again), "
    "or run chaoskit as a user who may use it"
)
_TLS = (
    "chaoskit uses no certificates: reach the engine by its unix socket, "
    "or forward that with `ssh -L`"
)
IN_CONTAINER = (
    "chaoskit runs in a container: start that with `--network host` and"
    " `-v /var/run/docker.sock:/var/run/docker.sock`, for it talks to ports of the engine's host"
)
_ADDRESS = "check DOCKER_HOST and `docker context inspect`"
_PROXY = "name the engine's host in NO_PROXY, or unset HTTP_PROXY and HTTPS_PROXY"


@dataclass(frozen=True, slots=True)
class _Meaning:
    """What one of these errors says about the engine, wherever it is in the chain of causes."""

    errors: tuple[type[BaseException], ...]
    says: str
    hint: str | None
    kind: type[EnvironmentFailure] = EnvironmentFailure


def translated(what: str, function: Callable[[], T], address: str) -> T:
    """Return what a call of the engine at `address` returns; `what` was called, for messages.

    Raises `NoSuchContainer` for what is not there, `EngineGone` when no engine answers that may be
    back later, and `EnvironmentFailure` for all else that docker-py and requests raise. Any
    other error is a bug and is raised as it is.
    """
    try:
        return function()
    except Exception as error:
        ours = _ours(error, f"the Docker engine at `{address}`", _way_there(address))
        if ours is None:
            raise
        text = f"{what}: {ours.message}" if what else ours.message
        raise type(ours)(text, hint=ours.hint) from error


def is_in_container() -> bool:
    """Return whether this process runs in a container."""
    return any(Path(mark).exists() for mark in ("/.dockerenv", "/run/.containerenv"))


def _way_there(address: str) -> str:
    """Return what to do when nothing answers at an address: starting Docker helps only where the
    address is that of an engine of this machine."""
    if address.startswith("tcp://") and (
        os.environ.get("DOCKER_TLS_VERIFY") or os.environ.get("DOCKER_CERT_PATH")
    ):
        return _TLS
    if address == os.environ.get("DOCKER_HOST"):
        return f"{_START}, or unset DOCKER_HOST, which names this address"
    if address != DEFAULT_ADDRESS:
        return f"{_START}, or use another context than this one: `docker context ls`"
    return IN_CONTAINER if is_in_container() else _START


def _ours(error: Exception, engine: str, way_there: str) -> ChaoskitError | None:
    from docker.errors import APIError, DockerException, ImageNotFound, NotFound, StreamParseError
    from requests.exceptions import RequestException
    from urllib3.exceptions import HTTPError

    if isinstance(error, NotFound) and not isinstance(error, ImageNotFound):
        return NoSuchContainer(str(error.explanation or error))
    if isinstance(error, APIError):
        said = str(error.explanation or error)
        return EnvironmentFailure(said, hint=_TLS if "HTTPS server" in said else None)
    theirs = (DockerException, StreamParseError, RequestException, HTTPError)
    if not isinstance(error, (*theirs, OSError, json.JSONDecodeError)):
        return None
    chain = list(causes(error))
    for meaning in _meanings():
        if any(isinstance(cause, meaning.errors) for cause in chain):
            hint = way_there if meaning.hint is _START or way_there is _TLS else meaning.hint
            return meaning.kind(f"{engine} {meaning.says}", hint=hint)
    if isinstance(error, (DockerException, RequestException)):
        return EnvironmentFailure(f"{engine}: {one_line(str(error), 300)}", hint=_ADDRESS)
    return EngineGone(f"{engine} does not answer", hint=way_there)


@functools.cache
def _meanings() -> tuple[_Meaning, ...]:
    """Return what the errors mean, the more telling first."""
    import requests.exceptions as http
    import urllib3.exceptions as pool
    from docker.errors import InvalidVersion, StreamParseError, TLSParameterError

    tls = (ssl.SSLError, http.SSLError, pool.SSLError, TLSParameterError)
    address = (http.InvalidURL, http.InvalidSchema, http.MissingSchema, http.URLRequired)
    late = (TimeoutError, http.Timeout, pool.TimeoutError)
    strange = (json.JSONDecodeError, http.TooManyRedirects, StreamParseError)
    cut = (ConnectionError, http.ChunkedEncodingError, http.ContentDecodingError)
    lost = (http.ConnectionError, http.RetryError)
    gone = "does not answer"
    return (
        _Meaning((PermissionError,), "may not be used by this user", _PERMIT),
        _Meaning(tls, "cannot be reached by TLS", _TLS),
        _Meaning((http.ProxyError,), "is behind a proxy that does not pass requests on", _PROXY),
        _Meaning(address, "has an invalid address", _ADDRESS),
        _Meaning((InvalidVersion,), "speaks another version of its API", "update Docker"),
        _Meaning((socket.gaierror,), f"{gone}: its host name is unknown", _ADDRESS, EngineGone),
        _Meaning((FileNotFoundError,), f"{gone}: there is no such socket", _START, EngineGone),
        _Meaning((ConnectionRefusedError,), f"{gone}: nothing listens there", _START, EngineGone),
        _Meaning(late, "gave no answer in time", _RESTART, EngineGone),
        _Meaning(strange, "gave an answer that is not from Docker", _ADDRESS),
        _Meaning(cut, "broke off its answer", _RESTART, EngineGone),
        _Meaning(lost, gone, _START, EngineGone),
    )
