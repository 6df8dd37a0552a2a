"""The receiving end of `sharing`: maps a peer's segments and notices when they are free.

Made by `Sharing`, one for each channel; lives on the channel's loop, but for the moment
when the last reference to a borrowed buffer goes, which may be in any thread.
"""

import asyncio
import contextlib
import ctypes
import fcntl
import logging
import mmap
import os
import weakref
from collections.abc import Callable, Sequence
from functools import cache
from typing import Final

from workbench.errors import ProtocolError
from workbench.wire.messages import Buffers, Message
from workbench.wire.sharing_messages import Loan, Returned, SegmentMapped, SegmentShown

__all__ = ["Borrowing"]

logger = logging.getLogger(__name__)

# What is used for longer is kept: its owner then uses other memory for other values.
_KEPT_S: Final = 5.0

# From Linux's fcntl.h; Python has no names for them.
_F_GET_SEALS: Final = 1034
_F_SEAL_SHRINK: Final = 2

# How the kernel describes a page of a file in a `pagemap`: the highest byte of eight
# has 0x80 if it is present, 0x40 if swapped out, 0x20 as long as it is the file's, 0x01
# if nobody else maps it. A page without 0x20 is our own, changed copy.
_UNCHANGED: Final = bytes([0x00, 0x01, 0x20, 0x21, 0x60, 0x61, 0xA0, 0xA1])
_PAGE_BYTES: Final = mmap.PAGESIZE
_ENTRY_BYTES: Final = 8


class Borrowing:
    """What we see of one peer's memory."""

    def __init__(
        self, send: Callable[[Message], None], loop: asyncio.AbstractEventLoop
    ) -> None:
        self._send = send
        self._loop = loop
        self._mappings: dict[int, _Mapping] = {}
        self._next: list[tuple[int, memoryview]] = []
        self._will_look = False

    def map(self, shown: SegmentShown) -> None:
        """Map a segment of the peer's, or tell it that this does not go."""
        try:
            self._mappings[shown.number] = _Mapping(shown)
        except (OSError, ValueError) as error:
            logger.info("Large values come over the socket: %s", error)
            self._send(SegmentMapped(shown.number, is_mapped=False))
        else:
            self._send(SegmentMapped(shown.number, is_mapped=True))

    def unmap(self, number: int) -> None:
        """The peer will not lend this segment again."""
        self._mappings.pop(number, None)

    def borrow(self, loans: Sequence[Loan]) -> None:
        """These buffers belong to the next message.

        Raises:
            ProtocolError: the peer lends what it has not shown.
        """
        try:
            self._next = [(loan.index, self._view(loan)) for loan in loans]
        except (KeyError, ValueError):
            msg = f"Got loans of segments that are not mapped, or smaller: {loans}."
            raise ProtocolError(msg) from None

    def fill_in(self, buffers: Buffers) -> Buffers:
        """The message's buffers, with those that were borrowed in their places."""
        if not self._next:
            return buffers
        whole = list(buffers)
        for index, view in self._next:
            whole.insert(index, view)
        self._next = []
        return whole

    def close(self) -> None:
        """The channel has ended; arrays that lie in a mapping keep it."""
        self._mappings.clear()
        self._next = []

    def _view(self, loan: Loan) -> memoryview:
        mapping = self._mappings[loan.segment]
        room = mapping.room(loan.size)
        # The buffer's owner is what all views and arrays of it refer to.
        end = weakref.finalize(room, self._let_go, mapping, loan.size)
        end.atexit = False
        mapping.users += 1
        mapping.used_at_s = self._loop.time()
        self._look_later()
        return memoryview(room).cast("B")

    def _let_go(self, mapping: "_Mapping", size: int) -> None:
        """Nothing refers to a loan any more; on whatever thread noticed."""
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._give_back, mapping, size)

    def _give_back(self, mapping: "_Mapping", size: int) -> None:
        if mapping.kept:
            mapping.kept -= 1
            return
        mapping.users -= 1
        if not mapping.users:
            mapping.forget_changes(size)
        self._send(Returned(mapping.number, is_kept=False))

    def _look_later(self) -> None:
        if not self._will_look:
            self._will_look = True
            self._loop.call_later(_KEPT_S, self._look)

    def _look(self) -> None:
        """Keep what has been in use for long."""
        self._will_look = False
        then_s = self._loop.time() - _KEPT_S
        for mapping in self._mappings.values():
            if mapping.users and mapping.used_at_s <= then_s:
                self._keep(mapping)
        if any(mapping.users for mapping in self._mappings.values()):
            self._look_later()

    def _keep(self, mapping: "_Mapping") -> None:
        for _ in range(mapping.users):
            self._send(Returned(mapping.number, is_kept=True))
        mapping.kept += mapping.users
        mapping.users = 0


class _Mapping:
    """A segment of another process, as this one sees it."""

    def __init__(self, shown: SegmentShown) -> None:
        self.number = shown.number
        self.users = 0
        """Loans that have not been returned."""
        self.kept = 0
        """Loans that never will be, and are still in use."""
        self.used_at_s = 0.0
        self._map = _map(shown)
        self._address = ctypes.addressof(ctypes.c_ubyte.from_buffer(self._map))

    def room(self, size: int) -> "ctypes.Array[ctypes.c_ubyte]":
        """An owner for the buffer of one loan, by whose end its end is known."""
        return (ctypes.c_ubyte * size).from_buffer(self._map)

    def forget_changes(self, size: int) -> None:
        """See what the peer writes again, where an array was changed here.

        To do so untold costs 0.2 ms and more for each MB of the next value, whose
        pages must then be mapped anew; to ask first costs 0.01.
        """
        if _is_changed(self._address, size):
            self._map.madvise(mmap.MADV_DONTNEED, 0, size)


def _map(shown: SegmentShown) -> mmap.mmap:
    path = f"/proc/{shown.pid}/fd/{shown.descriptor}"
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        is_it = (status.st_ino, status.st_size) == (shown.inode, shown.capacity)
        if not (is_it and fcntl.fcntl(descriptor, _F_GET_SEALS) & _F_SEAL_SHRINK):
            msg = f"{path} is not what the peer means."
            raise ValueError(msg)
        access = mmap.PROT_READ | mmap.PROT_WRITE
        return mmap.mmap(descriptor, shown.capacity, mmap.MAP_PRIVATE, access)
    finally:
        os.close(descriptor)


def _is_changed(address: int, size: int) -> bool:
    """Whether pages of a private mapping are copies of ours."""
    pagemap = _pagemap()
    if pagemap is None:
        return True
    first, last = address // _PAGE_BYTES, (address + size - 1) // _PAGE_BYTES
    asked = (last - first + 1) * _ENTRY_BYTES
    entries = os.pread(pagemap, asked, first * _ENTRY_BYTES)
    highest = entries[_ENTRY_BYTES - 1 :: _ENTRY_BYTES]
    return len(entries) < asked or bool(highest.translate(None, _UNCHANGED))


@cache
def _pagemap() -> int | None:
    try:
        return os.open("/proc/self/pagemap", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
