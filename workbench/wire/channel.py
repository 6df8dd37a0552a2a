"""Channels: messages both ways over one Unix socket or TCP connection.

Whoever talks to another process of the instance calls `listen` or `connect` here and
gives an `Endpoint` to be called. A channel exists only once both ends have proved to
know the secret. Nothing here knows what a message means, or unpickles anything. Where
both ends are on one host, large values go by `sharing`.
"""

import asyncio
import logging
import os
from pathlib import Path
from typing import Final, Protocol, cast

from workbench.errors import ProtocolError
from workbench.spec.table import Address
from workbench.wire.arrays import Stored, memory
from workbench.wire.framing import Decoder, Piece, encode, join
from workbench.wire.handshake import Handshake, client_side, server_side
from workbench.wire.messages import Buffers, Message, Ping, Pong
from workbench.wire.sharing import Sharing
from workbench.wire.sharing_messages import ABOUT_SEGMENTS, Lent
from workbench.wire.tuning import tune

__all__ = ["Channel", "Endpoint", "Listener", "connect", "listen"]

logger = logging.getLogger(__name__)

# A turn's frames are written together at its end, or as soon as there is this much:
# a producer that never lets the loop turn must hear of congestion too.
_FLUSH_BYTES: Final = 256 * 1024
# About eight small frames. Were a busy turn's written all at its end, the two processes
# would take turns: 16,000 JSON echoes a second with 32 connections, 19,700 with this.
_FLUSH_PIECES: Final = 24

_HANDSHAKE_S: Final = 5.0
_BACKLOG: Final = 1024

# See `tune`: to notice that a TCP peer's host is gone there must be data to answer.
_PING_S: Final = 5.0

# What the ends of a channel say to each other, and not to their endpoints.
_OWN: Final = ABOUT_SEGMENTS | {Ping, Pong}


class Endpoint(Protocol):
    """One who talks on channels; called on the loop that opened them."""

    def on_open(self, channel: "Channel") -> None:
        """The peer is believed; first of all calls."""

    def on_message(
        self, channel: "Channel", message: Message, buffers: Buffers
    ) -> None:
        """The peer said something."""

    def on_closed(self, channel: "Channel", error: Exception | None) -> None:
        """Last of all calls; without `error` one of both ends closed on purpose."""


