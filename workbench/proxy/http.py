"""HTTP/1.1 as spoken with one client, carried by uvicorn in place of its own protocol.

uvicorn makes one `HttpProtocol` per connection and keeps sockets, TLS and graceful
exit; no ASGI app stands between. The protocol reads requests (`request`), answers them
strictly in order through one `Exchange` at a time, and pauses reading whenever what is
not yet used would pile up. It must not block and never awaits.
"""

import asyncio
import socket
import struct
from typing import Any, cast

from uvicorn import Config
from uvicorn.server import ServerState

from workbench.proxy import pages
from workbench.proxy.door import NEVER, Door
from workbench.proxy.exchange import Exchange
from workbench.proxy.peer import Peer
from workbench.proxy.reader import RequestReader
from workbench.proxy.reply import (
    CLOSE_LINE,
    CONTINUE,
    Framing,
    Page,
    page_reply,
    render_whole,
)
from workbench.proxy.request import Request
from workbench.proxy.upgrade import SocketExchange
from workbench.proxy.websocket import SocketConnection

__all__ = ["HttpProtocol", "make_protocol"]

_MAX_WAITING_REQUESTS = 16
"""Pipelined requests beyond which no more is read."""
_UPLOAD_WINDOW_BYTES = 1024 * 1024
"""Bytes of a body under way to the replica beyond which no more is read."""
_LINGER_BEATS = 3


def make_protocol(door: Door) -> type["HttpProtocol"]:
    """The class for `uvicorn.Config(http=...)`: its connections belong to this door."""
    return type("HttpProtocol", (HttpProtocol,), {"door": door})


