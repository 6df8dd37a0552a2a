"""Which shared segment holds what, and who uses it: the books, without any memory.

A segment is a piece of memory that other processes can see. It is used for one value at
a time and then again for the next one, since fresh pages cost ten times what copying
into used ones does. `arrays` owns the memory and does what this decides.

A value in a segment has holders: this process, while it may yet need to read it, and
each peer that it was lent to. Only when the last of them has let go is the segment
idle, and may be written again. One whose holder will never say so is spoilt: it leaves
the books, and the kernel frees its memory when nobody maps it any more.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

__all__ = ["IDLE_S", "Segments", "Taken"]

MIN_CAPACITY_BYTES: Final = 64 * 1024
IDLE_S: Final = 10.0
"""An idle segment is kept for this long, in case another large value comes."""

# One so much larger than what it would hold is left for a larger value, if there is
# room for another.
_WASTE: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A segment to write a value to, held by this process."""

    number: int
    capacity: int
    is_new: bool
    """It must be made first."""


@dataclass(slots=True)
class _Segment:
    capacity: int
    holders: int = 1
    is_spoilt: bool = False
    idle_since_s: float = 0.0


class Segments:
    """The books of one process. No two calls at the same time."""

    def __init__(self, *, max_bytes: int, max_count: int) -> None:
        self._max_bytes = max_bytes
        self._max_count = max_count
        self._segments: dict[int, _Segment] = {}
        self._last_number = 0

    def __contains__(self, number: int) -> bool:
        return number in self._segments

    def __len__(self) -> int:
        return len(self._segments)

    @property
    def size_bytes(self) -> int:
        """Capacity of all segments together."""
        return sum(each.capacity for each in self._segments.values())

    def take(self, size: int) -> Taken | None:
        """Find room for a value, in an idle segment or a new one; None if full.

        To make room, idle segments that are too small may leave the books.
        """
        capacity = _capacity_for(size)
        fitting = self._smallest_idle(capacity)
        if fitting is not None:
            is_close = self._segments[fitting].capacity <= _WASTE * capacity
            if is_close or not self._has_room(capacity):
                segment = self._segments[fitting]
                segment.holders = 1
                return Taken(number=fitting, capacity=segment.capacity, is_new=False)
        return self._add(capacity) if self._make_room(capacity) else None

    def hold(self, number: int) -> None:
        """There is one holder more, beside one that holds it now."""
        self._segments[number].holders += 1

    def drop(self, number: int, now_s: float) -> None:
        """One holder has let go."""
        segment = self._segments[number]
        segment.holders -= 1
        segment.idle_since_s = now_s
        if not segment.holders and segment.is_spoilt:
            del self._segments[number]

    def spoil(self, number: int, now_s: float) -> None:
        """One holder will never say when it lets go: do not write there any more."""
        self._segments[number].is_spoilt = True
        self.drop(number, now_s)

    def trim(self, now_s: float) -> None:
        """Take those off the books that have been idle for long."""
        for number in self._idle():
            if now_s - self._segments[number].idle_since_s >= IDLE_S:
                del self._segments[number]

    def _idle(self) -> list[int]:
        return [number for number, each in self._segments.items() if each.holders == 0]

    def _smallest_idle(self, capacity: int) -> int | None:
        """The idle segment that fits best; of equals the one that was used last."""
        fitting = [
            (each.capacity, -each.idle_since_s, number)
            for number, each in self._segments.items()
            if each.holders == 0 and each.capacity >= capacity
        ]
        return min(fitting)[2] if fitting else None

    def _has_room(self, capacity: int, without: Iterable[int] = ()) -> bool:
        gone = set(without)
        left = [each for n, each in self._segments.items() if n not in gone]
        size = sum(each.capacity for each in left)
        return len(left) < self._max_count and size + capacity <= self._max_bytes

    def _make_room(self, capacity: int) -> bool:
        """Let idle segments go, the longest idle first, until there is room."""
        idle = sorted(self._idle(), key=lambda n: self._segments[n].idle_since_s)
        for count in range(len(idle) + 1):
            if self._has_room(capacity, idle[:count]):
                for number in idle[:count]:
                    del self._segments[number]
                return True
        return False

    def _add(self, capacity: int) -> Taken:
        self._last_number += 1
        self._segments[self._last_number] = _Segment(capacity)
        return Taken(number=self._last_number, capacity=capacity, is_new=True)


def _capacity_for(size: int) -> int:
    """A power of two, so that values of nearly one size use the same segments.

    What is not written of it takes no memory.
    """
    return max(MIN_CAPACITY_BYTES, 1 << (size - 1).bit_length())
