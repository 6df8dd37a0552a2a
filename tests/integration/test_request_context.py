"""What goes along with a request, and what its client is told of it."""

import asyncio
import re

import pytest
from starlette.responses import StreamingResponse

from workbench import serve, trace

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"
ASK = {"x-server-timing": "1"}


@serve.deployment
class Inner:
    async def __call__(self):
        return serve.trace_headers()


@serve.deployment(max_ongoing_requests=1)
class Outer:
    def __init__(self, inner):
        self.inner = inner

    async def __call__(self, request):
        if request.query_params.get("fail"):
            raise ValueError
        return [serve.trace_headers(), await self.inner.remote()]


@serve.deployment
class Batching:
    @serve.batch(max_batch_size=2, batch_wait_timeout_s=0.05)
    async def predict(self, items):
        await asyncio.sleep(0.02)
        return items

    async def __call__(self, request):
        value = await self.predict(1)
        if request.query_params.get("stream"):
            return StreamingResponse(iter(["a", "b"]))
        return value


def timing(answer):
    """`Server-Timing` as the milliseconds of each part."""
    text = answer.headers["server-timing"]
    return {name: float(ms) for name, ms in re.findall(r"(\w+);dur=([\d.]+)", text)}


def test_each_step_of_a_trace_has_an_id_of_its_own(run, http, url):
    run(Outer.bind(Inner.bind()))

    answer = http.get(url, headers={"traceparent": PARENT, "tracestate": "a=1"})

    outer, inner = answer.json()
    assert outer["tracestate"] == inner["tracestate"] == "a=1"
    steps = [answer.headers["traceparent"], outer["traceparent"], inner["traceparent"]]
    assert {trace.trace_id_of(each) for each in steps} == {TRACE}
    assert all(map(trace.is_sampled, steps))
    assert len({SPAN, *map(trace.span_id_of, steps)}) == 4


def test_without_a_trace_nothing_is_made_up(run, http, url):
    run(Outer.bind(Inner.bind()))

    answer = http.get(url)

    assert answer.json() == [{}, {}]
    assert "traceparent" not in answer.headers
    assert "server-timing" not in answer.headers


def test_a_malformed_trace_begins_a_new_one(run, http, url):
    run(Outer.bind(Inner.bind()))

    answer = http.get(url, headers={"traceparent": "00-1-2-01", "tracestate": "a=1"})

    outer, inner = answer.json()
    told = trace.trace_id_of(answer.headers["traceparent"])
    assert trace.trace_id_of(outer["traceparent"]) == told
    assert trace.trace_id_of(inner["traceparent"]) == told
    assert "tracestate" not in outer


@pytest.mark.parametrize("params", [{}, {"stream": "1"}])
def test_an_answer_says_what_took_how_long(run, http, url, params):
    run(Batching.bind())

    found = timing(http.get(url, params=params, headers=ASK))

    assert list(found) == ["queue", "transfer", "batch", "code", "total"]
    assert found["batch"] >= 45
    assert found["code"] >= 15
    total = found.pop("total")
    assert sum(found.values()) == pytest.approx(total, abs=0.01)


def test_so_does_a_failure(run, http, url, instance):
    run(Outer.bind(Inner.bind()))

    failed = http.get(url, params={"fail": "1"}, headers=ASK)
    lost = http.get(f"{instance.http_url}/-/nowhere/", headers=ASK)

    assert failed.status_code == 500
    assert "code" in timing(failed)
    assert lost.status_code == 404
    assert list(timing(lost)) == ["queue", "total"]
