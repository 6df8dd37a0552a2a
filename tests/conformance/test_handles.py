"""Handles and their responses."""

import asyncio

import pytest

behaviour = pytest.mark.behaviour
differs = pytest.mark.differs


@pytest.fixture
def echo(serve, run):
    @serve.deployment(max_ongoing_requests=20)
    class Echo:
        async def __call__(self, value):
            return value

        async def slow(self, value):
            await asyncio.sleep(0.3)
            return value

        async def forever(self):
            await asyncio.sleep(3600)

        def fail(self, message):
            raise ValueError(message)

        async def count(self, limit):
            for number in range(limit):
                yield number

        def count_in_a_thread(self, limit):
            yield from range(limit)

    return run(Echo.bind())


@behaviour("a7, §3", "result() waits; a timeout is an error and does not cancel")
def test_result_and_timeout(echo):
    response = echo.slow.remote(1)
    with pytest.raises(TimeoutError):
        response.result(timeout_s=0.01)
    assert response.result() == 1


@behaviour("a7, §16.6", "a response can be awaited more than once")
def test_await_twice(serve, run):
    @serve.deployment
    class Back:
        def __call__(self):
            return 5

    @serve.deployment
    class Front:
        def __init__(self, back):
            self.back = back

        async def __call__(self):
            response = self.back.remote()
            return await response + await response

    assert run(Front.bind(Back.bind())).remote().result() == 10


@behaviour("a7, §16.4", "result() in async code of a replica is a RuntimeError")
def test_result_in_a_loop(serve, run):
    @serve.deployment
    class Back:
        def __call__(self):
            return 1

    @serve.deployment
    class Front:
        def __init__(self, back):
            self.back = back

        async def __call__(self):
            try:
                self.back.remote().result()
            except RuntimeError:
                return "refused"
            return "allowed"

    assert run(Front.bind(Back.bind())).remote().result() == "refused"


@behaviour("a21, §3", "user exceptions keep their type through handles")
def test_exception_type(echo):
    with pytest.raises(ValueError, match="my message"):
        echo.fail.remote("my message").result()


@behaviour("a19, §3", "a response as an argument is resolved first")
def test_response_as_argument(echo):
    assert echo.remote(echo.slow.remote(3)).result() == 3


@behaviour("§3", "if the argument's call fails, so does the call, unrun")
def test_failed_argument(echo):
    with pytest.raises(ValueError, match="inner"):
        echo.remote(echo.fail.remote("inner")).result()


@behaviour("§3", "a response inside a list cannot be sent")
def test_nested_response(echo):
    with pytest.raises(Exception):
        echo.remote([echo.remote(1)]).result(timeout_s=20)


@behaviour("§3", "a method that is not there is an error that names those that are")
def test_missing_method(echo):
    with pytest.raises(Exception, match="slow"):
        echo.no_such_method.remote().result()


@behaviour("a13, §3", "streams: sync and async generators, iterated with for")
@pytest.mark.parametrize("method", ["count", "count_in_a_thread"])
def test_streams(echo, method):
    stream = getattr(echo.options(stream=True), method).remote(4)

    assert list(stream) == [0, 1, 2, 3]


@behaviour("a13", "streams are iterated with async for in async code")
def test_async_streams(serve, run):
    @serve.deployment
    class Source:
        def count(self, limit):
            yield from range(limit)

    @serve.deployment
    class Reader:
        def __init__(self, source):
            self.source = source.options(stream=True)

        async def __call__(self):
            return [n async for n in self.source.count.remote(3)]

    assert run(Reader.bind(Source.bind())).remote().result() == [0, 1, 2]


@behaviour("§3", "a generator without stream=True is a TypeError, as is the reverse")
def test_stream_mistakes(echo):
    with pytest.raises(TypeError):
        echo.count.remote(3).result()
    with pytest.raises(TypeError):
        next(echo.options(stream=True).slow.remote(3))


@behaviour("§3, §16.27", "an error in a stream comes at the item where it was raised")
def test_error_in_a_stream(serve, run):
    @serve.deployment
    class Model:
        def count(self):
            yield 1
            yield 2
            raise ValueError("third")

    stream = run(Model.bind()).options(stream=True).count.remote()
    assert [next(stream), next(stream)] == [1, 2]
    with pytest.raises(ValueError, match="third"):
        next(stream)


@behaviour("b6", "a stream can be an argument of another call")
@differs("passing a response generator to a handle is refused")
def test_stream_as_argument(serve, run):
    @serve.deployment
    class Source:
        def count(self):
            yield from range(5)

    @serve.deployment
    class Sink:
        async def total(self, numbers):
            return sum([n async for n in numbers])

    @serve.deployment
    class Both:
        def __init__(self, source, sink):
            self.source, self.sink = source.options(stream=True), sink

        async def __call__(self):
            return await self.sink.total.remote(self.source.count.remote())

    assert run(Both.bind(Source.bind(), Sink.bind())).remote().result() == 10


@behaviour("a28, §3", "cancel reaches async code as CancelledError")
def test_cancel(serve, run, eventually):
    @serve.deployment(max_ongoing_requests=5)
    class Model:
        def __init__(self):
            self.ended = []

        async def wait(self):
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                self.ended.append("cancelled")
                raise

        def seen(self):
            return self.ended

    handle = run(Model.bind())
    response = handle.wait.remote()
    with pytest.raises(TimeoutError):
        response.result(timeout_s=0.5)
    response.cancel()

    assert eventually(lambda: handle.seen.remote().result() == ["cancelled"])
    assert response.cancelled()


