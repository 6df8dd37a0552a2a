"""Handles and responses, with a router that a test plays."""

import asyncio
import contextlib
import gc
import pickle
import threading
import weakref
from typing import Any

import pytest

from workbench.code.values import dump_value, load_value
from workbench.errors import (
    NoInstanceError,
    NoSuchMethodError,
    RequestCancelledError,
    ShippingError,
)
from workbench.handle import DeploymentHandle, set_runtime
from workbench.loop import LoopThread
from workbench.request import RequestContext, current_request
from workbench.wire.messages import Failure, FailureKind, Result


class Router:
    """Answers calls by a function of the method's name and arguments."""

    def __init__(self, answer=None):
        self.answer = answer
        self.calls = []
        self.cancelled = []
        self.credit = 0
        self.submitted = threading.Event()

    def next_id(self):
        return len(self.calls) + 1

    def submit(self, deployment, message, buffers, receiver):
        sent: Any = load_value(buffers)
        args, kwargs = sent
        self.calls.append((deployment, message.method, args, kwargs))
        self.submitted.set()
        if self.answer is not None:
            loop = asyncio.get_running_loop()
            loop.call_soon(self.answer, message, args, receiver)
        return Ticket(self, message.id, receiver)


class Ticket:
    def __init__(self, router, number, receiver):
        self.router = router
        self.number = number
        self.receiver = receiver

    def cancel(self):
        self.router.cancelled.append(self.number)

    def credit(self, size):
        self.router.credit += size


def reply(message, args, receiver):
    receiver.on_reply(Result(message.id), dump_value(("answer", *args)))


def fail(message, _args, receiver):
    kind = FailureKind.NO_SUCH_METHOD
    receiver.on_failure(Failure(message.id, kind, "X", "no such method"), ())


def stream(_message, args, receiver):
    for item in args:
        receiver.on_chunk(dump_value(item))
    receiver.on_end()


@pytest.fixture
def connect():
    """Connect this process to a router on a thread of its own."""
    thread = LoopThread("test-router").start()

    def use(answer=None):
        router = Router(answer)
        set_runtime(router, thread.loop)
        return router

    yield use
    set_runtime(None)
    thread.stop()


@pytest.fixture
def here():
    """Run a coroutine function on the router's own loop, as replicas do."""

    def run(scenario, answer=None):
        async def connected():
            router = Router(answer)
            set_runtime(router, asyncio.get_running_loop())
            try:
                return await scenario(router)
            finally:
                set_runtime(None)

        return asyncio.run(connected())

    return run


HANDLE = DeploymentHandle("Model", "app")


@pytest.mark.parametrize("answer", [reply, fail])
def test_an_answered_call_goes_with_its_last_reference(here, answer):
    """A large value would else lie in shared memory until the collector runs."""

    async def scenario(_router):
        response = HANDLE.remote()
        with contextlib.suppress(NoSuchMethodError):
            await response
        seen = weakref.ref(response)
        del response
        await asyncio.sleep(0)
        return seen()

    gc.disable()
    try:
        assert here(scenario, answer) is None
    finally:
        gc.enable()


def test_without_an_instance_a_call_says_what_to_do(connect):
    connect()
    set_runtime(None)

    with pytest.raises(NoInstanceError, match=r"serve\.run"):
        HANDLE.remote()


def test_attributes_are_methods_and_options_do_not_change_the_handle(connect):
    router = connect(reply)

    assert HANDLE.predict.remote(1, k=2).result(10) == ("answer", 1)
    assert HANDLE.remote().result(10) == ("answer",)
    assert router.calls == [
        ("app#Model", "predict", (1,), {"k": 2}),
        ("app#Model", "__call__", (), {}),
    ]


def test_a_handle_travels():
    made = pickle.loads(pickle.dumps(HANDLE.predict))

    assert made == HANDLE.predict != HANDLE
    assert repr(made) == "DeploymentHandle(app#Model, method='predict')"


def test_a_response_can_be_awaited_twice_on_any_loop(connect):
    connect(reply)

    async def scenario():
        response = HANDLE.remote(1)
        return await response, await response, response.result(10)

    assert asyncio.run(scenario()) == (("answer", 1),) * 3


