"""A replica counts its calls, and tells of itself when there is something to tell."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.exceptions import HTTPException

from workbench.code.values import dump_value
from workbench.observe.recorder import Recorder
from workbench.replica.http_entry import entry_for
from workbench.replica.meter import ReplicaMeter
from workbench.replica.scaling_stats import ScalingStats
from workbench.replica.server import ReplicaServer
from workbench.replica.threads import Threads
from workbench.replica.user_code import UserCode
from workbench.spec.deployment import Kind
from workbench.wire.messages import Call, Cancel

pytestmark = pytest.mark.anyio


class FakeChannel:
    is_open = True
    is_congested = False

    def send(self, message, buffers=()):
        pass


def make_channel() -> Any:
    return FakeChannel()


class Model:
    """Waits until the test opens the gate, then does what the test says."""

    def __init__(self):
        self.gate = asyncio.Event()

    async def wait(self):
        await self.gate.wait()

    async def fail(self, error):
        raise error

    async def count(self):
        yield 1
        await self.gate.wait()
        yield 2


class Bench:
    """A server with a model, and one router's channel to it."""

    def __init__(self):
        threads = Threads("test")
        self.model = Model()
        self.server = ReplicaServer(asyncio.get_running_loop(), threads)
        entry = entry_for(self.model, threads)
        code = UserCode(kind=Kind.CLASS, target=Model, servable=self.model, http=entry)
        self.server.serve(code, "app")
        self.server.resize(10)
        self.channel = make_channel()
        self.server.on_open(self.channel)
        self._last_id = 0

    def call(self, method, *args, stream=False):
        self._last_id += 1
        call = Call(self._last_id, method, "", stream)
        self.server.on_message(self.channel, call, dump_value((args, {})))
        return self._last_id

    async def until_idle(self):
        async with asyncio.timeout(10):
            while self.server.ongoing:
                await asyncio.sleep(0)

    async def ended(self):
        """Calls that ended, and errors, since this was last asked."""
        await self.until_idle()
        buckets, errors = self.server.ended.take()
        return sum(buckets.values()), errors


@pytest.fixture
async def bench():
    return Bench()


async def test_calls_count_when_they_end(bench):
    bench.call("wait")
    bench.call("wait")
    assert bench.server.ended.take() == ({}, 0)

    bench.model.gate.set()

    assert await bench.ended() == (2, 0)


async def test_a_stream_counts_once_at_its_end(bench):
    bench.call("count", stream=True)
    await asyncio.sleep(0)
    assert bench.server.ended.take() == ({}, 0)

    bench.model.gate.set()

    assert await bench.ended() == (1, 0)


@pytest.mark.parametrize(
    ("error", "errors"),
    [
        (ValueError("no"), 1),
        (SystemExit(3), 1),
        (HTTPException(503), 1),
        (HTTPException(404), 0),
    ],
    ids=repr,
)
async def test_what_user_code_raises_is_an_error_unless_it_refuses_the_caller(
    bench, error, errors
):
    bench.call("fail", error)

    assert await bench.ended() == (1, errors)


async def test_a_method_that_is_not_there_is_no_error_of_user_code(bench):
    bench.call("missing")

    assert await bench.ended() == (1, 0)


async def test_a_caller_who_leaves_is_no_error(bench):
    call_id = bench.call("wait")
    await asyncio.sleep(0)

    bench.server.on_message(bench.channel, Cancel(call_id), ())

    assert await bench.ended() == (1, 0)


class FakeServer:
    """As much of a server as a meter asks for."""

    def __init__(self):
        self.ongoing = 0
        self.ended = Recorder()


class TestMeter:
    @pytest.fixture
    def server(self):
        return FakeServer()

    @pytest.fixture
    def replica(self):
        seat = SimpleNamespace(app="app", deployment="d", replica_id="r1")
        return SimpleNamespace(seat=seat)

    @pytest.fixture
    def stats(self):
        return ScalingStats(lambda: None, Threads("test"))

    @pytest.fixture
    def meter(self, server, replica, stats):
        return ReplicaMeter(replica, server, stats)

    def test_it_introduces_itself_at_once(self, meter):
        told = meter.measure()

        assert (told.id, told.deployment) == ("r1", "app#d")
        assert (told.ongoing, told.calls.buckets, told.calls.errors) == (0, {}, 0)
        assert told.memory_bytes > 5_000_000

    def test_at_rest_it_speaks_every_two_seconds(self, meter):
        told = [meter.measure() is not None for _ in range(9)]

        assert told == [True, False, False, False] * 2 + [True]

    def test_calls_are_told_in_the_beat_they_ended_in(self, meter, server):
        meter.measure()
        server.ended.add(1_000_000)
        server.ended.add_error()

        told = meter.measure()

        assert (sum(told.calls.buckets.values()), told.calls.errors) == (1, 1)
        assert meter.measure() is None

    def test_the_end_of_all_calls_is_told_once(self, meter, server):
        meter.measure()
        server.ongoing = 3
        assert meter.measure().ongoing == 3
        assert meter.measure().ongoing == 3
        server.ongoing = 0

        assert meter.measure().ongoing == 0
        assert meter.measure() is None

    def test_what_user_code_says_is_told_when_it_has_changed(self, meter, stats):
        meter.measure()
        stats.latest = {"depth": 3.0}

        assert meter.measure().stats == {"depth": 3.0}
        assert meter.measure() is None

    def test_a_warm_shell_says_nothing(self, meter, replica):
        replica.seat = None

        assert [meter.measure() for _ in range(6)] == [None] * 6