@behaviour("§3", "cancelling a call cancels the calls it waits for")
def test_cancel_reaches_children(serve, run, eventually):
    @serve.deployment(max_ongoing_requests=5)
    class Child:
        def __init__(self):
            self.ended = 0

        async def wait(self):
            try:
                await asyncio.sleep(3600)
            finally:
                self.ended += 1

        def seen(self):
            return self.ended

    @serve.deployment(max_ongoing_requests=5)
    class Parent:
        def __init__(self, child):
            self.child = child

        async def __call__(self):
            return await self.child.wait.remote()

        async def seen(self):
            return await self.child.seen.remote()

    handle = run(Parent.bind(Child.bind()))
    response = handle.remote()
    with pytest.raises(TimeoutError):
        response.result(timeout_s=0.5)
    response.cancel()

    assert eventually(lambda: handle.seen.remote().result() == 1)


@behaviour("a8, a9, §1.4", "max_ongoing_requests is never exceeded; the rest waits")
@pytest.mark.parametrize("kind", ["sync", "async_"])
def test_the_cap_holds(serve, run, kind):
    import threading

    @serve.deployment(max_ongoing_requests=3)
    class Model:
        def __init__(self):
            self.lock = threading.Lock()
            self.now = self.most = 0

        def enter(self, step):
            with self.lock:
                self.now += step
                self.most = max(self.most, self.now)

        def sync(self):
            self.enter(1)
            threading.Event().wait(0.02)
            self.enter(-1)
            return self.most

        async def async_(self):
            self.enter(1)
            await asyncio.sleep(0.02)
            self.enter(-1)
            return self.most

    handle = run(Model.bind())
    calls = [getattr(handle, kind).remote() for _ in range(30)]

    assert max(call.result() for call in calls) == 3


@behaviour("§16.13", "sync methods run side by side in threads")
def test_sync_methods_overlap(serve, run):
    import threading

    @serve.deployment(max_ongoing_requests=2)
    class Model:
        def __init__(self):
            self.both = threading.Barrier(2)

        def meet(self):
            self.both.wait(30)
            return "met"

    handle = run(Model.bind())
    calls = [handle.meet.remote() for _ in range(2)]

    assert [call.result() for call in calls] == ["met", "met"]


@behaviour("a29, §3", "a full queue is a BackPressureError at result()")
def test_back_pressure(serve, run, part):
    @serve.deployment(max_ongoing_requests=1, max_queued_requests=1)
    class Model:
        async def wait(self):
            await asyncio.sleep(3600)

    handle = run(Model.bind())
    calls = [handle.wait.remote() for _ in range(8)]
    refused = 0
    for call in calls:
        try:
            call.result(timeout_s=2)
        except part("exceptions").BackPressureError:
            refused += 1
        except TimeoutError:
            call.cancel()
    assert refused >= 4


@behaviour("a37, §3", "fan-out with gather keeps the order")
def test_fan_out(serve, run):
    @serve.deployment(max_ongoing_requests=50)
    class Leaf:
        async def __call__(self, n):
            await asyncio.sleep(0.001 * (n % 5))
            return n

    @serve.deployment
    class Root:
        def __init__(self, leaf):
            self.leaf = leaf

        async def __call__(self):
            return await asyncio.gather(*(self.leaf.remote(n) for n in range(40)))

    assert run(Root.bind(Leaf.bind())).remote().result() == list(range(40))


@behaviour("§16.5", "a response that nobody waits for is still run")
def test_fire_and_forget(serve, run, eventually):
    @serve.deployment
    class Model:
        def __init__(self):
            self.seen = 0

        def note(self):
            self.seen += 1

        def __call__(self):
            return self.seen

    handle = run(Model.bind())
    handle.note.remote()

    assert eventually(lambda: handle.remote().result() == 1)


@behaviour("§3", "handles pickle, and work where they arrive")
def test_handles_travel(serve, run, name):
    @serve.deployment
    class Model:
        def call(self, handle, value):
            return handle.double.remote(value).result()

        def double(self, value):
            return 2 * value

    handle = run(Model.options(max_ongoing_requests=3).bind())
    assert handle.call.remote(serve.get_app_handle(name), 4).result() == 8


@behaviour("§3", "options of a handle's transport are taken; unknown ones are not")
def test_transport_options(serve, run):
    @serve.deployment
    class Model:
        def __call__(self, value):
            return value

    handle = run(Model.bind())
    other = handle.options(
        request_serialization="pickle", response_serialization="cloudpickle"
    )

    assert (handle.deployment_name, other.deployment_name) == ("Model", "Model")
    assert other.remote({"a": 1}).result() == {"a": 1}
    assert handle.is_initialized
    with pytest.raises(TypeError):
        handle.options(no_such_option=1)


@behaviour("§3", "a serialization that there is not is refused")
@differs("it is passed over, unless calls go by gRPC")
def test_no_such_serialization(serve, run):
    @serve.deployment
    def model(value):
        return value

    handle = run(model.bind())

    with pytest.raises(ValueError):
        handle.options(request_serialization="smoke").remote(1).result()
