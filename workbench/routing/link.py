"""One replica as a router sees it: the channel to it, and the calls that are there.

Made by `lane` for each replica of the table. Every method runs on the router's
loop; a call costs no task and no future.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Protocol, TypeAlias, cast

from msgspec.structs import replace

from workbench.errors import ProtocolError, ReplicaUnavailableError
from workbench.routing.admission import Admission
from workbench.routing.call import Receiver, SocketReceiver
from workbench.spec.table import Address, ReplicaEntry
from workbench.wire.channel import Channel, Endpoint
from workbench.wire.messages import (
    Body,
    Buffers,
    Call,
    Cancel,
    Chunk,
    Credit,
    Drain,
    Drained,
    End,
    Failure,
    FailureKind,
    Free,
    HttpCall,
    HttpReply,
    Message,
    Models,
    Reject,
    Result,
    SocketAccept,
    SocketClose,
    SocketPart,
)

if TYPE_CHECKING:
    from workbench.routing.slots import Slots

__all__ = ["Dial", "Link", "LinkOwner", "Outgoing"]

logger = logging.getLogger(__name__)

Dial: TypeAlias = Callable[[Endpoint, Address], Coroutine[None, None, None]]
"""Keeps a channel open until cancelled (`stay_connected`, given host and secret)."""


class Outgoing:
    """A call on its way: waiting, at a replica, or over. The caller's `Ticket`.

    Body parts beyond the first are held until the replica has taken the call, which
    its first `Credit` (or a reply) shows: before that it could be rejected, and then
    needs its whole body elsewhere. A caller who sends no more than it has credit for
    thereby bounds what is held.
    """

    __slots__ = (
        "buffers",
        "held",
        "is_over",
        "is_taken",
        "lane",
        "link",
        "message",
        "queued_ns",
        "receiver",
        "sent_ns",
        "timer",
    )

    def __init__(
        self,
        lane: "LinkOwner",
        message: Call | HttpCall,
        buffers: Buffers,
        receiver: Receiver,
    ) -> None:
        self.lane = lane
        self.message = message
        self.buffers = buffers
        self.receiver = receiver
        self.link: Link | None = None
        self.held: list[tuple[bytes, bool]] = []
        self.is_taken = False
        self.is_over = False
        self.queued_ns = 0
        """Since when it has waited, by `time.perf_counter_ns`; 0: it never had to.

        Autoscaling's only cost on the way of a call: this store, 20 ns of the 600 that
        it takes to make one, and 0.3 µs more for one that has to wait.
        """
        self.sent_ns = 0
        self.timer: asyncio.TimerHandle | None = None
        """Ends the call when its deployment's time for one is over."""

    # -- the caller's side -------------------------------------------------------------

    def cancel(self) -> None:
        """Withdraw the call: waiting it never runs, running it is cancelled."""
        if self.is_over:
            return
        self.finish()
        if self.link is None:
            self.lane.withdraw(self)
        else:
            self.link.cancel(self)

    def credit(self, size: int) -> None:
        """Let the replica send `size` more bytes of the stream."""
        if self.link is not None and not self.is_over:
            self.link.send(Credit(self.message.id, size))

    def send_body(self, data: bytes, *, last: bool) -> None:
        """Send more of the body, once the replica has taken the call."""
        if self.is_over:
            return
        if self.link is not None and self.is_taken:
            self.link.send(Body(self.message.id, last), (data,))
        else:
            self.held.append((data, last))

    def tell(self, message: SocketPart | SocketClose, buffers: Buffers = ()) -> None:
        """Say something on a WebSocket that is open."""
        if self.link is not None and not self.is_over:
            self.link.send(message, buffers)

    # -- the replica's side ------------------------------------------------------------

    def deliver(self, message: Message, buffers: Buffers) -> None:
        """Pass on what the replica says about the call."""
        match message:
            case HttpReply():
                self._be_taken()
                self.receiver.on_reply(message, buffers)
            case Result():
                self.receiver.on_reply(message, buffers)
            case Chunk():
                self.receiver.on_chunk(buffers)
            case End():
                self.receiver.on_end()
            case Failure():
                self.receiver.on_failure(message, buffers)
            case Credit():
                self._be_taken()
                self.receiver.on_credit(message.size)
            case _:
                self._deliver_socket(message, buffers)

    def _deliver_socket(self, message: Message, buffers: Buffers) -> None:
        # Only whoever sent a `SocketCall` is answered with these.
        receiver = cast("SocketReceiver", self.receiver)
        match message:
            case SocketAccept():
                self._be_taken()
                receiver.on_accept(message)
            case SocketPart():
                receiver.on_part(message, buffers)
            case SocketClose():
                receiver.on_close(message)

    def cut(self, failure: Failure) -> None:
        """Withdraw the call on the router's own account, and tell the caller."""
        if self.is_over:
            return
        self.cancel()
        self.is_over = False
        self.fail(failure)

    def finish(self) -> None:
        """Nothing more is to be done for it."""
        self.is_over = True
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def fail(self, failure: Failure) -> None:
        """End the call with a failure that the router itself found."""
        if self.is_over:
            return
        self.finish()
        try:
            self.receiver.on_failure(replace(failure, id=self.message.id), ())
        except Exception:
            logger.exception("A receiver did not take a failure")

    def _be_taken(self) -> None:
        """Send what was held, unless the answer came before it was needed."""
        if self.is_taken or self.is_over or self.link is None:
            return
        self.is_taken = True
        for data, last in self.held:
            self.link.send(Body(self.message.id, last), (data,))
        self.held = []


