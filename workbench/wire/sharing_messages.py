"""What both ends of a channel say of memory that they share; see `sharing`.

Never seen by endpoints. Part of `messages.Message`, and apart from it only because it is
a subject of its own.
"""

import msgspec

__all__ = [
    "ABOUT_SEGMENTS",
    "Lent",
    "Loan",
    "Returned",
    "SegmentGone",
    "SegmentMapped",
    "SegmentShown",
]


class _Message(msgspec.Struct, frozen=True, array_like=True):
    pass


class SegmentShown(_Message, frozen=True, tag=80):
    """A segment of mine, which you may map: `/proc/<pid>/fd/<descriptor>`."""

    number: int
    pid: int
    descriptor: int
    inode: int
    """To tell whether what you opened is what I meant."""
    capacity: int


class SegmentMapped(_Message, frozen=True, tag=81):
    """I have mapped your segment; or I cannot, and will not be able to map others."""

    number: int
    is_mapped: bool


class Loan(msgspec.Struct, frozen=True, array_like=True):
    """A buffer that is not in its frame."""

    index: int
    """Where it belongs among the frame's buffers."""
    segment: int
    size: int


class Lent(_Message, frozen=True, tag=82):
    """These buffers of the next message lie in segments of mine that you have mapped."""

    loans: list[Loan]


class Returned(_Message, frozen=True, tag=83):
    """Nothing here refers to this loan any more.

    Or it is kept for longer than you should wait: forget the segment, and leave its
    memory to me.
    """

    segment: int
    is_kept: bool


class SegmentGone(_Message, frozen=True, tag=84):
    """I shall not lend this segment again; unmap it."""

    number: int


ABOUT_SEGMENTS = frozenset({SegmentShown, SegmentMapped, Lent, Returned, SegmentGone})
