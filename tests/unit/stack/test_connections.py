"""Reading `/proc/net/tcp` and `/proc/net/tcp6`, with rows copied from real containers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pytest

from chaoskit.docker.exec import ContainerExec, ExecResult
from chaoskit.errors import FaultFailed
from chaoskit.stack.connections import Connection, Sockets, parse_tables, sockets_of
from tests.fakes.fake_stores import FakeExec
from tests.fakes.fake_toxiproxy import Fuse
from tests.fakes.fake_world import FakeEngine, container

TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0B00007F:9E2D 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 10931 1
   1: 040012AC:D3C2 030012AC:18EB 01 00000000:00000000 02:0000AAAA 00000000     0        0 11201 2
   2: 040012AC:D3C4 030012AC:18EB 06 00000000:00000000 03:00000F3A 00000000     0        0 0 3
  sl  local_address                         remote_address                        st tx_queue
   0: 00000000000000000000000000000000:1F92 00000000000000000000000000000000:0000 0A 00000000
   1: 0000000000000000FFFF0000040012AC:1F92 0000000000000000FFFF0000010012AC:E1A4 01 00000000
   2: B80D0120000000000000000002000000:1F92 B80D0120000000000000000001000000:9C40 01 00000000
"""


def test_it_reads_ipv4_ipv6_and_mapped_addresses() -> None:
    sockets = parse_tables(TABLE)
    assert sockets is not None
    assert sockets.connections == (
        Connection("172.18.0.3", 6379, 1, 54210),
        Connection("172.18.0.3", 6379, 6, 54212),
        Connection("172.18.0.1", 57764, 1, 8082),
        Connection("2001:db8::1", 40000, 1, 8082),
    )


def test_only_what_others_can_reach_counts_as_listening() -> None:
    loopback6 = "00000000000000000000000001000000:1F93 00000000000000000000000000000000:0000 0A 0"
    one_address = "040012AC:1F94 00000000:0000 0A 00000000:00000000"
    sockets = parse_tables(f"{TABLE}   3: {loopback6}\n   4: {one_address}\n")
    assert sockets is not None
    assert sockets.listening == {8082, 8084}


@pytest.mark.parametrize("text", ["", "\n\n", "cat: no such file\n"])
def test_a_text_that_is_no_table_has_no_sockets(text: str) -> None:
    assert parse_tables(text) is None


class Cat(FakeExec):
    """Containers that answer `cat` with a text, or not at all."""

    text: str | None = None

    async def run(self, container_id: str, argv: Sequence[str], **_: object) -> ExecResult:
        if self.text is None:
            raise FaultFailed("exec: no such file `cat`")
        return ExecResult(0, self.text, "")


def exec(text: str | None) -> ContainerExec:
    made = FakeEngine(Fuse())
    cat = Cat(made, Fuse())
    cat.text = text
    return cast("ContainerExec", cat)


@pytest.mark.parametrize(
    ("text", "count"), [(TABLE, 4), (TABLE.splitlines()[0], 0), (None, None), ("", None)]
)
async def test_a_table_that_cannot_be_read_is_not_an_empty_one(
    text: str | None, count: int | None
) -> None:
    sockets = await sockets_of(exec(text), container("chat", pid=2**22 + 1))
    assert (None if sockets is None else len(sockets.connections)) == count


async def test_a_container_that_does_not_run_has_no_connections() -> None:
    assert await sockets_of(exec(None), container("chat", status="exited")) == Sockets()
