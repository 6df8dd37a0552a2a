"""A process tells what it measured, and is silent when there is nothing to tell."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from workbench.routing.report import report
from workbench.wire.messages import Ended, Measured, ReplicaMeasured

pytestmark = pytest.mark.anyio

ENDED = Ended({5: 1}, 0)
REPLICA = ReplicaMeasured("r1", "app#d", ENDED, 0, 0.1, 1000)


class FakeRouter:
    """Keeps what it is told, and counts the beats."""

    def __init__(self):
        self.waiting = {}
        self.told = []
        self.beats = 0

    def queued(self):
        self.beats += 1
        return dict(self.waiting)

    def in_flight(self):
        return {}

    def oldest_queued_s(self):
        return dict.fromkeys(self.waiting, 0.5)

    def tell(self, message):
        self.told.append(message)
        return True

    async def turns(self, count):
        """Wait for so many beats to be over."""
        last = self.beats + count + 1  # the one that goes on may have begun before
        async with asyncio.timeout(10):
            while self.beats < last:
                await asyncio.sleep(0.001)


@asynccontextmanager
async def reporting(router, **sources):
    task = asyncio.create_task(report(router, beat_s=0.005, **sources))
    try:
        yield
    finally:
        task.cancel()


async def test_without_anything_to_tell_it_is_silent():
    router = FakeRouter()

    async with reporting(router):
        await router.turns(5)

    assert router.told == []


async def test_waiting_calls_are_told_as_long_as_they_wait_and_their_end_once():
    router = FakeRouter()

    async with reporting(router):
        router.waiting = {"app#d": 2}
        await router.turns(3)
        router.waiting = {}
        await router.turns(5)

    *waited, last = router.told
    assert len(waited) >= 3
    expected = Measured({"app#d": 2}, {}, None, {}, {"app#d": 0.5})
    assert set(map(repr, waited)) == {repr(expected)}
    assert last == Measured({}, {}, None)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"applications": lambda: {"app": ENDED}}, Measured({}, {"app": ENDED}, None)),
        ({"replica": lambda: REPLICA}, Measured({}, {}, REPLICA)),
    ],
    ids=["proxy", "replica"],
)
async def test_what_proxies_and_replicas_measured_is_told_every_beat(source, expected):
    router = FakeRouter()

    async with reporting(router, **source):
        await router.turns(2)

    assert len(router.told) >= 2
    assert all(told == expected for told in router.told)
