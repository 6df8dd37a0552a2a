"""The answers to come of calls made through handles.

A response is made for a call before it is sent, and is the call's receiver: the router
calls it back on its own loop, the caller waits for it wherever they are.
"""

import asyncio
import collections
import concurrent.futures
import threading
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Protocol, cast

from msgspec.structs import replace

from workbench.code.exceptions import load_failure
from workbench.code.values import dump_value, load_value
from workbench.errors import (
    RequestCancelledError,
    RequestTimeoutError,
    ShippingError,
)
from workbench.routing.call import Receiver, Ticket
from workbench.stream_argument import Forwarding, Source, StreamArgument
from workbench.wire.messages import Buffers, Call, Failure, HttpReply, Result

__all__ = [
    "DeploymentResponse",
    "DeploymentResponseGenerator",
    "Runtime",
    "Submitter",
]

Future = asyncio.Future[object] | concurrent.futures.Future[object]


class Submitter(Protocol):
    """The part of a router that handles use."""

    def next_id(self) -> int: ...
    def submit(
        self, deployment: str, message: Call, buffers: Buffers, receiver: Receiver
    ) -> Ticket: ...


@dataclass(frozen=True, slots=True)
class Runtime:
    """How calls leave this process."""

    router: Submitter
    loop: asyncio.AbstractEventLoop

    def is_here(self) -> bool:
        """Whether the current code runs on the router's own loop."""
        try:
            return asyncio.get_running_loop() is self.loop
        except RuntimeError:
            return False


