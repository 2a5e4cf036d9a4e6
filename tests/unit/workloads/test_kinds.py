"""What each kind generates: seeded, unique where it must be, with one writer where one is due."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from random import Random
from typing import Any, cast

import pytest
from pydantic import ValidationError

from chaoskit.records import Json, Outcome
from chaoskit.workloads._base import Generator, NextStep, Step, Stream
from chaoskit.workloads._keys import Choice, Pool
from tests.unit.workloads.scripted import example, made


def steps(generator: Generator, count: int, stream: int = 0, clients: int = 4) -> list[Step]:
    """Return what the clients get from one stream, in turn."""
    rng = Random(7)
    source = generator.streams()[stream]
    found = [source.next(rng, number % clients) for number in range(count)]
    return [step for step in found if step is not None]


def lazily(generator: Generator, count: int) -> Iterator[Step]:
    """Yield one write after the other; each may depend on how those before it ended."""
    rng, source = Random(7), generator.streams()[0]
    for _ in range(count):
        step = source.next(rng, 0)
        assert step is not None
        yield step


# -- rates ---------------------------------------------------------------------------------------


def test_a_ramp_rises_linearly_to_the_rate() -> None:
    stream = Stream(10, lambda _rng, _client: None, ramp=4)
    due = [stream.due(count) for count in range(60)]
    assert due[0] == 0
    assert sum(t < 2 for t in due) == 5  # a quarter of the 20 that the ramp holds
    assert sum(t < 4 for t in due) == 20
    assert due[20] == 4
    assert [round(b - a, 6) for a, b in pairwise(due[20:])] == [0.1] * 39
    assert due == sorted(due)


def test_without_a_ramp_the_spacing_is_even_from_the_start() -> None:
    stream = Stream(4, lambda _rng, _client: None, offset=0.5)
    assert [stream.due(count) for count in range(3)] == [0.5, 0.75, 1.0]


@pytest.mark.parametrize(("rate", "offset", "ramp"), [(10, 0, 4), (3, 0.5, 0), (7, 0.1, 1.3)])
def test_what_was_due_before_a_moment_is_counted(rate: float, offset: float, ramp: float) -> None:
    stream = Stream(rate, lambda _rng, _client: None, offset=offset, ramp=ramp)
    due = [stream.due(count) for count in range(100)]
    moments = [n / 100 for n in range(-10, 800)] + due
    assert [stream.count(t) for t in moments] == [
        sum(one < t - 1e-9 for one in due) for t in moments
    ]


@pytest.mark.parametrize(
    ("kind", "ramped"),
    [
        ("set", [True, False]),
        ("counter", [True, False]),
        ("versions", [True, True]),
        ("register", [True, True]),
        ("bank", [True, False]),
        ("stock", [True, False]),
        ("queue", [True, True]),
        ("lock", [True]),
        ("events", [True]),
        ("load", [True]),
    ],
)
def test_every_kind_ramps_its_rate(kind: str, ramped: list[bool]) -> None:
    streams = made(kind, ramp="3s").streams()
    assert [stream.ramp == 3 for stream in streams] == ramped
    assert streams[0].rate == example(kind).rate


# -- keys ----------------------------------------------------------------------------------------


def test_zipf_hits_the_first_place_most_and_repeats_with_its_seed() -> None:
    def hits(distribution: Any, seed: int) -> Counter[int]:
        rng = Random(seed)
        choice = Choice(range(10), distribution)
        return Counter(choice.pick(rng) for _ in range(5000))

    skewed = hits("zipf", 1)
    assert skewed == hits("zipf", 1)
    assert skewed != hits("zipf", 2)
    # 1, 1/2, 1/3... of 2.93 in all: 34 %, 17 %, 11 %
    assert [round(skewed[place] / 50) for place in (0, 1, 9)] == [
        pytest.approx(34, abs=3),
        pytest.approx(17, abs=3),
        pytest.approx(3, abs=2),
    ]
    even = hits("uniform", 1)
    assert max(even.values()) < 1.3 * min(even.values())


@pytest.mark.parametrize(
    ("kind", "keys"),
    [("versions", "keys"), ("register", "keys"), ("stock", "items"), ("lock", "locks")],
)
def test_a_kind_with_keys_follows_its_distribution(kind: str, keys: str) -> None:
    def share(distribution: str) -> float:
        generator = made(kind, clients=1, distribution=distribution, **{keys: 20}, **KEYED[kind])
        found = Counter(step.key for step in steps(generator, 2000, clients=1))
        return max(found.values()) / 2000

    assert share("uniform") < 0.1
    assert share("zipf") > 0.2


KEYED: dict[str, dict[str, Any]] = {
    "versions": {},
    "register": {},
    "stock": {"buy": {"redis": "DECR {key}", "store": "redis://r:6379"}},
    "lock": {},
}


def test_a_retired_key_is_replaced_and_still_read_when_it_was_written() -> None:
    pool = Pool(2, first=100)
    pool.used(100)
    assert [pool.retire(100), pool.retire(101), pool.retire(101)] == [102, 103, None]
    assert pool.newest == [102, 103]
    assert pool.to_read() == [100, 102, 103]


def test_a_new_key_is_written_only_after_somebody_read_it() -> None:
    pool = Pool(2, first=100)
    pool.retire(100)
    assert pool.live == [None, 101]
    pool.was_read(102)
    assert pool.live == [102, 101]
    pool.retire(102)
    pool.was_read(102)
    assert pool.live == [None, 101], "a late read of a key in doubt"


@pytest.mark.parametrize("kind", ["versions", "register"])
@pytest.mark.parametrize("how", ["ok", "fail"])
def test_what_replaces_a_key_in_doubt_is_read_next_by_the_same_client(
    kind: str, how: Outcome
) -> None:
    generator = made(kind, keys=1, clients=1)
    (step,) = steps(generator, 1, clients=1)
    follow = generator.ended(step, "info", step.value)
    assert follow is not None
    assert (follow.step.op, follow.step.write, follow.delay) == ("read", False, 0)
    assert follow.step.key != step.key
    assert steps(generator, 20, clients=1) == []
    assert generator.ended(follow.step, how, None) is None
    assert {s.key for s in steps(generator, 20, clients=1)} == {follow.step.key}


def test_a_retired_listed_key_leaves_its_place_empty_and_is_still_read() -> None:
    pool = Pool(["a", "b"], first=100)
    pool.retire("a")
    assert pool.live == [None, "b"]
    assert pool.newest == pool.to_read() == ["a", "b"]


# -- one kind after the other --------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["set", "queue", "versions", "register", "lock", "events", "load"])
def test_the_same_seed_does_the_same_and_another_one_does_not(kind: str) -> None:
    def done(seed: int) -> list[object]:
        return [(s.op, s.key, s.value, s.fields) for s in steps(made(kind, seed), 20, clients=2)]

    assert done(1) == done(1)
    assert len({repr(done(seed)) for seed in range(10)}) == 10


def test_each_key_of_versions_has_one_writer_and_rising_versions() -> None:
    generator = made("versions", keys=10, clients=4)
    writers: dict[Json, set[int]] = {}
    versions: dict[Json, list[int]] = {}
    rng, source = Random(1), generator.streams()[0]
    for number in range(2000):
        step = source.next(rng, number % 4)
        assert step is not None
        assert step.fields == {"key": step.key, "version": step.value, "value": step.value}
        writers.setdefault(step.key, set()).add(number % 4)
        versions.setdefault(step.key, []).append(cast("int", step.value))
    assert len(writers) == 10
    assert all(len(clients) == 1 for clients in writers.values())
    assert all(found == list(range(1, len(found) + 1)) for found in versions.values())


def test_a_key_whose_write_ended_info_is_never_written_again() -> None:
    generator = made("versions", keys=4, clients=4, distribution="uniform")
    retired: set[Json] = set()
    for number, step in enumerate(steps(generator, 4)):
        retired.add(step.key) if number < 2 else None
        follow = generator.ended(step, "info" if number < 2 else "ok", step.value)
        if follow is not None:
            generator.ended(follow.step, "ok", None)
    later = {step.key for step in steps(generator, 400)}
    assert len(retired) == 2
    assert len(later) == 4  # two of them new
    assert not later & retired
    doubtful_only = {step.key for step in generator.views(final=True)} & retired
    assert not doubtful_only


def test_a_retired_key_that_was_acknowledged_before_is_read_at_the_end() -> None:
    generator = made("versions", keys=4, clients=4)
    (step,) = steps(generator, 1)
    generator.ended(step, "ok", 1)
    generator.ended(step, "info", 1)
    views = generator.views(final=True)
    assert [s.op for s in views] == ["read"] * 5 + ["truth"] * 5
    assert step.key in {s.key for s in views}


def test_when_every_listed_key_is_retired_nothing_is_written() -> None:
    generator = made("versions", keys=["a", "b"], clients=2)
    for step in steps(generator, 2, clients=2):
        generator.ended(step, "info", step.value)
    assert steps(generator, 50, clients=2) == []
    assert {s.key for s in steps(generator, 50, stream=1, clients=2)} == {"a", "b"}


def test_versions_go_on_from_what_was_there_before() -> None:
    generator = made("versions", keys=["a", "b"], clients=2)
    for step in generator.views(final=False):
        generator.ended(step, "ok", generator.returned(step, ["7"]))
    assert [s.value for s in steps(generator, 2, clients=2)] == [8, 8]


def test_a_client_reads_its_own_keys_half_of_the_time() -> None:
    generator = made("versions", keys=10, clients=10, distribution="uniform")
    own = {s.key for s in steps(generator, 1, clients=10)}
    rng, source = Random(1), generator.streams()[1]
    found = [source.next(rng, 0) for _ in range(1000)]
    share = sum(step is not None and step.key in own for step in found) / 1000
    assert share == pytest.approx(0.55, abs=0.05)


def test_a_register_never_writes_a_value_of_a_key_twice() -> None:
    generator = made("register", keys=3)
    written: dict[Json, list[Json]] = {}
    swaps = 0
    for step in lazily(generator, 200):
        new = step.fields["new"] if step.op == "cas" else step.value
        if step.op == "cas":
            swaps += 1
            assert step.value == [step.fields["old"], new]
            assert step.fields["old"] == written[step.key][-1]  # what was seen last
        written.setdefault(step.key, []).append(new)
        generator.ended(step, "ok", step.value)
    assert len(written) == 3
    assert all(values == list(range(1, len(values) + 1)) for values in written.values())
    assert swaps == pytest.approx(100, abs=25)


def test_a_cas_waits_until_there_is_a_value_to_expect() -> None:
    def ops(**fields: Any) -> set[str]:
        return {step.op for step in steps(made("register", keys=["a"], **fields), 40)}

    assert ops() == {"write"}
    assert ops(initial=0) == {"write", "cas"}
    assert ops(initial=0, cas=None) == {"write"}


def test_a_register_moves_on_from_a_generated_key_in_doubt_only() -> None:
    generated, listed = made("register", keys=1), made("register", keys=["a"])
    for generator, stays in ((generated, False), (listed, True)):
        (step,) = steps(generator, 1)
        follow = generator.ended(step, "info", step.value)
        assert (follow is None) is stays
        if follow is not None:
            generator.ended(follow.step, "fail", None)
        (after,) = steps(generator, 1)
        assert (after.key == step.key) is stays


def test_a_transfer_goes_between_two_different_accounts() -> None:
    found = steps(made("bank", accounts=["a", "b", "c"], most=3), 300)
    pairs = {(step.fields["from"], step.fields["to"]) for step in found}
    assert len(pairs) == 6
    assert {step.fields["amount"] for step in found} == {1, 2, 3}
    assert found[0].value == dict(found[0].fields)
    assert steps(made("bank", accounts=2), 1)[0].fields["from"] in (1, 2)


@pytest.mark.parametrize(
    "answer",
    [
        {"1": 10, "2": -2.5},
        {"1": "10", "2": "-2.5"},
        [[1, 10], [2, -2.5]],
        ["1", "10", "2", "-2.5"],
    ],
)
def test_balances_come_in_several_shapes(answer: Json) -> None:
    read = Step("read", write=False)
    assert made("bank").returned(read, answer) == {"1": 10, "2": -2.5}


@pytest.mark.parametrize(
    "answer",
    [3, None, [1, 2, 3], [[1, 2, 3]], {"a": None}, {"a": "x"}, [[1, 1], ["1", 2]], {"a": True}],
)
def test_what_are_no_balances_is_not_a_read(answer: Json) -> None:
    with pytest.raises(ValueError, match="the read"):
        made("bank").returned(Step("read", write=False), answer)


def test_stock_is_bought_up_to_the_most_and_read_item_by_item() -> None:
    buy = {"http": "POST http://shop:8080/{key}/{quantity}"}
    generator = made("stock", items=["a", "b"], most=3, buy=buy)
    found = steps(generator, 200)
    assert {(step.key, step.value) for step in found} == {(k, n) for k in "ab" for n in (1, 2, 3)}
    assert found[0].fields == {"key": found[0].key, "quantity": found[0].value}
    views = [(s.op, s.key) for s in generator.views(final=True)]
    assert views == [("read", "a"), ("read", "b"), ("truth", "a"), ("truth", "b")]


def test_a_counter_is_incremented_by_its_amount() -> None:
    generator = made("counter", amount=3)
    (step,) = steps(generator, 1)
    assert (step.op, step.value, step.fields) == ("increment", 3, {"amount": 3})
    assert generator.returned(step, None) == 3


@pytest.mark.parametrize(
    ("kind", "answer", "result"),
    [
        ("counter", "41", 41),
        ("counter", [41], 41),
        ("counter", None, 0),
        ("counter", [], 0),
        ("stock", -1, -1),
        ("versions", [], None),
        ("versions", ["3"], 3),
        ("register", None, None),
        ("register", "x", "x"),
    ],
)
def test_a_single_value_is_read(kind: str, answer: Json, result: Json) -> None:
    assert made(kind).returned(Step("read", write=False, key="k"), answer) == result


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("stock", None),
        ("counter", "many"),
        ("counter", True),
        ("versions", "x"),
        ("versions", 1.5),
        ("versions", [1, 2]),
        ("register", {"a": 1}),
        ("stock", [[1, 2]]),
    ],
)
def test_a_read_of_the_wrong_shape_is_not_a_read(kind: str, answer: Json) -> None:
    with pytest.raises(ValueError, match="the read"):
        made(kind).returned(Step("read", write=False, key="k"), answer)


NOTHING_ONE_MANY: list[Json] = [None, "5", ["5", 6]]


def test_messages_are_unique_and_taking_one_is_a_write() -> None:
    generator = made("queue", receives="10/s")
    sent = [step.value for step in steps(generator, 5)]
    assert sent == list(range(cast("int", sent[0]), cast("int", sent[0]) + 5))
    (receive,) = steps(generator, 1, stream=1)
    assert (receive.write, receive.counted, generator.streams()[1].rate) == (True, False, 10)
    assert generator.views(final=False) == generator.views(final=True)
    (drain,) = generator.views(final=True)
    assert [generator.returned(drain, answer) for answer in NOTHING_ONE_MANY] == [
        [],
        [5],
        [5, 6],
    ]
    assert [generator.returned(receive, answer) for answer in (None, "5", ["5"], [])] == [
        None,
        5,
        [5],
        [],
    ]


def test_a_drain_goes_on_while_it_gives_something_but_not_for_ever() -> None:
    generator = made("queue")
    steps(generator, 3)
    (drain,) = generator.views(final=True)
    assert generator.ended(drain, "ok", []) is None
    assert generator.ended(drain, "info", None) is None
    repeats = 0
    while generator.ended(drain, "ok", [1]) == NextStep(drain):
        repeats += 1
    assert repeats == 1003


def test_a_lock_that_was_taken_is_released_after_the_hold_with_its_token() -> None:
    release = {"http": "DELETE http://s:1/{key}?t={token}&o={owner}"}
    generator = made("lock", hold="70ms", release=release)
    first, second = steps(generator, 2)
    assert first.fields["owner"] != second.fields["owner"]
    token = generator.returned(first, "12")
    follow = generator.ended(first, "ok", token)
    assert follow is not None
    assert (follow.delay, follow.step.op, follow.step.key, follow.step.value) == (
        0.07,
        "release",
        "sync",
        12,
    )
    assert follow.step.fields == {**first.fields, "token": 12}
    assert generator.ended(second, "fail", None) is None
    assert generator.ended(second, "info", None) is None
    assert generator.ended(follow.step, "ok", 12) is None


@pytest.mark.parametrize(
    ("acquire", "answer", "token"),
    [
        ({"redis": "SET {key} {owner} NX", "store": "redis://r:6379"}, "OK", None),
        ({"redis": "FCALL take 1 {key}", "store": "redis://r:6379"}, 7, 7),
        ({"sql": "UPDATE l SET o = {owner}", "store": "postgres://p:5432/d"}, 1, None),
        ({"sql": "UPDATE l SET t = t+1 RETURNING t", "store": "postgres://p:5432/d"}, [9], 9),
        ({"http": "POST http://s:1/{key}"}, None, None),
        ({"http": "POST http://s:1/{key}", "value": "$.token"}, 4, 4),
    ],
)
def test_a_fencing_token_is_what_acquire_returns(acquire: Any, answer: Json, token: Json) -> None:
    generator = made("lock", acquire=acquire)
    assert generator.returned(Step("acquire", write=True), answer) == token


def test_each_channel_has_one_publisher_and_rising_numbers() -> None:
    generator = made("events", clients=2, channels=["a", "b", "c"], subscribers=3)
    rng, source = Random(1), generator.streams()[0]
    told: dict[Json, list[tuple[int, int]]] = {}
    for number in range(300):
        step = source.next(rng, number % 2)
        assert step is not None
        told.setdefault(step.key, []).append((number % 2, cast("int", step.value)))
    assert {key: {client for client, _ in found} for key, found in told.items()} == {
        "a": {0},
        "b": {1},
        "c": {0},
    }
    for found in told.values():
        numbers = [number for _, number in found]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_load_does_its_operations_by_weight_with_keys_and_new_values() -> None:
    found = steps(made("load", keys=3), 1000)
    counts = Counter(step.op for step in found)
    assert counts["search"] == pytest.approx(900, abs=40)
    assert {step.write for step in found if step.op == "search"} == {False}
    assert {step.write for step in found if step.op == "order"} == {True}
    assert {step.key for step in found if step.op == "search"} == {1, 2, 3}
    values = [step.value for step in found if step.op == "order"]
    assert len(values) == len(set(values))
    assert {step.key for step in found if step.op == "order"} == {None}  # it names no key


# -- mistakes ------------------------------------------------------------------------------------

POST = "POST http://a:1/"


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        ("counter", {"read": {"http": "GET http://a:1/"}}, "needs `value:`, the JSONPath"),
        ("counter", {"increment": {"http": POST + "{key}"}}, "only {amount}, {id}"),
        ("counter", {"amount": 0}, "greater than or equal to 1"),
        ("versions", {"keys": 3}, "`keys` must be at least as many as `clients`"),
        ("versions", {"write": {"http": POST + "{key}"}}, "`{version}` has to appear"),
        ("versions", {"write": {"http": POST + "{version}"}}, "`{key}` has to appear in `write`"),
        ("versions", {"keys": ["a", "b", "a"]}, "`a` is listed twice"),
        ("versions", {"keys": [1, "1"]}, "`1` is listed twice"),
        ("versions", {"distribution": "normal"}, "'uniform' or 'zipf'"),
        ("register", {"cas": {"http": POST + "{key}{new}"}}, "`{old}` has to appear"),
        ("register", {"read": {"http": "GET http://a:1/"}}, "needs `value:`"),
        ("bank", {"transfer": {"http": POST + "{from}{to}"}}, "`{amount}` has to appear"),
        ("bank", {"accounts": 1}, "a transfer needs two"),
        ("bank", {"read": {"http": "GET http://a:1/"}}, "needs `value:`, the JSONPath of what it"),
        ("stock", {"items": 2, "buy": {"http": POST}}, "`{key}` has to appear in `buy`"),
        ("stock", {"most": 2, "buy": {"http": POST}}, "`{quantity}` has to appear in `buy`"),
        ("queue", {"send": {"http": POST}}, "`{value}` has to appear"),
        ("queue", {"receive": None, "drain": None}, "nobody takes the messages out"),
        ("queue", {"receive": None, "receives": "5/s"}, "`receives` is the rate of `receive`"),
        ("queue", {"receive": {"http": POST}}, "or `values:`, the JSONPath of the list"),
        (
            "lock",
            {"acquire": {"http": POST}, "release": {"http": POST + "{token}"}},
            "`acquire` needs `value`",
        ),
        ("lock", {"locks": 2, "acquire": {"http": POST}}, "`{key}` has to appear in `acquire`"),
        ("load", {"weights": {"nothing": 1}}, "`weights` names `nothing`"),
        ("load", {"operations": {}}, "at least 1 item"),
        ("load", {"operations_": {"a": {"http": POST}}}, "Extra inputs"),
        ("events", {"clients": 3}, "each channel has one publisher"),
        ("events", {"subscribers": 1}, "nobody hears some of them"),
        ("events", {"publish": {"http": POST + "{value}"}}, "has to appear in `publish`"),
        ("events", {"subscribe": {"websocket": "ws://a:1/"}}, "`subscribe` hears several channels"),
        ("events", {"subscribe": {"http": POST}}, "one of `websocket:` or `redis:`"),
        (
            "events",
            {"subscribe": {"redis": "GET {key}", "store": "redis://a:1"}},
            "expected a subscription such as",
        ),
        ("events", {"reconnect": "0s"}, "`reconnect` must be longer than zero"),
        (
            "events",
            {"subscribe": {"websocket": "ws://a:1/{key}", "heartbeat": "0s"}},
            "`heartbeat` must be longer than zero",
        ),
        ("events", {"resync": {"http": "GET http://a:1/{key}"}}, "needs `value:`"),
    ],
)
def test_mistakes_are_found_when_the_scenario_is_read(
    kind: str, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        example(kind, **fields)
    assert message in str(caught.value)
