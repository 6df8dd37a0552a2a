"""A client's connection once it is a WebSocket.

Takes the place of `HttpProtocol` on the transport. `websockets` (its core, that does
no I/O) turns bytes into frames and back; messages go to the replica through the
`Line`, here are pings, limits, the closing handshake and what holds either side back.
"""

import asyncio
import contextlib
from typing import Any, Protocol

from websockets.exceptions import WebSocketException
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN

from workbench.proxy.door import NEVER, Door
from workbench.proxy.handshake import Codec

__all__ = ["Host", "Line", "SocketConnection"]

_WINDOW_BYTES = 1024 * 1024
"""Bytes of messages under way to the replica beyond which no more is read."""
_UNSENT_BYTES = 4 * 1024 * 1024
"""Bytes that the client has not taken beyond which no more is read. Far more than the
replica is given credit for: only a client that sends pings and reads nothing gets there."""
_SLICE_BYTES = 16 * 1024
_COMPRESSED_SLICE_BYTES = 4 * 1024
"""Bytes read at a time. Compressed ones become a thousand times as many at worst."""
_FRAMES_PER_TURN = 256
"""Frames after which others have their turn: a read may hold 40,000 small ones."""
_PIECE_BYTES = 128 * 1024
_CLOSE_BEATS = 10
"""How long a client may take to answer that the connection is closed."""

_VANISHED = 1006
_FAILED = 1011
_RESTART = 1012


class Line(Protocol):
    """The way to the replica."""

    uncredited_bytes: int
    """Bytes of messages that the application has not taken yet."""

    def send(self, data: bytes | memoryview, *, is_text: bool, more: bool) -> None:
        """Pass on a message, or part of one."""

    def close(self, code: int, reason: str) -> None:
        """The client has closed, or is gone."""

    def return_credit(self) -> None:
        """The client has taken what was sent to it."""


class Host(Protocol):
    """The connection as it was before."""

    door: Door
    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    is_congested: bool
    connections: set[Any]
    """uvicorn's, of all that it asks to shut down."""


