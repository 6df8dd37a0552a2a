"""Large values between two processes of one host, without sending their bytes.

Both ends of a channel over a Unix socket have a `Sharing`. The one that sends shows a
segment (`arrays`) when it first holds something for the peer, and sends that value's
bytes as any others. Once the peer has said that it has mapped the segment, what is
stored there is lent: the message goes without these bytes, and the peer finds them in
its own mapping. When nothing there refers to them any more, it returns the loan.

    sender                              receiver
      │── SegmentShown, the bytes ────────►│  maps it
      │◄── SegmentMapped ──────────────────│
      │── Lent, a message without bytes ──►│  makes arrays of what is mapped
      │◄── Returned ───────────────────────│  when these are gone
      │── SegmentGone ────────────────────►│  unmaps it

So nothing is ever sent that the peer might not be able to map, the sender may end at
any time, and a segment is not written while an array of the peer's lies in it. If the
channel ends before a loan is returned, the sender never uses that segment again.

A receiver's mapping is private. Arrays can be changed there, as if their bytes had been
sent; the kernel copies the pages that are (and only these).
"""

import asyncio
from collections.abc import Callable

from workbench.wire.arrays import SharedMemory, Stored
from workbench.wire.borrowing import Borrowing
from workbench.wire.lending import Lending
from workbench.wire.messages import Buffers, Message
from workbench.wire.sharing_messages import (
    Lent,
    Returned,
    SegmentGone,
    SegmentMapped,
    SegmentShown,
)

__all__ = ["Sharing"]


class Sharing:
    """One channel's end: what it lends, and what it has borrowed."""

    def __init__(
        self,
        memory: SharedMemory,
        send: Callable[[Message], None],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._lending = Lending(memory, send, loop)
        self._borrowing = Borrowing(send, loop)

    def lend(self, buffers: Stored) -> Buffers:
        """Say what is lent with the next message; the buffers that go with it."""
        return self._lending.lend(buffers)

    def fill_in(self, buffers: Buffers) -> Buffers:
        """All buffers of the message that has come, with those lent to us."""
        return self._borrowing.fill_in(buffers)

    def on_message(self, message: Message) -> None:
        """The peer said something about segments."""
        match message:
            case SegmentShown():
                self._borrowing.map(message)
            case Lent():
                self._borrowing.borrow(message.loans)
            case SegmentGone():
                self._borrowing.unmap(message.number)
            case SegmentMapped():
                self._lending.note_mapped(message)
            case Returned():
                self._lending.take_back(message)

    def close(self) -> None:
        """The channel has ended."""
        self._lending.close()
        self._borrowing.close()