class Channel(asyncio.Protocol):
    """An open, authenticated connection. Made by `listen` and `connect` only."""

    def __init__(
        self,
        transport: asyncio.Transport,
        endpoint: Endpoint,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.is_open = True
        self.is_congested = False
        """The peer reads more slowly than we write; see `wait_writable`."""
        self._transport = transport
        self._endpoint = endpoint
        self._loop = loop
        self._decoder = Decoder()
        self._out: list[Piece] = []
        self._out_bytes = 0
        self._waiters: list[asyncio.Future[None]] = []
        self._error: Exception | None = None
        self._closed: asyncio.Future[None] = loop.create_future()
        self._sharing: Sharing | None = None
        self._has_loans = False
        """Buffers of the next message to come were lent, not sent."""

    def send(self, message: Message, buffers: Buffers = ()) -> None:
        """Send at the end of this loop turn; once closed, do nothing.

        Big buffers are not copied: leave what they show unchanged until the peer has
        answered.

        Raises:
            ProtocolError: it is larger than a frame can be; nothing is sent.
        """
        if not self.is_open:
            return
        if type(buffers) is Stored and self._sharing is not None:
            self._send_stored(message, self._sharing.lend(buffers))
            return
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out_bytes += encode(message, buffers, self._out)
        if self._out_bytes > _FLUSH_BYTES or len(self._out) >= _FLUSH_PIECES:
            self._flush()

    def lendable(self, data: memoryview) -> Buffers:
        """Bytes to send that need not stay as they are: lent, if the peer is near."""
        buffers = Stored()
        is_near = self._sharing is not None
        return buffers if is_near and buffers.store(data) else (data,)

    def send_frame(self, frame: bytes) -> None:
        """Send what `encode_once` made: the same to many peers, encoded once."""
        if not self.is_open:
            return
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(frame)
        self._out_bytes += len(frame)
        if self._out_bytes > _FLUSH_BYTES:
            self._flush()

    def _send_stored(self, message: Message, rest: Buffers) -> None:
        try:
            self.send(message, rest)
        except ProtocolError:
            self.send(Lent([]))  # what was lent is for no message now
            raise

    def close(self) -> None:
        """Write what was sent, then close."""
        if self.is_open:
            self._flush()
            self.is_open = False
            self._transport.close()

    async def wait_closed(self) -> None:
        """Wait for the end of the channel."""
        await asyncio.shield(self._closed)

    async def wait_writable(self) -> None:
        """Wait while the channel is congested; return at once when it is closed."""
        while self.is_congested and self.is_open:
            waiter = self._loop.create_future()
            self._waiters.append(waiter)
            await waiter

    def _flush(self) -> None:
        pieces = self._out
        if pieces and self.is_open:
            self._out = []
            self._out_bytes = 0
            for piece in join(pieces):
                self._transport.write(piece)

    # -- called by _Opening and by the transport ---------------------------------------

    def begin(self, received: bytes) -> None:
        """Say that the channel is open, then what the peer has sent already."""
        if tune(self._transport):
            self._ping()
        else:
            self._sharing = Sharing(memory, self.send, self._loop)
        self._endpoint.on_open(self)
        if received:
            self.data_received(received)

    def data_received(self, data: bytes) -> None:
        try:
            for message, buffers in self._decoder.feed(data):
                if type(message) in _OWN:
                    self._on_own(message)
                elif self.is_open:
                    self._deliver(message, buffers)
        except ProtocolError as error:
            self._error = error
            self._transport.abort()

    def pause_writing(self) -> None:
        self.is_congested = True

    def resume_writing(self) -> None:
        self.is_congested = False
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        self._out.clear()
        if self._sharing is not None:
            self._sharing.close()
            self._sharing = None
        self._wake()
        self._closed.set_result(None)
        self._endpoint.on_closed(self, self._error or exc)

    def _deliver(self, message: Message, buffers: Buffers) -> None:
        if self._has_loans and self._sharing is not None:
            self._has_loans = False
            buffers = self._sharing.fill_in(buffers)
        self._endpoint.on_message(self, message, buffers)

    def _on_own(self, message: Message) -> None:
        if type(message) is Ping:
            self.send(Pong())
        elif type(message) is not Pong and self._sharing is not None:
            self._has_loans = type(message) is Lent
            self._sharing.on_message(message)

    def _ping(self) -> None:
        if self.is_open:
            self.send(Ping())
            self._loop.call_later(_PING_S, self._ping)

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)


class _Opening(asyncio.Protocol):
    """A connection whose peer is not believed yet: becomes a channel, or ends."""

    def __init__(
        self,
        handshake: Handshake,
        endpoint: Endpoint,
        opened: "asyncio.Future[Channel]",
        patience_s: float,
    ) -> None:
        self._handshake = handshake
        self._endpoint = endpoint
        self._opened = opened
        self._loop = opened.get_loop()
        self._patience_s = patience_s
        self._deadline: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._deadline = self._loop.call_later(self._patience_s, self._give_up)
        self._transport.write(self._handshake.start())

    def data_received(self, data: bytes) -> None:
        transport = self._transport
        if transport is None or self._opened.done():
            return
        try:
            transport.write(self._handshake.feed(data))
        except ProtocolError as error:
            self._end(error)
            return
        if self._handshake.is_done:
            self._stop_waiting()
            channel = Channel(transport, self._endpoint, self._loop)
            transport.set_protocol(channel)
            self._opened.set_result(channel)
            channel.begin(self._handshake.rest)

    def connection_lost(self, exc: Exception | None) -> None:
        hint = "It has another secret, or runs another version of Workbench."
        self._end(exc or ProtocolError("The peer closed the new connection.", hint))

    def abandon(self) -> None:
        """Nobody waits any more: hang up, unless the endpoint has the channel."""
        if not self._opened.done() or self._opened.cancelled():
            self._opened.cancel()
            self._hang_up()

    def _give_up(self) -> None:
        msg = f"The peer did not prove who it is within {self._patience_s} s."
        self._end(ProtocolError(msg))

    def _end(self, error: Exception) -> None:
        self._hang_up()
        if not self._opened.done():
            self._opened.set_exception(error)

    def _hang_up(self) -> None:
        self._stop_waiting()
        if self._transport is not None:
            self._transport.abort()

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()


