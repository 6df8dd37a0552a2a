"""A span for each call that a replica runs."""

import asyncio

import pytest

from workbench import request as request_module
from workbench import serve, trace
from workbench.observe.spans import Spans
from workbench.replica.call_span import CallSpans
from workbench.request import Extras, current_request, trace_headers

pytestmark = pytest.mark.anyio
pytest.importorskip("opentelemetry.sdk")

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def traced(tracer_provider, monkeypatch):
    """Have the calls of a bench traced, as its process would."""

    def trace_calls(bench):
        spans = Spans(tracer_provider)
        bench.process._server.spans = CallSpans(spans, bench.seat)
        monkeypatch.setattr(request_module, "_trace_source", spans.trace_of_now)

    return trace_calls


async def until(claim):
    async with asyncio.timeout(60):
        while not claim():
            await asyncio.sleep(0)


async def test_user_code_sees_its_step_and_adds_to_it(
    replica, traced, span_exporter, tracer_provider
):
    tracer = tracer_provider.get_tracer("user")

    async def model(request):
        with tracer.start_as_current_span("own", context=serve.get_trace_context()):
            asked = current_request.get().inherited(Extras())
            assert asked is not None
            return [trace_headers()["traceparent"], asked.traceparent]

    async with replica() as bench:
        await bench.load(model)
        traced(bench)
        answer = await bench.http(extras=Extras(traceparent=PARENT)).done()

    own, call = sorted(
        span_exporter.get_finished_spans(), key=lambda each: each.name != "own"
    )
    assert own.parent.span_id == call.context.span_id
    assert f"{call.parent.span_id:016x}" == trace.span_id_of(PARENT)
    assert call.name == "d"
    assert call.attributes["serve.application"] == "app"
    assert call.attributes["serve.request_id"] == "req-1"
    assert call.attributes["http.response.status_code"] == 200
    # What it calls, by handle or by HTTP of its own, is a step of its own span.
    assert answer.body.decode().count(f"{own.context.span_id:016x}") == 2


async def test_threads_of_sync_methods_know_the_span_too(
    replica, traced, span_exporter
):
    class Model:
        def step(self):
            return trace_headers()["traceparent"]

    async with replica() as bench:
        await bench.load(Model)
        traced(bench)
        answer = await bench.call("step").done()

    [call] = span_exporter.get_finished_spans()
    assert call.parent is None
    assert trace.span_id_of(answer.value) == f"{call.context.span_id:016x}"
    assert call.attributes["serve.method"] == "step"


async def test_a_failure_is_part_of_its_span(replica, traced, span_exporter):
    class Model:
        def fail(self):
            raise ValueError("bad")

    async with replica() as bench:
        await bench.load(Model)
        traced(bench)
        await bench.call("fail").done()

    [call] = span_exporter.get_finished_spans()
    assert not call.status.is_ok
    assert call.events[0].attributes["exception.message"] == "bad"


async def test_a_call_that_is_withdrawn_ends_its_span(replica, traced, span_exporter):
    class Model:
        async def wait(self):
            await asyncio.Event().wait()

    async with replica() as bench:
        await bench.load(Model)
        traced(bench)
        answer = bench.call("wait")
        await until(lambda: bench.process._server.ongoing == 1)
        answer.ticket.cancel()
        await until(span_exporter.get_finished_spans)

    [call] = span_exporter.get_finished_spans()
    assert not call.events
