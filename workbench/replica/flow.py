"""Flow control of one call's streams: bytes on their way, and who waits for room.

`running` asks `SendWindow` before each piece it sends; `asgi` reads an uploaded body
from `Upload`. Both live on the I/O loop and know no channel.
"""

import asyncio
from collections import deque
from collections.abc import Callable

__all__ = ["WINDOW_BYTES", "SendWindow", "Upload"]

WINDOW_BYTES = 512 * 1024
"""Bytes of one stream that may be on their way before the receiver has used any.

On one host a window of this size fills the socket's buffers and then some, and a
hundred stalled streams hold no more than 50 MB."""


class SendWindow:
    """How much more of a stream may be sent."""

    __slots__ = ("_credit", "_opened")

    def __init__(self, size: int = WINDOW_BYTES) -> None:
        self._credit = size
        self._opened: asyncio.Future[None] | None = None

    @property
    def is_open(self) -> bool:
        """A piece may be sent, of whatever size: what it overdraws is waited for."""
        return self._credit > 0

    def take(self, size: int) -> None:
        """A piece was sent."""
        self._credit -= size

    def give(self, size: int) -> None:
        """The receiver has used as much."""
        self._credit += size
        if self._credit > 0 and self._opened is not None:
            if not self._opened.done():
                self._opened.set_result(None)
            self._opened = None

    async def wait_open(self) -> None:
        """Wait for room. One at a time may wait."""
        while not self.is_open:
            self._opened = asyncio.get_running_loop().create_future()
            await self._opened


class Upload:
    """A request body that is still coming in."""

    def __init__(self, first: bytes, give_credit: Callable[[int], None]) -> None:
        self._pieces: deque[bytes] = deque([first] if first else ())
        self._give_credit = give_credit
        self._is_complete = False
        self._arrived: asyncio.Future[None] | None = None

    def put(self, data: bytes, *, last: bool) -> None:
        """Take the next piece."""
        if data:
            self._pieces.append(data)
        self._is_complete = last
        self._wake()

    async def read(self) -> tuple[bytes, bool]:
        """The next piece, and whether more follows; empty if that was all."""
        while not self._pieces and not self._is_complete:
            self._arrived = asyncio.get_running_loop().create_future()
            await self._arrived
        if not self._pieces:
            return b"", False
        piece = self._pieces.popleft()
        self._give_credit(len(piece))
        return piece, bool(self._pieces) or not self._is_complete

    def _wake(self) -> None:
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)
