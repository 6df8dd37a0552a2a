"""Calls through handles, as a real router brings them to a replica's process."""

import asyncio
import threading

import numpy as np
import pytest

from workbench.code.exceptions import load_failure
from workbench.code.values import load_value
from workbench.wire.messages import FailureKind

pytestmark = pytest.mark.anyio


class Model:
    def __init__(self, factor=2):
        self.factor = factor

    def __call__(self, x):
        return x * self.factor

    async def add(self, left, *, right):
        return left + right

    def where(self):
        return threading.current_thread().name

    async def count(self, up_to):
        for number in range(up_to):
            yield number

    def letters(self):
        yield from "abc"

    def delegate(self):
        return self.add(1, right=2)

    def hidden_stream(self):
        return self.letters()

    async def fail(self):
        raise KeyError("which")

    async def unpicklable(self):
        return threading.Lock()

    async def wait(self):
        await asyncio.Event().wait()


@pytest.fixture
async def model(replica):
    async with replica() as bench:
        await bench.load(Model, 3, max_ongoing_requests=2)
        yield bench


def items(answer):
    return [load_value(each) for each in answer.items]


async def test_methods_are_called_by_name_with_their_arguments(model):
    calls = [
        model.call("__call__", 5),
        model.call("add", 1, right=2),
        model.call("delegate"),
    ]
    answers = [await call.done() for call in calls]

    assert [answer.value for answer in answers] == [15, 3, 3]


async def test_a_def_method_runs_in_a_thread(model):
    answer = await model.call("where").done()

    assert answer.value.startswith("user-code-")


async def test_arrays_travel_beside_the_pickle(model):
    array = np.arange(100_000)
    answer = await model.call("__call__", array).done()

    assert np.array_equal(answer.value, array * 3)
    assert len(answer.items[0]) == 2


async def test_a_missing_method_is_named_with_those_there_are(model):
    answer = await model.call("predict").done()

    assert answer.failure.kind is FailureKind.NO_SUCH_METHOD
    assert "no method 'predict'" in answer.failure.message
    assert "__call__, add, count" in answer.failure.message


@pytest.mark.parametrize("method", ["__init__", "__class__", "factor"])
async def test_only_methods_can_be_called(model, method):
    answer = await model.call(method).done()

    assert answer.failure.kind is FailureKind.NO_SUCH_METHOD


@pytest.mark.parametrize(
    ("method", "args", "expected"),
    [("count", (3,), [0, 1, 2]), ("letters", (), list("abc"))],
)
async def test_a_generator_is_streamed(model, method, args, expected):
    answer = await model.call(method, *args, stream=True).done()

    assert items(answer) == expected
    assert answer.failure is None


async def test_a_def_that_returns_a_generator_is_streamed(model):
    answer = await model.call("hidden_stream", stream=True).done()

    assert items(answer) == list("abc")


@pytest.mark.parametrize("method", ["count", "letters", "hidden_stream"])
async def test_a_generator_needs_stream(model, method):
    args = (1,) if method == "count" else ()
    answer = await model.call(method, *args).done()

    assert answer.failure.kind is FailureKind.NOT_STREAMING
    assert "stream=True" in answer.failure.message


async def test_stream_needs_a_generator(model):
    answer = await model.call("add", 1, right=2, stream=True).done()

    assert answer.failure.kind is FailureKind.NOT_STREAMING
    assert "returned int" in answer.failure.message


async def test_an_exception_comes_back_as_its_type(model):
    answer = await model.call("fail").done()
    error = load_failure(answer.failure, answer.failure_buffers)

    assert answer.failure.kind is FailureKind.USER
    assert isinstance(error, KeyError)
    assert "in fail" in answer.failure.traceback
    assert "workbench/replica" not in answer.failure.traceback


async def test_an_answer_that_cannot_be_pickled_says_so(model):
    answer = await model.call("unpicklable").done()

    assert answer.failure.kind is FailureKind.UNREADABLE
    assert "unpicklable returned (lock)" in answer.failure.message


async def test_arguments_that_cannot_be_read_say_so(model):
    answer = model.call("__call__", model_only_here())
    await answer.done()

    assert answer.failure.kind is FailureKind.UNREADABLE
    assert "cannot be read" in answer.failure.message


def model_only_here():
    return Unreadable()


class Unreadable:
    def __reduce__(self):
        return _raise, ()


def _raise():
    raise ModuleNotFoundError("No module named 'mine'")


async def test_wrong_arguments_are_the_callers_error(model):
    answer = await model.call("add").done()

    assert answer.failure.error_type == "TypeError"


async def test_a_cancelled_call_gives_its_slot_to_the_next(model):
    stuck = [model.call("wait"), model.call("wait")]
    later = model.call("__call__", 1)
    for call in stuck:
        call.ticket.cancel()

    assert (await later.done()).value == 3


async def test_a_function_is_called_by_handle_too(replica):
    async def double(x):
        return 2 * x

    async with replica() as bench:
        await bench.load(double)
        answer = await bench.call("__call__", 4).done()
        other = await bench.call("other").done()

    assert answer.value == 8
    assert "it has __call__" in other.failure.message
