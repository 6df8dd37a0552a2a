"""What is known of the request that the current code works for, and what goes along.

`Extras` travels with a call; the callee's `RequestContext` is made of it. Calls that the
callee causes inherit what belongs to the whole request: id, deadline, priority, trace.
"""

import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Protocol

import msgspec

from workbench.stopwatch import Stopwatch
from workbench.trace import child_of

__all__ = [
    "Child",
    "Extras",
    "RequestContext",
    "apart",
    "context_of",
    "current_request",
    "set_trace_source",
    "trace_headers",
]


class Child(Protocol):
    """A call that a request has caused and that has not been answered yet."""

    def cancel(self) -> None:
        """Withdraw it."""


class Extras(msgspec.Struct, frozen=True, array_like=True):
    """What only some calls carry."""

    model_id: str = ""
    session_id: str = ""
    priority: int = 0
    """Higher goes first in queues."""
    timeout_s: float | None = None
    """Time left when the call was sent: hosts' clocks need not agree."""
    traceparent: str = ""
    """W3C Trace Context: the trace, and the step that makes the call."""
    tracestate: str = ""
    is_timed: bool = False
    """Whether the caller asks what takes how long."""


class RequestContext(msgspec.Struct, frozen=True):
    """Follows a request through every deployment it causes calls to.

    A struct, because one is made per call: 0.2 µs, as a frozen dataclass 1.2.
    """

    request_id: str = ""
    route: str = ""
    app_name: str = ""
    multiplexed_model_id: str = ""
    session_id: str = ""
    priority: int = 0
    deadline: float | None = None
    """By this process's monotonic clock."""
    traceparent: str = ""
    """The trace, and this call as a step of it."""
    tracestate: str = ""
    stopwatch: Stopwatch | None = None
    children: set[Child] = set()
    """Who is to be told when nobody waits for the request any more."""

    def time_left_s(self) -> float | None:
        """Until the deadline; None if there is none."""
        return None if self.deadline is None else self.deadline - time.monotonic()

    def inherited(self, own: Extras) -> Extras | None:
        """What a call that this request causes carries; None if nothing."""
        left_s = self.time_left_s()
        traceparent, tracestate = self.traceparent, self.tracestate
        if _trace_source is not None:
            traceparent, tracestate = self.trace()
        if left_s is None and not self.priority and not traceparent:
            return None if own == _NO_EXTRAS else own
        times = [t for t in (left_s, own.timeout_s) if t is not None]
        return Extras(
            own.model_id,
            own.session_id,
            own.priority or self.priority,
            min(times, default=None),
            own.traceparent or traceparent,
            own.tracestate or tracestate,
        )

    def trace(self) -> tuple[str, str]:
        """What keeps a call that this request causes in its trace; or nothing."""
        if _trace_source is not None and (found := _trace_source())[0]:
            return found
        return self.traceparent, self.tracestate


def context_of(
    request_id: str, route: str, app_name: str, extras: Extras | None
) -> RequestContext:
    """What a callee knows of the request."""
    if extras is None:
        return RequestContext(request_id, route, app_name)
    timeout_s = extras.timeout_s
    return RequestContext(
        request_id,
        route,
        app_name,
        extras.model_id,
        extras.session_id,
        extras.priority,
        None if timeout_s is None else time.monotonic() + timeout_s,
        child_of(extras.traceparent) if extras.traceparent else "",
        extras.tracestate,
        Stopwatch() if extras.is_timed else None,
    )


def apart(request: RequestContext) -> RequestContext:
    """The same request for work that others share: it goes on when this one ends."""
    return msgspec.structs.replace(request, children=set())


def set_trace_source(source: Callable[[], tuple[str, str]]) -> None:
    """Who knows of steps within the request's own: a tracer, if there is one."""
    global _trace_source  # noqa: PLW0603 - a process has one tracer, or none
    _trace_source = source


_trace_source: Callable[[], tuple[str, str]] | None = None
_NO_EXTRAS = Extras()
_NONE = RequestContext()
current_request: ContextVar[RequestContext] = ContextVar(
    "workbench_request", default=_NONE
)


def trace_headers() -> dict[str, str]:
    """Headers that keep an HTTP call of one's own in the trace of the current request.

    `traceparent` and, if there is one, `tracestate` (W3C Trace Context); empty outside
    of a request, and if it belongs to no trace. Calls by handle carry them by themselves.
    """
    found = current_request.get().trace()
    headers = dict(zip(("traceparent", "tracestate"), found, strict=True))
    return {name: value for name, value in headers.items() if value}
