"""What user code says of itself for autoscaling, and what becomes of what it should not."""

import asyncio

import pytest

from workbench.replica import scaling_stats
from workbench.replica.scaling_stats import ScalingStats
from workbench.replica.threads import Threads
from workbench.spec.autoscaling import AutoscalingConfig

pytestmark = pytest.mark.anyio


class Model:
    """Says what the test lets it say."""

    def __init__(self):
        self.says: object = {"depth": 3}
        self.asked = 0

    def record_autoscaling_stats(self):
        self.asked += 1
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


@pytest.fixture
def model():
    return Model()


@pytest.fixture
def stats(model):
    threads = Threads("test")
    yield ScalingStats(lambda: model.record_autoscaling_stats, threads)
    threads.stop()


async def test_numbers_are_passed_on(stats, model):
    await stats.ask()
    assert stats.latest == {"depth": 3.0}

    model.says = {"depth": 4.5, "age": 0}
    await stats.ask()
    assert stats.latest == {"depth": 4.5, "age": 0.0}


async def test_one_that_raises_has_said_nothing_and_is_asked_again(
    stats, model, caplog
):
    await stats.ask()
    model.says = RuntimeError("not now")
    await stats.ask()
    assert stats.latest == {}
    assert "not now" in caplog.text

    model.says = {"depth": 1}
    await stats.ask()
    assert stats.latest == {"depth": 1.0}


@pytest.mark.parametrize(
    "said", [None, 3, {"depth": "3"}, {3: 3}, {"depth": float("nan")}], ids=repr
)
async def test_what_cannot_be_used_is_named_and_not_asked_for_again(
    stats, model, caplog, said
):
    model.says = said
    await stats.ask()
    model.says = {"depth": 1}
    await stats.ask()

    assert stats.latest == {}
    assert model.asked == 1
    assert "must return a dict of names and numbers" in caplog.text


async def test_one_that_hangs_is_left_alone(monkeypatch, caplog):
    monkeypatch.setattr(scaling_stats, "_LIMIT_S", 0.01)

    async def hang():
        await asyncio.Event().wait()

    stats = ScalingStats(lambda: hang, Threads("test"))
    stats.latest = {"depth": 1.0}

    await stats.ask()

    assert stats.latest == {}
    assert "took longer" in caplog.text


async def test_only_replicas_that_are_autoscaled_are_asked(replica):
    async with replica() as bench:
        await bench.load(Model)
        hook = bench.process._replica.find_scaling_hook()
    assert hook is None

    async with replica() as bench:
        await bench.load(Model, autoscaling_config=AutoscalingConfig(max_replicas=2))
        hook = bench.process._replica.find_scaling_hook()
        assert hook() == {"depth": 3}
