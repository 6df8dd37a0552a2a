"""One deployment as a router sees it: its replicas, and the calls that wait.

Made by `dispatch`. Asks `Admission` what to do with each call, and has its `Link`s do
it. Every method runs on the router's loop.
"""

import asyncio
from collections.abc import Callable
from time import perf_counter_ns

from msgspec.structs import replace

from workbench.errors import (
    BackPressureError,
    DeploymentUnavailableError,
    RequestTimeoutError,
)
from workbench.request import Extras
from workbench.routing.admission import Admission
from workbench.routing.call import Receiver
from workbench.routing.link import Dial, Link, Outgoing
from workbench.routing.policies import make_policy
from workbench.spec.routing import BackpressureSpec, RoutingSpec
from workbench.spec.table import DeploymentEntry
from workbench.wire.messages import (
    Buffers,
    Call,
    Failure,
    FailureKind,
    HttpCall,
    Message,
    Queued,
    Wake,
)

__all__ = ["Lane"]


_TIMED_OUT = RequestTimeoutError.__name__
_UNAVAILABLE = DeploymentUnavailableError.__name__
# Others are told of a queue when it has changed by this part of its limit.
_STEPS = 8
# Ray Serve's time, too, to wait for a replica that has a model but no room.
_FOR_MODEL_S = 1.0
_NS_PER_S = 1e9


