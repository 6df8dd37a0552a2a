"""Spans for OpenTelemetry, where `tracing_config` asks for them; else none of it is loaded.

A proxy and a replica have one `Spans` each, made by `start_tracing`. Ids and sampling are
OpenTelemetry's; what goes along with calls is W3C Trace Context, as without it.
"""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.observe.span_file import SpanFile

if TYPE_CHECKING:
    from opentelemetry.trace import Span

__all__ = ["Spans", "get_trace_context", "start_tracing", "to_file"]

_NAME = "workbench.serve"
# An exporter that cannot reach anybody must not keep a process from ending.
_FLUSH_MS = 2000
# How long a span may wait to be written; OpenTelemetry's own 5 s are long to look at.
_WRITE_MS = 500

Attributes = Mapping[str, str | int]
Trace = tuple[str, str]
"""`traceparent` and `tracestate`; empty if there is no trace."""


class Spans:
    """Makes spans by one tracer provider.

    A span takes 15 µs if its trace is not exported, else 41; so none is made unasked.
    """

    def __init__(self, provider: Any) -> None:
        from opentelemetry import context, trace  # noqa: PLC0415 - only users pay for it
        from opentelemetry.trace.propagation import tracecontext  # noqa: PLC0415

        self._provider = provider
        self._tracer = provider.get_tracer(_NAME)
        self._trace, self._context = trace, context
        self._headers = tracecontext.TraceContextTextMapPropagator()

    def begin(self, name: str, caller: Trace, attributes: Attributes) -> "Span":
        """A span, as a step of the caller's trace if there is one."""
        carrier = dict(zip(("traceparent", "tracestate"), caller, strict=True))
        # An empty context: what goes on around this belongs to other requests.
        within = self._headers.extract(carrier, self._context.Context())
        kind = self._trace.SpanKind.SERVER
        return self._tracer.start_span(name, within, kind, attributes)

    def enter(self, span: "Span") -> None:
        """Let the current context's own spans be steps below this one."""
        self._context.attach(self._trace.set_span_in_context(span))

    def trace_of(self, span: "Span") -> Trace:
        """What goes along with all that the span causes."""
        return self._inject(self._trace.set_span_in_context(span))

    def trace_of_now(self) -> Trace:
        """The same of the span that is current; empty if none is."""
        return self._inject(self._context.get_current())

    def end(self, span: "Span", attributes: Attributes, *, has_failed: bool) -> None:
        """The span is over."""
        span.set_attributes(attributes)
        if has_failed:
            span.set_status(self._trace.StatusCode.ERROR)
        span.end()

    def close(self) -> None:
        """Export what is left; blocks until that is done, but not for long."""
        self._provider.force_flush(_FLUSH_MS)

    def _inject(self, within: Any) -> Trace:
        carrier: dict[str, str] = {}
        self._headers.inject(carrier, within)
        return carrier.get("traceparent", ""), carrier.get("tracestate", "")


def start_tracing(processors: Iterable[object], sampling_ratio: float) -> Spans:
    """Set up this process's tracer provider, which user code finds, too."""
    from opentelemetry import trace  # noqa: PLC0415 - only users pay for it
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider, sampling  # noqa: PLC0415

    provider = TracerProvider(
        sampler=sampling.ParentBased(sampling.TraceIdRatioBased(sampling_ratio)),
        resource=Resource.create({"service.name": _NAME}),
    )
    for each in processors:
        provider.add_span_processor(each)
    trace.set_tracer_provider(provider)
    return Spans(provider)


def to_file(path: Path) -> object:
    """A span processor that appends to a file, a line of JSON for each span."""
    from opentelemetry.sdk.trace import export  # noqa: PLC0415 - only users pay for it

    exporter = export.ConsoleSpanExporter(
        out=SpanFile(path), formatter=lambda span: span.to_json(indent=None) + "\n"
    )
    return export.BatchSpanProcessor(exporter, schedule_delay_millis=_WRITE_MS)


def get_trace_context() -> object | None:
    """OpenTelemetry's context of the code that asks; None where nothing is traced.

    The current call's span is in it: `tracer.start_as_current_span(name, context=...)`
    makes a step of that, also in a thread that user code has started by itself.
    """
    api = sys.modules.get("opentelemetry.context")
    return None if api is None else api.get_current() or None
