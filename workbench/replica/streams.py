"""Generators of user code, sent item by item.

`respond` and `method_call` call `pump`. An async generator runs on the I/O loop; a sync
one in one thread from its first item to its last, since what it opens (a database
cursor, say) may be bound to a thread, and hands its items over a few ahead.
"""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from time import perf_counter
from typing import Generic, TypeVar

from workbench.replica.running import Running
from workbench.replica.threads import Threads

__all__ = ["LONG_S", "Pace", "let_go_out", "pump"]

LONG_S = 0.0005
"""From here on, the next item may take so long that the last one must not wait for it."""
# Items that a sync generator may be ahead of the sending, so that its thread and the
# loop need not wait for each other at every item.
_AHEAD = 8

Sent = TypeVar("Sent")


async def pump(
    running: Running,
    items: AsyncIterator[object] | Iterator[object],
    convert: Callable[[object], Sent],
    send: Callable[[Sent], Awaitable[None]],
    *,
    threads: Threads,
) -> None:
    """Send each item, converted, as soon as it is there and there is room for it.

    Closes the generator whatever happens: at its end, when it raises, on cancellation.
    """
    if isinstance(items, AsyncIterator):
        await _pump_async(running, items, convert, send)
        return
    stream = _ThreadStream(items, convert, threads)
    running.job = stream.job
    try:
        async for ready in stream:
            await send(ready)
            await asyncio.sleep(0)  # also where the thread is always ahead of us
    finally:
        stream.close()


async def _pump_async(
    running: Running,
    items: AsyncIterator[object],
    convert: Callable[[object], Sent],
    send: Callable[[Sent], Awaitable[None]],
) -> None:
    try:
        async for item in items:
            await send(convert(item))
            await let_go_out()
            if running.is_abandoned:
                return  # the generator swallowed its cancellation
    finally:
        close = getattr(items, "aclose", None)
        if close is not None:
            await close()


async def let_go_out() -> None:
    """Let the item be written now, even if the generator never waits for anything.

    In the first turn the channel hands it to the transport; uvloop's transports write
    at the end of that turn, when a generator that went on in it may be at its next item.
    """
    await asyncio.sleep(0)
    await asyncio.sleep(0)


class Pace:
    """Tells generators that are slow: these may keep the loop busy while they work."""

    __slots__ = ("_item_at",)

    def __init__(self) -> None:
        self._item_at = 0.0

    def is_slow(self) -> bool:
        """Whether the item that was sent now took long; the first one always did."""
        before, self._item_at = self._item_at, perf_counter()
        return self._item_at - before > LONG_S

    async def let_go_out(self) -> None:
        """Let the item be written before the generator is asked for the next."""
        await let_go_out()
        self._item_at = perf_counter()


class _ThreadStream(Generic[Sent]):
    """Items of a sync generator that runs in a thread, to be read on the loop."""

    def __init__(
        self,
        items: Iterator[object],
        convert: Callable[[object], Sent],
        threads: Threads,
    ) -> None:
        self._items = items
        self._convert = convert
        self._loop = asyncio.get_running_loop()
        self._ready: deque[Sent] = deque()
        self._arrived = asyncio.Event()
        self._room = threading.Semaphore(_AHEAD)
        self._is_closed = False
        self._is_over = False
        self._error: BaseException | None = None
        self.job = threads.start(self._produce)
        """Ends when the generator is closed or exhausted."""

    def close(self) -> None:
        """Close the generator once its thread has left the item it is at."""
        self._is_closed = True
        self._room.release()

    def __aiter__(self) -> "_ThreadStream[Sent]":
        return self

    async def __anext__(self) -> Sent:
        while not self._ready:
            if self._is_over:
                raise self._error or StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()
        self._room.release()
        return self._ready.popleft()

    def _produce(self) -> None:
        error = None
        try:
            self._run()
        except BaseException as raised:  # noqa: BLE001 - whoever reads gets it
            error = raised
        self._loop.call_soon_threadsafe(self._finish, error)

    def _run(self) -> None:
        try:
            for item in self._items:
                ready = self._convert(item)
                self._loop.call_soon_threadsafe(self._put, ready)
                self._room.acquire()
                if self._is_closed:
                    return
        finally:
            close = getattr(self._items, "close", None)
            if close is not None:
                close()

    def _put(self, ready: Sent) -> None:
        self._ready.append(ready)
        self._arrived.set()

    def _finish(self, error: BaseException | None) -> None:
        self._error = error
        self._is_over = True
        self._arrived.set()
