"""One request on its way through the proxy, and its answer on the way back.

Made by `HttpProtocol` when it is the request's turn. Hands the call to the router and
is the `Receiver` of what comes back, which it writes to the client's transport. A call
answered in one piece takes no task, no future and no timer.
"""

import asyncio
from http import HTTPStatus
from time import perf_counter_ns
from typing import Protocol

from msgspec.structs import replace

from workbench.proxy import pages
from workbench.proxy.destination import find_destination, make_call
from workbench.proxy.door import Door
from workbench.proxy.peer import Peer
from workbench.proxy.reply import (
    BODILESS_STATUSES,
    CLOSE_LINE,
    CONTINUE,
    KEEP_ALIVE_LINE,
    BodyFramer,
    Framing,
    Page,
    WrongLengthError,
    page_reply,
    render_head,
    render_whole,
)
from workbench.proxy.request import Request
from workbench.proxy.request_id import accept_id
from workbench.proxy.request_span import RequestSpan, span_of_http
from workbench.proxy.told import Told
from workbench.routing.call import Ticket
from workbench.wire.messages import (
    Buffers,
    Failure,
    HttpCall,
    HttpReply,
    Result,
    Spent,
)

__all__ = ["CREDIT_STEP_BYTES", "Client", "Exchange"]

# A larger body is written beside its head, not copied behind it.
_COPIED_BODY_BYTES = 64 * 1024
# Credit goes back in steps: a stream of small chunks would else cause a message for
# each. Must be well below the window that replicas send by (512 KiB).
CREDIT_STEP_BYTES = 32 * 1024
_FAILED = int(HTTPStatus.INTERNAL_SERVER_ERROR)
# What nobody was there to be told: the client has closed the connection.
_LEFT = 499


class Client(Protocol):
    """The connection that an exchange belongs to."""

    door: Door
    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    peer: Peer
    is_congested: bool
    """Whether bytes come faster than the client takes them."""

    def on_answered(self, exchange: "Exchange") -> None:
        """The answer is complete."""

    def on_cut(self, exchange: "Exchange") -> None:
        """The answer had begun and will not be completed."""

    def regulate(self) -> None:
        """There may be room for more of the body again."""


