"""Who is let in, who waits, who is told to come back later, and who goes where."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.integration.conftest import eventually
from workbench import api, serve
from workbench.errors import BackPressureError, RequestTimeoutError
from workbench.serve.config import RequestRouterConfig


@pytest.fixture
def holding(http, url):
    """Requests in the background, each in a thread of its own."""
    with ThreadPoolExecutor(32) as pool:
        yield lambda word, **headers: pool.submit(
            http.get, url, headers={"x-word": word, **headers}
        )


def gate_with(path):
    @serve.deployment(max_ongoing_requests=1)
    class FileGate:
        def __init__(self):
            self.order = []

        async def __call__(self, request):
            word = request.headers.get("x-word", "")
            if word == "order":
                return self.order
            while word == "holds" and not path.exists():
                await asyncio.sleep(0.01)
            self.order.append(word)
            return word

    return FileGate


def test_the_urgent_are_let_in_first_and_nobody_starves(
    run, tmp_path, holding, http, url
):
    run(gate_with(tmp_path / "open").bind())
    first = holding("holds")
    wait_until(url, ongoing=1)
    low = [holding(f"low{n}", **{"x-request-priority": "-1"}) for n in range(2)]
    wait_until(url, queued=2)
    high = [holding(f"high{n}", **{"x-request-priority": "5"}) for n in range(12)]
    wait_until(url, queued=14)
    (tmp_path / "open").touch()

    for each in [first, *low, *high]:
        assert each.result().status_code == 200
    order = http.get(url, headers={"x-word": "order"}).json()
    assert order[0] == "holds"
    assert order[1].startswith("high")
    # One in eight is the oldest, here of the low; which of the two came first is open.
    assert 1 < min(order.index("low0"), order.index("low1")) < 12


def wait_until(url, **claims):
    """Wait until so many calls of the application run or wait."""
    app = url.rpartition("/")[2]
    events = api.events()
    deadline = time.monotonic() + 30
    try:
        for event in events:
            sample = getattr(event, "sample", None)
            for key, seen in sample.deployments.items() if sample else ():
                found = {name: getattr(seen, name) for name in claims}
                if key.startswith(f"{app}#") and found == claims:
                    return
            assert time.monotonic() < deadline, f"not {claims} in time"
    finally:
        events.close()


def test_a_full_queue_is_said_with_the_status_and_time_of_the_deployment(
    run, tmp_path, holding, http, url
):
    gate = gate_with(tmp_path / "open").options(
        max_queued_requests=2,
        backpressure_config={"status_code": 429, "retry_after_s": 1.2},
    )
    run(gate.bind())
    waiting = [holding("holds")]
    wait_until(url, ongoing=1)
    waiting += [holding("waits") for _ in range(2)]
    wait_until(url, queued=2)

    refused = http.get(url)
    (tmp_path / "open").touch()

    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "2"
    assert "max_queued_requests=2" in refused.text
    assert all(each.result().status_code == 200 for each in waiting)


def test_the_limit_of_a_queue_is_one_for_all_callers(run, tmp_path, holding, http, url):
    gate = gate_with(tmp_path / "open").options(max_queued_requests=3)
    handle = run(gate.bind())
    waiting = [holding("holds")]
    wait_until(url, ongoing=1)
    waiting += [holding("waits") for _ in range(3)]
    wait_until(url, queued=3)

    # This process's own queue is empty; it hears of the other with its first call.
    calls = [handle.remote(None) for _ in range(1)]
    with pytest.raises(BackPressureError):
        eventually(lambda: _refused(handle))
    (tmp_path / "open").touch()
    assert all(each.result().status_code == 200 for each in waiting)
    for call in calls:
        call.cancel()


def _refused(handle):
    call = handle.remote(None)
    try:
        call.result(timeout_s=0.05)
    except TimeoutError:
        call.cancel()
    return False


def test_a_deployment_s_own_time_limit_is_answered_with_408(run, http, url):
    @serve.deployment(request_timeout_s=0.2)
    class Slow:
        async def __call__(self, request):
            await asyncio.sleep(30)

    handle = run(Slow.bind())

    answer = http.get(url)
    assert answer.status_code == 408
    assert "timed out after 0.2s" in answer.text
    with pytest.raises(RequestTimeoutError):
        handle.remote(None).result()


def test_the_deadline_of_a_request_holds_for_the_calls_it_causes(run, http, url):
    @serve.deployment
    class Inner:
        def __init__(self):
            self.ends = []

        async def wait(self):
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                self.ends.append("cancelled")
                raise

        def ended(self):
            return self.ends

    @serve.deployment
    class Outer:
        def __init__(self, inner):
            self.inner = inner

        def __call__(self, request):  # in a thread, which nobody can cancel
            if "ask" in request.query_params:
                return self.inner.ended.remote().result()
            return self.inner.wait.remote().result()

    run(Outer.bind(Inner.bind()))

    answer = http.get(url, headers={"x-request-timeout-seconds": "0.2"})
    assert answer.status_code == 408
    assert eventually(lambda: http.get(url, params={"ask": 1}).json()) == ["cancelled"]


def test_a_call_has_its_own_time_limit(run):
    @serve.deployment
    class Slow:
        async def __call__(self):
            await asyncio.sleep(30)

        async def quick(self):
            return "quick"

    handle = run(Slow.bind())

    with pytest.raises(RequestTimeoutError):
        handle.options(timeout_s=0.1).remote().result()
    assert handle.options(timeout_s=20).quick.remote().result() == "quick"


def test_calls_for_a_model_go_to_the_replica_that_has_it(run, http, url):
    @serve.deployment(num_replicas=3, max_ongoing_requests=10)
    class Models:
        @serve.multiplexed(max_num_models_per_replica=2)
        async def load(self, model_id):
            return f"{model_id} at {serve.get_replica_context().replica_id}"

        async def __call__(self, request):
            model_id = serve.get_multiplexed_model_id()
            return await self.load(model_id) if model_id else "none asked for"

    handle = run(Models.bind())

    def ask(model):
        return http.get(url, headers={"serve_multiplexed_model_id": model}).text

    for _ in range(12):  # channels open with the first calls, which take what is there
        ask("")
    homes = {model: ask(model) for model in "abc"}
    assert {model: ask(model) for model in "abc"} == homes
    assert len({home.partition(" at ")[2] for home in homes.values()}) == 3
    for _ in range(12):  # so do the handle's; on each, models are told before answers
        handle.remote("").result(timeout_s=30)
    by_handle = handle.options(multiplexed_model_id="a")
    assert by_handle.options(method_name="load").remote("a").result() == homes["a"]


def test_a_session_stays_at_one_replica(run, http, url):
    @serve.deployment(
        num_replicas=3,
        max_ongoing_requests=10,
        request_router_config=RequestRouterConfig("consistent_hash"),
    )
    class Here:
        async def __call__(self, request):
            return serve.get_replica_context().replica_id

    run(Here.bind())

    def ask(session):
        return http.get(url, headers={"x-session-id": session}).text

    for n in range(12):  # channels open with the first calls, which take what is there
        ask(str(n))
    homes = {str(n): ask(str(n)) for n in range(12)}
    assert {session: ask(session) for session in homes} == homes
    assert len(set(homes.values())) > 1
