"""A span for each request that a proxy passes on, where tracing is configured.

It begins when the request's turn comes and ends with its answer. The call to the replica
goes along as a step of it.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from msgspec.structs import replace

from workbench.observe.spans import Attributes, Spans
from workbench.proxy.extras import read_trace
from workbench.request import Extras
from workbench.spec.table import RouteEntry
from workbench.wire.messages import HttpCall

if TYPE_CHECKING:
    from opentelemetry.trace import Span

__all__ = ["RequestSpan", "span_of_grpc", "span_of_http"]

Headers = Iterable[tuple[bytes, bytes]]


class RequestSpan:
    """Of one request."""

    def __init__(
        self,
        spans: Spans,
        name: str,
        headers: Headers,
        *,
        extras: Extras | None,
        attributes: Attributes,
    ) -> None:
        self._spans = spans
        span = spans.begin(name, read_trace(headers), attributes)
        self._span: Span | None = span
        traceparent, tracestate = spans.trace_of(span)
        self.extras = replace(
            extras or Extras(), traceparent=traceparent, tracestate=tracestate
        )
        """What the call carries, as a step of this."""

    def end(self, attributes: Attributes, *, has_failed: bool) -> None:
        """The answer is complete, or will never be; the first word counts."""
        span, self._span = self._span, None
        if span is not None:
            self._spans.end(span, attributes, has_failed=has_failed)


def span_of_http(spans: Spans, call: HttpCall, entry: RouteEntry) -> RequestSpan:
    """Begin that of an HTTP request or WebSocket."""
    return RequestSpan(
        spans,
        f"{call.method} {entry.prefix}",
        call.headers,
        extras=call.extras,
        attributes={
            "serve.application": entry.app,
            "serve.request_id": call.request_id,
            "http.request.method": call.method,
            "http.route": entry.prefix,
            "url.path": call.path,
        },
    )


def span_of_grpc(
    spans: Spans,
    path: str,
    metadata: Iterable[tuple[str, bytes]],
    *,
    extras: Extras | None,
    about: Attributes,
) -> RequestSpan:
    """Begin that of a gRPC call; `path` is `/package.Service/Method`."""
    service, _, method = path.strip("/").rpartition("/")
    headers = [(key.encode("latin-1"), value) for key, value in metadata]
    rpc = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": method}
    return RequestSpan(
        spans,
        f"{service}/{method}",
        headers,
        extras=extras,
        attributes={**about, **rpc},
    )
