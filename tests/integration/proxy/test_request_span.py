"""A span for each request that the proxy passes on."""

import pytest

from tests.integration.proxy.door import GET, running_server
from workbench import trace
from workbench.observe.spans import Spans

pytest.importorskip("opentelemetry.sdk")

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TRACED = GET[:-2] + b"traceparent: " + PARENT.encode() + b"\r\n\r\n"


@pytest.fixture
def door(tracer_provider):
    with running_server() as server:
        server._http_server._door.spans = Spans(tracer_provider)
        yield server


def test_the_call_is_a_step_of_the_request_and_that_of_the_client(door, span_exporter):
    with door.client() as client:
        client.send(TRACED)
        call = door.router.next_call()
        call.reply(503)
        answer = client.read()

    door.router.settle()
    [span] = span_exporter.get_finished_spans()
    assert span.name == "GET /held"
    assert f"{span.parent.span_id:016x}" == trace.span_id_of(PARENT)
    step = call.message.extras.traceparent
    assert trace.span_id_of(step) == f"{span.context.span_id:016x}"
    assert answer.headers["traceparent"] == step
    assert span.attributes["serve.application"] == "held"
    assert span.attributes["http.response.status_code"] == 503
    assert not span.status.is_ok


def test_a_client_that_leaves_ends_its_span(door, span_exporter):
    with door.client() as client:
        client.send(GET)
        call = door.router.next_call()
    call.wait_until(lambda call: call.is_cancelled)

    door.router.settle()
    [span] = span_exporter.get_finished_spans()
    assert span.attributes["http.response.status_code"] == 499
