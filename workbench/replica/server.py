"""The replica's end of every channel: takes calls into its slots, or turns them away.

Everything here runs on the I/O loop. `process` makes one server, gives it user code
once that is loaded, and drains it. A call over the cap gets `Reject` and its channel
is told `Free` when a slot opens; nothing else ever waits in a replica.
"""

import asyncio
import contextlib
from collections.abc import Callable
from contextvars import copy_context
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from workbench.observe.recorder import Recorder
from workbench.replica.exchange import Exchange
from workbench.replica.failures import is_users_failure
from workbench.replica.grpc_call import GrpcMethodCall
from workbench.replica.leftover import Leftover
from workbench.replica.method_call import MethodCall
from workbench.replica.multiplex import held_models
from workbench.replica.running import Running
from workbench.replica.slots import Slots
from workbench.replica.threads import Job, Threads
from workbench.replica.user_code import UserCode
from workbench.replica.websocket import Socket
from workbench.request import Extras, context_of, current_request
from workbench.wire.channel import Channel
from workbench.wire.messages import (
    Body,
    Buffers,
    Call,
    Cancel,
    Credit,
    Drain,
    Drained,
    Failure,
    FailureKind,
    Free,
    GrpcCall,
    HttpCall,
    Message,
    Models,
    Reject,
    SocketCall,
    SocketClose,
    SocketPart,
)

if TYPE_CHECKING:
    from workbench.replica.access_log import AccessLog
    from workbench.replica.call_span import CallSpans

__all__ = ["ReplicaServer"]

# Whoever is told of a free slot may not need it any more; the next in turn is told
# when nobody has taken it for this long.
_UNUSED_S = 0.02
# For cancelled calls to run their `finally`.
_LAST_STEPS_S = 1.0


