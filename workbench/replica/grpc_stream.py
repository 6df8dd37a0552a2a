"""The messages that a gRPC client streams to a method."""

import asyncio
from collections import deque
from collections.abc import Callable

from workbench.wire.grpc import MESSAGE_BYTES

__all__ = ["gRPCInputStream"]


class gRPCInputStream:  # noqa: N801 - Ray Serve's name
    """A client's messages: iterate with `async for`, or `for` in a `def` method.

    A message makes room for the next one when it is taken, so a slow method holds back
    its client.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        give_credit: Callable[[int], None],
        read: Callable[[bytes], object],
    ) -> None:
        self._loop = loop
        self._give_credit = give_credit
        self._read = read
        self._messages: deque[bytes] = deque()
        self._has_ended = False
        self._is_cancelled = False
        self._arrived = asyncio.Event()

    # -- the call's side ---------------------------------------------------------------

    def put(self, message: bytes) -> None:
        """A message came; on the loop."""
        if self._is_cancelled:
            self._give_credit(len(message) + MESSAGE_BYTES)
            return
        self._messages.append(message)
        self._arrived.set()

    def end(self) -> None:
        """No more will come; on the loop."""
        self._has_ended = True
        self._arrived.set()

    def abandon(self) -> None:
        """The client is gone; on the loop."""
        self._is_cancelled = True
        self._messages.clear()
        self._arrived.set()

    # -- user code's side --------------------------------------------------------------

    @property
    def is_exhausted(self) -> bool:
        """Whether every message has been taken."""
        return not self._messages and (self._has_ended or self._is_cancelled)

    def is_cancelled(self) -> bool:
        """Whether the client is gone, or `cancel` was called."""
        return self._is_cancelled

    def cancel(self) -> None:
        """Take no more: what still comes is dropped."""
        self._loop.call_soon_threadsafe(self._drop)

    def __aiter__(self) -> "gRPCInputStream":
        return self

    async def __anext__(self) -> object:
        while not self._messages:
            if self._has_ended or self._is_cancelled:
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()
        message = self._messages.popleft()
        self._give_credit(len(message) + MESSAGE_BYTES)
        return self._read(message)

    def __iter__(self) -> "gRPCInputStream":
        return self

    def __next__(self) -> object:
        future = asyncio.run_coroutine_threadsafe(self._next_or_end(), self._loop)
        found, message = future.result()
        if not found:
            raise StopIteration
        return message

    async def _next_or_end(self) -> tuple[bool, object]:
        try:
            return True, await anext(self)
        except StopAsyncIteration:
            return False, None

    def _drop(self) -> None:
        size = sum(len(each) + MESSAGE_BYTES for each in self._messages)
        self.abandon()
        if size:
            self._give_credit(size)
