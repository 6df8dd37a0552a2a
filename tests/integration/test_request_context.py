"""What goes along with a request, and what its client is told of it."""

import asyncio
import json
import logging
import re

import pytest
from starlette.responses import StreamingResponse

from tests.integration.conftest import eventually
from workbench import api, serve, trace
from workbench.spec.logs import LogQuery

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


@serve.deployment
class Logging:
    def __init__(self, inner=None):
        self.inner = inner

    async def __call__(self, request):
        logging.getLogger("ray.serve").info("asked")
        if request.query_params.get("fail"):
            raise ValueError
        return await self.inner.remote() if self.inner else "ok"


def logged(app, count=1, **fields):
    """What was logged for an application, oldest first, once there is so much."""
    query = LogQuery(app=app, **fields)
    return eventually(lambda: len(found := api.logs(query).records) >= count and found)


def test_a_line_tells_of_each_request_to_those_who_ask(run, http, url, app_name):
    run(Logging.bind(Inner.bind()))
    ids = {"x-request-id": "req-1"}
    http.get(f"{url}/a%20b", params={"fail": "1"}, headers=ids)
    http.post(url, headers={"x-request-id": "req-2"})

    [failed] = logged(app_name, source="access", request_id="req-1")
    lines = logged(app_name, 2, source="access", request_id="req-2")
    assert re.fullmatch(rf"GET /{app_name}/a%20b 500 [\d.]+ms", failed.text)
    found = {each.deployment: each.text.rpartition(" ")[0] for each in lines}
    assert found == {
        "Logging": f"POST /{app_name} 200",
        "Inner": "CALL __call__ OK",
    }
    [said] = logged(app_name, request_id="req-2")
    assert (said.source, said.text) == ("ray.serve", "asked")


def test_logs_are_as_the_application_wants_them(run, http, url, app_name, tmp_path):
    config = {"encoding": "JSON", "log_level": "WARNING", "logs_dir": str(tmp_path)}
    quiet = {"log_level": "INFO", "enable_access_log": False}
    run(Logging.options(logging_config=quiet).bind(Inner.bind()), logging_config=config)
    http.get(url, headers={"x-request-id": "req-1"})

    [said] = logged(app_name, request_id="req-1")
    [inner] = logged(app_name, source="access")
    assert said.text == "asked"
    assert inner.deployment == "Inner"
    [file] = tmp_path.iterdir()
    line = eventually(lambda: file.read_text() or None)
    assert json.loads(line)["request_id"] == "req-1"
