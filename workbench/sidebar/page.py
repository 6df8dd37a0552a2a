"""What waits to be sent to one page; bounded, however slow the page is.

A status, a history and the list of instances say everything there is to say, so a
newer one takes the place of one that still waits. Samples wait in a short row, from
which the oldest fall out.
"""

import asyncio
from dataclasses import dataclass
from enum import Enum, auto

__all__ = ["Message", "PageQueue", "Slot"]

# Four seconds: a page that is further behind is better served by skipping.
_MOST_SAMPLES = 8


class Slot(Enum):
    """Kind of a message; all but samples wait at most once."""

    INSTANCES = auto()
    STARTING = auto()
    STATUS = auto()
    HISTORY = auto()
    SAMPLE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One `FeedMessage` as JSON, made once for all pages."""

    slot: Slot
    instance: str = ""
    text: bytes


class PageQueue:
    """Messages for one page, in the order in which they should be sent."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[Slot, str, int], Message] = {}
        self._number = 0
        self._is_ready = asyncio.Event()

    def put_nowait(self, message: Message) -> None:
        """Add a message; what it makes needless is dropped."""
        match message.slot:
            case Slot.SAMPLE:
                self._number += 1
                self._waiting[Slot.SAMPLE, message.instance, self._number] = message
                self._drop_samples(message.instance, keep=_MOST_SAMPLES)
            case Slot.HISTORY:
                self._drop_samples(message.instance, keep=0)
                self._replace(message)
            case _:
                self._replace(message)
        self._is_ready.set()

    def forget(self, instance: str) -> None:
        """Drop what waits from an instance that is gone."""
        for key in [key for key in self._waiting if key[1] == instance]:
            del self._waiting[key]

    def take_nowait(self) -> Message | None:
        """The next message, if there is one."""
        if not self._waiting:
            self._is_ready.clear()
            return None
        return self._waiting.pop(next(iter(self._waiting)))

    async def take(self) -> Message:
        """The next message, as soon as there is one."""
        while (message := self.take_nowait()) is None:
            await self._is_ready.wait()
        return message

    def __len__(self) -> int:
        return len(self._waiting)

    def _replace(self, message: Message) -> None:
        # Keeps the place of the one it replaces: the page has waited for it since.
        self._waiting[message.slot, message.instance, 0] = message

    def _drop_samples(self, instance: str, *, keep: int) -> None:
        row = [key for key in self._waiting if key[:2] == (Slot.SAMPLE, instance)]
        for key in row[: max(0, len(row) - keep)]:
            del self._waiting[key]
