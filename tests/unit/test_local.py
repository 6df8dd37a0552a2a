"""Local testing mode: the application in this process, without Ray."""

import asyncio
import subprocess
import sys

import pytest

from workbench import serve
from workbench.errors import BackPressureError, ConstructorError, WorkbenchError

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def run():
    """Run an application locally; it ends with the test."""

    def run(app, name="local"):
        return serve.run(app, name=name, local_testing_mode=True)

    yield run
    serve.delete("local")


def test_deployments_call_each_other(run):
    @serve.deployment
    class Adder:
        def __init__(self, number):
            self.number = number

        def add(self, value):
            return value + self.number

    @serve.deployment
    class Twice:
        def __init__(self, adder):
            self.adder = adder

        async def __call__(self, value):
            once = self.adder.add.remote(value)
            return await self.adder.add.remote(once)

    assert run(Twice.bind(Adder.bind(3))).remote(1).result() == 7


def test_ray_is_not_needed():
    program = (
        "import sys; from workbench import serve\n"
        "@serve.deployment\n"
        "def f(): return 'ray' in sys.modules\n"
        "print(serve.run(f.bind(), local_testing_mode=True).remote().result())\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert ran.stdout.strip() == "False"


def test_functions_and_async_constructors(run):
    @serve.deployment
    def shout(text):
        return text.upper()

    @serve.deployment
    class Asks:
        async def __init__(self, shout):
            await asyncio.sleep(0)
            self.shout = shout

        def __call__(self, text):  # sync code waits in a thread
            return self.shout.remote(text).result()

    assert run(Asks.bind(shout.bind())).remote("hi").result() == "HI"


def test_streams(run):
    @serve.deployment
    class Counter:
        async def count(self, limit):
            for number in range(limit):
                yield number

    handle = run(Counter.bind()).options(stream=True)

    assert list(handle.count.remote(4)) == [0, 1, 2, 3]


def test_batches(run):
    @serve.deployment(max_ongoing_requests=8)
    class Model:
        def __init__(self):
            self.sizes = []

        @serve.batch(max_batch_size=8, batch_wait_timeout_s=0.2)
        async def __call__(self, items):
            self.sizes.append(len(items))
            return items

        def seen(self):
            return self.sizes

    handle = run(Model.bind())

    assert [r.result() for r in [handle.remote(n) for n in range(6)]] == [*range(6)]
    assert max(handle.seen.remote().result()) > 1


def test_errors_keep_their_type(run):
    class OwnError(Exception):
        pass

    @serve.deployment
    def fail(kind):
        raise OwnError(kind)

    with pytest.raises(OwnError, match="why"):
        run(fail.bind()).remote("why").result()


def test_a_failing_constructor_is_shown_with_the_user_s_traceback(run):
    @serve.deployment
    class Broken:
        def __init__(self):
            raise OSError("no weights")

    with pytest.raises(ConstructorError, match="no weights") as caught:
        run(Broken.bind())
    assert "workbench/" not in str(caught.value)


def test_limits_hold(run):
    @serve.deployment(max_ongoing_requests=2, max_queued_requests=1)
    class Gate:
        def __init__(self):
            self.most = self.now = 0
            self.opened = asyncio.Event()

        async def enter(self):
            self.now += 1
            self.most = max(self.most, self.now)
            await self.opened.wait()
            self.now -= 1
            return self.most

    handle = run(Gate.bind())
    calls = [handle.enter.remote() for _ in range(4)]

    with pytest.raises(BackPressureError):
        calls[3].result(timeout_s=10)
    for call in calls:
        call.cancel()


def test_user_config_and_context(run):
    @serve.deployment(user_config={"limit": 3})
    class Configured:
        def reconfigure(self, config):
            self.limit = config["limit"]

        def __call__(self):
            here = serve.get_replica_context()
            return self.limit, here.app_name, here.deployment

    @serve.deployment
    class Front:
        def __init__(self, inner):
            self.name = serve.get_replica_context().deployment
            self.inner = inner

        async def __call__(self):
            return self.name, await self.inner.remote()

    handle = run(Front.bind(Configured.bind()))

    assert handle.remote().result() == ("Front", (3, "local", "Configured"))
    with pytest.raises(WorkbenchError):
        serve.get_replica_context()


def test_models_are_multiplexed(run):
    @serve.deployment
    class Models:
        @serve.multiplexed(max_num_models_per_replica=1)
        async def load(self, model_id):
            return f"model {model_id}"

        async def __call__(self):
            return await self.load(serve.get_multiplexed_model_id())

    handle = run(Models.bind())

    assert handle.options(multiplexed_model_id="a").remote().result() == "model a"


def test_the_same_name_again_replaces_it(run):
    @serve.deployment
    def first():
        return 1

    @serve.deployment
    def second():
        return 2

    run(first.bind())

    assert run(second.bind()).remote().result() == 2


def test_two_applications_live_beside_each_other(run):
    @serve.deployment
    def one():
        return 1

    @serve.deployment
    def two():
        return 2

    a = run(one.bind())
    b = serve.run(two.bind(), name="other", local_testing_mode=True)
    try:
        assert (a.remote().result(), b.remote().result()) == (1, 2)
    finally:
        serve.delete("other")


def test_nothing_is_left_behind(run, tmp_path, monkeypatch):
    import tempfile
    import threading

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    @serve.deployment
    def answer():
        return 1

    run(answer.bind()).remote().result()
    serve.delete("local")

    assert list(tmp_path.iterdir()) == []
    assert not [t for t in threading.enumerate() if t.name == "workbench-local-local"]


@serve.deployment
class Source:
    async def count(self, limit):
        for number in range(limit):
            if number == 50:
                raise ValueError("fifty")
            yield number


@serve.deployment
class Sink:
    async def total(self, numbers):
        return sum([number async for number in numbers])

    def total_in_a_thread(self, numbers, more):
        return sum(numbers) + sum(more)

    async def first(self, numbers):
        return await anext(numbers)

    async def doubled(self, numbers):
        async for number in numbers:
            yield 2 * number


@serve.deployment
class Both:
    def __init__(self, source, sink):
        self.source = source.options(stream=True)
        self.sink = sink

    async def __call__(self, method, *limits):
        streams = [self.source.count.remote(limit) for limit in limits]
        return await getattr(self.sink, method).remote(*streams)

    async def chain(self, limit):
        doubled = self.sink.options(stream=True).doubled
        twice = doubled.remote(doubled.remote(self.source.count.remote(limit)))
        return [number async for number in twice]


def test_a_stream_can_be_an_argument(run):
    handle = run(Both.bind(Source.bind(), Sink.bind()))

    assert handle.remote("total", 10).result() == 45
    assert handle.remote("total_in_a_thread", 10, 4).result() == 51
    assert handle.remote("first", 40).result() == 0
    assert handle.chain.remote(3).result() == [0, 4, 8]
    with pytest.raises(ValueError, match="fifty"):
        handle.remote("total", 60).result()


def test_a_slow_reader_holds_back_the_writer_of_a_stream_it_was_passed(run):
    made = []

    @serve.deployment
    class Source:
        async def chunks(self):
            while True:
                made.append(1)
                yield bytes(64 * 1024)

    @serve.deployment
    class Sink:
        async def read(self, chunks, count):
            for _ in range(count):
                await anext(chunks)
            await asyncio.sleep(0.2)
            return len(made)

    @serve.deployment
    class Both:
        def __init__(self, source, sink):
            self.source, self.sink = source, sink

        async def __call__(self, count):
            stream = self.source.options(stream=True).chunks.remote()
            return await self.sink.read.remote(stream, count)

    handle = run(Both.bind(Source.bind(), Sink.bind()))

    assert handle.remote(20).result() < 20 + 32
