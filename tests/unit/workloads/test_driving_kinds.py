"""What the driver does with the steps of a kind: what follows them, views by key, subscribers."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any, cast

import pytest

from chaoskit.records import Event, Json
from chaoskit.workloads.operations._base import FeedEnded, Reply
from tests.fakes import virtual_time
from tests.fakes.virtual_time import virtual
from tests.unit.workloads.scripted import Fields, Session, driver, example, ran, seen

OK = Reply("ok")


# -- locks ---------------------------------------------------------------------------------------


class Locks:
    """One lock with a fencing token, or what a test says of an acquire."""

    def __init__(self, taken: Reply | None = None) -> None:
        self.taken = taken
        self.token = 0
        self.holder: Json = None
        self.released: list[Fields] = []

    def __call__(self, op: str, fields: Fields) -> Reply:
        if op == "release":
            self.released.append(fields)
            self.holder = None
            return OK
        if self.taken is not None:
            return self.taken
        if self.holder is not None:
            return Reply("ok", None)  # `refused: [null]`
        self.token += 1
        self.holder = fields["owner"]
        return Reply("ok", self.token)


def lock(**fields: Any) -> Any:
    return example("lock", rate="10/s", hold="250ms", **fields)


@virtual
async def test_one_process_acquires_holds_and_releases_with_its_token() -> None:
    app, history = Locks(), list[Event]()
    subject = driver(lock(), app, history)
    await ran(subject, 1.55)
    assert seen(history, "acquire") == [
        (0, "sync", 1),
        (0.3, "sync", 2),
        (0.6, "sync", 3),
        (0.9, "sync", 4),
        (1.2, "sync", 5),
        (1.5, "sync", 6),
    ]
    held = [t for t, _, _ in seen(history, "release")]
    assert held == [0.25, 0.55, 0.85, 1.15, 1.45, 1.55]  # the last is not held when it is over
    assert [value for _, _, value in seen(history, "release")] == [1, 2, 3, 4, 5, 6]
    assert [fields["token"] for fields in app.released] == [1, 2, 3, 4, 5, 6]
    pairs = {
        op: [e.process for e in history if (e.op, e.type) == (op, "ok")]
        for op in ("acquire", "release")
    }
    assert pairs["acquire"] == pairs["release"]
    assert len(seen(history, "acquire", "fail")) == 10  # two while each of five is held
    assert subject.acknowledged == 6


@pytest.mark.parametrize("outcome", ["fail", "info"])
@virtual
async def test_a_lock_that_was_not_taken_for_sure_is_not_released(outcome: Any) -> None:
    app, history = Locks(Reply(outcome)), list[Event]()
    await ran(driver(lock(), app, history), 0.95)
    assert len(seen(history, "acquire", outcome)) == 10
    assert app.released == []


# -- what an answer says -------------------------------------------------------------------------


@virtual
async def test_an_answer_that_is_refused_is_a_fail() -> None:
    swap = {"redis": "EVAL s 1 {key} {old} {new}", "store": "redis://r:6379", "refused": [0, "no"]}
    answers = iter([0, "no", [0], 1, False, None, []])

    def app(op: str, fields: Fields) -> Reply:
        return Reply("ok", next(answers, 1) if op == "cas" else 0)

    history = list[Event]()
    flags = example("register", rate="20/s", reads="1/m", keys=["f"], initial=5, cas=swap)
    await ran(driver(flags, app, history), 2)
    ended = [e for e in history if e.op == "cas" and e.type != "invoke"]
    assert [e.type for e in ended[:7]] == ["fail", "fail", "fail", "ok", "ok", "ok", "ok"]
    assert ended[0].error == "refused by its answer"


@virtual
async def test_an_acquire_that_echoes_its_owner_gives_no_token() -> None:
    def app(op: str, fields: Fields) -> Reply:
        return OK if op == "release" else Reply("ok", fields["owner"])

    history = list[Event]()
    await ran(driver(lock(), app, history), 0.95)
    ended = [e for e in history if e.op == "acquire" and e.type != "invoke"]
    assert {e.type for e in ended} == {"info"}
    assert "the owner it was sent, and not a token" in (ended[0].error or "")


@virtual
async def test_versions_and_values_rise_from_what_was_there_and_not_from_what_is_read_later() -> (
    None
):
    for kind in ("versions", "register"):
        reads = iter([7, 7])

        def app(op: str, fields: Fields, reads: Any = reads) -> Reply:
            return OK if op == "write" else Reply("ok", next(reads, 1_700_000))

        history = list[Event]()
        one = {"truth": None} if kind == "versions" else {"cas": None}
        kept = example(kind, keys=["a", "b"], clients=2, rate="20/s", reads="9/s", **one)
        await ran(driver(kept, app, history), 0.95)
        written = {key: [v for _, k, v in seen(history, "write") if k == key] for key in "ab"}
        for key, values in written.items():
            assert values == list(range(8, 8 + len(values))), (kind, key)


# -- queues --------------------------------------------------------------------------------------


class Jobs:
    """A queue; a drain takes out two messages at once."""

    def __init__(self) -> None:
        self.waiting: list[Json] = []

    def __call__(self, op: str, fields: Fields) -> Reply:
        if op == "send":
            self.waiting.append(fields["value"])
            return OK
        taken = self.waiting[:2]
        del self.waiting[:2]
        return Reply("ok", [str(value) for value in taken])


@virtual
async def test_a_queue_is_drained_until_it_gives_nothing() -> None:
    app, history = Jobs(), list[Event]()
    subject = driver(example("queue", rate="5/s", receive=None), app, history)
    await ran(subject, 0.9)
    assert [value for _, _, value in seen(history, "drain")] == [[]]
    assert await subject.final_reads()
    sent = [value for _, _, value in seen(history, "send")]
    assert len(sent) == 5
    taken = [value for _, _, value in seen(history, "drain")]
    assert taken == [[], sent[:2], sent[2:4], sent[4:], []]
    assert subject.acknowledged == 5


@virtual
async def test_what_an_earlier_run_left_in_a_queue_is_taken_out_and_not_sent_again() -> None:
    app, first, second, third = Jobs(), list[Event](), list[Event](), list[Event]()
    jobs = example("queue", rate="5/s", receive=None)
    await ran(driver(jobs, app, first), 0.9)  # nobody drains it
    old = list(app.waiting)
    await ran(driver(jobs, app, second), 0.9)
    drained = [value for _, _, value in seen(second, "drain")]
    assert drained == [[*old[:2]], [*old[2:4]], [*old[4:]], []]
    new = [value for _, _, value in seen(second, "send")]
    assert len(new) == 5
    assert not set(old) & set(new)
    app.waiting = []
    await ran(driver(jobs, app, third), 0.9)
    assert [
        value for _, _, value in seen(third, "send")
    ] == old  # the seed's own, where it is empty


# -- sets ----------------------------------------------------------------------------------------


class Kept:
    """A set in a store that outlives a run; a read shows the first `page` values."""

    def __init__(self, page: int = 1000) -> None:
        self.values: list[Json] = []
        self.page = page

    def __call__(self, op: str, fields: Fields) -> Reply:
        if op == "add":
            self.values.append(fields["value"])
            return OK
        return Reply("ok", [str(value) for value in self.values[: self.page]])


@pytest.mark.parametrize("page", [1000, 3])
@virtual
async def test_a_store_that_is_not_empty_gets_values_that_it_never_held(page: int) -> None:
    app, members = Kept(page), example("set", rate="10/s", reads="1/s")
    runs = []
    for _ in range(3):
        history = list[Event]()
        await ran(driver(members, app, history), 1.95)
        runs.append([value for _, _, value in seen(history, "add")])
    assert [len(run) for run in runs] == [20, 20, 20]
    assert len(set(app.values)) == 60
    again = list[Event]()
    await ran(driver(members, Kept(), again), 1.95)
    assert [value for _, _, value in seen(again, "add")] == runs[0]


@virtual
async def test_what_a_stack_is_seeded_with_does_not_change_the_values_of_a_seed() -> None:
    runs = []
    for there in ([], [1, 2, 999_999], ["ann", 4_000_000_000]):
        app, history = Kept(), list[Event]()
        app.values = list(cast("list[Json]", there))
        await ran(driver(example("set", rate="10/s"), app, history), 0.95)
        runs.append([value for _, _, value in seen(history, "add")])
    assert runs[0] == runs[1] == runs[2]


@virtual
async def test_a_receive_in_doubt_retires_its_process() -> None:
    def app(op: str, fields: Fields) -> Reply:
        return Reply("info", error="timeout") if op == "receive" else OK

    history = list[Event]()
    await ran(driver(example("queue", rate="5/s", clients=1), app, history), 1.1)
    assert len({e.process for e in history if e.op == "receive"}) == 5
    assert {e.type for e in history if e.op == "receive"} == {"invoke", "info"}


# -- views by key --------------------------------------------------------------------------------


def versions(**fields: Any) -> Any:
    return example(
        "versions", **({"keys": 8, "clients": 4, "rate": "8/s", "reads": "1/m"} | fields)
    )


@virtual
async def test_views_of_many_keys_are_read_by_all_clients_at_once() -> None:
    history = list[Event]()
    subject = driver(versions(), lambda op, fields: 0.5, history)
    assert await subject.final_reads()
    assert virtual_time.now() == pytest.approx(2.05, abs=0.1)  # 8 reads, 8 truths, four at a time
    assert {e.process for e in history} == {0, 1, 2, 3}
    order = [e.op for e in history if e.type == "invoke"]
    assert order == ["read"] * 8 + ["truth"] * 8


@virtual
async def test_final_reads_that_fail_are_tried_again_for_a_while() -> None:
    tried: Counter[Json] = Counter()

    def app(op: str, fields: Fields) -> Reply:
        tried[fields["key"]] += op == "read"
        late = op == "read" and tried[fields["key"]] < 7
        return Reply("fail", error="status 503") if late else Reply("ok", 1)

    subject = driver(versions(keys=50), app, history := list[Event]())
    assert await subject.final_reads()
    assert len(seen(history, "read")) == len(seen(history, "truth")) == 50
    assert 1.2 <= virtual_time.now() < 1.5


@virtual
async def test_a_view_that_is_silent_is_given_up_after_a_while() -> None:
    subject = driver(versions(keys=50, timeout="2s"), lambda op, fields: 60.0, list[Event]())
    assert await subject.final_reads() is False
    assert 2 * 5 < virtual_time.now() < 2 * 8


@virtual
async def test_a_view_that_cannot_be_read_is_given_up_and_the_next_is_read() -> None:
    def app(op: str, fields: Fields) -> Reply:
        return Reply("fail", error="status 503") if op == "read" else Reply("ok", 1)

    history = list[Event]()
    subject = driver(versions(keys=50), app, history)
    assert await subject.final_reads() is False
    assert len(seen(history, "read", "fail")) == 50 * 10
    assert len(seen(history, "truth")) == 50


@virtual
async def test_a_key_in_doubt_is_not_written_again_through_the_driver() -> None:
    doubtful: set[Json] = set()
    writes: list[Json] = []

    def app(op: str, fields: Fields) -> Reply:
        if op != "write":
            return Reply("ok", None)
        assert fields["key"] not in doubtful
        writes.append(fields["key"])
        if len(writes) % 3:
            return OK
        doubtful.add(fields["key"])
        return Reply("info", error="status 503")

    await ran(driver(versions(), app, list[Event]()), 9.95)
    assert len(writes) == 80
    assert len(doubtful) == 26


# -- subscribers ---------------------------------------------------------------------------------


class Room:
    """Passes what is published on to who is connected; `lossy` numbers get lost."""

    def __init__(self) -> None:
        self.feeds: dict[Json, Session] = {}
        self.said: list[Json] = []
        self.refuses = 0
        self.lossy: set[int] = set()
        self.resynced: list[Fields] = []
        self.resync_fails = 0

    def __call__(self, op: str, fields: Fields) -> Reply:
        session = cast("Session", fields["session"])
        if op == "subscribe":
            if self.refuses:
                self.refuses -= 1
                return Reply("fail", error="connection refused")
            self.feeds[fields["subscriber"]] = session
        elif op == "publish":
            self.said.append(fields["value"])
            if len(self.said) not in self.lossy:
                for feed in self.feeds.values():
                    feed.messages.put_nowait({"n": fields["value"]})
        else:
            self.resynced.append(fields)
            if self.resync_fails:
                self.resync_fails -= 1
                return Reply("fail", error="status 503")
            return Reply(
                "ok", [n for n in self.said if cast("int", n) > cast("int", fields["last"])]
            )
        return OK

    def cut(self, subscriber: int) -> None:
        self.feeds.pop(subscriber).messages.put_nowait(cast("Json", FeedEnded("connection reset")))


def events(**fields: Any) -> Any:
    document = {"rate": "10/s", "clients": 1, "channels": ["lobby"], "subscribers": 2}
    return example("events", **(document | fields))


@virtual
async def test_every_subscriber_hears_every_event_at_once() -> None:
    room, history = Room(), list[Event]()
    subject = driver(events(), room, history)
    await ran(subject, 0.95)
    assert seen(history, "publish") == [(n / 10, "lobby", room.said[n]) for n in range(10)]
    heard = [e for e in history if (e.op, e.type) == ("receive", "ok")]
    assert {e.process for e in heard} == {1, 2}  # after the one client
    for process in (1, 2):
        mine = [(e.t, e.key, e.value) for e in heard if e.process == process]
        assert mine == seen(history, "publish")
    assert [e.t for e in history if e.op == "receive" and e.type == "invoke"] == [
        e.t for e in heard
    ]
    assert [e.process for e in history[:4] if e.op == "subscribe"] == [1, 2, 1, 2]
    assert virtual_time.now() == pytest.approx(0.95)
    assert subject.counts["receive"]["ok"] == 20
    assert subject.acknowledged == 10


@virtual
async def test_a_subscriber_that_was_cut_connects_again_and_reads_back_what_it_missed() -> None:
    room, history = Room(), list[Event]()
    loop = asyncio.get_running_loop()
    loop.call_later(0.35, room.cut, 2)
    await ran(driver(events(reconnect="300ms"), room, history), 0.95)
    mine = [(e.t, e.op, e.type) for e in history if e.process == 2 and e.type != "invoke"]
    assert mine[:6] == [
        (0, "subscribe", "ok"),
        (0, "receive", "ok"),
        (0.1, "receive", "ok"),
        (0.2, "receive", "ok"),
        (0.3, "receive", "ok"),
        (0.35, "subscribe", "info"),
    ]
    assert mine[6:8] == [(0.65, "subscribe", "ok"), (0.65, "resync", "ok")]
    assert mine[8:] == [(0.7, "receive", "ok"), (0.8, "receive", "ok"), (0.9, "receive", "ok")]
    assert [(f["subscriber"], f["last"], f["key"]) for f in room.resynced] == [
        (2, room.said[3], "lobby")
    ]
    (resync,) = [value for _, _, value in seen(history, "resync")]
    assert resync == room.said[4:7]
    ended = [e.error for e in history if e.op == "subscribe" and e.type == "info"]
    assert ended == ["connection reset"]
    assert virtual_time.now() == pytest.approx(0.95)  # nothing is missing: nobody waits


@virtual
async def test_a_subscriber_tries_again_until_it_is_connected_and_has_read_back() -> None:
    room, history = Room(), list[Event]()
    room.refuses = 3  # both at the start, one of them twice
    room.resync_fails = 2
    await ran(driver(events(), room, history), 2)
    assert len(seen(history, "subscribe", "fail")) == 3
    assert len(seen(history, "resync", "fail")) == 2
    assert len(seen(history, "resync")) == 2
    got = {
        process: {
            e.value for e in history if (e.process, e.op, e.type) == (process, "receive", "ok")
        }
        | {
            number
            for e in history
            if (e.process, e.op, e.type) == (process, "resync", "ok")
            for number in cast("list[int]", e.value)
        }
        for process in (1, 2)
    }
    assert got == {1: set(room.said), 2: set(room.said)}


@virtual
async def test_a_publisher_in_doubt_never_becomes_one_of_the_subscribers() -> None:
    room, history = Room(), list[Event]()

    def app(op: str, fields: Fields) -> Reply:
        return Reply("info", error="status 503") if op == "publish" else room(op, fields)

    await ran(driver(events(), app, history), 0.95)
    publishing = [e.process for e in history if (e.op, e.type) == ("publish", "info")]
    assert publishing == [0, 3, 6, 9, 12, 15, 18, 21, 24, 27]
    assert {e.process for e in history if e.op == "subscribe"} == {1, 2}


@virtual
async def test_the_end_waits_for_what_is_missing_but_not_for_ever() -> None:
    room, history = Room(), list[Event]()
    room.lossy = {4}
    await ran(driver(events(timeout="1s"), room, history), 0.95)
    assert virtual_time.now() == pytest.approx(1.95, abs=0.05)
    heard = [value for _, _, value in seen(history, "receive")]
    assert room.said[3] not in heard


@virtual
async def test_a_late_event_is_waited_for() -> None:
    room, history = Room(), list[Event]()
    room.lossy = {10}
    subject = driver(events(), room, history)

    def late() -> None:
        for feed in room.feeds.values():
            feed.messages.put_nowait({"n": room.said[9]})

    asyncio.get_running_loop().call_later(1.5, late)
    await ran(subject, 0.95)
    assert virtual_time.now() == pytest.approx(1.5, abs=0.05)
    assert len(seen(history, "receive")) == 20


@virtual
async def test_a_message_that_is_no_event_is_not_recorded() -> None:
    room, history = Room(), list[Event]()

    def noise() -> None:
        for message in ("hello", {"type": "presence"}, {"n": [1]}):
            room.feeds[1].messages.put_nowait(cast("Json", message))

    asyncio.get_running_loop().call_later(0.5, noise)
    await ran(driver(events(), room, history), 0.95)
    assert len(seen(history, "receive")) == 20


@virtual
async def test_an_interrupted_run_leaves_no_subscriber_behind() -> None:
    room, history = Room(), list[Event]()
    task = asyncio.create_task(driver(events(), room, history).run(asyncio.Event()))
    await asyncio.sleep(0.5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert all(feed.closed for feed in room.feeds.values())
    assert len(asyncio.all_tasks()) == 1


@virtual
async def test_subscribers_share_channels_or_hear_all_of_them() -> None:
    def keys(subscribe: dict[str, Any], message: Any) -> list[Json]:
        generator: Any = events(channels=["a", "b"], subscribers=3, subscribe=subscribe).generator(
            "w", 1
        )
        return [generator.heard(one, message) for one in generator.subscribers()]

    bound = {"redis": "SUBSCRIBE room:{key}", "store": "redis://r:6379"}
    assert keys(bound, 5) == [("a", 5), ("b", 5), ("a", 5)]
    everything = {"redis": "PSUBSCRIBE room:*", "store": "redis://r:6379"}
    everything |= {"value": "$.n", "key": "$.room"}
    assert keys(everything, {"n": "5", "room": "b"}) == [("b", 5)] * 3
    assert keys(everything, {"n": 5}) == [None] * 3
