"""Messages to bytes and back, without any I/O.

A frame is a prefix of three little-endian 32-bit numbers (bytes of the whole frame,
bytes of the header, number of buffers), the sizes of all buffers but the last, the
header (one message as MessagePack), then the buffers as they are. Called by `channel`
and `handshake`; what is inside a buffer is never looked at here.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeAlias

import msgspec

from workbench.errors import ProtocolError
from workbench.wire.messages import Buffers, Message

__all__ = [
    "MAX_FRAME_BYTES",
    "Decoder",
    "Piece",
    "encode",
    "encode_once",
    "join",
    "read_frame",
]

MAX_FRAME_BYTES: Final = 1 << 30

# Bigger buffers are not joined with other pieces when sent, and bigger frames are
# collected in a buffer of their own when received: each byte is copied once less.
# Below it, copying costs less than one more object to handle.
_BIG: Final = 64 * 1024

_PREFIX: Final = struct.Struct("<III")
_PREFIX_SIZE: Final = _PREFIX.size
_SIZE: Final = 4

Piece: TypeAlias = bytes | memoryview

_encode_header = msgspec.msgpack.Encoder().encode
_decoder: "msgspec.msgpack.Decoder[Message]" = msgspec.msgpack.Decoder(Message)


def encode(message: Message, buffers: Buffers, out: list[Piece]) -> int:
    """Append the frame to `out`, in pieces, and return its size in bytes.

    Buffers must be bytes or flat views of bytes (`PickleBuffer.raw()` gives one).
    Pieces, since `join` then copies all frames of a loop turn just once: 820 ns a
    frame instead of 1,680 for one that is joined by itself (a small `HttpCall`).

    Raises:
        ProtocolError: the frame is larger than a peer would take, or holds text that
            is not Unicode (a lone surrogate). Nothing was appended.
    """
    try:
        header = _encode_header(message)
    except UnicodeEncodeError as error:
        msg = f"{type(message).__name__} with text that is not Unicode: {error}."
        raise ProtocolError(msg, "Replace what cannot be encoded as UTF-8.") from None
    header_size = len(header)
    count = len(buffers)
    if count == 1:
        size = _PREFIX_SIZE + header_size + len(buffers[0])
    else:
        sizes = [len(buffer) for buffer in buffers]
        size = _PREFIX_SIZE + _SIZE * max(count - 1, 0) + header_size + sum(sizes)
    if size > MAX_FRAME_BYTES:
        msg = f"{type(message).__name__} of {size} bytes; {MAX_FRAME_BYTES} can travel."
        raise ProtocolError(msg, "Pass less at a time, or where to find the data.")
    out.append(_PREFIX.pack(size, header_size, count))
    if count > 1:
        out.append(struct.pack(f"<{count - 1}I", *sizes[:-1]))
    out.append(header)
    out += buffers
    return size


def encode_once(message: Message) -> bytes:
    """The frame of a message without buffers, to be sent to many as it is.

    Raises:
        ProtocolError: as `encode`.
    """
    pieces: list[Piece] = []
    encode(message, (), pieces)
    return b"".join(pieces)


def join(pieces: Sequence[Piece]) -> Iterator[Piece]:
    """Merge runs of small pieces; big ones come as they are."""
    run: list[Piece] = []
    for piece in pieces:
        if len(piece) < _BIG:
            run.append(piece)
            continue
        if run:
            yield b"".join(run)
            run.clear()
        yield piece
    if run:
        yield b"".join(run)


def read_frame(
    data: Piece,
    start: int = 0,
    limit: int = MAX_FRAME_BYTES,
    decoder: "msgspec.msgpack.Decoder[Message]" = _decoder,
) -> tuple[Message, Buffers, int] | None:
    """Read the frame at `start`: message, buffers, where it ends; None if not whole.

    Raises:
        ProtocolError: what stands there is not the beginning of a frame.
    """
    if len(data) - start < _PREFIX_SIZE:
        return None
    size, header_size, count = _PREFIX.unpack_from(data, start)
    if size > limit:
        msg = f"Got a frame of {size} bytes; {limit} are taken."
        raise ProtocolError(msg)
    end = start + size
    if end > len(data):
        return None
    header = start + _PREFIX_SIZE + (_SIZE * (count - 1) if count > 1 else 0)
    body = header + header_size
    if body > end or (body < end and not count):
        msg = f"Got a frame of {size} bytes that its parts do not fill."
        raise ProtocolError(msg)
    message = _decode(data[header:body], decoder)
    if count == 1:
        return message, (data[body:end],), end
    if not count:
        return message, (), end
    sizes = struct.unpack_from(f"<{count - 1}I", data, start + _PREFIX_SIZE)
    return message, _split(data, body, end, sizes), end


def _split(data: Piece, body: int, end: int, sizes: Iterable[int]) -> Buffers:
    """Cut out several buffers; the last one is what `sizes` leave."""
    buffers = []
    for size in sizes:
        buffers.append(data[body : body + size])
        body += size
    if body > end:
        msg = f"Got buffers that reach {body - end} bytes beyond their frame."
        raise ProtocolError(msg)
    buffers.append(data[body:end])
    return buffers


class Decoder:
    """The receiving end of one stream of frames."""

    __slots__ = ("_missing", "_parts", "_rest")

    def __init__(self) -> None:
        self._rest = b""
        # A big frame on its way, as it came, and what it still lacks: its bytes are
        # copied once, when it is whole. A peer that announces much and sends little
        # takes little memory.
        self._parts: list[Piece] = []
        self._missing = 0

    def feed(self, data: bytes) -> list[tuple[Message, Buffers]]:
        """Take what was received and return the messages it completes.

        A single buffer is bytes; several ones of a big frame are views of memory that
        belongs to their frame alone.

        Raises:
            ProtocolError: the peer sends something else than frames; close it.
        """
        frames: list[tuple[Message, Buffers]] = []
        start = 0
        if self._parts:
            if len(data) < self._missing:
                self._parts.append(data)
                self._missing -= len(data)
                return frames
            start = self._missing
            self._parts.append(memoryview(data)[:start])
            parts, self._parts = self._parts, []
            frames.append(_read_parts(parts))
        elif self._rest:
            data = self._rest + data
        while (frame := read_frame(data, start)) is not None:
            message, buffers, start = frame
            frames.append((message, buffers))
        self._keep(data, start)
        return frames

    def _keep(self, data: bytes, start: int) -> None:
        """Remember the beginning of a frame that is not whole."""
        self._rest = b""
        here = len(data) - start
        if here >= _PREFIX_SIZE:
            size = _PREFIX.unpack_from(data, start)[0]
            if size > _BIG:
                self._parts = [memoryview(data)[start:]]
                self._missing = size - here
                return
        self._rest = data[start:]


def _read_parts(parts: list[Piece]) -> tuple[Message, Buffers]:
    """Read a big frame that came in parts."""
    first = parts[0]
    size, header_size, count = _PREFIX.unpack_from(first)
    body = _PREFIX_SIZE + header_size
    if count == 1 and body <= len(first) and body <= size:
        message = _decode(first[_PREFIX_SIZE:body], _decoder)
        parts[0] = memoryview(first)[body:]
        return message, (b"".join(parts),)
    # Writable: what is unpickled from its buffers shall be so, too.
    frame = read_frame(memoryview(bytearray().join(parts)))
    if frame is None:
        msg = f"Got a frame of {size} bytes that is not whole."
        raise ProtocolError(msg)
    return frame[:2]


def _decode(header: Piece, decoder: "msgspec.msgpack.Decoder[Message]") -> Message:
    try:
        return decoder.decode(header)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        msg = f"Got a message that cannot be read: {error}."
        raise ProtocolError(msg) from None
