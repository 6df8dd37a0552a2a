"""Followers get the status, the history, then what changes and what is measured."""

import asyncio
from contextlib import aclosing

import msgspec
import pytest

from workbench.controller.measured import Measurements, Population
from workbench.gateway.events import EventFeed
from workbench.spec.events import Event, HistoryEvent, SampleEvent, StatusEvent
from workbench.spec.status import ProxyStatus, ServeStatus

pytestmark = pytest.mark.anyio

BEAT_S = 0.01


class Instance:
    """An instance whose status a test sets, and the feed that tells of it."""

    def __init__(self, beat_s=BEAT_S):
        self.proxies = {}
        self.asked = 0
        self.failures = 0
        self.measurements = Measurements()
        self.feed = EventFeed(
            self.measurements,
            status=self.status,
            population=self.population,
            beat_s=beat_s,
            look_again_s=0.01,
        )
        self._task = asyncio.create_task(self.feed.run())

    def status(self):
        self.asked += 1
        return ServeStatus(proxies=dict(self.proxies))

    def population(self):
        if self.failures:
            self.failures -= 1
            raise LookupError
        return Population(applications=frozenset({"app"}))

    def change(self, name, *, announce=True):
        self.proxies[name] = ProxyStatus.HEALTHY
        if announce:
            self.feed.on_changed()

    async def close(self):
        self._task.cancel()
        await asyncio.wait([self._task])


class Follower:
    """Reads the stream, an event at a time."""

    def __init__(self, stream):
        self._stream = stream
        self._events = []

    async def next(self, kind=Event):
        """The next event of a kind; others are skipped."""
        async with asyncio.timeout(10):
            while True:
                if not self._events:
                    lines = (await anext(self._stream)).splitlines()
                    self._events = [msgspec.json.decode(x, type=Event) for x in lines]
                event = self._events.pop(0)
                if isinstance(event, kind):
                    return event


@pytest.fixture
async def instance():
    made = Instance()
    yield made
    await made.close()


@pytest.fixture
async def calm():
    """An instance that does not measure while the test runs."""
    made = Instance(beat_s=3600)
    yield made
    await made.close()


async def until(claim):
    async with asyncio.timeout(10):
        while not claim():
            await asyncio.sleep(0.001)


async def test_first_comes_the_status_then_the_history_then_samples(instance):
    instance.change("p1")
    await until(lambda: instance.measurements.history)

    async with aclosing(instance.feed.follow()) as stream:
        follower = Follower(stream)
        first = [await follower.next() for _ in range(3)]

    assert [type(event) for event in first] == [StatusEvent, HistoryEvent, SampleEvent]
    status, history, sample = first
    assert list(status.status.proxies) == ["p1"]
    assert history.samples[0].applications.keys() == {"app"}
    assert history.samples[-1].at_s <= sample.sample.at_s


async def test_no_sample_is_both_in_the_history_and_after_it(instance):
    async with aclosing(instance.feed.follow()) as stream:
        follower = Follower(stream)
        history = await follower.next(HistoryEvent)
        samples = [(await follower.next(SampleEvent)).sample for _ in range(3)]

    seen = [each.at_s for each in (*history.samples, *samples)]
    assert seen == sorted(set(seen))


async def test_a_change_is_told_at_once_and_once(calm):
    async with aclosing(calm.feed.follow()) as stream:
        follower = Follower(stream)
        await follower.next(HistoryEvent)
        calm.change("p1")
        changed = await follower.next()
        calm.feed.on_changed()  # nothing has
        calm.change("p2")
        again = await follower.next()

    assert list(changed.status.proxies) == ["p1"]
    assert list(again.status.proxies) == ["p1", "p2"]


async def test_a_change_that_nobody_announces_is_told_with_the_next_sample(instance):
    async with aclosing(instance.feed.follow()) as stream:
        follower = Follower(stream)
        await follower.next(HistoryEvent)
        instance.change("p1", announce=False)
        changed = await follower.next(StatusEvent)

    assert list(changed.status.proxies) == ["p1"]


async def test_many_changes_at_once_are_told_as_one(calm):
    async with aclosing(calm.feed.follow()) as stream:
        follower = Follower(stream)
        await follower.next(HistoryEvent)
        before = calm.asked
        for number in range(100):
            calm.change(f"p{number}")
        changed = await follower.next()

    assert len(changed.status.proxies) == 100
    assert calm.asked == before + 1


async def test_a_slow_follower_gets_the_newest_status_and_a_few_samples(instance):
    async with (
        aclosing(instance.feed.follow()) as slow_stream,
        aclosing(instance.feed.follow()) as quick_stream,
    ):
        slow, quick = Follower(slow_stream), Follower(quick_stream)
        await slow.next(HistoryEvent)
        instance.change("first")
        for _ in range(20):
            await quick.next(SampleEvent)
        instance.change("last")
        await quick.next(StatusEvent)

        missed = (await anext(slow_stream)).splitlines()

    events = [msgspec.json.decode(line, type=Event) for line in missed]
    assert list(events[0].status.proxies) == ["first", "last"]
    samples = [event for event in events[1:] if isinstance(event, SampleEvent)]
    assert len(samples) == len(events) - 1 == 8
    assert samples == sorted(samples, key=lambda event: event.sample.at_s)


async def test_nobody_asks_for_the_status_while_nobody_follows(instance):
    async with aclosing(instance.feed.follow()) as stream:
        await Follower(stream).next(HistoryEvent)
    asked, had = instance.asked, len(instance.measurements.history)
    instance.change("p1")

    await until(lambda: len(instance.measurements.history) > had + 3)

    assert instance.asked == asked


async def test_a_turn_that_fails_ends_nothing(instance, caplog):
    async with aclosing(instance.feed.follow()) as stream:
        follower = Follower(stream)
        await follower.next(SampleEvent)
        instance.failures = 3
        await until(lambda: not instance.failures)
        await follower.next(SampleEvent)

    assert caplog.text.count("A sample could not be taken") == 3
