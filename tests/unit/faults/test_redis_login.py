"""As whom a Redis is asked, by where its server or a client got a password."""

from __future__ import annotations

import pytest

from chaoskit.faults.engines.redis_login import (
    Login,
    forget,
    in_command,
    in_file,
    login_variables,
    of_client,
    of_server,
)
from chaoskit.faults.engines.stores import Store, StoreUndo
from tests.fakes.fake_world import World, container

URL = "redis://app:s%40me@cache:6379/0"


@pytest.mark.parametrize(
    ("words", "login"),
    [
        (["redis-server", "--requirepass", "sesame"], Login("sesame")),
        (["redis-server", "--requirepass=sesame", "--save", ""], Login("sesame")),
        (["sh", "-c", "redis-server --requirepass 'sesame'"], Login("sesame")),
        (["sh", "-c", "exec redis-server --requirepass 'two words'"], Login("two words")),
        (["redis-server", "--requirepass", 'it\'s a "pass"'], Login('it\'s a "pass"')),
        (["redis-server", "--requirepass", "--save"], Login("--save")),
        (["redis-server", "--save", ""], None),
        (["redis-server", "--user", "default", "on", ">one", "~*", "+@all"], Login("one")),
        (["redis-server", "--user", "default on >one ~* +@all"], Login("one")),
        (["redis-server", "--user", "ops", "on", ">two", "allkeys", "allcommands", "--save", ""],
         Login("two", "ops")),
        (["redis-server", "--user", "off", "off", ">two", "+@all"], None),
    ],
)  # fmt: skip
def test_a_login_is_found_in_the_command_line(words: list[str], login: Login | None) -> None:
    assert of_server(in_command(words)) == login


@pytest.mark.parametrize(
    ("text", "login"),
    [
        ("# requirepass no\nrequirepass sesame\n", Login("sesame")),
        ('  RequirePass "it\'s \\"x\\" \\x41"', Login('it\'s "x" A')),
        ("requirepass 'it\\'s \\n'", Login("it's \\n")),
        ('requirepass ""', None),
        ("user app on >one +get\nuser ops on >two +@all\n", Login("two", "ops")),
        ("user app on >one +@all -config\nuser other on >two +get", Login("one", "app")),
        ("user default off\nuser app on >old >one +@all", Login("one", "app")),
        ("user ops on #2bd806c97f0e00af +@all", None),
        ('user ops on ">my pass" +@all', Login("my pass", "ops")),
        ("user default on nopass ~* +@all", None),
    ],
)
def test_a_login_is_found_in_a_file(text: str, login: Login | None) -> None:
    assert of_server(in_file(text)) == login


@pytest.mark.parametrize(
    ("environment", "login"),
    [
        ({"REDIS_URL": URL}, Login("s@me", "app")),
        ({"URLS": f"http://x,{URL}"}, Login("s@me", "app")),
        ({"REDIS_URL": "rediss://default:x@cache"}, Login("x")),
        ({"REDIS_URL": "redis://:x@CACHE:6379"}, Login("x")),
        ({"REDIS_URL": "redis://:x@other:6379"}, None),
        ({"REDIS_URL": "redis://cache:6379"}, None),
        ({"CACHE_HOST": "cache", "CACHE_USER": "me", "CACHE_PASSWORD": "x"}, Login("x", "me")),
        ({"CACHE_HOST": "other", "CACHE_PASSWORD": "x"}, None),
    ],
)
def test_a_login_is_found_where_a_client_has_it(
    environment: dict[str, str], login: Login | None
) -> None:
    assert of_client(environment, "cache") == login


async def test_files_that_files_name_are_read_and_clients_are_asked_last(world: World) -> None:
    world.service("cache")
    world.service("web")
    store = Store(await world.stack(), container("cache"), StoreUndo(fault="f", service="cache",
                                                                     port=None))  # fmt: skip
    inside = world.engine.exec
    inside.command = ["redis-server", "/etc/redis.conf"]
    assert await login_variables(store) == {}
    forget(store)  # it is kept until it is refused
    inside.environment_of[container("web").id] = {"REDIS_URL": URL}
    assert await login_variables(store) == {"CHAOSKIT_AUTH": "s@me", "CHAOSKIT_USER": "app"}
    forget(store)
    inside.texts |= {
        "/etc/redis.conf": "include /etc/more.conf",
        "/etc/more.conf": "include /etc/redis.conf\naclfile /etc/users.acl",
        "/etc/users.acl": "user ops on >two ~* +@all",
    }
    assert await login_variables(store) == {"CHAOSKIT_AUTH": "two", "CHAOSKIT_USER": "ops"}
