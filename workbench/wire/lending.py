"""The sending end of `sharing`: shows segments to a peer, lends them, takes them back.

Made by `Sharing`, one for each channel; lives on the channel's loop.
"""

import asyncio
import logging
import os
from collections import Counter
from collections.abc import Callable

from workbench.wire.arrays import SharedMemory, Stored
from workbench.wire.messages import Buffers, Message
from workbench.wire.segments import IDLE_S
from workbench.wire.sharing_messages import (
    Lent,
    Loan,
    Returned,
    SegmentGone,
    SegmentMapped,
    SegmentShown,
)

__all__ = ["Lending"]

logger = logging.getLogger(__name__)


class Lending:
    """What one peer may see of this process's memory, and what was lent to it."""

    def __init__(
        self,
        memory: SharedMemory,
        send: Callable[[Message], None],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._memory = memory
        self._send = send
        self._loop = loop
        self._shown: dict[int, bool] = {}
        """Segments shown, and whether the peer has mapped them."""
        self._loans: Counter[int] = Counter()
        self._is_refused = False
        self._will_tidy = False

    def lend(self, buffers: Stored) -> Buffers:
        """Lend what the peer has mapped and show it the rest; what must be sent."""
        loans: list[Loan] = []
        rest: list[bytes | memoryview] = []
        for index, buffer in enumerate(buffers):
            number = buffers.segments.get(index)
            if number is not None and self._is_mapped(number):
                loans.append(Loan(index, number, len(buffer)))
            else:
                rest.append(buffer)
        for loan in loans:
            self._memory.hold(loan.segment)
            self._loans[loan.segment] += 1
        if loans:
            self._send(Lent(loans))
        return rest

    def note_mapped(self, message: SegmentMapped) -> None:
        """The peer has tried to map a segment."""
        self._is_refused = self._is_refused or not message.is_mapped
        if message.number in self._shown:
            self._shown[message.number] = message.is_mapped

    def take_back(self, message: Returned) -> None:
        """The peer needs a loan no more, or keeps it."""
        number = message.segment
        if not self._loans[number]:
            logger.warning("A peer returned a loan that it does not have")
            return
        self._loans[number] -= 1
        if message.is_kept:
            self._shown[number] = False  # not to be lent again
            self._memory.spoil(number)
        else:
            self._memory.drop(number)

    def close(self) -> None:
        """The channel has ended; what the peer still has stays with it."""
        for number in self._loans.elements():
            self._memory.spoil(number)
        self._loans.clear()
        self._shown.clear()
        self._is_refused = True

    def _is_mapped(self, number: int) -> bool:
        is_mapped = self._shown.get(number)
        if is_mapped is None and not self._is_refused:
            self._show(number)
        return is_mapped or False

    def _show(self, number: int) -> None:
        self._shown[number] = False
        descriptor, inode, capacity = self._memory.where(number)
        shown = SegmentShown(number, os.getpid(), descriptor, inode, capacity)
        self._send(shown)
        self._tidy_later()

    def _tidy_later(self) -> None:
        if not self._will_tidy:
            self._will_tidy = True
            self._loop.call_later(IDLE_S, self._tidy)

    def _tidy(self) -> None:
        """Give back what is idle; goes on for as long as there is anything."""
        self._will_tidy = False
        left = self._memory.trim()
        for number in [each for each in self._shown if not self._memory.has(each)]:
            del self._shown[number]
            self._send(SegmentGone(number))
        if left:
            self._tidy_later()
