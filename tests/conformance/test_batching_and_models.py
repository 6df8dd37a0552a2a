"""`@serve.batch`, `@serve.multiplexed`, metrics and local testing."""

import asyncio

import pytest

behaviour = pytest.mark.behaviour
differs = pytest.mark.differs


@behaviour("a10, §6", "@serve.batch: list in, list out, an answer for each")
def test_batch(serve, run):
    @serve.deployment(max_ongoing_requests=20)
    class Model:
        def __init__(self):
            self.sizes = []

        @serve.batch(max_batch_size=5, batch_wait_timeout_s=0.2)
        async def double(self, numbers):
            self.sizes.append(len(numbers))
            return [2 * n for n in numbers]

        async def __call__(self, number):
            return await self.double(number)

        def seen(self):
            return self.sizes

    handle = run(Model.bind())
    calls = [handle.remote(n) for n in range(10)]

    assert [call.result() for call in calls] == [2 * n for n in range(10)]
    sizes = handle.seen.remote().result()
    assert max(sizes) <= 5
    assert len(sizes) < 10


@behaviour("a10, §6", "an exception in a batch reaches every caller of it")
def test_batch_error(serve, run):
    @serve.deployment(max_ongoing_requests=20)
    class Model:
        @serve.batch(max_batch_size=5, batch_wait_timeout_s=0.05)
        async def __call__(self, numbers):
            raise ValueError("whole batch")

    handle = run(Model.bind())
    for call in [handle.remote(n) for n in range(3)]:
        with pytest.raises(ValueError, match="whole batch"):
            call.result()


@behaviour("§6", "a result of the wrong length is an error for every caller")
def test_batch_wrong_length(serve, run):
    @serve.deployment(max_ongoing_requests=20)
    class Model:
        @serve.batch(max_batch_size=5, batch_wait_timeout_s=0.05)
        async def __call__(self, numbers):
            return [1] * (len(numbers) + 1)

    handle = run(Model.bind())
    with pytest.raises(Exception):
        handle.remote(1).result()


@behaviour("b29", "an exception among the results is its caller's alone")
@differs("an exception object in the results is delivered as a value")
def test_batch_item_error(serve, run):
    @serve.deployment(max_ongoing_requests=20)
    class Model:
        @serve.batch(max_batch_size=5, batch_wait_timeout_s=0.2)
        async def __call__(self, numbers):
            return [n or ValueError("zero") for n in numbers]

    handle = run(Model.bind())
    good, bad = handle.remote(1), handle.remote(0)
    assert good.result() == 1
    with pytest.raises(ValueError, match="zero"):
        bad.result()


@behaviour("b3", "sync functions can be batched")
@differs("@serve.batch takes async functions only")
def test_sync_batch(serve, run):
    @serve.deployment(max_ongoing_requests=20)
    class Model:
        @serve.batch(max_batch_size=5, batch_wait_timeout_s=0.05)
        def double(self, numbers):
            return [2 * n for n in numbers]

        async def __call__(self, number):
            return await self.double(number)

    assert run(Model.bind()).remote(4).result() == 8


@behaviour("§6", "streaming batches: each step answers every caller")
def test_streaming_batch(serve, run):
    @serve.deployment(max_ongoing_requests=20)
    class Model:
        @serve.batch(max_batch_size=5, batch_wait_timeout_s=0.1)
        async def steps(self, limits):
            for step in range(max(limits)):
                yield [step if step < n else StopIteration for n in limits]

        async def __call__(self, limit):
            return [step async for step in self.steps(limit)]

    handle = run(Model.bind())
    calls = [handle.remote(n) for n in (1, 3)]
    assert [call.result() for call in calls] == [[0], [0, 1, 2]]


