"""`@serve.batch`: single calls in, lists for the function, single answers out."""

import asyncio
import gc
import weakref

import cloudpickle
import pytest

from workbench.errors import BatchError
from workbench.replica import metrics
from workbench.replica.batching import batch
from workbench.replica.shape import Shape, shape_of

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return "asyncio"


class Model:
    def __init__(self):
        self.batches = []

    @batch(max_batch_size=4, batch_wait_timeout_s=0.01)
    async def double(self, numbers):
        self.batches.append(numbers)
        return [2 * number for number in numbers]

    @batch(max_batch_size=4)
    def in_a_thread(self, numbers):
        self.batches.append(numbers)
        return [2 * number for number in numbers]


async def all_of(*calls):
    return list(await asyncio.gather(*calls))


async def test_callers_get_their_own_answers():
    model = Model()

    answers = await asyncio.gather(*(model.double(n) for n in range(6)))

    assert answers == [0, 2, 4, 6, 8, 10]
    assert model.batches == [[0, 1, 2, 3], [4, 5]]


async def test_sync_functions_run_in_a_thread():
    model = Model()

    assert await all_of(*(model.in_a_thread(n) for n in range(3))) == [0, 2, 4]
    assert model.batches == [[0, 1, 2]]


async def test_each_parameter_becomes_a_list():
    @batch(batch_wait_timeout_s=0.01)
    async def join(a, b="-", *, c="."):
        return [f"{x}{y}{z}" for x, y, z in zip(a, b, c, strict=True)]

    assert await all_of(join(1), join(2, "x"), join(3, c="!")) == [
        "1-.",
        "2x.",
        "3-!",
    ]


async def test_a_call_that_does_not_fit_fails_alone():
    model = Model()

    both = await asyncio.gather(
        model.double(1), model.double(1, 2), return_exceptions=True
    )

    assert both[0] == 2
    assert isinstance(both[1], TypeError)


async def test_an_exception_among_the_answers_is_its_callers_alone():
    @batch(batch_wait_timeout_s=0.01)
    async def invert(numbers):
        return [1 / n if n else ZeroDivisionError("no inverse") for n in numbers]

    answers = await asyncio.gather(
        invert(2), invert(0), invert(4), return_exceptions=True
    )

    assert answers[0] == 0.5
    assert isinstance(answers[1], ZeroDivisionError)
    assert answers[2] == 0.25


async def test_what_the_function_raises_reaches_every_caller():
    @batch(batch_wait_timeout_s=0.01)
    async def fail(_numbers):
        raise ValueError("no")

    answers = await asyncio.gather(fail(1), fail(2), return_exceptions=True)

    assert [str(each) for each in answers] == ["no", "no"]
    assert await asyncio.gather(fail(3), return_exceptions=True)  # it still answers


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ([1], "got a batch of 2 and gave 1 answers"),
        (None, "gave NoneType"),
        ("ab", "gave str"),
        ({1: 2, 3: 4}, "gave dict"),
    ],
)
async def test_answers_that_are_not_one_for_each_item_are_an_error(answers, says):
    @batch(batch_wait_timeout_s=0.01)
    async def wrong(_numbers):
        return answers

    both = await asyncio.gather(wrong(1), wrong(2), return_exceptions=True)

    for error in both:
        assert isinstance(error, BatchError)
        assert says in str(error)


async def test_arrays_are_taken_apart():
    np = pytest.importorskip("numpy")

    @batch(batch_wait_timeout_s=0.01)
    async def double(numbers):
        return 2 * np.array(numbers)

    assert await all_of(double(1), double(2)) == [2, 4]


async def test_a_cancelled_call_that_waits_is_never_run():
    model = Model()
    leaving = asyncio.ensure_future(model.double(1))
    staying = asyncio.ensure_future(model.double(2))
    await asyncio.sleep(0)
    leaving.cancel()

    assert await staying == 4
    assert model.batches == [[2]]


async def test_a_batch_whose_callers_have_all_left_is_cancelled():
    began, ended = asyncio.Event(), asyncio.Event()

    @batch(batch_wait_timeout_s=0)
    async def hang(_numbers):
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    call = asyncio.ensure_future(hang(1))
    await began.wait()
    call.cancel()

    await asyncio.wait_for(ended.wait(), 10)


async def test_a_running_batch_goes_on_while_one_caller_stays():
    began, go = asyncio.Event(), asyncio.Event()

    @batch(batch_wait_timeout_s=0.01)
    async def slow(numbers):
        began.set()
        await go.wait()
        return numbers

    leaving, staying = asyncio.ensure_future(slow(1)), asyncio.ensure_future(slow(2))
    await began.wait()
    leaving.cancel()
    await asyncio.sleep(0)
    go.set()

    assert await staying == 2


async def test_slots_come_back_after_cancelled_batches():
    @batch(max_batch_size=1, batch_wait_timeout_s=0)
    async def echo(numbers):
        await asyncio.sleep(0)
        return numbers

    for step in range(50):
        call = asyncio.ensure_future(echo(step))
        for _ in range(step % 5):
            await asyncio.sleep(0)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)

    assert await asyncio.wait_for(echo(7), 10) == 7


