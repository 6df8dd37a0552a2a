"""Calls: what goes in, what comes out, and how many at once."""

import asyncio
import concurrent.futures
import threading
import time

import numpy as np
import pytest

from workbench import serve
from workbench.errors import (
    DeploymentUnavailableError,
    NoSuchMethodError,
    RemoteError,
    ShippingError,
)


@serve.deployment(max_ongoing_requests=3)
class Gauge:
    """Counts how many of its calls run at the same time."""

    def __init__(self):
        self.now = 0
        self.most = 0

    async def __call__(self, request=None):
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.02)
        self.now -= 1
        return "done"

    async def get_most(self):
        return self.most


def test_two_hundred_clients_never_exceed_the_cap(run, http, url):
    handle = run(Gauge.bind())

    def call(number):
        if number % 2:
            return http.get(url).text
        return handle.remote().result(timeout_s=60)

    with concurrent.futures.ThreadPoolExecutor(200) as pool:
        answers = list(pool.map(call, range(200)))

    assert answers == ["done"] * 200
    assert handle.get_most.remote().result(timeout_s=30) == 3


def test_sync_methods_run_side_by_side_up_to_the_cap(run):
    @serve.deployment(max_ongoing_requests=2)
    class Sync:
        def __init__(self):
            self.barrier = threading.Barrier(2)

        def meet(self):
            self.barrier.wait(timeout=20)
            return "met"

    handle = run(Sync.bind())
    calls = [handle.meet.remote(), handle.meet.remote()]

    assert [call.result(timeout_s=30) for call in calls] == ["met", "met"]


def test_a_users_exception_keeps_its_type_and_traceback(run, http, url):
    class OwnError(Exception):
        pass

    @serve.deployment
    class Failing:
        def __call__(self, request):
            raise OwnError("not over HTTP")

        def value(self):
            raise ValueError("bad value")

        def own(self):
            raise OwnError("mine")

    handle = run(Failing.bind())

    with pytest.raises(ValueError, match="bad value") as caught:
        handle.value.remote().result(timeout_s=30)
    assert isinstance(caught.value, RemoteError)
    assert 'raise ValueError("bad value")' in caught.value.remote_traceback
    with pytest.raises(OwnError, match="mine"):
        handle.own.remote().result(timeout_s=30)
    answer = http.get(url)
    assert (answer.status_code, answer.text) == (500, "Internal Server Error")


def test_a_missing_method_names_those_that_exist(run):
    handle = run(Gauge.bind())

    with pytest.raises(NoSuchMethodError, match="get_most"):
        handle.get_least.remote().result(timeout_s=30)


def test_a_call_to_an_application_that_is_gone_says_so(run, app_name):
    handle = run(Gauge.bind())
    serve.delete(app_name)

    with pytest.raises(DeploymentUnavailableError, match=app_name):
        handle.remote().result(timeout_s=30)


def test_a_timeout_does_not_cancel(run):
    @serve.deployment
    class Slow:
        async def __call__(self):
            await asyncio.sleep(0.5)
            return "late"

    response = run(Slow.bind()).remote()

    with pytest.raises(TimeoutError):
        response.result(timeout_s=0.01)
    assert response.result(timeout_s=30) == "late"


def test_a_cancelled_call_frees_its_slot_and_runs_no_further(run):
    @serve.deployment(max_ongoing_requests=1)
    class One:
        def __init__(self):
            self.finished = 0

        async def wait(self):
            await asyncio.sleep(60)
            self.finished += 1

        async def count(self):
            return self.finished

    handle = run(One.bind())
    first, queued = handle.wait.remote(), handle.wait.remote()
    first.cancel()
    queued.cancel()

    assert handle.count.remote().result(timeout_s=30) == 0


def test_responses_await_in_a_running_loop(run):
    handle = run(Gauge.bind())

    async def cell():
        response = handle.remote()
        return await response, await response, handle.remote().result(timeout_s=30)

    assert asyncio.run(cell()) == ("done", "done", "done")


def test_streams_are_iterated_sync_and_async(run):
    @serve.deployment
    class Counter:
        def count(self, n):
            yield from range(n)

        async def count_async(self, n):
            for i in range(n):
                yield i
            raise ValueError("end")

    handle = run(Counter.bind()).options(stream=True)

    async def collect():
        return [item async for item in handle.count.remote(5)]

    assert list(handle.count.remote(4)) == [0, 1, 2, 3]
    assert asyncio.run(collect()) == [0, 1, 2, 3, 4]
    received = []
    with pytest.raises(ValueError, match="end"):
        received.extend(handle.count_async.remote(2))
    assert received == [0, 1]


def test_a_stream_and_a_plain_call_are_not_mixed_up(run):
    @serve.deployment
    class Both:
        def stream(self):
            yield 1

        def plain(self):
            return 1

    handle = run(Both.bind())

    with pytest.raises(TypeError, match="stream=True"):
        handle.stream.remote().result(timeout_s=30)
    with pytest.raises(TypeError, match="without stream=True"):
        list(handle.options(stream=True).plain.remote())


def test_large_arrays_travel_whole(run):
    @serve.deployment
    class Double:
        def __call__(self, array):
            return array * 2

    array = np.arange(3_000_000, dtype=np.float64)

    result = run(Double.bind()).remote(array).result(timeout_s=60)

    assert np.array_equal(result, array * 2)


def test_a_response_inside_a_list_is_refused_with_advice(run):
    handle = run(Gauge.bind())

    with pytest.raises(ShippingError, match="directly"):
        handle.remote([handle.remote()])


def test_a_failing_upstream_fails_the_downstream_call(run):
    @serve.deployment
    class Down:
        def __call__(self, value):
            return value

        def fail(self):
            raise KeyError("up")

    handle = run(Down.bind())

    with pytest.raises(KeyError, match="up"):
        handle.remote(handle.fail.remote()).result(timeout_s=30)


def test_a_slow_upstream_occupies_no_slot_downstream(run):
    @serve.deployment(max_ongoing_requests=1)
    class Down:
        def __call__(self, value):
            return value

    @serve.deployment
    class Up:
        async def __call__(self):
            await asyncio.sleep(1.0)
            return "slow"

    @serve.deployment
    class Both:
        def __init__(self, down, up):
            self.down, self.up = down, up

        async def __call__(self):
            chained = self.down.remote(self.up.remote())
            began = time.monotonic()
            await self.down.remote("quick")
            return time.monotonic() - began < 0.9, await chained

    handle = run(Both.bind(Down.bind(), Up.bind()))

    assert handle.remote().result(timeout_s=30) == (True, "slow")


def test_request_id_follows_a_request_through_composed_calls(run, http, url):
    @serve.deployment
    class Inner:
        async def __call__(self):
            from workbench.request import current_request

            return current_request.get().request_id

    @serve.deployment
    class Outer:
        def __init__(self, inner):
            self.inner = inner

        async def __call__(self, request):
            return await self.inner.remote()

    run(Outer.bind(Inner.bind()))

    answer = http.get(url, headers={"x-request-id": "abc-123"})

    assert (answer.text, answer.headers["x-request-id"]) == ("abc-123", "abc-123")
