"""The items to come of one streaming call made through a handle.

Items wait here until they are read; credit goes back to the replica as they are, so
that a slow reader holds back whoever makes them.
"""

import asyncio
import collections
import concurrent.futures
import contextlib
import threading
import weakref
from collections.abc import AsyncIterator, Iterator

from workbench.code.exceptions import load_failure
from workbench.code.values import load_value
from workbench.request import Child
from workbench.sent_call import Runtime, SentCall
from workbench.stream_argument import Source, StreamArgument
from workbench.wire.messages import Buffers, Call, Failure, HttpReply, Result

__all__ = ["DeploymentResponseGenerator"]


class DeploymentResponseGenerator(SentCall):
    """The items to come of one streaming call: iterate with `for` or `async for`."""

    def __init__(self, runtime: Runtime, call: Call, deployment: str) -> None:
        super().__init__(runtime, call, deployment)
        self._lock = threading.Lock()
        self._items: collections.deque[Buffers] = collections.deque()
        self._end: BaseException | None = None
        self._arrived: concurrent.futures.Future[None] | None = None
        self._weak_ear = _WeakEar(self)

    def __del__(self) -> None:
        # Nobody can read it any more: a replica would keep a slot for it for ever.
        if self._siblings is not None:
            self._siblings.discard(self._weak_ear)
        if self._end is None and self._ticket is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._runtime.loop.call_soon_threadsafe(self._ticket.cancel)

    def __iter__(self) -> Iterator[object]:
        return self

    def __next__(self) -> object:
        if self._runtime.is_here():
            msg = "Use `async for` in async code of a deployment, not `for`."
            raise RuntimeError(msg)
        while (item := self._take_nowait()) is None:
            self._next_arrival().result()
        if isinstance(item, StopAsyncIteration):
            raise StopIteration
        return self._use(item)

    def __aiter__(self) -> AsyncIterator[object]:
        return self

    async def __anext__(self) -> object:
        while (item := self._take_nowait()) is None:
            await asyncio.wrap_future(self._next_arrival())
        if isinstance(item, StopAsyncIteration):
            raise item
        return self._use(item)

    async def raw_items(self) -> AsyncIterator[list[bytes]]:
        """Items as they came, for whoever passes them on."""
        while True:
            while (item := self._take_nowait()) is None:
                await asyncio.wrap_future(self._next_arrival())
            if isinstance(item, StopAsyncIteration):
                return
            self._credit(item)
            yield [bytes(part) for part in item]

    async def as_argument(self, streams: list[Source]) -> object:
        """What stands for it among the arguments; its items follow them."""
        streams.append(self)
        return StreamArgument(len(streams) - 1)

    # Receiver

    def on_reply(self, _message: Result | HttpReply, buffers: Buffers) -> None:
        """A single answer counts as a stream of one."""
        self.on_chunk(buffers)
        self.on_end()

    def on_chunk(self, buffers: Buffers) -> None:
        """An item came."""
        with self._lock:
            self._items.append(buffers)
        self._wake()

    def on_end(self) -> None:
        """The stream is complete."""
        self._is_answered()
        self._fail(StopAsyncIteration())

    def on_failure(self, failure: Failure, buffers: Buffers) -> None:
        """The stream broke; items that came before are still given out."""
        self._is_answered()
        self._fail(load_failure(failure, buffers))

    def _ear(self) -> Child:
        return self._weak_ear

    def _fail(self, error: BaseException) -> None:
        with self._lock:
            self._end = self._end or error
        self._wake()

    def _take_nowait(self) -> Buffers | StopAsyncIteration | None:
        """The next item, the end, or None when neither is there yet."""
        with self._lock:
            if self._items:
                return self._items.popleft()
            if self._end is None:
                return None
            if isinstance(self._end, StopAsyncIteration):
                return self._end
            raise self._end

    def _use(self, buffers: Buffers) -> object:
        self._credit(buffers)
        return load_value(buffers)

    def _credit(self, buffers: Buffers) -> None:
        size = sum(len(each) for each in buffers)
        self._on_loop(lambda: self._ticket.credit(size) if self._ticket else None)

    def _next_arrival(self) -> "concurrent.futures.Future[None]":
        with self._lock:
            if self._items or self._end is not None:
                done: concurrent.futures.Future[None] = concurrent.futures.Future()
                done.set_result(None)
                return done
            if self._arrived is None or self._arrived.done():
                self._arrived = concurrent.futures.Future()
            return self._arrived

    def _wake(self) -> None:
        with self._lock:
            waiting, self._arrived = self._arrived, None
        if waiting is not None and not waiting.done():
            waiting.set_result(None)


class _WeakEar:
    """Hears for a stream of items, and does not keep it alive."""

    __slots__ = ("_stream",)

    def __init__(self, stream: DeploymentResponseGenerator) -> None:
        self._stream = weakref.ref(stream)

    def cancel(self) -> None:
        if (stream := self._stream()) is not None:
            stream.cancel()

    def on_reply(self, message: Result | HttpReply, buffers: Buffers) -> None:
        if (stream := self._stream()) is not None:
            stream.on_reply(message, buffers)

    def on_chunk(self, buffers: Buffers) -> None:
        if (stream := self._stream()) is not None:
            stream.on_chunk(buffers)

    def on_end(self) -> None:
        if (stream := self._stream()) is not None:
            stream.on_end()

    def on_failure(self, failure: Failure, buffers: Buffers) -> None:
        if (stream := self._stream()) is not None:
            stream.on_failure(failure, buffers)

    def on_credit(self, size: int) -> None:
        if (stream := self._stream()) is not None:
            stream.on_credit(size)