@behaviour("§6", "size and wait change while it runs")
def test_live_tuning(serve, run):
    @serve.deployment(max_ongoing_requests=20, user_config={"size": 2})
    class Model:
        def reconfigure(self, config):
            self.work.set_max_batch_size(config["size"])
            self.work.set_batch_wait_timeout_s(0.1)

        @serve.batch(max_batch_size=10, batch_wait_timeout_s=0)
        async def work(self, items):
            return [len(items) for _ in items]

        async def __call__(self, item):
            return await self.work(item)

    handle = run(Model.bind())
    calls = [handle.remote(n) for n in range(6)]
    assert max(call.result() for call in calls) == 2


@behaviour("§6", "options of @serve.batch that cannot be are refused")
@pytest.mark.parametrize(
    "options", [{"max_batch_size": 0}, {"batch_wait_timeout_s": -1}]
)
def test_impossible_batch_options(serve, options):
    with pytest.raises(ValueError):
        serve.batch(**options)


@behaviour("a30, §7", "@serve.multiplexed: loaded once, LRU, id from handle and header")
def test_multiplexed(serve, run, http, url):
    @serve.deployment(max_ongoing_requests=20)
    class Models:
        def __init__(self):
            self.loads = []

        @serve.multiplexed(max_num_models_per_replica=2)
        async def load(self, model_id):
            self.loads.append(model_id)
            return f"model {model_id}"

        async def __call__(self, request=None):
            return await self.load(serve_module().get_multiplexed_model_id())

        def seen(self):
            return self.loads

    module = serve.__name__

    def serve_module():
        import importlib

        return importlib.import_module(module)

    handle = run(Models.bind())
    for model in ("a", "b", "a", "c", "a", "b"):
        by_model = handle.options(multiplexed_model_id=model)
        assert by_model.remote().result() == f"model {model}"
    assert handle.seen.remote().result() == ["a", "b", "c", "b"]
    header = {"serve_multiplexed_model_id": "h"}
    assert http.get(url, headers=header).text == "model h"


@behaviour("§7", "loaders take exactly one model id")
def test_impossible_loaders(serve):
    with pytest.raises(TypeError):

        @serve.multiplexed
        async def load(self, a, b):
            pass

    with pytest.raises(ValueError):
        serve.multiplexed(max_num_models_per_replica=0)


@behaviour("b3", "loaders may be sync")
@differs("@serve.multiplexed takes async functions only")
def test_sync_loader(serve, run):
    @serve.deployment
    class Models:
        @serve.multiplexed(max_num_models_per_replica=2)
        def load(self, model_id):
            return f"model {model_id}"

        async def __call__(self):
            return await self.load("x")

    assert run(Models.bind()).remote().result() == "model x"


@behaviour("a32, §13.2", "Counter, Gauge and Histogram in a replica")
def test_user_metrics(serve, run, part):
    metrics_name = part("metrics").__name__

    @serve.deployment
    class Model:
        def __init__(self):
            import importlib

            metrics = importlib.import_module(metrics_name)
            self.count = metrics.Counter("calls", description="d", tag_keys=("m",))
            self.gauge = metrics.Gauge("size")
            self.took = metrics.Histogram("took", boundaries=[1, 10])

        def __call__(self):
            self.count.inc(tags={"m": "x"})
            self.gauge.set(3)
            self.took.observe(5)
            return "counted"

    assert run(Model.bind()).remote().result() == "counted"


@behaviour("a40, §14", "local testing mode: composition without a cluster")
def test_local_testing_mode(serve):
    @serve.deployment
    class Inner:
        def __call__(self, value):
            return value + 1

    @serve.deployment
    class Outer:
        def __init__(self, inner):
            self.inner = inner

        async def __call__(self, value):
            return await self.inner.remote(value) * 2

    handle = serve.run(Outer.bind(Inner.bind()), name="local", _local_testing_mode=True)
    try:
        assert handle.remote(1).result() == 4
        assert asyncio.run(_await(handle.remote(2))) == 6
    finally:
        if serve.__name__.startswith("workbench"):
            serve.delete("local")


async def _await(response):
    return await response