class ReplicaServer:
    """Endpoint of a replica's channels; owner of its slots."""

    _handlers: dict[type, Callable[[Channel, Any, Buffers], None]]

    def __init__(self, loop: asyncio.AbstractEventLoop, threads: Threads) -> None:
        self._loop = loop
        self._threads = threads
        self._slots: Slots[Channel] = Slots(1)
        self._calls: dict[Channel, dict[int, Running]] = {}
        self._code: UserCode | None = None
        self._app_name = ""
        # Calls whose channel is gone; they still have a few steps to go.
        self._orphans: set[Running] = set()
        # Threads of calls that are over for everybody else, and the calls' request ids.
        self._lingering: dict[Job[Any], str] = {}
        self._undrained: set[Channel] = set()
        self._progress = asyncio.Event()
        self._will_tell_again = False
        self.is_draining = False
        self.ended = Recorder()
        """Calls that ended: from taking a slot to the last step, streams included."""
        self.longest_ns = 0
        """The longest of them."""
        self.access_log: AccessLog | None = None
        """None: nobody wants to read of them."""
        self.spans: CallSpans | None = None
        """None: nobody traces them."""
        self._handlers = {
            HttpCall: self._on_http_call,
            Call: self._on_call,
            GrpcCall: self._on_grpc_call,
            Cancel: self._on_cancel,
            Body: self._on_body,
            Credit: self._on_credit,
            Drained: self._on_drained,
            SocketCall: self._on_socket_call,
            SocketPart: self._on_socket_part,
            SocketClose: self._on_socket_close,
        }

    @property
    def ongoing(self) -> int:
        """Calls that run now."""
        return self._slots.taken

    def serve(self, code: UserCode, app_name: str) -> None:
        """Run calls that come from now on with `code`."""
        self._code = code
        self._app_name = app_name

    def resize(self, max_ongoing_requests: int) -> None:
        """Change the number of slots; running calls keep theirs."""
        self._slots.size = max_ongoing_requests
        self._tell_waiting()

    async def drain(self, timeout_s: float) -> None:
        """Take no more calls; return when none runs and no router will send one.

        What still runs after `timeout_s` is cancelled; its callers are told.
        """
        self.is_draining = True
        self._undrained = set(self._calls)
        for channel in self._calls:
            channel.send(Drain())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._wait_until_quiet()
        self._undrained.clear()
        self._stop_all(timeout_s)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_STEPS_S):
                await self._wait_until_quiet()

    def running_tasks(self) -> set[asyncio.Task[None]]:
        """Tasks of the calls that run now."""
        return {each.task for each in self._running()}

    def leftovers(self) -> list[Leftover]:
        """What still runs of calls that nobody waits for; none while draining."""
        if self.is_draining:
            return []
        threads = [Leftover(name, job) for job, name in self._lingering.items()]
        return threads + [
            Leftover(each.request_id, each.task)
            for each in self._running()
            if each.is_abandoned
        ]

    async def _wait_until_quiet(self) -> None:
        while self._undrained or self._slots.taken:
            self._progress.clear()
            await self._progress.wait()

    # -- Endpoint ----------------------------------------------------------------------

    def tell_models(self) -> None:
        """Let every router know which models are held now."""
        message = Models(sorted(held_models()))
        for channel in self._calls:
            channel.send(message)

    def on_open(self, channel: Channel) -> None:
        self._calls[channel] = {}
        if models := held_models():
            channel.send(Models(sorted(models)))
        if self.is_draining:
            channel.send(Drain())

    def on_message(self, channel: Channel, message: Message, buffers: Buffers) -> None:
        handler = self._handlers.get(type(message))
        if handler is not None:
            handler(channel, message, buffers)

    def on_closed(self, channel: Channel, _error: Exception | None) -> None:
        self._slots.forget(channel)
        calls = self._calls.pop(channel).values()
        self._orphans.update(calls)
        for running in list(calls):
            running.abandon()
        self._undrained.discard(channel)
        self._progress.set()

    # -- calls -------------------------------------------------------------------------

    def _on_http_call(self, channel: Channel, call: HttpCall, buffers: Buffers) -> None:
        if (code := self._take(channel, call.id)) is not None:
            running = Exchange(channel, call, buffers)
            self._start(running, code, call.root_path, call.extras)

    def _on_call(self, channel: Channel, call: Call, buffers: Buffers) -> None:
        if (code := self._take(channel, call.id)) is not None:
            running = MethodCall(channel, call, buffers, self._threads)
            self._start(running, code, "", call.extras)

    def _on_grpc_call(self, channel: Channel, call: GrpcCall, buffers: Buffers) -> None:
        if (code := self._take(channel, call.id)) is not None:
            running = GrpcMethodCall(channel, call, buffers, self._threads)
            self._start(running, code, call.path, call.extras)

    def _on_socket_call(self, channel: Channel, call: SocketCall, _: Buffers) -> None:
        if (code := self._take(channel, call.id)) is not None:
            running = Socket(channel, call)
            self._start(running, code, call.root_path, call.extras)

    def _take(self, channel: Channel, call_id: int) -> UserCode | None:
        """Take a slot and say with what to run the call, or turn it away."""
        code = self._code
        if code is None or self.is_draining:
            channel.send(Reject(call_id, self._slots.taken, draining=True))
            return None
        if not self._slots.take_nowait():
            self._slots.remember(channel)
            channel.send(Reject(call_id, self._slots.taken, draining=False))
            return None
        return code

    def _start(
        self, running: Running, code: UserCode, route: str, extras: Extras | None
    ) -> None:
        self._calls[running.channel][running.id] = running
        running.started_ns = perf_counter_ns()
        context = copy_context()
        about = context_of(running.request_id, route, self._app_name, extras)
        running.children = about.children
        if self.spans is not None:
            about = self.spans.begin(running, about, extras, context)
        context.run(current_request.set, about)
        running.stopwatch = about.stopwatch
        running.route = route
        # A task for every call, though most never wait: to run the first step by hand
        # would save 2 of about 8 µs, but asyncio.timeout, task groups and anyio, which
        # ask for the current task, would then fail or find the wrong one.
        work = self._run(running, code)
        running.task = self._loop.create_task(work, context=context)

    async def _run(self, running: Running, code: UserCode) -> None:
        """Run one call from its first step to its last."""
        try:
            running.has_started = True
            if not running.is_abandoned:
                await running.answer(code)
        except BaseException as error:  # noqa: BLE001 - the caller gets it, whatever it is
            running.on_raised(error)
            if self.spans is not None:
                self.spans.note_error(running, error)
            if is_users_failure(error) and not running.was_withdrawn(error):
                self.ended.add_error()
        finally:
            self._end(running)

    def _end(self, running: Running) -> None:
        """The call is over; its slot opens once its thread, too, is done."""
        took_ns = running.took_ns()
        self.ended.add(took_ns)
        # 35 ns, for the watchdog to know what is long here.
        if took_ns > self.longest_ns:  # noqa: PLR1730 - max() takes 3 times as long
            self.longest_ns = took_ns
        if self.access_log is not None:
            self.access_log.note(running, took_ns)
        if self.spans is not None:
            self.spans.end(running)
        calls = self._calls.get(running.channel)
        if calls is not None:
            calls.pop(running.id, None)
        else:
            self._orphans.discard(running)
        job = running.job
        if job is None or job.is_done:
            self._give_back()
        else:
            self._lingering[job] = running.request_id
            job.when_done = lambda: self._end_lingering(job)

    def _end_lingering(self, job: Job[Any]) -> None:
        self._lingering.pop(job, None)
        self._give_back()

    def _give_back(self) -> None:
        self._slots.give_back()
        if self.is_draining:
            self._progress.set()
        elif self._slots.has_waiting:
            self._tell_waiting()

    def _tell_waiting(self) -> None:
        """Tell whoever was turned away first that a slot is open."""
        channel = self._slots.next_waiting()
        if channel is None:
            return
        channel.send(Free())
        if self._slots.has_waiting and not self._will_tell_again:
            self._will_tell_again = True
            self._loop.call_later(_UNUSED_S, self._tell_next)

    def _tell_next(self) -> None:
        self._will_tell_again = False
        self._tell_waiting()

    # -- messages about calls that run -------------------------------------------------

    def _find(self, channel: Channel, call_id: int) -> Running | None:
        return self._calls[channel].get(call_id)

    def _on_cancel(self, channel: Channel, cancel: Cancel, _: Buffers) -> None:
        running = self._find(channel, cancel.id)
        if running is not None:
            running.abandon()

    def _on_credit(self, channel: Channel, credit: Credit, _: Buffers) -> None:
        running = self._find(channel, credit.id)
        if running is not None:
            running.on_credit(credit.size)

    def _on_body(self, channel: Channel, part: Body, buffers: Buffers) -> None:
        running = self._find(channel, part.id)
        if isinstance(running, Exchange | MethodCall):
            running.on_body(part, buffers)

    def _on_socket_part(
        self, channel: Channel, part: SocketPart, buffers: Buffers
    ) -> None:
        running = self._find(channel, part.id)
        if isinstance(running, Socket):
            running.on_part(part, buffers)

    def _on_socket_close(
        self, channel: Channel, close: SocketClose, _: Buffers
    ) -> None:
        running = self._find(channel, close.id)
        if isinstance(running, Socket):
            running.on_close(close)

    def _on_drained(self, channel: Channel, _message: Drained, _: Buffers) -> None:
        self._undrained.discard(channel)
        self._progress.set()

    # -- all that run ------------------------------------------------------------------

    def _running(self) -> list[Running]:
        here = (each for calls in self._calls.values() for each in calls.values())
        return [*here, *self._orphans]

    def _stop_all(self, patience_s: float) -> None:
        msg = f"The replica stopped; the call had not ended after {patience_s:g} s."
        for running in self._running():
            lost = Failure(running.id, FailureKind.REPLICA_LOST, "", msg)
            running.stop(lost)
