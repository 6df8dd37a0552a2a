"""Memory of this process that other processes of the host can see, for large values.

`code.values` stores arrays and pickles here when a call is made; `sharing` lends what is
stored to a peer on the same host, which then maps it instead of receiving it: one copy
in place of four. Whoever cannot map it gets it over the socket, as any other buffer.

A segment is an anonymous file (`memfd`). It has no name and no place in /dev/shm, whose
size is of no matter, therefore; and when all processes that map it have ended, in
whatever way, the kernel frees it: there is nothing to clean up.
"""

import ctypes
import mmap
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Final, TypeVar

from workbench.wire.segments import Segments

__all__ = ["STORED_BYTES", "SharedMemory", "Stored", "memory"]

STORED_BYTES: Final = 128 * 1024
"""Smaller buffers are not stored: to lend them costs more than to send them."""

_MAX_BYTES: Final = 1024 * 1024 * 1024
# Each takes two file descriptors, of which a process may have no more than 1,024.
_MAX_COUNT: Final = 64
# Python lets no other thread run while it copies.
_COPIED_BYTES: Final = 4 * 1024 * 1024

# From Linux's fcntl.h; Python has no names for them.
_F_ADD_SEALS: Final = 1033
_F_SEAL_SHRINK: Final = 2
_F_SEAL_GROW: Final = 4

Answer = TypeVar("Answer")


class Stored(list[bytes | memoryview]):
    """A value's buffers, some of which lie in segments.

    They can be sent as any others. Where one is used after this is gone, its segment
    is kept for it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.segments: dict[int, int] = {}
        """The number of the segment that holds the buffer at this index."""

    def store(self, data: memoryview) -> bool:
        """Add a copy in a segment; False if it is too small, or there is no room."""
        stored = memory.store(data) if len(data) >= STORED_BYTES else None
        if stored is None:
            return False
        buffer, self.segments[len(self)] = stored
        self.append(buffer)
        return True


@dataclass(slots=True)
class _File:
    """A segment's memory."""

    descriptor: int
    map: mmap.mmap
    inode: int
    filled: int = 0
    """So much has been written to; what lies behind has no pages yet."""


class SharedMemory:
    """All segments of a process; any thread may call."""

    def __init__(
        self, *, max_bytes: int = _MAX_BYTES, max_count: int = _MAX_COUNT
    ) -> None:
        self._books = Segments(max_bytes=max_bytes, max_count=max_count)
        self._files: dict[int, _File] = {}
        self._lock = threading.Lock()
        # The collector may run anywhere, also while the lock is held.
        self._let_go: deque[int] = deque()

    def store(self, data: memoryview) -> tuple[memoryview, int] | None:
        """Copy bytes to a segment: what they are there, and its number; None if full.

        This process holds the segment for as long as something refers to the copy.
        """
        if not _CAN_SHARE:
            return None
        try:
            number, file = self._locked(lambda: self._take(len(data)))
        except (OSError, _FullError):
            return None
        try:
            _write(file, data)
        except OSError:  # no memory
            self._let_go.append(number)
            return None
        room = (ctypes.c_ubyte * len(data)).from_buffer(file.map)
        weakref.finalize(room, self._let_go.append, number).atexit = False
        return memoryview(room).cast("B"), number

    def hold(self, number: int) -> None:
        """A segment is lent once more; something here still refers to it."""
        self._locked(lambda: self._books.hold(number))

    def drop(self, number: int) -> None:
        """A loan has come back."""
        self._locked(lambda: self._books.drop(number, monotonic()))

    def spoil(self, number: int) -> None:
        """A loan will not come back: leave the memory to whoever still maps it."""
        self._locked(lambda: self._books.spoil(number, monotonic()))

    def trim(self) -> int:
        """Give memory back that has been idle for long; how many segments are left."""

        def work() -> int:
            self._books.trim(monotonic())
            return len(self._books)

        return self._locked(work)

    def has(self, number: int) -> bool:
        """Whether the segment may be lent again."""
        return self._locked(lambda: number in self._books)

    def where(self, number: int) -> tuple[int, int, int]:
        """A segment's file descriptor, inode and capacity; something here holds it."""
        file = self._files[number]
        return file.descriptor, file.inode, len(file.map)

    @property
    def size_bytes(self) -> int:
        """How much may be in use, at most."""
        return self._locked(lambda: self._books.size_bytes)

    def _locked(self, work: Callable[[], Answer]) -> Answer:
        with self._lock:
            while self._let_go:
                self._books.drop(self._let_go.popleft(), monotonic())
            try:
                return work()
            finally:
                if len(self._files) != len(self._books):
                    self._close_files()

    def _take(self, size: int) -> tuple[int, _File]:
        taken = self._books.take(size)
        if taken is None:
            raise _FullError
        if taken.is_new:
            self._close_files()
            try:
                self._files[taken.number] = _open(taken.capacity)
            except OSError:
                self._books.spoil(taken.number, monotonic())
                raise
        return taken.number, self._files[taken.number]

    def _close_files(self) -> None:
        """Let go of segments that have left the books; who maps them keeps them."""
        for number in [each for each in self._files if each not in self._books]:
            os.close(self._files.pop(number).descriptor)


class _FullError(Exception):
    """As much as may be is in use."""


def _open(capacity: int) -> _File:
    descriptor = os.memfd_create("workbench-value", os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(descriptor, capacity)
        # A peer that reads cannot have the memory taken away beneath it.
        fcntl.fcntl(descriptor, _F_ADD_SEALS, _F_SEAL_SHRINK | _F_SEAL_GROW)
        inode = os.fstat(descriptor).st_ino
        return _File(descriptor, mmap.mmap(descriptor, capacity), inode)
    except OSError:
        os.close(descriptor)
        raise


def _write(file: _File, data: memoryview) -> None:
    """Copy into pages that are there, and have the kernel make those that are not.

    That takes half as long as to make them by touching them, and where there is no
    memory it says so instead of ending the process.
    """
    warm = min(file.filled, len(data))
    room = memoryview(file.map)
    for start in range(0, warm, _COPIED_BYTES):
        end = min(start + _COPIED_BYTES, warm)
        room[start:end] = data[start:end]
    while warm < len(data):
        warm += os.pwrite(file.descriptor, data[warm:], warm)
        file.filled = warm


try:
    import fcntl
except ImportError:  # no Unix
    _CAN_SHARE = False
else:
    _CAN_SHARE = hasattr(os, "memfd_create")

memory = SharedMemory()
"""That of this process."""
