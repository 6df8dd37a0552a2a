"""Streams that are arguments of other calls: forwarded item by item, never collected.

The caller's `Forwarding` reads a `DeploymentResponseGenerator` and sends each item, as
it came and without unpickling it, to the replica, where an `IncomingStream` gives the
items to user code. The replica grants credit as they are used, so a slow consumer holds
back the producer, through however many replicas.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import msgspec

from workbench.code.exceptions import dump_exception, load_failure
from workbench.code.values import load_value
from workbench.errors import RequestCancelledError
from workbench.routing.call import Ticket
from workbench.wire.messages import Failure

__all__ = ["Forwarding", "IncomingStream", "Source", "StreamArgument", "read_part"]

# As for other streams: see `workbench.replica.flow`.
_WINDOW_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class StreamArgument:
    """Stands in a call's pickled arguments for the stream of this number."""

    number: int


class _Part(msgspec.Struct, frozen=True, array_like=True):
    """Part of a stream on its way: an item, its end, or the error that broke it."""

    number: int
    item: list[bytes] | None
    failure: Failure | None = None


_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(_Part)


def read_part(data: bytes) -> _Part:
    """What `Forwarding` sent."""
    return _decoder.decode(data)


class Source(Protocol):
    """The part of a `DeploymentResponseGenerator` that is used here."""

    def raw_items(self) -> AsyncIterator[list[bytes]]:
        """Items as they came."""

    def cancel(self) -> None:
        """Withdraw the call that makes them."""


class Forwarding:
    """Sends the streams among a call's arguments after it; lives on the router's loop."""

    def __init__(self, sources: list[Source]) -> None:
        self._sources = sources
        self._tasks: list[asyncio.Task[None]] = []
        self._credit = _WINDOW_BYTES
        self._opened = asyncio.Event()

    def start(self, ticket: Ticket) -> None:
        """Begin, now that the call is on its way."""
        self._tasks = [
            asyncio.ensure_future(self._forward(number, source, ticket))
            for number, source in enumerate(self._sources)
        ]

    def give(self, size: int) -> None:
        """The replica has used so many bytes."""
        self._credit += size
        if self._credit > 0:
            self._opened.set()

    def stop(self) -> None:
        """Nobody reads any more: end what still makes items."""
        for task, source in zip(self._tasks, self._sources, strict=False):
            if not task.done():
                task.cancel()
                source.cancel()

    async def _forward(self, number: int, source: Source, ticket: Ticket) -> None:
        last = _Part(number, None)
        try:
            async for item in source.raw_items():
                await self._send(ticket, _Part(number, item))
        except Exception as error:  # noqa: BLE001 - the consumer gets it
            last = _Part(number, None, dump_exception(error)[0])
        await self._send(ticket, last)

    async def _send(self, ticket: Ticket, part: _Part) -> None:
        while self._credit <= 0:
            self._opened.clear()
            await self._opened.wait()
        data = _encode(part)
        self._credit -= len(data)
        ticket.send_body(data, last=False)


class IncomingStream:
    """A stream that another call's caller passed: iterate with `for` or `async for`.

    `async for` in `async def` methods, `for` in methods that run in a thread.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, give_credit: Callable[[int], None]
    ) -> None:
        self._loop = loop
        self._give_credit = give_credit
        self._items: deque[tuple[list[bytes], int]] = deque()
        self._end: BaseException | None = None
        self._arrived = asyncio.Event()

    def put(self, part: _Part, size: int) -> None:
        """Take what came; on the loop."""
        if part.item is not None:
            self._items.append((part.item, size))
            self._arrived.set()
            return
        self._give_credit(size)
        failure = part.failure
        self.end(StopAsyncIteration() if failure is None else load_failure(failure))

    def end(self, why: BaseException | None = None) -> None:
        """No more will come; on the loop."""
        if self._end is None:
            self._end = why or RequestCancelledError("The call was cancelled.")
        self._arrived.set()

    def __aiter__(self) -> "IncomingStream":
        return self

    async def __anext__(self) -> object:
        while not self._items:
            if self._end is not None:
                raise self._end
            self._arrived.clear()
            await self._arrived.wait()
        item, size = self._items.popleft()
        self._give_credit(size)
        return load_value(item)

    def __iter__(self) -> Iterator[object]:
        return self

    def __next__(self) -> object:
        future = asyncio.run_coroutine_threadsafe(self._next_or_end(), self._loop)
        found, item = future.result()
        if not found:
            raise StopIteration
        return item

    async def _next_or_end(self) -> tuple[bool, object]:
        try:
            return True, await anext(self)
        except StopAsyncIteration:
            return False, None