class HttpProtocol(asyncio.Protocol):
    """One connection."""

    door: Door
    transport: asyncio.Transport
    peer: Peer

    def __init__(
        self,
        config: Config,  # noqa: ARG002 - uvicorn gives it
        server_state: ServerState,
        app_state: dict[str, Any],  # noqa: ARG002 - uvicorn gives it
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.loop = _loop or asyncio.get_running_loop()
        self.is_congested = False
        self.expires = NEVER
        self.connections: set[Any] = server_state.connections
        self._reader = RequestReader(self.door.options)
        self._waiting = self._reader.requests
        self._exchange: Exchange | None = None
        self._leftover: Request | None = None
        self._is_reading = True
        self._is_advancing = False
        self._is_over = False
        self._unsent_at_expiry = 0

    # -- what the event loop calls -----------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        # uvloop's transports are none of asyncio's classes.
        self.transport = cast("asyncio.Transport", transport)
        self.peer = _peer(self.transport)
        self.expires = self.door.beat + self.door.head_beats
        self.connections.add(self)
        self.door.join(self)

    def data_received(self, data: bytes) -> None:
        """Read requests and start those whose turn it is."""
        if self._is_over:
            return
        reader, exchange = self._reader, self._exchange
        was_mid_head = reader.is_mid_head
        reader.feed(data)
        if exchange is not None and exchange.is_uploading:
            self._upload(exchange)
        self._advance()
        exchange, door = self._exchange, self.door
        if exchange is not None:
            is_whole = exchange.request.is_complete
            self.expires = NEVER if is_whole else door.beat + door.body_beats
        elif reader.is_mid_body:
            self.expires = door.beat + door.body_beats
        elif reader.is_mid_head and not was_mid_head:
            self.expires = door.beat + door.head_beats
        self.regulate()

    def eof_received(self) -> None:
        """The client is done; a half-closed connection is not kept."""

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """The client is gone, and with it whatever it still waited for."""
        self._is_over = True
        self.connections.discard(self)
        self.door.leave(self)
        if self._exchange is not None:
            self._exchange.disconnect()
            self._exchange = None
        self._reader.close()

    def pause_writing(self) -> None:
        """The client takes its answer more slowly than it comes."""
        self.is_congested = True

    def resume_writing(self) -> None:
        """The client has taken most of what was written."""
        self.is_congested = False
        if self._exchange is not None:
            self._exchange.return_credit()
        self._advance()
        self.regulate()

    # -- what uvicorn and the door call ------------------------------------------------

    def shutdown(self) -> None:
        """Finish what is being answered, then close; close at once if nothing is."""
        self.door.is_draining = True
        if self._exchange is None and not self._waiting:
            self._close()

    def expire(self) -> None:
        """Close: idle for too long, or stuck. A download still going on is neither."""
        door = self.door
        unsent = self.transport.get_write_buffer_size()
        if unsent and unsent != self._unsent_at_expiry:
            self._unsent_at_expiry = unsent
            self.expires = door.beat + door.idle_beats
        elif self._is_over or self._leftover is not None:
            self.cut()
        elif self._exchange is not None:
            self._expire_body(self._exchange)
        elif self._reader.is_mid_body:
            self._refuse(pages.SLOW_BODY)
        elif self._reader.is_mid_head:
            self._refuse(pages.SLOW_HEAD)
        else:
            self.cut()

    def cut(self) -> None:
        """Close at once, without regard to what is unsent."""
        self._is_over = True
        self.transport.abort()

    # -- what the exchange calls -------------------------------------------------------

    def on_answered(self, exchange: Exchange) -> None:
        """Go on to the next request, or close."""
        self._exchange = None
        request = exchange.request
        if not exchange.keeps_alive or self.door.is_draining:
            self._close(is_unread=not request.is_complete)
            return
        if not request.is_complete:
            self._leftover = request
        self.expires = self.door.beat + self.door.idle_beats
        if self._waiting or self._leftover or self._reader.problem:
            self._advance()
        if not self._is_reading:
            self.regulate()

    def on_cut(self, exchange: Exchange) -> None:
        """Close, so that the client can tell that the answer is not complete."""
        self._exchange = None
        self._close()
        framer = exchange.framer
        if framer is not None and framer.framing is Framing.UNTIL_CLOSE:
            _reset(self.transport)  # an orderly end would look like a complete answer

    def hand_over(self, connection: SocketConnection, received: bytes) -> None:
        """Let the connection go on as a WebSocket."""
        self._is_over = True
        self._exchange = None
        self.connections.discard(self)
        self.door.leave(self)
        self.transport.set_protocol(connection)
        connection.begin(received, is_reading=self._is_reading)
        self._reader.close()

    def regulate(self) -> None:
        """Read on, or pause reading, by how much is not used yet."""
        wants_more = self._wants_more()
        if wants_more is not self._is_reading:
            self._is_reading = wants_more
            if wants_more:
                self.transport.resume_reading()
            else:
                self.transport.pause_reading()

    # -- steps of these ----------------------------------------------------------------

    def _expire_body(self, exchange: Exchange) -> None:
        """Nothing came of a body for a while: whose fault is it?"""
        if exchange.is_uploading and self._is_reading:
            exchange.request.keeps_alive = False
            exchange.refuse(pages.SLOW_BODY)
        else:
            self.expires = self.door.beat + self.door.body_beats

    def _upload(self, exchange: Exchange) -> None:
        exchange.upload()
        problem = self._reader.problem
        if problem is not None and exchange.is_uploading:
            exchange.request.keeps_alive = False
            exchange.refuse(problem)

    def _advance(self) -> None:
        """Start requests in order until one is not answered at once.

        A loop and a flag, not recursion: requests may be many, and answered at once.
        """
        if self._is_advancing:
            return
        self._is_advancing = True
        while self._exchange is None and not (self._is_over or self.is_congested):
            request = self._next_request()
            if request is None:
                break
            kind = SocketExchange if request.is_websocket else Exchange
            exchange = self._exchange = kind(self, request)
            exchange.start()
        self._is_advancing = False

    def _next_request(self) -> Request | None:
        """The next request whose turn it is and that has come far enough."""
        if self._leftover is not None and not self._discard(self._leftover):
            return None
        waiting = self._waiting
        if waiting and waiting[0].is_complete:
            return waiting.popleft()
        if self._reader.problem is not None:
            self._refuse(self._reader.problem)
        elif waiting and waiting[0].is_streamed:
            return waiting.popleft()
        elif waiting and waiting[0].take_continue():
            self.transport.write(CONTINUE)
        return None

    def _discard(self, leftover: Request) -> bool:
        """Throw away a body that came after its answer; whether that was all of it."""
        leftover.take_body()
        if leftover.is_complete:
            self._leftover = None
        elif self._reader.problem is not None:
            self._close(is_unread=True)
        return leftover.is_complete

    def _refuse(self, page: Page) -> None:
        body = page.text.encode()
        lines = self.door.date_line + CLOSE_LINE
        answer = render_whole(page_reply(page), body, next(self.door.ids), lines)
        self.transport.write(answer)
        self._close(is_unread=True)

    def _wants_more(self) -> bool:
        waiting = self._waiting
        if waiting:
            last = waiting[-1]
            if len(waiting) > _MAX_WAITING_REQUESTS:
                return False
            if not last.is_complete and last.is_streamed:
                return False
        exchange = self._exchange
        return exchange is None or exchange.uncredited_bytes <= _UPLOAD_WINDOW_BYTES

    def _close(self, *, is_unread: bool = False) -> None:
        """Close the connection, after what is written has gone out.

        Where the client may be sending still, only our half is closed at first: a
        full close would answer its bytes with a reset, which can overtake the answer.
        """
        self._is_over = True
        self._waiting.clear()
        if is_unread and self.transport.can_write_eof():
            self.transport.write_eof()
            self.expires = self.door.beat + _LINGER_BEATS
            self.regulate()
        else:
            self.transport.close()
            self.expires = self.door.beat + self.door.idle_beats


def _reset(transport: asyncio.Transport) -> None:
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _peer(transport: asyncio.Transport) -> Peer:
    is_tls = transport.get_extra_info("sslcontext") is not None
    return Peer(
        client=_address(transport.get_extra_info("peername")),
        server=_address(transport.get_extra_info("sockname")),
        scheme="https" if is_tls else "http",
    )


def _address(name: object) -> tuple[str, int] | None:
    """Host and port; None for a Unix socket, which has neither."""
    if isinstance(name, tuple) and len(name) >= 2:
        return str(name[0]), int(name[1])
    return None