class _Sent:
    """A call that was sent: what both kinds of response share."""

    def __init__(self, runtime: Runtime, call: Call, deployment: str) -> None:
        self._runtime = runtime
        self._call = call
        self._deployment = deployment
        self._ticket: Ticket | None = None
        self._is_cancelled = False
        self._made_at = 0.0 if call.extras is None else time.monotonic()
        self._timer: asyncio.TimerHandle | None = None
        self._forwarding: Forwarding | None = None
        self._is_local = runtime.is_here()

    @property
    def request_id(self) -> str:
        """Id of the request that this call belongs to."""
        return self._call.request_id

    def cancel(self) -> None:
        """Withdraw the call: queued it never runs, running it is cancelled."""
        self._is_cancelled = True
        self._on_loop(self._cancel_here)

    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._is_cancelled

    def __reduce__(self) -> tuple[object, ...]:
        msg = (
            "A response can be passed as an argument of another call, "
            "not inside a list or other value."
        )
        raise ShippingError(msg, "Pass it directly, or await it first.")

    def send(self, args: tuple[object, ...], kwargs: dict[str, object]) -> None:
        """Send the call, once arguments that are responses themselves are there."""
        if any(isinstance(each, _Sent) for each in (*args, *kwargs.values())):
            self._on_loop(lambda: self._send_when_ready(args, kwargs))
        else:
            buffers = dump_value((args, kwargs))
            self._on_loop(lambda: self._submit(buffers))

    def _on_loop(self, action: Callable[[], object]) -> None:
        if self._is_local:
            action()
        else:
            self._runtime.loop.call_soon_threadsafe(action)

    def _submit(self, buffers: Buffers) -> None:
        if self._is_cancelled:
            return
        extras = self._call.extras
        if extras is not None and extras.timeout_s is not None:
            # Also what was spent since: for arguments that other calls had to make.
            left_s = self._made_at + extras.timeout_s - time.monotonic()
            if left_s <= 0:
                self._time_out()
                return
            self._call = replace(self._call, extras=replace(extras, timeout_s=left_s))
            self._timer = self._runtime.loop.call_later(left_s, self._time_out)
        self._ticket = self._runtime.router.submit(
            self._deployment, self._call, buffers, cast("Receiver", self)
        )
        if self._forwarding is not None:
            self._forwarding.start(self._ticket)

    def _time_out(self) -> None:
        if self._ticket is not None:
            self._ticket.cancel()
        assert self._call.extras is not None
        msg = f"The call to {self._deployment} was not answered in time."
        self._fail(RequestTimeoutError(msg))

    def _is_answered(self) -> None:
        """Nothing more is awaited of the replica."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._forwarding is not None:
            self._forwarding.stop()
            self._forwarding = None

    def _send_when_ready(
        self, args: tuple[object, ...], kwargs: dict[str, object]
    ) -> None:
        task = asyncio.ensure_future(self._resolve_and_submit(args, kwargs))
        _running.add(task)
        task.add_done_callback(_running.discard)

    async def _resolve_and_submit(
        self, args: tuple[object, ...], kwargs: dict[str, object]
    ) -> None:
        streams: list[Source] = []
        try:
            ready = [await _resolve(each, streams) for each in args]
            named = {
                name: await _resolve(each, streams) for name, each in kwargs.items()
            }
            if streams:
                self._call = replace(self._call, streams=len(streams))
                self._forwarding = Forwarding(streams)
            self._submit(dump_value((tuple(ready), named)))
        except Exception as error:  # noqa: BLE001 - it is this call's answer
            self._fail(error)

    def _cancel_here(self) -> None:
        if self._ticket is not None:
            self._ticket.cancel()
        self._is_answered()
        self._fail(
            RequestCancelledError(f"The call to {self._deployment} was cancelled.")
        )

    def _fail(self, error: BaseException) -> None:
        raise NotImplementedError

    # Receiver: what this kind of response does not expect is nothing to it.
    def on_credit(self, size: int) -> None:
        """The replica has used so much of the streams among the arguments."""
        if self._forwarding is not None:
            self._forwarding.give(size)


_running: set[asyncio.Future[None]] = set()


class DeploymentResponse(_Sent):
    """The answer to come of one call: `await` it, or `.result()` in sync code."""

    def __init__(self, runtime: Runtime, call: Call, deployment: str) -> None:
        super().__init__(runtime, call, deployment)
        self._future: Future
        if self._is_local:
            self._future = runtime.loop.create_future()
            self._future.add_done_callback(self._on_future_done)
        else:
            self._future = concurrent.futures.Future()

    def result(self, timeout_s: float | None = None) -> object:
        """Wait for the answer in synchronous code, notebook cells included.

        Raises:
            TimeoutError: not answered in time; the call goes on.
            RuntimeError: called on the router's own loop, which would wait for itself.
        """
        runtime = self._runtime
        if runtime.is_here():
            msg = (
                ".result() in async code of a deployment would block the replica; "
                "use `await response`."
            )
            raise RuntimeError(msg)
        future = self._future
        if isinstance(future, asyncio.Future):
            future = asyncio.run_coroutine_threadsafe(_wait_for(future), runtime.loop)
        try:
            return future.result(timeout_s)
        except concurrent.futures.CancelledError:
            raise self._cancelled_error() from None

    def __await__(self) -> Generator[object, None, object]:
        future = self._future
        if isinstance(future, asyncio.Future):
            if self._runtime.is_here():
                return future.__await__()
            future = asyncio.run_coroutine_threadsafe(
                _wait_for(future), self._runtime.loop
            )
        return asyncio.wrap_future(future).__await__()

    # Receiver

    def on_reply(self, _message: Result | HttpReply, buffers: Buffers) -> None:
        """The answer came."""
        self._is_answered()
        if self._future.done():
            return
        try:
            value = load_value(buffers)
        except Exception as error:  # noqa: BLE001 - it is this call's answer
            self._fail(error)
        else:
            self._future.set_result(value)

    def on_failure(self, failure: Failure, buffers: Buffers) -> None:
        """The call failed."""
        self._is_answered()
        self._fail(load_failure(failure, buffers))

    def _fail(self, error: BaseException) -> None:
        if self._future.done():
            return
        if isinstance(error, RequestCancelledError):
            self._future.cancel()
            return
        self._future.set_exception(error)

    def _on_future_done(self, future: "asyncio.Future[object]") -> None:
        """A task that awaited us was cancelled: so is the call it waited for."""
        if future.cancelled():
            if self._ticket is not None and not self._is_cancelled:
                self._is_cancelled = True
                self._ticket.cancel()
        else:
            future.exception()  # looked at: a dropped response must not complain

    def _cancelled_error(self) -> RequestCancelledError:
        return RequestCancelledError(f"The call to {self._deployment} was cancelled.")


class DeploymentResponseGenerator(_Sent):
    """The items to come of one streaming call: iterate with `for` or `async for`."""

    def __init__(self, runtime: Runtime, call: Call, deployment: str) -> None:
        super().__init__(runtime, call, deployment)
        self._lock = threading.Lock()
        self._items: collections.deque[Buffers] = collections.deque()
        self._end: BaseException | None = None
        self._arrived: concurrent.futures.Future[None] | None = None

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


async def _resolve(value: object, streams: list[Source]) -> object:
    """The value behind a response that was passed as an argument; a stream's stand-in."""
    if isinstance(value, DeploymentResponse):
        return await value
    if isinstance(value, DeploymentResponseGenerator):
        streams.append(value)
        return StreamArgument(len(streams) - 1)
    return value


async def _wait_for(future: "asyncio.Future[object]") -> object:
    return await asyncio.shield(future)