class SocketConnection(asyncio.Protocol):
    """One WebSocket connection."""

    def __init__(self, host: Host, line: Line, codec: Codec) -> None:
        self.door = host.door
        self.transport = host.transport
        self.is_congested = host.is_congested
        self.expires = NEVER
        self._connections = host.connections
        self._loop = host.loop
        self._line = line
        self._codec = codec
        self._unread = bytearray()
        """Came in before reading was paused."""
        self._is_reading = True
        self._is_text = False
        self._is_told = False
        self._will_read = False
        self._awaits_pong = False
        self._unsent_at_expiry = 0

    def begin(self, received: bytes, *, is_reading: bool) -> None:
        """Take over; `received` came in behind the handshake."""
        self._is_reading = is_reading
        self._connections.add(self)
        self.door.join(self)
        self.data_received(received)

    # -- what the event loop calls -----------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Read frames, as far as there is room for their messages."""
        self._awaits_pong = False
        if self._codec.state is OPEN:
            self.expires = self.door.beat + self.door.ping_beats
        self._unread += data
        self.regulate()

    def eof_received(self) -> None:
        """The client is done; a half-closed connection is not kept."""

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """The client is gone."""
        self._connections.discard(self)
        self.door.leave(self)
        self._unread.clear()
        self._tell(_VANISHED, "")

    def pause_writing(self) -> None:
        """The client takes messages more slowly than they come."""
        self.is_congested = True

    def resume_writing(self) -> None:
        """The client has taken most of what was written."""
        self.is_congested = False
        self._line.return_credit()
        self.regulate()

    # -- what uvicorn and the door call ------------------------------------------------

    def shutdown(self) -> None:
        """This server stops."""
        self._tell(_RESTART, "")
        self.close(_RESTART, "The service restarts; connect again.")

    def expire(self) -> None:
        """Nothing came for a while: ask, and give up if there is no answer."""
        door = self.door
        unsent = self.transport.get_write_buffer_size()
        is_busy = not self._is_reading or (unsent and unsent != self._unsent_at_expiry)
        if self._codec.state is not OPEN:
            self.cut()
        elif is_busy:
            self._unsent_at_expiry = unsent
            self.expires = door.beat + door.ping_beats
        elif self._awaits_pong:
            self._fail(_FAILED, "No answer to a ping.")
            self.expires = door.beat + 1
        else:
            self._awaits_pong = True
            self._codec.send_ping(b"")
            self._flush()
            self.expires = door.beat + door.pong_beats

    def cut(self) -> None:
        """Close at once, without regard to what is unsent."""
        self.transport.abort()

    # -- what the line calls -----------------------------------------------------------

    def send(self, data: bytes | memoryview, *, is_text: bool, more: bool) -> None:
        """Send a message, or part of one."""
        codec = self._codec
        if codec.state is not OPEN:
            return
        if codec.expect_continuation_frame:
            codec.send_continuation(data, not more)
        elif is_text:
            codec.send_text(data, not more)
        else:
            codec.send_binary(data, not more)
        self._flush()

    def close(self, code: int, reason: str) -> None:
        """Begin to close; what the client sends from here on is not passed on."""
        self._is_told = True
        if self._codec.state is OPEN:
            try:
                self._codec.send_close(code, reason)
            except WebSocketException:  # a code that may not be sent
                self._codec.send_close(_FAILED)
            self._flush()
            self.expires = self.door.beat + _CLOSE_BEATS
        self.regulate()

    def regulate(self) -> None:
        """Read on, or pause reading, by how much is not used yet."""
        self._read()
        wants_more = self._wants_more()
        if wants_more is not self._is_reading and not self.transport.is_closing():
            self._is_reading = wants_more
            if wants_more:
                self.transport.resume_reading()
            else:
                self.transport.pause_reading()

    # -- steps of these ----------------------------------------------------------------

    def _read(self) -> None:
        unread, codec = self._unread, self._codec
        size = _COMPRESSED_SLICE_BYTES if codec.extensions else _SLICE_BYTES
        frames = 0
        while unread and frames < _FRAMES_PER_TURN and self._wants_more():
            codec.receive_data(bytes(unread[:size]))
            del unread[:size]
            for event in codec.events_received():
                frames += 1
                if isinstance(event, Frame):
                    self._on_frame(event)
            self._flush()
        if frames >= _FRAMES_PER_TURN and unread and not self._will_read:
            self._will_read = True
            self._loop.call_soon(self._read_on)
        if codec.state is not OPEN:
            self._on_closing()

    def _read_on(self) -> None:
        self._will_read = False
        self.regulate()

    def _on_frame(self, frame: Frame) -> None:
        if frame.opcode in {Opcode.TEXT, Opcode.BINARY}:
            self._is_text = frame.opcode is Opcode.TEXT
        elif frame.opcode is not Opcode.CONT:
            return
        if self._is_told:
            return
        view = memoryview(frame.data)
        last = max(0, len(view) - 1) // _PIECE_BYTES * _PIECE_BYTES
        for start in range(0, last, _PIECE_BYTES):
            piece = view[start : start + _PIECE_BYTES]
            self._line.send(piece, is_text=self._is_text, more=True)
        self._line.send(view[last:], is_text=self._is_text, more=not frame.fin)

    def _on_closing(self) -> None:
        """The client has closed, or has said what is no WebSocket."""
        close = self._codec.close_rcvd or self._codec.close_sent
        if close is not None:
            self._tell(close.code, close.reason)

    def _fail(self, code: int, reason: str) -> None:
        self._codec.fail(code, reason)
        self._flush()
        self._tell(code, reason)

    def _tell(self, code: int, reason: str) -> None:
        """Tell the replica, once."""
        if not self._is_told:
            self._is_told = True
            self._line.close(code, reason)

    def _wants_more(self) -> bool:
        return not self._will_read and (
            self._is_told
            or (
                self._line.uncredited_bytes <= _WINDOW_BYTES
                and self.transport.get_write_buffer_size() <= _UNSENT_BYTES
            )
        )

    def _flush(self) -> None:
        """Write what the codec has to say; an empty piece ends the connection."""
        pieces = self._codec.data_to_send()
        if not pieces or self.transport.is_closing():
            return
        if data := b"".join(pieces):
            self.transport.write(data)
        if not pieces[-1]:
            self._end()

    def _end(self) -> None:
        """Close our half first: a full close could overtake what was written."""
        self.expires = self.door.beat + _CLOSE_BEATS
        if not self.transport.can_write_eof():
            self.transport.close()
            return
        with contextlib.suppress(OSError):
            self.transport.write_eof()
