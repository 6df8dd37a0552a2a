"""A call that a handle has sent: what both kinds of response have in common.

The router calls it back on its own loop; the caller waits for it wherever they are.
`response` and `response_stream` say what there is to wait for.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

from msgspec.structs import replace

from workbench.code.values import dump_value
from workbench.errors import (
    RequestCancelledError,
    RequestTimeoutError,
    ShippingError,
)
from workbench.request import Child
from workbench.routing.call import Receiver, Ticket
from workbench.stream_argument import Forwarding, Source
from workbench.wire.messages import Buffers, Call

__all__ = ["Runtime", "SentCall", "Submitter"]


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


class SentCall:
    """A call that was sent: what both kinds of response share."""

    _siblings: set[Child] | None = None
    """All calls of the request that this one was made for, while it runs."""

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

    def join(self, siblings: set[Child]) -> None:
        """Be one of the calls that end when nobody waits for their request any more."""
        self._siblings = siblings
        siblings.add(self._ear())

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
        if any(isinstance(each, SentCall) for each in (*args, *kwargs.values())):
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
            self._deployment, self._call, buffers, cast("Receiver", self._ear())
        )
        if self._forwarding is not None:
            self._forwarding.start(self._ticket)

    def _time_out(self) -> None:
        if self._ticket is not None:
            self._ticket.cancel()
        self._is_answered()
        msg = f"The call to {self._deployment} was not answered in time."
        self._fail(RequestTimeoutError(msg))

    def _is_answered(self) -> None:
        """Nothing more is awaited of the replica."""
        if self._siblings is not None:
            self._siblings.discard(self._ear())
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

    async def as_argument(self, streams: list[Source]) -> object:
        """What another call gets that this one is an argument of."""
        raise NotImplementedError

    def _ear(self) -> Child:
        """Who hears the answer, and that nobody waits for it."""
        return self

    def _fail(self, error: BaseException) -> None:
        raise NotImplementedError

    # Receiver: what this kind of response does not expect is nothing to it.
    def on_credit(self, size: int) -> None:
        """The replica has used so much of the streams among the arguments."""
        if self._forwarding is not None:
            self._forwarding.give(size)


_running: set[asyncio.Future[None]] = set()


async def _resolve(value: object, streams: list[Source]) -> object:
    """The value behind a response that was passed as an argument."""
    return await value.as_argument(streams) if isinstance(value, SentCall) else value
