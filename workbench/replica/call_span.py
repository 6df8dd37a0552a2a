"""A span for each call that a replica runs, where tracing is configured.

`server` has a `CallSpans` then, and calls it when a call begins, fails and ends.
"""

from contextvars import Context
from typing import TYPE_CHECKING

from msgspec.structs import replace

from workbench.observe.spans import Spans
from workbench.replica.running import Running
from workbench.request import Extras, RequestContext
from workbench.spec.replica import Seat

if TYPE_CHECKING:
    from opentelemetry.trace import Span

__all__ = ["CallSpans"]


class CallSpans:
    """Of one replica."""

    def __init__(self, spans: Spans, seat: Seat) -> None:
        self._spans = spans
        self._name = seat.deployment
        self._where = {
            "serve.application": seat.app,
            "serve.deployment": seat.deployment,
            "serve.replica": seat.replica_id,
        }
        self._open: dict[Running, Span] = {}

    def begin(
        self,
        running: Running,
        about: RequestContext,
        extras: Extras | None,
        context: Context,
    ) -> RequestContext:
        """Begin the call's span; gives the request's context with it as its step."""
        caller = extras or _NO_EXTRAS
        span = self._open[running] = self._spans.begin(
            self._name,
            (caller.traceparent, caller.tracestate),
            {**self._where, "serve.request_id": running.request_id},
        )
        context.run(self._spans.enter, span)
        traceparent, tracestate = self._spans.trace_of(span)
        return replace(about, traceparent=traceparent, tracestate=tracestate)

    def note_error(self, running: Running, error: BaseException) -> None:
        """User code has raised."""
        span = self._open.get(running)
        if span is not None and isinstance(error, Exception):
            span.record_exception(error)

    def end(self, running: Running) -> None:
        """The call is over."""
        span = self._open.pop(running, None)
        if span is None:
            return
        method, name, status = running.describe()
        attributes: dict[str, str | int] = {"serve.method": name}
        if status.isdecimal():
            attributes = {
                "http.request.method": method,
                "http.route": running.route,
                "url.path": name,
                "http.response.status_code": int(status),
            }
        has_failed = status == "ERROR" or status.startswith("5")
        self._spans.end(span, attributes, has_failed=has_failed)


_NO_EXTRAS = Extras()
