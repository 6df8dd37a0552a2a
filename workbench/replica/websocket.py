"""One WebSocket: the conversation of an ASGI application with a client far away.

`server` makes a `Socket` for each one it accepts; it begins as the HTTP call that asks
for it and may be answered as one. Frames, pings and the closing handshake are the
proxy's; here there are whole messages, and credit both ways.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Iterator
from http import HTTPStatus
from time import perf_counter_ns
from typing import Final

from starlette.types import ASGIApp, Message, Scope
from starlette.websockets import WebSocketDisconnect

from workbench.replica.asgi import Responder
from workbench.replica.exchange import PIECE_BYTES, WHOLE_BYTES, Exchange
from workbench.replica.failures import log_user_error
from workbench.replica.reply import Reply, head_of
from workbench.replica.user_code import UserCode
from workbench.wire.channel import Channel
from workbench.wire.messages import (
    SOCKET_PART_BYTES,
    Buffers,
    Credit,
    End,
    Failure,
    SocketAccept,
    SocketCall,
    SocketClose,
    SocketPart,
)

__all__ = ["Socket", "answer_by_app"]

_SCHEMES: Final = {"http": "ws", "https": "wss"}
_NORMAL: Final = 1000
_VANISHED: Final = 1006
_NO_TEXT: Final = 1007
_FAILED: Final = 1011
_RESTART: Final = 1012

_SUBPROTOCOL: Final = b"sec-websocket-protocol"
# What the proxy writes by itself when a socket opens.
_OF_THE_HANDSHAKE: Final = frozenset(
    {b"sec-websocket-accept", b"sec-websocket-extensions", b"upgrade", _SUBPROTOCOL}
)
_UNSENDABLE: Final = frozenset({1004, 1005, 1006})
_REASON_BYTES: Final = 123

# For an application to take notice that its socket was closed under it.
_LAST_STEPS_S: Final = 0.5
# Opens a window whatever its debts.
_ENOUGH: Final = 1 << 50


async def answer_by_app(
    socket: "Socket", app: ASGIApp, state: dict[str, object]
) -> None:
    """Let `app` converse, and return when it has returned.

    Raises:
        RuntimeError: it does not keep to the protocol; also whatever it raises itself.
    """
    scope = socket.scope()
    scope["state"] = state.copy()
    try:
        await app(scope, socket.receive, socket.send)
    finally:
        socket.close_denial()
    socket.on_returned()


class Socket(Exchange):
    """One WebSocket, accepted or not yet."""

    __slots__ = (
        "_accepted_ns",
        "_arrived",
        "_denial",
        "_gone",
        "_inbox",
        "_is_connected",
        "_parts",
        "_sending",
        "_socket_call",
    )

    def __init__(self, channel: Channel, call: SocketCall) -> None:
        super().__init__(channel, call, ())
        self._socket_call = call
        self._accepted_ns = 0
        self._is_connected = False
        self._gone: Message | None = None
        """What the application is told once nobody listens any more."""
        self._inbox: deque[tuple[Message, int]] = deque()
        self._arrived = asyncio.Event()
        self._parts: list[bytes] = []
        self._denial: Responder | None = None
        # Parts of two messages must not mix, and one at a time may wait for room.
        self._sending = asyncio.Lock()

    def answer(self, code: UserCode) -> Awaitable[None]:
        return code.http.converse(self)

    def took_ns(self) -> int:
        """How long it took to open; how long it stays open says nothing."""
        if self._accepted_ns:
            return self._accepted_ns - self.started_ns
        return super().took_ns()

    # -- what the application sees -----------------------------------------------------

    def scope(self) -> Scope:
        """A new ASGI scope."""
        scope = super().scope()
        del scope["method"]
        scope["type"] = "websocket"
        scope["scheme"] = _SCHEMES[scope["scheme"]]
        scope["subprotocols"] = list(self._socket_call.subprotocols)
        scope["extensions"] = {"websocket.http.response": {}}
        return scope

    async def receive(self) -> Message:
        """The next message; the last, again and again, is that it is closed."""
        if not self._is_connected:
            self._is_connected = True
            return {"type": "websocket.connect"}
        while not self._inbox:
            if self._gone is not None:
                return self._gone
            self._arrived.clear()
            await self._arrived.wait()
        message, credit = self._inbox.popleft()
        self._give_credit(credit)
        return message

    async def send(self, message: Message) -> None:
        """Take the application's next message.

        Raises:
            OSError: nobody listens any more (what ASGI 2.4 asks for).
            RuntimeError: a message that has no place here.
        """
        kind = message["type"]
        if self._gone is not None or self.is_abandoned:
            if kind == "websocket.close":
                return
            msg = "The WebSocket is closed; nobody gets this."
            raise _GoneError(msg)
        if self._accepted_ns and kind == "websocket.send":
            await self._send_message(message)
        elif self._accepted_ns and kind == "websocket.close":
            code, reason = message.get("code", _NORMAL), message.get("reason") or ""
            self._say_close(_checked(int(code)), _cut(reason))
        elif not self._accepted_ns and await self._open(kind, message):
            pass
        else:
            raise RuntimeError(_explain(kind, is_open=bool(self._accepted_ns)))

    def on_returned(self) -> None:
        """The application has returned: close what it left open.

        Raises:
            RuntimeError: it neither took the WebSocket nor turned it down.
        """
        if self._accepted_ns:
            self._conclude(_NORMAL)
        elif not self.is_answered and not self.is_abandoned:
            msg = "The application returned without accepting or closing the WebSocket."
            raise RuntimeError(msg)

    def close_denial(self) -> None:
        """What it did not send of an answer that turns the socket down stays here."""
        if self._denial is not None:
            self._denial.close()

    # -- what the router says ----------------------------------------------------------

    def on_part(self, part: SocketPart, buffers: Buffers) -> None:
        """A message arrived, or part of one."""
        data = bytes(buffers[0]) if buffers else b""
        credit = len(data) + SOCKET_PART_BYTES
        if part.more:
            self._parts.append(data)
            self._give_credit(credit)  # the proxy bounds how long a message can be
            return
        if self._parts:
            data = b"".join((*self._parts, data))
            self._parts = []
        message: Message = {"type": "websocket.receive", "bytes": data}
        if part.is_text:
            try:
                message = {"type": "websocket.receive", "text": data.decode()}
            except UnicodeDecodeError:
                self._say_close(_NO_TEXT, "A text message is not UTF-8.")
                return
        self._inbox.append((message, credit))
        self._arrived.set()

    def on_close(self, close: SocketClose) -> None:
        """The client has closed, or is gone."""
        self._leave(close.code, close.reason)

    def abandon(self) -> None:
        if not self._accepted_ns:
            super().abandon()
        elif not self.is_abandoned:
            self.is_abandoned = True
            self._leave(_VANISHED, "")

    def stop(self, failure: Failure) -> None:
        """Close it, and let the application see that before it is cancelled."""
        if not self._accepted_ns:
            super().stop(failure)
            return
        self._say_close(_RESTART, "The service restarts; connect again.")
        loop = asyncio.get_running_loop()
        loop.call_later(_LAST_STEPS_S, self.task.cancel)

    def on_raised(self, error: BaseException) -> None:
        super().on_raised(error)
        if self._accepted_ns:
            self._conclude(_FAILED)

    def was_withdrawn(self, error: BaseException) -> bool:
        how_they_end = (asyncio.CancelledError, WebSocketDisconnect, _GoneError)
        if self._gone is not None and isinstance(error, how_they_end):
            return True
        return super().was_withdrawn(error)

    def fail_with(self, error: BaseException) -> None:
        if not self._accepted_ns:
            super().fail_with(error)
            return
        log_user_error(error, self.request_id)
        self._say_close(_FAILED, "")

    # -- steps of these ----------------------------------------------------------------

    async def _open(self, kind: str, message: Message) -> bool:
        """Take what may come before the socket is open; False if this may not."""
        if kind == "websocket.accept":
            self._accept(message)
        elif kind == "websocket.close":
            await self.reply(Reply(403, b"", b"", 0))
            self._leave(_VANISHED, "")
        elif kind.startswith("websocket.http.response."):
            if self._denial is None:
                self._denial = Responder(self)
            as_http = kind.removeprefix("websocket.")
            await self._denial({**message, "type": as_http})
            if self.is_answered:
                self._leave(_VANISHED, "")
        else:
            return False
        return True

    def _accept(self, message: Message) -> None:
        headers = [
            (name, value)
            for name, value in message.get("headers", ())
            if name.lower() not in _OF_THE_HANDSHAKE
        ]
        if subprotocol := message.get("subprotocol"):
            headers.append((_SUBPROTOCOL, subprotocol.encode()))
        head, _ = head_of(headers)
        self._accepted_ns = perf_counter_ns()
        self.status = HTTPStatus.SWITCHING_PROTOCOLS
        self.begin(SocketAccept(self.id, head), ())

    async def _send_message(self, message: Message) -> None:
        text = message.get("text")
        data = bytes(message["bytes"]) if text is None else text.encode()
        async with self._sending:
            for piece, more in _pieces(data):
                await self._send_part(
                    SocketPart(self.id, text is not None, more), piece
                )

    async def _send_part(self, part: SocketPart, data: bytes | memoryview) -> None:
        window = self._window
        assert window is not None
        if not window.is_open:
            await window.wait_open()
        if self.channel.is_congested:
            await self.channel.wait_writable()
        if self._gone is not None:
            msg = "The client closed the WebSocket before it had taken this."
            raise _GoneError(msg)
        window.take(len(data) + SOCKET_PART_BYTES)
        self._send(part, (data,))

    def _say_close(self, code: int, reason: str) -> None:
        """Say the last word, unless there was one."""
        if not self.is_answered and self._gone is None:
            self._send(SocketClose(self.id, code, reason), ())
            self.is_answered = True
        self._leave(code, reason)

    def _conclude(self, code: int) -> None:
        """The application is done: tell the router that the call is."""
        if self._gone is None:
            self._say_close(code, "")
        elif not self.is_answered:
            self._send(End(self.id), ())
            self.is_answered = True

    def _leave(self, code: int, reason: str) -> None:
        """Nobody listens from here on; whoever waits to send shall know."""
        if self._gone is None:
            self._gone = {
                "type": "websocket.disconnect",
                "code": code,
                "reason": reason,
            }
            self._arrived.set()
            self.on_credit(_ENOUGH)

    def _give_credit(self, size: int) -> None:
        if self._gone is None:
            self._send(Credit(self.id, size), ())


class _GoneError(OSError):
    """Nobody listens any more."""


def _pieces(data: bytes) -> Iterator[tuple[bytes | memoryview, bool]]:
    """A message in parts, none of which holds up the other calls of its channel."""
    if len(data) <= WHOLE_BYTES:
        yield data, False
        return
    view = memoryview(data)
    for start in range(0, len(view), PIECE_BYTES):
        yield view[start : start + PIECE_BYTES], start + PIECE_BYTES < len(view)


def _checked(code: int) -> int:
    """Refuse a code that cannot be sent."""
    if 3000 <= code < 5000 or (1000 <= code < 1015 and code not in _UNSENDABLE):
        return code
    msg = f"{code} cannot close a WebSocket; use 1000, or 4000 to 4999 for your own."
    raise ValueError(msg)


def _cut(reason: str) -> str:
    """As much of the reason as fits into a frame."""
    return reason.encode()[:_REASON_BYTES].decode(errors="ignore")


def _explain(kind: str, *, is_open: bool) -> str:
    due = "websocket.send or websocket.close"
    if not is_open:
        due = "websocket.accept, websocket.close or websocket.http.response.start"
    return f"The application sent {kind!r} where ASGI has {due}."
