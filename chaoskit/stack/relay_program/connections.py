"""One connection of a client, and the one to the upstream that is made for it."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from .damage import Cut, Garble
from .messages import BEGINS, REQUEST, STATUS, Body, Head, NotHttp, Sized, take_head
from .rules import Exchange, Rule

if TYPE_CHECKING:
    from .relay import Relay

_LENGTH = re.compile(rb"(\r?\ncontent-length:[ \t]*)([0-9]+)", re.IGNORECASE)
_MORE = 13  # bytes that a lengthened answer promises and does not give
_WAITING_MOST = 64 * 1024  # bytes that may wait for a delay or for the upstream


class Side(asyncio.Protocol):
    """One end of a connection: what came, and who is told of it."""

    def __init__(
        self,
        news: Callable[[], None],
        ended: Callable[[], None],
        wanted: Callable[[], None] = lambda: None,
    ) -> None:
        """`wanted` is called when something is written before there is a connection."""
        self.buffer = bytearray()
        self.transport: asyncio.Transport | None = None
        self.ended = self.stalled = False
        self.other: Side | None = None
        self._news, self._ended, self._wanted = news, ended, wanted
        self._unsent = bytearray()
        self._holds: set[str] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's are no subclasses
        if self._holds:
            self.transport.pause_reading()
        self.write(self._unsent)
        self._unsent.clear()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        self._news()

    def eof_received(self) -> bool:
        self.ended = True
        self._ended()
        return True  # we close it when it is time to

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = True
        self._ended()

    def pause_writing(self) -> None:
        self.stalled = True
        if self.other is not None:  # never itself: it may read only once it has been read
            self.other.hold("the other side is slow")

    def resume_writing(self) -> None:
        self.stalled = False
        if self.other is not None:
            self.other.let_go("the other side is slow")
        self.let_go("answers wait")
        self._news()

    def hold(self, why: str) -> None:
        """Read no more until every reason is gone."""
        if not self._holds and self.transport is not None:
            self.transport.pause_reading()
        self._holds.add(why)

    def let_go(self, why: str) -> None:
        self._holds.discard(why)
        if not self._holds and self.transport is not None and not self.transport.is_closing():
            self.transport.resume_reading()

    def write(self, data: bytes | bytearray) -> None:
        if not data:
            return
        if self.transport is None:
            self._unsent += data
            self._wanted()
        elif not self.transport.is_closing():
            self.transport.write(bytes(data))

    @property
    def unsent(self) -> int:
        """How many bytes wait for the connection."""
        return len(self._unsent)

    def close(self) -> None:
        if self.transport is not None:
            self.transport.close()


class Connection:
    """One client's connection and the one to the upstream that is made for it."""

    def __init__(self, relay: Relay, port: int) -> None:
        self._relay, self._port = relay, port
        self.client = Side(self._requests, self.close)
        self.upstream = Side(self._answers, self._answers, self.dial)
        self.client.other, self.upstream.other = self.upstream, self.client
        self._exchanges: deque[Exchange] = deque()
        self._unread = False  # it does not speak HTTP/1, or not any more
        self._request_body: Body | None = None
        self._current: Exchange | None = None  # whose body comes and stays here
        self._request_held = self._answer_held = False
        self._answer_body: Body | None = None
        self._change: Cut | Garble | None = None
        self._losing = False
        self._dialling: asyncio.Task[None] | None = None
        self._over = False

    def dial(self) -> None:
        """Connect to the upstream, if that has not begun yet."""
        if self._dialling is None:
            self._dialling = asyncio.get_running_loop().create_task(self._dial())

    async def _dial(self) -> None:
        host, port = self._relay.upstreams[self._port]
        try:
            await asyncio.get_running_loop().create_connection(lambda: self.upstream, host, port)
        except OSError:
            self.client.close()
            return
        if self.client.ended:
            self.upstream.close()
        self.client.let_go("much waits")

    def close(self) -> None:
        self._over = True
        self.client.close()
        self.upstream.close()

    def _read_no_more(self) -> None:
        """Hand on everything unread from now on."""
        self._unread = True
        self._relay.seen[self._port]["others"] += 1
        self._requests()
        self._answers()

    @property
    def _reads(self) -> bool:
        return bool(self.client.buffer) and not self._over

    # -- requests ---------------------------------------------------------------------------------

    def _requests(self) -> None:
        try:
            while self._reads and not self._request_held:
                if self._unread:
                    self.upstream.write(self.client.buffer)
                    self.client.buffer.clear()
                elif self._request_body is not None:
                    if not self._more_of_request(self._request_body):
                        break
                elif not self._next_request():
                    break
        except NotHttp:
            self._read_no_more()
            return
        # It is read on meanwhile, to see whether the client is still there; but not for ever.
        waiting = len(self.client.buffer) + self.upstream.unsent
        if waiting > _WAITING_MOST and (self.upstream.transport is None or self._request_held):
            self.client.hold("much waits")

    def _more_of_request(self, body: Body) -> bool:
        """Hand on what there is of a body; return whether there was any."""
        pieces = body.take(self.client.buffer)
        for piece, _ in pieces:
            if self._current is None:
                self.upstream.write(piece)
        if body.done:
            self._request_body = None
            self._request_over()
        return bool(pieces)

    def _request_over(self) -> None:
        """What was asked is all there: now it may be answered here."""
        exchange, self._current = self._current, None
        if exchange is not None and exchange.rule is not None:
            exchange.rule.has_changed(exchange)
            exchange.answer = exchange.rule.answer(exchange)
            self._flush()

    def _next_request(self) -> bool:
        buffer = self.client.buffer
        if buffer[:1].isspace():  # between requests they mean nothing
            self.upstream.write(buffer[:1])
            del buffer[:1]
            return True
        if self.client.stalled and self._relay.answers(self._port):
            self.client.hold("answers wait")  # who does not read them may ask for no more
            return False
        if not BEGINS.match(buffer[:33]):
            raise NotHttp
        head = take_head(buffer, REQUEST)
        if head is None:
            return False
        line = REQUEST.match(head.raw)
        assert line is not None
        method, target, minor = (part.decode("latin-1") for part in line.groups())
        rule = self._relay.rule_for(self._port, method, target, head)
        exchange = Exchange(method, target, rule, closes=head.asks_to_close(minor))
        self._exchanges.append(exchange)
        body = head.body(otherwise=0)
        if rule is not None and rule.act == "answer":
            self._current = exchange
            if "expect" in head.fields:  # the body may never come
                exchange.closes = True
                body = Sized(0)
            self._begin_body(body)
            return True
        if rule is not None and rule.act == "delay" and rule.told["request"]:
            self._request_held = True
            rule.hold(exchange, lambda: self._send_held(head, body))
            return False
        self.upstream.write(head.raw)
        self._begin_body(body)
        return True

    def _send_held(self, head: Head, body: Body) -> None:
        self._request_held = False
        self.client.let_go("much waits")
        if self._over:
            return  # the client gave up: the upstream is never asked
        self.upstream.write(head.raw)
        self._begin_body(body)
        self._requests()

    def _begin_body(self, body: Body) -> None:
        if body.done:
            self._request_over()
        else:
            self._request_body = body

    def _flush(self) -> None:
        """Send the answers that were made here and whose turn it is."""
        while self._exchanges and (answer := self._exchanges[0].answer) is not None:
            exchange = self._exchanges.popleft()
            self.client.write(answer)
            if exchange.closes:
                self.close()

    # -- answers ----------------------------------------------------------------------------------

    def _answers(self) -> None:
        try:
            while self.upstream.buffer and not self._answer_held and not self._over:
                if self._unread:
                    self.client.write(self.upstream.buffer)
                    self.upstream.buffer.clear()
                elif self._answer_body is not None:
                    if not self._more_of_answer(self._answer_body):
                        break
                elif not self._next_answer():
                    break
        except NotHttp:
            self._read_no_more()
            return
        if self.upstream.ended and not self._answer_held and not self._over:
            if self._answer_body is not None and self._answer_body.length < 0:
                self._answer_over()
            self.client.write(self.upstream.buffer)  # a head that was cut off
            self.close()

    def _next_answer(self) -> bool:
        buffer = self.upstream.buffer
        if not self._exchanges or self._exchanges[0].answer is not None:
            self.client.write(buffer)  # nobody asked: a greeting, a goodbye
            buffer.clear()
            return False
        if not b"HTTP/1.".startswith(buffer[:7]):
            raise NotHttp
        head = take_head(buffer, STATUS)
        if head is None:
            return False
        line = STATUS.match(head.raw)
        assert line is not None
        status, exchange = int(line[1]), self._exchanges[0]
        if 100 <= status < 200 and status != 101:
            self.client.write(head.raw)
            return True
        if status == 101 or (exchange.method == "CONNECT" and status < 300):
            self.client.write(head.raw)
            raise NotHttp
        rule = exchange.rule
        if rule is not None and rule.removed:
            rule = exchange.rule = None
        if rule is not None and rule.act == "delay" and not rule.told["request"]:
            self._answer_held = True
            self.upstream.hold("delay")
            rule.hold(exchange, lambda: self._send_held_answer(head, status, exchange))
            return False
        self._begin_answer(head, status, exchange)
        return True

    def _send_held_answer(self, head: Head, status: int, exchange: Exchange) -> None:
        self._answer_held = False
        self.upstream.let_go("delay")
        try:
            self._begin_answer(head, status, exchange)
        except NotHttp:
            self._read_no_more()
        self._answers()

    def _begin_answer(self, head: Head, status: int, exchange: Exchange) -> None:
        bodyless = exchange.method == "HEAD" or status in (204, 304)
        body = Sized(0) if bodyless else head.body(otherwise=-1)
        rule, raw = exchange.rule, head.raw
        if rule is not None and rule.act == "lose":
            rule.has_changed(exchange)
            if rule.told.get("status") is None:
                self.close()
                return
            self._losing = True
        elif rule is not None and not body.done:
            raw = self._malform(rule, exchange, raw, body)
        if not self._losing:
            self.client.write(raw)
        self._answer_body = body
        if body.done:
            self._answer_over()

    def _malform(self, rule: Rule, exchange: Exchange, raw: bytes, body: Body) -> bytes:
        if rule.act == "cut":
            self._change = Cut(body)
        elif rule.act == "garble":
            self._change = Garble()
        elif rule.act == "lengthen" and body.length >= 0:
            rule.has_changed(exchange)
            return _LENGTH.sub(lambda m: m[1] + b"%d" % (body.length + _MORE), raw)
        return raw

    def _more_of_answer(self, body: Body) -> bool:
        """Hand on what there is of a body; return whether there was any, and more may come."""
        exchange = self._exchanges[0]
        if self._change is not None and exchange.rule is not None and exchange.rule.removed:
            self.client.write(self._change.give_up())
            self._change = None
        pieces = body.take(self.upstream.buffer)
        for piece, content in pieces:
            if self._losing:
                continue
            if self._change is None:
                self.client.write(piece)
                continue
            self.client.write(self._change.take(piece, content))
            if self._change.over:
                if exchange.rule is not None:
                    exchange.rule.has_changed(exchange)
                self.close()
                return False
        if body.done:
            self._answer_over()
        return bool(pieces)

    def _answer_over(self) -> None:
        exchange = self._exchanges.popleft()
        self._answer_body = None
        if self._change is not None and exchange.rule is not None:
            rest, changed = self._change.end()
            if exchange.rule.removed:
                rest, changed = self._change.give_up(), False
            self.client.write(rest)
            if changed:
                exchange.rule.has_changed(exchange)
            self._change = None
        if self._losing and exchange.rule is not None:
            self._losing = False
            self.client.write(exchange.rule.answer(exchange))
            if exchange.closes:
                self.close()
        self._flush()
