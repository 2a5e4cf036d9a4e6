"""Whatever docker-py and requests raise becomes an error of ours that says what to do."""

from __future__ import annotations

import asyncio
import gc
import http.server
import inspect
import os
import socket
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docker.errors
import pytest
import requests.exceptions
from docker.transport.unixconn import UnixHTTPConnection

from chaoskit.docker import client
from chaoskit.docker.call import EngineGone, NoSuchContainer
from chaoskit.docker.client import Engine
from chaoskit.docker.errors import translated
from chaoskit.errors import ChaoskitError, EnvironmentFailure, ExitCode

ADDRESS = "unix:///engine.sock"
START, PERMIT, CHECK = "start Docker", "usermod -aG docker", "check DOCKER_HOST"
REFUSED = EnvironmentFailure

# What each class becomes, by name: the kind of error, and a part of its message.
EXPECTED: dict[str, tuple[type[ChaoskitError], str]] = {
    "docker.APIError": (REFUSED, "why"),
    "docker.BuildError": (REFUSED, "why"),
    "docker.ContainerError": (REFUSED, "why"),
    "docker.ContextAlreadyExists": (REFUSED, "why"),
    "docker.ContextException": (REFUSED, "why"),
    "docker.ContextNotFound": (REFUSED, "why"),
    "docker.DeprecatedMethod": (REFUSED, "why"),
    "docker.DockerException": (REFUSED, "why"),
    "docker.ImageLoadError": (REFUSED, "why"),
    "docker.ImageNotFound": (REFUSED, "why"),
    "docker.InvalidArgument": (REFUSED, "why"),
    "docker.InvalidConfigFile": (REFUSED, "why"),
    "docker.InvalidRepository": (REFUSED, "why"),
    "docker.InvalidVersion": (REFUSED, "speaks another version"),
    "docker.MissingContextParameter": (REFUSED, "why"),
    "docker.NotFound": (NoSuchContainer, "why"),
    "docker.NullResource": (REFUSED, "why"),
    "docker.StreamParseError": (REFUSED, "gave an answer that is not from Docker"),
    "docker.TLSParameterError": (REFUSED, "cannot be reached by TLS"),
    "requests.BaseHTTPError": (EngineGone, "does not answer"),
    "requests.ChunkedEncodingError": (EngineGone, "broke off its answer"),
    "requests.CompatJSONDecodeError": (REFUSED, "gave an answer that is not from Docker"),
    "requests.ConnectTimeout": (EngineGone, "gave no answer in time"),
    "requests.ConnectionError": (EngineGone, "does not answer"),
    "requests.ContentDecodingError": (EngineGone, "broke off its answer"),
    "requests.HTTPError": (REFUSED, "why"),
    "requests.InvalidHeader": (REFUSED, "why"),
    "requests.InvalidJSONError": (REFUSED, "why"),
    "requests.InvalidProxyURL": (REFUSED, "has an invalid address"),
    "requests.InvalidSchema": (REFUSED, "has an invalid address"),
    "requests.InvalidURL": (REFUSED, "has an invalid address"),
    "requests.JSONDecodeError": (REFUSED, "gave an answer that is not from Docker"),
    "requests.MissingSchema": (REFUSED, "has an invalid address"),
    "requests.ProxyError": (REFUSED, "is behind a proxy"),
    "requests.ReadTimeout": (EngineGone, "gave no answer in time"),
    "requests.RequestException": (REFUSED, "why"),
    "requests.RetryError": (EngineGone, "does not answer"),
    "requests.SSLError": (REFUSED, "cannot be reached by TLS"),
    "requests.StreamConsumedError": (REFUSED, "why"),
    "requests.Timeout": (EngineGone, "gave no answer in time"),
    "requests.TooManyRedirects": (REFUSED, "gave an answer that is not from Docker"),
    "requests.URLRequired": (REFUSED, "has an invalid address"),
    "requests.UnrewindableBodyError": (REFUSED, "why"),
}

ANSWERS = {"docker.APIError", "docker.NotFound", "docker.ImageNotFound"}  # the engine was reached


def every_class() -> dict[str, type[Exception]]:
    return {
        f"{module.__name__.partition('.')[0]}.{name}": one
        for module in (docker.errors, requests.exceptions)
        for name, one in vars(module).items()
        if inspect.isclass(one) and issubclass(one, Exception) and not issubclass(one, Warning)
    }


def made(kind: type[Exception]) -> Exception:
    if "JSONDecode" in kind.__name__:
        return kind("why", "{", 0)
    needed = [
        p for p in inspect.signature(kind.__init__).parameters.values() if p.default is p.empty
    ]
    named = [p for p in needed if p.kind is p.POSITIONAL_OR_KEYWORD and p.name != "self"]
    return kind(*["why" for _ in named] or ["why"])


def failing(error: BaseException) -> Callable[[], None]:
    def function() -> None:
        raise error

    return function


def outcome(error: BaseException) -> ChaoskitError:
    with pytest.raises(ChaoskitError) as caught:
        translated("inspect", failing(error), ADDRESS)
    assert caught.value.__cause__ is error
    return caught.value