class Listener:
    """Open sockets on which channels come in. Made by `listen` only."""

    def __init__(
        self, servers: list[asyncio.Server], path: Path, host: str, port: int
    ) -> None:
        # uvloop frees a server that nobody holds, while its socket file stays.
        self._servers = servers
        self._path = path
        self._host = host
        self.port = port

    def address(self, host_id: str) -> Address:
        """Say where to connect to, for a table."""
        return Address(
            host_id=host_id, path=str(self._path), host=self._host, port=self.port
        )

    async def close(self) -> None:
        """Take no more channels, and remove the socket file; open channels stay."""
        for server in self._servers:
            server.close()
        _remove(self._path)
        await asyncio.sleep(0)  # uvloop closes its sockets in the next turn


async def listen(
    endpoint: Endpoint, *, path: Path, host: str, secret: bytes, port: int = 0
) -> Listener:
    """Take channels on a Unix socket and on a TCP port (0: any free one).

    Raises:
        PermissionError: others than this user can reach the socket's directory.
        OSError: the path or the port cannot be listened on.
    """
    _check_private(path.parent)
    loop = asyncio.get_running_loop()

    def opening() -> _Opening:
        opened: asyncio.Future[Channel] = loop.create_future()
        opened.add_done_callback(_log_refusal)
        return _Opening(Handshake(server_side(secret)), endpoint, opened, _HANDSHAKE_S)

    _remove(path)
    local = await loop.create_unix_server(opening, path, backlog=_BACKLOG)
    try:
        remote = await loop.create_server(opening, host, port, backlog=_BACKLOG)
    except OSError:
        local.close()
        _remove(path)
        raise
    port = remote.sockets[0].getsockname()[1]
    return Listener([local, remote], path, host, port)


async def connect(
    endpoint: Endpoint,
    address: Address,
    *,
    host_id: str,
    secret: bytes,
    timeout_s: float = 5.0,
) -> Channel:
    """Open a channel: by Unix socket on the same host, else by TCP.

    Raises:
        OSError: nobody listens there.
        TimeoutError: the peer did not answer in time.
        ProtocolError: the peer and this end do not believe each other.
    """
    loop = asyncio.get_running_loop()
    opened: asyncio.Future[Channel] = loop.create_future()
    opening = _Opening(Handshake(client_side(secret)), endpoint, opened, timeout_s)
    try:
        async with asyncio.timeout(timeout_s):
            if address.host_id == host_id and _exists(address.path):
                await loop.create_unix_connection(lambda: opening, address.path)
            else:
                host, port = address.host, address.port
                await loop.create_connection(lambda: opening, host, port)
        return await opened
    finally:
        opening.abandon()


def _exists(path: str) -> bool:
    return Path(path).exists()


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def _check_private(directory: Path) -> None:
    status = directory.stat()
    if status.st_uid != os.geteuid() or status.st_mode & 0o077:
        msg = f"{directory} must belong to this user alone: chmod 700 {directory}"
        raise PermissionError(msg)


def _log_refusal(opened: "asyncio.Future[Channel]") -> None:
    if not opened.cancelled() and (error := opened.exception()):
        logger.info("Refused a connection: %s", error)