def test_on_the_routers_loop_result_would_block_and_says_so(here):
    async def scenario(_router):
        response = HANDLE.remote()
        with pytest.raises(RuntimeError, match="await response"):
            response.result()
        return await response

    assert here(scenario, reply) == ("answer",)


def test_a_response_made_in_async_code_can_be_waited_for_in_a_thread(here):
    async def scenario(_router):
        response = HANDLE.remote(5)
        return await asyncio.to_thread(response.result, 10)

    assert here(scenario, reply) == ("answer", 5)


def test_a_failure_is_raised_where_the_answer_is_asked_for(connect):
    connect(fail)
    response = HANDLE.remote()

    with pytest.raises(NoSuchMethodError, match="no such method"):
        response.result(10)


def test_responses_as_arguments_are_resolved_before_the_call_is_sent(connect):
    router = connect(reply)

    answer = HANDLE.outer.remote(HANDLE.inner.remote(1)).result(10)

    assert answer == ("answer", ("answer", 1))
    assert [call[1] for call in router.calls] == ["inner", "outer"]


def test_a_response_inside_another_value_is_refused(connect):
    connect(reply)

    with pytest.raises(ShippingError, match="not inside"):
        HANDLE.remote([HANDLE.remote()])


def test_cancelling_tells_the_router_and_whoever_waits(connect):
    router = connect()
    response = HANDLE.remote()
    assert router.submitted.wait(60)
    response.cancel()

    with pytest.raises(RequestCancelledError):
        response.result(10)
    assert response.cancelled()
    assert router.cancelled == [1]


def test_a_call_cancelled_before_it_was_sent_is_never_sent(here):
    async def scenario(router):
        upstream = HANDLE.inner.remote()
        response = HANDLE.outer.remote(upstream)
        response.cancel()
        upstream.cancel()
        await asyncio.sleep(0)
        return [call[1] for call in router.calls]

    assert here(scenario) == ["inner"]


def test_a_cancelled_parent_cancels_the_call_it_waits_for(here):
    async def scenario(router):
        async def parent():
            await HANDLE.remote()

        task = asyncio.create_task(parent())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)
        return router.cancelled

    assert here(scenario) == [1]


def test_a_stream_is_iterated_and_its_bytes_given_back(connect):
    router = connect(stream)
    items = HANDLE.options(stream=True)

    async def collect():
        return [item async for item in items.remote("a", "b")]

    assert list(items.remote(1, 2, 3)) == [1, 2, 3]
    assert asyncio.run(collect()) == ["a", "b"]
    sizes = [len(dump_value(item)[0]) for item in (1, 2, 3, "a", "b")]
    # Credit is given on the router's loop: one more call there comes after it.
    list(items.remote())
    assert router.credit == sum(sizes)


def test_items_before_a_failure_are_kept(connect):
    def break_off(message, args, receiver):
        receiver.on_chunk(dump_value("first"))
        failure = Failure(message.id, FailureKind.USER, "ValueError", "boom")
        receiver.on_failure(failure, ())

    connect(break_off)
    received = []

    with pytest.raises(ValueError, match="boom"):
        received.extend(HANDLE.options(stream=True).remote())
    assert received == ["first"]


def test_calls_of_a_request_are_withdrawn_together_until_they_are_answered(here):
    async def scenario(router):
        request = RequestContext("req-1")
        token = current_request.set(request)
        try:
            waiting, streamed = HANDLE.remote(), HANDLE.options(stream=True).remote()
            assert len(request.children) == 2
            for child in list(request.children):
                child.cancel()
        finally:
            current_request.reset(token)
        return waiting.cancelled(), streamed.cancelled(), len(request.children)

    assert here(scenario) == (True, True, 0)


def test_a_stream_that_nobody_holds_is_withdrawn(here):
    async def scenario(router):
        streamed = HANDLE.options(stream=True).remote()
        del streamed
        await asyncio.sleep(0)
        return router.cancelled

    assert here(scenario) == [1]