class LinkOwner(Protocol):
    """What a link and its calls need of their deployment's `Lane`."""

    admission: Admission[Outgoing]
    host_id: str

    def pump(self) -> None:
        """There may be room for a waiting call."""

    def withdraw(self, call: Outgoing) -> None:
        """A call that waits was cancelled."""

    def reroute(self, call: Outgoing) -> None:
        """A call was not taken: send it elsewhere, or let it wait."""


class Link:
    """The calls at one replica, and the channel to it (whose `Endpoint` this is)."""

    def __init__(self, lane: LinkOwner, deployment: str, entry: ReplicaEntry) -> None:
        self.entry = entry
        self._lane = lane
        self._deployment = deployment
        self._calls: dict[int, Outgoing] = {}
        self._channel: Channel | None = None
        self._slots: Slots | None = None
        self._is_leaving = False
        self._is_retired = False
        self._connecting: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is a channel."""
        return self._channel is not None

    # -- called by the lane ------------------------------------------------------------

    def start(self, dial: Dial) -> None:
        """Connect, and connect again whenever the channel is lost."""
        loop = asyncio.get_running_loop()
        self._connecting = loop.create_task(dial(self, self.entry.address))

    def retire(self) -> None:
        """Take no more calls; close when those that are there have ended."""
        self._leave()
        self._is_retired = True
        self._close_if_idle()

    async def close(self) -> None:
        """Close at once; calls that are there fail."""
        self._leave()
        if self._channel is not None:
            self._channel.close()
        if self._connecting is not None:
            await asyncio.wait([self._connecting])

    def assign(self, call: Outgoing) -> None:
        """Send a call that `Admission` gave this replica's slot to."""
        try:
            self.send(call.message, call.buffers)
        except ProtocolError as error:
            if self._slots is not None:
                self._slots.end()
            loop = asyncio.get_running_loop()
            failure = Failure(0, FailureKind.UNREADABLE, "CallError", str(error))
            loop.call_soon(call.fail, failure)
        else:
            call.link = self
            self._calls[call.message.id] = call

    def send(self, message: Message, buffers: Buffers = ()) -> None:
        """Say something to the replica, if it is there."""
        if self._channel is not None:
            self._channel.send(message, buffers)

    def cancel(self, call: Outgoing) -> None:
        """Tell the replica that nobody waits for the call any more."""
        if self._calls.get(call.message.id) is call:
            self.send(Cancel(call.message.id))
            self._end(call.message.id)

    # -- called by the channel ---------------------------------------------------------

    def on_open(self, channel: Channel) -> None:
        if self._is_leaving:
            # Cancelling the connection came too late by less than a loop turn.
            channel.close()
            return
        self._channel = channel
        is_near = self.entry.address.host_id == self._lane.host_id
        self._slots = self._lane.admission.add(self.entry.id, is_near=is_near)
        self._lane.pump()

    def on_message(self, _channel: Channel, message: Message, buffers: Buffers) -> None:
        try:
            self._handle(message, buffers)
        except Exception:
            # One receiver's fault must not end the channel, and all calls with it.
            logger.exception("A receiver did not take %s", type(message).__name__)

    def on_closed(self, _channel: Channel, error: Exception | None) -> None:
        self._channel = None
        self._remove_slots()
        calls, self._calls = self._calls, {}
        message = f"Replica {self.entry.id} of {self._deployment} ended"
        message += f" before it answered{f' ({error})' if error else ''}."
        lost = ReplicaUnavailableError.__name__
        for call in calls.values():
            call.fail(Failure(0, FailureKind.REPLICA_LOST, lost, message))

    # -- messages ----------------------------------------------------------------------

    def _handle(self, message: Message, buffers: Buffers) -> None:
        match message:
            case HttpReply():
                ends = not message.more
            case Result() | End() | Failure() | SocketClose():
                ends = True
            case Chunk() | Credit() | SocketAccept() | SocketPart():
                ends = False
            case _:
                self._handle_load(message)
                return
        call = self._end(message.id) if ends else self._calls.get(message.id)
        if call is not None:
            call.deliver(message, buffers)

    def _handle_load(self, message: Message) -> None:
        match message:
            case Reject():
                self._reject(message)
            case Free():
                if self._slots is not None:
                    self._slots.free()
                    self._lane.pump()
            case Models():
                if self._slots is not None:
                    self._slots.models = frozenset(message.ids)
                    self._lane.pump()
            case Drain():
                self._leave()
                self.send(Drained())
            case _:
                logger.warning("Replica %s sent %r", self.entry.id, message)

    def _reject(self, message: Reject) -> None:
        call = self._calls.pop(message.id, None)
        if self._slots is not None:
            # A call that was cancelled has given its slot back already.
            self._slots.saturate() if call is None else self._slots.reject()
        if message.draining:
            self._leave()
        if call is not None:
            call.link = None
            self._lane.reroute(call)
        self._close_if_idle()

    def _end(self, call_id: int) -> Outgoing | None:
        """Take a call off the books, and use its slot for the next."""
        call = self._calls.pop(call_id, None)
        if call is None:
            return None
        call.finish()
        if self._slots is not None:
            self._slots.end()
            self._lane.pump()
        elif self._is_retired:
            self._close_if_idle()
        return call

    def _leave(self) -> None:
        """Assign no more calls, and do not come back when the channel closes."""
        self._is_leaving = True
        self._remove_slots()
        if self._connecting is not None:
            self._connecting.cancel()

    def _remove_slots(self) -> None:
        if self._slots is not None:
            self._lane.admission.remove(self._slots)
            self._slots = None

    def _close_if_idle(self) -> None:
        if self._is_retired and self._channel is not None and not self._calls:
            self._channel.close()