async def test_concurrent_batches_overlap():
    both = asyncio.Barrier(2)

    @batch(max_batch_size=1, max_concurrent_batches=2)
    async def meet(numbers):
        await both.wait()
        return numbers

    assert await asyncio.wait_for(all_of(meet(1), meet(2)), 10) == [1, 2]


async def test_options_change_while_it_runs_and_stay_with_the_object():
    model = Model()
    model.double.set_max_batch_size(2)
    model.double.set_batch_wait_timeout_s(0)
    await asyncio.gather(*(model.double(n) for n in range(4)))

    assert max(map(len, model.batches)) <= 2

    successor = object.__new__(Model)
    successor.__dict__ = model.__dict__
    model.batches.clear()
    await asyncio.gather(*(successor.double(n) for n in range(4)))

    assert max(map(len, model.batches)) <= 2


async def test_options_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="at least 1; got 0"):
        Model().double.set_max_batch_size(0)
    with pytest.raises(TypeError, match="decorates a function"):
        batch(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"write them out instead of \*numbers"):

        @batch
        async def many(*numbers):
            return numbers


async def test_an_item_too_large_for_any_batch_is_refused_with_a_reason():
    @batch(max_batch_size=3, batch_size_fn=lambda texts: sum(map(len, texts)))
    async def upper(texts):
        return [text.upper() for text in texts]

    assert await all_of(upper("ab"), upper("c")) == ["AB", "C"]
    with pytest.raises(BatchError, match="max_batch_size=3"):
        await upper("abcd")


async def test_a_generator_answers_each_caller_step_by_step():
    @batch(batch_wait_timeout_s=0.01)
    async def count(limits):
        for step in range(max(limits)):
            yield [step if step < limit else StopIteration for limit in limits]

    async def collect(limit):
        return [step async for step in count(limit)]

    assert await all_of(collect(1), collect(3)) == [[0], [0, 1, 2]]


async def test_a_sync_generator_does_too_and_may_fail_one_caller():
    @batch(batch_wait_timeout_s=0.01)
    def count(names):
        yield [f"{name}0" for name in names]
        yield [ValueError(name) if name == "b" else f"{name}1" for name in names]

    async def collect(name):
        return [step async for step in count(name)]

    both = await asyncio.gather(collect("a"), collect("b"), return_exceptions=True)

    assert both[0] == ["a0", "a1"]
    assert isinstance(both[1], ValueError)


async def test_a_caller_who_stops_reading_ends_a_stream_that_nobody_else_reads():
    closed = asyncio.Event()

    @batch(batch_wait_timeout_s=0)
    async def count(limits):
        try:
            while True:
                yield [0 for _ in limits]
                await asyncio.sleep(0)
        finally:
            closed.set()

    stream = count(1)
    assert await anext(stream) == 0
    await stream.aclose()

    await asyncio.wait_for(closed.wait(), 10)


async def test_its_shape_can_be_seen():
    @batch
    async def stream(_items):
        yield []

    assert shape_of(Model().double) is Shape.COROUTINE
    assert shape_of(Model().in_a_thread) is Shape.COROUTINE
    assert shape_of(stream._bound(None)) is Shape.ASYNC_GENERATOR


async def test_it_travels_without_its_queue():
    model = Model()
    await model.double(1)

    copy = cloudpickle.loads(cloudpickle.dumps(Model))()

    assert await copy.double(4) == 8


async def test_a_temporary_object_lives_until_it_has_answered_and_no_longer():
    model = Model()
    gone = weakref.ref(model)
    call = model.double(3)
    del model

    assert await call == 6
    del call
    await asyncio.sleep(0)  # the batch itself ends one turn after its answers
    gc.collect()
    assert gone() is None


async def test_learnt_waiting_gathers_a_burst():
    sizes = []

    @batch(max_batch_size=64, batch_wait_timeout_s="auto")
    async def model(items):
        sizes.append(len(items))
        await asyncio.sleep(0.01)
        return items

    async def client():
        for _ in range(20):
            await model(0)

    await asyncio.gather(*(client() for _ in range(16)))

    assert sum(sizes) == 320
    assert max(sizes[-5:]) == 16


async def test_batches_are_counted(monkeypatch):
    monkeypatch.setattr(metrics, "_metrics", {})

    @batch(max_batch_size=4, batch_wait_timeout_s=0.0)
    async def counted(items):
        return items

    await asyncio.gather(*map(counted, range(5)))

    found = {point.name: point.numbers for point in metrics.metric_points()}
    total, *counts = found["serve_actual_batch_size"]
    assert total == 5
    assert sum(counts) == found["serve_batches_processed"][0] == 2
    for name in ("wait_time_ms", "execution_time_ms", "utilization_percent"):
        assert sum(found[f"serve_batch_{name}"][1:]) == 2
    assert found["serve_batch_queue_length"] == [0]