def test_every_class_that_they_have_is_listed_here() -> None:
    assert sorted(every_class()) == sorted(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_each_becomes_ours_and_says_what_was_called(name: str) -> None:
    kind, part = EXPECTED[name]
    error = outcome(made(every_class()[name]))
    assert type(error) is kind
    assert error.message.startswith("inspect: ")
    assert part in error.message
    starts = START in (error.hint or "")
    assert not starts or kind is EngineGone, "only an engine that is not there is to be started"


@pytest.mark.parametrize("name", sorted(EXPECTED.keys() - ANSWERS))
def test_a_denied_permission_is_found_under_each_of_them(name: str) -> None:
    error = made(every_class()[name])
    error.__cause__ = PermissionError(13, "Permission denied")
    ours = outcome(error)
    assert (type(ours), PERMIT in str(ours.hint)) == (EnvironmentFailure, True)


@pytest.mark.parametrize(
    ("error", "kind", "part"),
    [
        (ConnectionResetError(104, "reset"), EngineGone, "broke off its answer"),
        (BrokenPipeError(32, "pipe"), EngineGone, "broke off its answer"),
        (TimeoutError("late"), EngineGone, "gave no answer in time"),
        (OSError(113, "no route"), EngineGone, "does not answer"),
    ],
)
def test_what_sockets_raise_is_translated_too(
    error: OSError, kind: type[ChaoskitError], part: str
) -> None:
    ours = outcome(error)
    assert type(ours) is kind
    assert part in ours.message


@pytest.mark.parametrize("error", [TypeError("a bug"), KeyError("x"), EngineGone("ours")])
def test_a_bug_stays_a_bug_and_ours_stays_ours(error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        translated("inspect", failing(error), ADDRESS)
    assert caught.value is error


def test_what_works_is_returned() -> None:
    assert translated("inspect", lambda: 7, ADDRESS) == 7


# -- real engines that cannot be used ------------------------------------------------------------


class _NoDocker(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>")

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def no_docker() -> Any:
    with http.server.HTTPServer(("127.0.0.1", 0), _NoDocker) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


async def use() -> None:
    async with Engine.connect():
        pass


def at(address: str, monkeypatch: pytest.MonkeyPatch) -> ChaoskitError:
    """Return what becomes of an attempt to use the engine at an address."""
    for name in os.environ:
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("DOCKER_HOST", address)
    monkeypatch.setattr(client, "CALL_DEADLINE", 0.3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # docker-py leaves a failed socket open
        try:
            asyncio.run(use())
        except ChaoskitError as error:
            said = type(error)(error.message, hint=error.hint)
        gc.collect()
    assert said.exit_code is ExitCode.ENVIRONMENT
    assert said.message.startswith(f"the Docker engine at `{address}`")
    return said


def test_no_permission_says_so_and_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    denied = PermissionError(13, "Permission denied")
    monkeypatch.setattr(UnixHTTPConnection, "connect", lambda _self: failing(denied)())
    error = at("unix:///var/run/docker.sock", monkeypatch)
    assert error.message.endswith("may not be used by this user")
    assert PERMIT in str(error.hint)
    assert START not in str(error.hint)


def test_a_missing_socket_is_an_engine_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    error = at("unix:///nonexistent.sock", monkeypatch)
    assert error.message.endswith("does not answer: there is no such socket")
    assert START in str(error.hint)


def test_a_socket_without_a_listener_is_an_engine_to_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(tmp_path / "dead.sock"))
    error = at(f"unix://{tmp_path}/dead.sock", monkeypatch)
    assert error.message.endswith("does not answer: nothing listens there")
    assert START in str(error.hint)


def test_an_engine_that_hangs_is_not_to_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        error = at(f"tcp://127.0.0.1:{server.getsockname()[1]}", monkeypatch)
    assert error.message.endswith("gave no answer in time")
    assert "restart it" in str(error.hint)


def test_what_speaks_no_tls_says_so(monkeypatch: pytest.MonkeyPatch, no_docker: str) -> None:
    error = at(f"https://{no_docker}", monkeypatch)
    assert error.message.endswith("cannot be reached by TLS")
    assert "certificates" in str(error.hint)


def test_another_server_is_no_engine(monkeypatch: pytest.MonkeyPatch, no_docker: str) -> None:
    error = at(f"tcp://{no_docker}", monkeypatch)
    assert error.message.endswith("gave an answer that is not from Docker")
    assert CHECK in str(error.hint)


@pytest.mark.parametrize("address", ["ftp://x", "/var/run/docker.sock"])
def test_an_address_that_is_none_names_where_it_is_set(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    assert CHECK in str(at(address, monkeypatch).hint)


def way_out(address: str, error: Exception) -> str:
    """Return the hint about an engine that cannot be reached."""

    def fail() -> None:
        raise error

    with pytest.raises(EnvironmentFailure) as caught:
        translated("", fail, address)
    return caught.value.hint or ""


def test_docker_is_to_be_started_only_where_nothing_else_is_the_matter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
        monkeypatch.delenv(name, raising=False)
    missing = FileNotFoundError(2, "no such file")
    usual = "unix:///var/run/docker.sock"
    monkeypatch.setattr("chaoskit.docker.errors.is_in_container", lambda: False)
    assert way_out(usual, missing).startswith("start Docker")
    assert "docker context ls" in way_out("unix:///home/a/.docker/desktop.sock", missing)
    assert "usermod" in way_out(usual, PermissionError(13, "no"))
    monkeypatch.setattr("chaoskit.docker.errors.is_in_container", lambda: True)
    assert "--network host" in way_out(usual, missing)
    refused = ConnectionRefusedError(111, "no")
    monkeypatch.setenv("DOCKER_HOST", "tcp://x:2376")
    assert "unset DOCKER_HOST" in way_out("tcp://x:2376", refused)
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    assert "certificates" in way_out("tcp://x:2376", refused)
