"""A request that becomes a WebSocket, and what the replica says on it.

Made by `HttpProtocol` in place of an `Exchange`, which it is until the replica accepts:
it may as well be answered with a page, or with a response. From then on it stands
between the client's `SocketConnection` and the replica.
"""

from typing import Protocol

from workbench.proxy.exchange import CREDIT_STEP_BYTES, Client, Exchange
from workbench.proxy.handshake import Handshake, HandshakeError, socket_call
from workbench.proxy.request import Request
from workbench.proxy.websocket import Host, SocketConnection
from workbench.wire.messages import (
    SOCKET_PART_BYTES,
    Buffers,
    Failure,
    HttpCall,
    SocketAccept,
    SocketClose,
    SocketPart,
)

__all__ = ["SocketClient", "SocketExchange"]

_FAILED = 1011


class SocketClient(Client, Host, Protocol):
    """The connection that a request for a WebSocket came on."""

    def hand_over(self, connection: SocketConnection, received: bytes) -> None:
        """Let the connection go on as a WebSocket, with what has come of it."""


class SocketExchange(Exchange):
    """One WebSocket: a `SocketReceiver`, and the connection's way to the replica."""

    _handshake: Handshake | None = None
    _connection: SocketConnection | None = None
    _call_id = 0

    def __init__(self, client: SocketClient, request: Request) -> None:
        super().__init__(client, request)
        self._host = client

    # -- what the connection calls -----------------------------------------------------

    def upload(self) -> None:
        """What comes before the WebSocket is open waits; the client is held back."""
        self.uncredited_bytes = sum(map(len, self.request.pieces))

    def send(self, data: bytes | memoryview, *, is_text: bool, more: bool) -> None:
        """Pass on a message, or part of one."""
        if self._ticket is not None:
            self.uncredited_bytes += len(data) + SOCKET_PART_BYTES
            self._ticket.tell(SocketPart(self._call_id, is_text, more), (data,))

    def close(self, code: int, reason: str) -> None:
        """The client has closed, or is gone; the application may still finish."""
        if self._ticket is not None:
            self._ticket.tell(SocketClose(self._call_id, code, reason))

    # -- what the router calls (`SocketReceiver`) --------------------------------------

    def on_accept(self, message: SocketAccept) -> None:
        """Answer the handshake; the connection is a WebSocket from here on."""
        assert self._handshake is not None
        if self._timer is not None:
            self._timer.cancel()
        self._record()
        client = self._host
        answer = self._handshake.answer(message, self._id, client.door.date_line)
        client.transport.write(answer)
        self._connection = SocketConnection(client, self, self._handshake.codec)
        self.is_uploading, self.uncredited_bytes = False, 0
        client.hand_over(self._connection, self.request.take_body())

    def on_part(self, message: SocketPart, buffers: Buffers) -> None:
        """Send a message, or part of one, to the client."""
        connection = self._connection
        if connection is None:
            return
        data = buffers[0] if buffers else b""
        connection.send(data, is_text=message.is_text, more=message.more)
        self._owed_bytes += len(data) + SOCKET_PART_BYTES
        if self._owed_bytes >= CREDIT_STEP_BYTES and not connection.is_congested:
            self.return_credit()

    def on_close(self, message: SocketClose) -> None:
        """The application has closed."""
        self._end(message.code, message.reason)

    def on_end(self) -> None:
        """The application has returned, knowing that the client has closed."""
        if self._connection is None:
            super().on_end()
        else:
            self._ticket = None

    def on_failure(self, failure: Failure, buffers: Buffers) -> None:
        """The WebSocket does not open, or the replica is gone."""
        if self._connection is None:
            super().on_failure(failure, buffers)
        else:
            self._end(_FAILED, "The service failed.")

    def on_credit(self, size: int) -> None:
        """The application has taken some of what the client sent."""
        self.uncredited_bytes -= size
        if self._connection is not None:
            self._connection.regulate()

    # -- steps of these ----------------------------------------------------------------

    def _submit(self, call: HttpCall, deployment: str) -> None:
        try:
            self._handshake = Handshake(self.request, self._client.door.options)
        except HandshakeError as error:
            self._answer(error.page)
            return
        self._call_id = call.id
        received = self.request.pieces
        self.request.pieces = []
        super()._submit(socket_call(call), deployment)
        self.request.pieces = received
        self.is_uploading = True

    def _end(self, code: int, reason: str) -> None:
        self._ticket = None
        if self._connection is not None:
            self._connection.close(code, reason)