class Lane:
    """The calls to one deployment."""

    def __init__(
        self,
        deployment: str,
        dial: Dial,
        host_id: str,
        tell: Callable[[Message], bool],
    ) -> None:
        self.deployment = deployment
        self.host_id = host_id
        self.admission: Admission[Outgoing] = Admission()
        self.is_known = False
        """A table has named the deployment."""
        self._dial = dial
        self._failure = ""
        """Why no call can ever be answered."""
        self._links: dict[str, Link] = {}
        self._leaving: list[Link] = []
        self._routing = RoutingSpec()
        self._backpressure = BackpressureSpec()
        self._timeout_s: float | None = None
        self._tell = tell
        self._told_queued = 0
        self._will_tell = False
        self._has_woken = False
        """The controller knows that calls wait here and find no replica."""

    # -- called by the router ----------------------------------------------------------

    def submit(
        self, message: Call | HttpCall, buffers: Buffers, receiver: Receiver
    ) -> Outgoing:
        """Send a call, or let it wait, or refuse it soon."""
        if self._timeout_s is not None:
            message = _with_deadline(message, self._timeout_s)
        call = Outgoing(self, message, buffers, receiver)
        if self._timeout_s is not None:
            loop = asyncio.get_running_loop()
            call.timer = loop.call_later(self._timeout_s, self._time_out, call)
        slots = self.admission.take(message.id, message.extras)
        if slots is not None:
            self._links[slots.replica].assign(call)
        elif self._failure or not self._enqueue(call):
            loop = asyncio.get_running_loop()
            loop.call_soon(call.fail, self._refusal())
        return call

    def update(self, entry: DeploymentEntry) -> None:
        """Take over what the table says of the deployment."""
        self.is_known = True
        self.admission.resize(entry.max_ongoing_requests, entry.max_queued_requests)
        self._choose_by(entry.routing)
        self._backpressure = entry.backpressure
        self._timeout_s = entry.request_timeout_s
        wanted = {replica.id: replica for replica in entry.replicas}
        for link in list(self._links.values()):
            if wanted.get(link.entry.id) != link.entry:
                self._retire(link)
        for replica in wanted.values():
            if replica.id not in self._links:
                link = Link(self, self.deployment, replica)
                self._links[replica.id] = link
                link.start(self._dial)
        self._set_failure(entry.failure)
        self._has_woken = False
        self.pump()
        self._wake()

    def retire(self, why: str) -> None:
        """Take no more calls; those at replicas may end."""
        for link in list(self._links.values()):
            self._retire(link)
        self._set_failure(why)

    def oldest_queued_s(self) -> float:
        """How long the call has waited that has waited longest."""
        oldest = self.admission.oldest()
        if oldest is None:
            return 0.0
        return (perf_counter_ns() - oldest.queued_ns) / _NS_PER_S

    async def close(self) -> None:
        """Close every channel; calls that wait or run fail."""
        self._set_failure("This process is stopping.")
        for link in [*self._links.values(), *self._leaving]:
            await link.close()

    # -- called by links ---------------------------------------------------------------

    def pump(self) -> None:
        """Send what waits and has room now."""
        for call, slots in self.admission.pump():
            call.sent_ns = perf_counter_ns()
            self._links[slots.replica].assign(call)
        self._note_queue()

    def withdraw(self, call: Outgoing) -> None:
        """A call that waits was cancelled."""
        self.admission.withdraw(call.message.id)
        self._note_queue()

    def reroute(self, call: Outgoing) -> None:
        """Send a call elsewhere that a replica did not take."""
        slots = self.admission.take(call.message.id, call.message.extras)
        if slots is not None:
            call.sent_ns = perf_counter_ns()
            self._links[slots.replica].assign(call)
        elif self._failure:
            call.fail(self._refusal())
        else:
            self.admission.put_back(call.message.id, call, call.message.extras)
            self._has_to_wait(call)

    # -- inside ------------------------------------------------------------------------

    def _enqueue(self, call: Outgoing) -> bool:
        unreached = sum(not link.is_open for link in self._links.values())
        message = call.message
        if not self.admission.enqueue(message.id, call, unreached, message.extras):
            return False
        self._has_to_wait(call)
        self._note_queue()
        return True

    def _has_to_wait(self, call: Outgoing) -> None:
        call.queued_ns = call.queued_ns or perf_counter_ns()
        self._bound_patience(call)
        if not self._links:
            self._wake()

    def _wake(self) -> None:
        """Let the controller know at once that calls find no replica."""
        if self._links or self._has_woken or not self.admission.queued:
            return
        # Where it is away, what is told every beat does the same later.
        self._has_woken = self._tell(Wake(self.deployment))

    def _note_queue(self) -> None:
        """Soon tell how many wait, if that matters to others and has changed much."""
        limit = self.admission.max_queued
        if limit < 0 or self._will_tell:
            return
        queued, told = self.admission.queued, self._told_queued
        if abs(queued - told) * _STEPS >= limit or bool(queued) is not bool(told):
            self._will_tell = True
            asyncio.get_running_loop().call_soon(self._tell_queue)

    def _tell_queue(self) -> None:
        self._will_tell = False
        queued = self.admission.queued
        if queued != self._told_queued and self._tell(Queued(self.deployment, queued)):
            self._told_queued = queued

    def _bound_patience(self, call: Outgoing) -> None:
        """A call waits only so long for a replica that has its model."""
        extras = call.message.extras
        if extras is not None and extras.model_id:
            loop = asyncio.get_running_loop()
            loop.call_later(_FOR_MODEL_S, self._lose_patience, call)

    def _lose_patience(self, call: Outgoing) -> None:
        if call.link is None and not call.is_over:
            self.admission.lose_patience(call.message.id)
            self.pump()

    def _choose_by(self, routing: RoutingSpec) -> None:
        if routing != self._routing:
            self._routing = routing
            self.admission.policy = make_policy(routing)

    def _time_out(self, call: Outgoing) -> None:
        request = call.message.request_id
        text = f"Request {request} timed out after {self._timeout_s:g}s."
        call.cut(Failure(0, FailureKind.TIMED_OUT, _TIMED_OUT, text))

    def _retire(self, link: Link) -> None:
        del self._links[link.entry.id]
        link.retire()
        self._leaving = [each for each in [*self._leaving, link] if each.is_open]

    def _set_failure(self, why: str) -> None:
        self._failure = why
        if why:
            for call in self.admission.drop_all():
                call.fail(self._refusal())

    def _refusal(self) -> Failure:
        """Say why a call can neither go anywhere nor wait."""
        if self._failure:
            return Failure(0, FailureKind.UNAVAILABLE, _UNAVAILABLE, self._failure)
        queued = self.admission.queued + self.admission.queued_elsewhere
        return Failure(
            0,
            FailureKind.QUEUE_FULL,
            BackPressureError.__name__,
            f"{queued} calls to {self.deployment} wait "
            f"(max_queued_requests={self.admission.max_queued}).",
            status=self._backpressure.status_code,
            retry_after_s=self._backpressure.retry_after_s,
        )


def _with_deadline(message: Call | HttpCall, timeout_s: float) -> Call | HttpCall:
    """The same call with at most so much time, also for the calls it causes."""
    extras = message.extras or Extras()
    if extras.timeout_s is not None and extras.timeout_s <= timeout_s:
        return message
    return replace(message, extras=replace(extras, timeout_s=timeout_s))
