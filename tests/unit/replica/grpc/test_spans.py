"""A gRPC call is a step of its client's trace, in the proxy and in the replica."""

import pytest

from tests.unit.replica.grpc.site import Speaker, Words, error_of, open_site
from workbench import trace
from workbench.observe.spans import Spans
from workbench.replica.call_span import CallSpans

pytestmark = pytest.mark.anyio
pytest.importorskip("opentelemetry.sdk")

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def spans(tracer_provider):
    return Spans(tracer_provider)


class Failing(Speaker):
    """Raises."""

    def Say(self, words):  # noqa: N802 - the RPC's name
        raise ValueError("bad")


async def test_from_the_client_to_the_replica(replica, spans, span_exporter):
    async with open_site(replica, Speaker) as site:
        site.server.spans = spans
        site.bench.process._server.spans = CallSpans(spans, site.bench.seat)
        await site.talk.Say(Words(text="a"), metadata=[("traceparent", PARENT)])
        await site.until(lambda: len(span_exporter.get_finished_spans()) == 2)

    found = {each.name: each for each in span_exporter.get_finished_spans()}
    request, call = found.pop(next(name for name in found if "/" in name)), found["d"]
    assert f"{request.parent.span_id:016x}" == trace.span_id_of(PARENT)
    assert call.parent.span_id == request.context.span_id
    assert request.attributes["rpc.method"] == "Say"
    assert request.attributes["rpc.grpc.status_code"] == 0
    assert request.attributes["serve.application"] == "app"


async def test_a_failure_ends_its_span_as_failed(replica, spans, span_exporter):
    async with open_site(replica, Failing) as site:
        site.server.spans = spans
        await error_of(site.talk.Say(Words(text="a")))
        await site.until(span_exporter.get_finished_spans)

    [request] = span_exporter.get_finished_spans()
    assert not request.status.is_ok
    assert request.attributes["rpc.grpc.status_code"] != 0