class Exchange:
    """One request and its answer."""

    # Class attributes, not assignments in __init__: most requests change none of them.
    framer: BodyFramer | None = None
    """Of an answer that is streamed and has begun."""
    keeps_alive = False
    """Once the answer has begun: whether the connection goes on after it."""
    is_uploading = False
    """Whether more of the body will go to the replica."""
    uncredited_bytes = 0
    """Bytes of the body that the replica has not used yet."""
    _ticket: Ticket | None = None
    _timer: asyncio.TimerHandle | None = None
    _owed_bytes = 0
    _app = ""
    """Whose request it is, once that is known; empty if it is for a page of ours."""
    _started_ns = 0
    _has_failed = False
    _status = _LEFT
    _span: RequestSpan | None = None
    _told: Told | None = None
    """What the client asks to be told of this, if anything."""

    def __init__(self, client: Client, request: Request) -> None:
        self._client = client
        self.request = request
        given = request.given_id
        accepted = None if given is None else accept_id(given)
        self._id = accepted or next(client.door.ids)

    # -- what the connection calls -----------------------------------------------------

    def start(self) -> None:
        """Answer the request, or send it on its way."""
        self._started_ns = perf_counter_ns()
        request, door, peer = self.request, self._client.door, self._client.peer
        destination = find_destination(request, door, peer)
        if isinstance(destination, Page):
            if door.options.server_timing or request.is_timed:
                self._told = Told(is_timed=True, traceparent="")
            self._answer(destination)
            return
        self._app = destination.app
        call = make_call(request, destination, door, peer=peer, request_id=self._id)
        if door.spans is not None:
            self._span = span_of_http(door.spans, call, destination)
            call = replace(call, extras=self._span.extras)
        if (extras := call.extras) is not None:
            self._told = Told(extras.is_timed, extras.traceparent)
        self._submit(call, destination.deployment)

    def upload(self) -> None:
        """Pass on what has come of the body."""
        request = self.request
        body = request.take_body()
        if self._ticket is not None and (body or request.is_complete):
            self.is_uploading = not request.is_complete
            self.uncredited_bytes += len(body)
            self._ticket.send_body(body, last=request.is_complete)

    def return_credit(self) -> None:
        """Let the replica send as much again as the client has taken."""
        if self._ticket is not None and self._owed_bytes:
            self._ticket.credit(self._owed_bytes)
            self._owed_bytes = 0

    def refuse(self, page: Page) -> None:
        """The rest of the body is malformed: give up."""
        self._withdraw()
        self._answer_or_cut(page)

    def disconnect(self) -> None:
        """The client is gone: give up."""
        self._withdraw()
        self._record()

    # -- what the router calls (`Receiver`) --------------------------------------------

    def on_reply(self, message: Result | HttpReply, buffers: Buffers) -> None:
        """Send the answer, or its beginning."""
        assert isinstance(message, HttpReply)
        body = buffers[0] if buffers else b""
        self._status = message.status
        if message.status >= _FAILED:
            self._has_failed = True
        if (
            message.more
            or self.request.method == "HEAD"
            or message.status in BODILESS_STATUSES
        ):
            self._begin(message, body)
            return
        transport = self._client.transport
        lines = self._own_lines(message)
        if len(body) <= _COPIED_BODY_BYTES:
            transport.write(render_whole(message, body, self._id, lines))
        else:
            size_line = b"content-length: %d\r\n" % len(body)
            head = render_head(message, size_line, self._id, lines)
            transport.writelines((head, body))
        self._finish()

    def on_chunk(self, buffers: Buffers) -> None:
        """Send more of the answer; never held back, not even to join it with others."""
        self._send(buffers)

    def on_end(self) -> None:
        """The streamed answer is complete."""
        assert self.framer is not None
        try:
            framed = self.framer.end()
        except WrongLengthError:
            self._cut()
            return
        self._client.transport.writelines(framed)
        self._finish()

    def on_failure(self, failure: Failure, buffers: Buffers) -> None:  # noqa: ARG002
        """There is no answer, or no more of it."""
        if self.framer is None:
            self._answer(pages.failed(failure), failure.spent)
        else:
            self._ticket = None
            self._cut()

    def on_credit(self, size: int) -> None:
        """The replica has used some of the body."""
        self.uncredited_bytes -= size
        self._client.regulate()

    # -- steps of these ----------------------------------------------------------------

    def _submit(self, call: HttpCall, deployment: str) -> None:
        client, request = self._client, self.request
        if not request.is_complete:
            self.is_uploading = True
            if request.take_continue():
                client.transport.write(CONTINUE)
        body = request.take_body()
        self.uncredited_bytes = len(body)
        router = client.door.router
        self._ticket = router.submit(deployment, call, (body,) if body else (), self)
        timeout_s = request.timeout_s(client.door.options.request_timeout_s)
        if timeout_s is not None:
            self._timer = client.loop.call_later(timeout_s, self._time_out, timeout_s)

    def _begin(self, message: HttpReply, body: bytes | memoryview) -> None:
        """Begin an answer that is streamed, or has no body."""
        request = self.request
        is_head = request.method == "HEAD"
        length = message.length
        if is_head and length is None and not message.more:
            length = len(body)
        is_http_10 = request.version == "1.0"
        framer = self.framer = BodyFramer(
            message.status, length, is_head=is_head, is_http_10=is_http_10
        )
        if framer.framing is Framing.UNTIL_CLOSE:
            request.keeps_alive = False
        head = render_head(message, framer.line, self._id, self._own_lines(message))
        if framer.framing is not Framing.NONE:
            self._send((body,), head)
            return
        self._client.transport.write(head)
        if message.more:
            self._withdraw()
        self._finish()

    def _send(self, buffers: Buffers, head: bytes = b"") -> None:
        assert self.framer is not None
        size = sum(map(len, buffers))
        try:
            framed = self.framer.frame(buffers, size)
        except WrongLengthError:
            self._cut()
            return
        self._client.transport.writelines((head, *framed) if head else framed)
        self._owed_bytes += size
        if self._owed_bytes >= CREDIT_STEP_BYTES and not self._client.is_congested:
            self.return_credit()

    def _own_lines(self, message: HttpReply) -> bytes:
        """The header lines that are not the application's."""
        told = self._told
        if told is None:
            return self._connection_lines()
        sent_ns = 0 if self._ticket is None else self._ticket.sent_ns
        began_ns, now_ns = self._started_ns, perf_counter_ns()
        lines = told.lines(message, began_ns, sent_ns, now_ns)
        return lines + self._connection_lines()

    def _connection_lines(self) -> bytes:
        """Decide whether the connection goes on, and say so beside the date."""
        request, door = self.request, self._client.door
        # One that waits for `100 Continue` may send its body after all, or may not.
        self.keeps_alive = (
            request.keeps_alive and not door.is_draining and not request.is_held_back
        )
        if not self.keeps_alive:
            return door.date_line + CLOSE_LINE
        if request.version == "1.0":
            return door.date_line + KEEP_ALIVE_LINE
        return door.date_line

    def _answer(self, page: Page, spent: Spent | None = None) -> None:
        self.on_reply(page_reply(page, spent), (page.text.encode(),))

    def _answer_or_cut(self, page: Page) -> None:
        if self.framer is None:
            self._answer(page)
        else:
            self._cut()

    def _time_out(self, timeout_s: float) -> None:
        self._withdraw()
        self._answer_or_cut(pages.timed_out(self._id, timeout_s))

    def _cut(self) -> None:
        self._withdraw()
        self._has_failed = True
        self._record()
        self._client.on_cut(self)

    def _finish(self) -> None:
        self._ticket = None
        if self._timer is not None:
            self._timer.cancel()
        self._record()
        self._client.on_answered(self)

    def _record(self) -> None:
        """Note how long it took, from its turn on its connection to its last byte."""
        if self._app:
            every = self._client.door.ended
            ended = every[self._app]
            ended.add(perf_counter_ns() - self._started_ns)
            if self._has_failed:
                ended.add_error()
            every.answers[self._app, self.request.method, self._status] += 1
        if self._span is not None:
            facts = {"http.response.status_code": self._status}
            self._span.end(facts, has_failed=self._has_failed)

    def _withdraw(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._ticket is not None:
            self._ticket.cancel()
            self._ticket = None
