"""A call that has a slot: what it answers, and what stops it.

`server` makes one per accepted call and keeps it until the slot is given back; the two
kinds are `exchange.Exchange` (HTTP) and `method_call.MethodCall` (handles). Nothing here
knows slots or user code.
"""

import asyncio
from collections.abc import Awaitable
from time import perf_counter_ns
from typing import Any

from msgspec.structs import replace

from workbench.replica.failures import log_user_error
from workbench.replica.flow import SendWindow
from workbench.replica.threads import Job
from workbench.replica.user_code import UserCode
from workbench.request import Child
from workbench.stopwatch import Stopwatch
from workbench.wire.channel import Channel
from workbench.wire.messages import (
    Buffers,
    Chunk,
    End,
    Failure,
    FailureKind,
    HttpReply,
    Message,
    Spent,
)

__all__ = ["Running"]

_FAILED = 500


class Running:
    """One accepted call."""

    __slots__ = (
        "_window",
        "channel",
        "children",
        "has_begun",
        "has_started",
        "id",
        "is_abandoned",
        "is_answered",
        "job",
        "request_id",
        "route",
        "started_ns",
        "status",
        "stopwatch",
        "task",
    )

    task: asyncio.Task[None]
    """Runs the call; set by the server."""
    children: set[Child]
    """Calls that user code has caused and that are not answered; set by the server."""
    started_ns: int
    """When the server accepted it, by `time.perf_counter_ns`."""
    stopwatch: Stopwatch | None
    """Of a call that is timed."""
    route: str
    """Under which the application answers; set by the server."""
    status: int
    """Of HTTP, once the answer has begun; 500 for whatever else has failed."""
    has_started: bool
    """The task is past its first step. One that is cancelled before it would never reach
    its `finally`, where the slot is given back."""
    job: Job[Any] | None
    """Thread work of the call; holds the slot even when the task has ended."""
    has_begun: bool
    """The beginning of a stream is out, so a failure can only cut it."""
    is_answered: bool
    """The last word is out; what still runs is nobody's business."""
    is_abandoned: bool
    """The caller is gone, or has been told that it gets no more: nothing is sent."""

    def __init__(self, channel: Channel, call_id: int, request_id: str) -> None:
        self.channel = channel
        self.id = call_id
        self.request_id = request_id
        self.stopwatch = None
        self.status = 0
        self.has_started = False
        self.job = None
        self.has_begun = False
        self.is_answered = False
        self.is_abandoned = False
        self._window: SendWindow | None = None

    def answer(self, code: UserCode) -> Awaitable[None]:
        """Run user code and send what comes of it."""
        raise NotImplementedError

    def fail_with(self, error: BaseException) -> None:
        """Answer with what user code raised."""
        raise NotImplementedError

    def describe(self) -> tuple[str, str, str]:
        """What was called and how it ended: method, path or name, status."""
        raise NotImplementedError

    def took_ns(self) -> int:
        """How long it took, now that it is over."""
        return perf_counter_ns() - self.started_ns

    def fail(self, failure: Failure, buffers: Buffers = ()) -> None:
        """Answer that the call failed."""
        self.status = failure.status or _FAILED
        self._send(failure, buffers)
        self.is_answered = True

    def abandon(self) -> None:
        """Stop and say nothing more; what was answered in full may run on."""
        if self.is_answered or self.is_abandoned:
            return
        self._give_up()

    def stop(self, failure: Failure) -> None:
        """Tell the caller that the call ends here, and end it."""
        if not self.is_answered:
            self.fail(failure)
        self._give_up()

    def _give_up(self) -> None:
        self.is_abandoned = True
        self.on_abandoned()
        if self.has_started:
            self.task.cancel()
            # Those that the task awaits end with it, but not what it only holds, nor
            # what a thread waits for, which nothing else could wake.
            for child in list(self.children):
                child.cancel()

    def on_raised(self, error: BaseException) -> None:
        """User code raised, or was cancelled."""
        if self.was_withdrawn(error):
            return
        if self.is_answered or self.is_abandoned:
            log_user_error(error, self.request_id)
            return
        try:
            self.fail_with(error)
        except Exception as problem:  # noqa: BLE001 - some answer must go out
            name = type(error).__name__
            self.fail(Failure(self.id, FailureKind.USER, name, str(problem)))

    def was_withdrawn(self, error: BaseException) -> bool:
        """Whether this is no failure, but how a call ends whose caller has left."""
        return self.is_abandoned and isinstance(error, asyncio.CancelledError)

    def on_abandoned(self) -> None:
        """Wake what waits for the caller; for a subclass."""

    # -- streams -----------------------------------------------------------------------

    def begin(self, message: Message | None, buffers: Buffers) -> None:
        """Open the stream, with its first message if it has one."""
        self.has_begun = True
        self._window = SendWindow()
        self._window.take(sum(map(len, buffers)))
        if message is not None:
            if isinstance(message, HttpReply):
                self.status = message.status
            self._send(message, buffers)

    async def chunk(self, buffers: Buffers) -> None:
        """Send one item once there is room for it."""
        window = self._window
        assert window is not None
        if not window.is_open or self.channel.is_congested:
            await self._wait_for_room()
        self.chunk_nowait(buffers)

    async def _wait_for_room(self) -> None:
        assert self._window is not None
        await self._window.wait_open()
        await self.channel.wait_writable()

    def chunk_nowait(self, buffers: Buffers) -> None:
        """Send one item whether there is room for it or not."""
        assert self._window is not None
        self._window.take(sum(map(len, buffers)))
        self._send(Chunk(self.id), buffers)

    def end(self) -> None:
        """Close the stream."""
        self._send(End(self.id), ())
        self.is_answered = True

    def on_credit(self, size: int) -> None:
        """The receiver has used `size` bytes of the stream."""
        if self._window is not None:
            self._window.give(size)

    def _send(self, message: Message, buffers: Buffers) -> None:
        if self.stopwatch is not None and isinstance(message, HttpReply | Failure):
            message = replace(message, spent=self._spent(self.stopwatch))
        if not self.is_abandoned:
            self.channel.send(message, buffers)

    def _spent(self, stopwatch: Stopwatch) -> Spent:
        took_ns = self.took_ns()
        # Waits that still go on are nobody's: whoever answers did not wait for them.
        batch_ns = min(stopwatch.waited_ns(), took_ns)
        return Spent(batch_ns, took_ns - batch_ns)
