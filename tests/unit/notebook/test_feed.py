"""The kernel's one thread that follows the instance."""

import queue

import pytest

from tests.unit.notebook.fake_source import PATIENCE_S, FakeSource
from workbench.errors import InstanceError, NoInstanceError
from workbench.notebook.feed import Feed, take_once
from workbench.notebook.panel_messages import AwayMessage
from workbench.spec.events import Event, HistoryEvent, SampleEvent, StatusEvent


class Ear:
    """A listener that can be asked what came next."""

    def __init__(self):
        self._heard: queue.Queue[Event | AwayMessage] = queue.Queue()

    def take(self, news):
        self._heard.put(news)

    def tick(self):
        pass

    def next(self):
        return self._heard.get(timeout=PATIENCE_S)

    def until(self, kind):
        while not isinstance(news := self.next(), kind):
            pass
        return news


@pytest.fixture
def source():
    return FakeSource()


@pytest.fixture
def feed(source):
    return Feed(source, pauses_s=[0.001])


def leave(feed, source, ear):
    """Stop listening; a sample lets the thread notice."""
    feed.leave(ear)
    source.sample(999)
    assert source.closed.wait(PATIENCE_S)


def test_a_listener_is_told_all_that_comes(feed, source):
    ear = Ear()
    source.begin("default")
    source.sample(200, "default")

    feed.join(ear)

    kinds = [type(ear.next()) for _ in range(3)]
    assert kinds == [StatusEvent, HistoryEvent, SampleEvent]
    leave(feed, source, ear)


def test_several_panels_share_one_stream(feed, source):
    one, other = Ear(), Ear()
    source.begin("default")
    feed.join(one)
    one.until(HistoryEvent)

    feed.join(other)
    source.sample(200, "default")

    assert one.until(SampleEvent) == other.until(SampleEvent)
    assert source.opened == 1
    feed.leave(one)
    leave(feed, source, other)


def test_who_joins_late_finds_what_is_known(feed, source):
    ear = Ear()
    source.begin("default", samples=3)
    source.sample(200, "default")
    feed.join(ear)
    ear.until(SampleEvent)

    known = feed.known

    assert "default" in known.status.applications
    assert [one.at_s for one in known.samples] == [100, 100.5, 101, 200]
    leave(feed, source, ear)


def test_the_thread_ends_with_the_last_listener(feed, source):
    ear = Ear()
    source.begin("default")
    feed.join(ear)
    ear.until(HistoryEvent)

    leave(feed, source, ear)
    thread_ended(feed)

    assert feed.known.samples == ()


def thread_ended(feed):
    while (thread := feed._thread) is not None:
        thread.join(PATIENCE_S)


def test_it_says_why_nothing_comes_and_goes_on_when_it_can(feed, source):
    ear = Ear()
    source.put(NoInstanceError("No instance is running."))
    source.begin("default")

    feed.join(ear)
    away = ear.next()

    assert away == AwayMessage(
        sentence="No instance is running.", remedy=NoInstanceError.hint
    )
    ear.until(HistoryEvent)
    assert feed.known.away is None
    leave(feed, source, ear)


def test_after_a_broken_stream_nothing_seen_before_is_lost(feed, source):
    ear = Ear()
    source.begin("default")
    source.sample(101, "default")
    source.put(InstanceError("The control API does not answer."))
    source.begin("default", samples=4)

    feed.join(ear)
    ear.until(AwayMessage)
    ear.until(HistoryEvent)

    samples = feed.known.samples
    assert [one.at_s for one in samples] == [100, 100.5, 101, 101.5]
    assert samples[2].replicas
    leave(feed, source, ear)


def test_even_an_error_of_ours_is_said_and_does_not_end_the_thread(source):
    class Broken(FakeSource):
        def events(self):
            if self.opened == 0:
                self.opened += 1
                msg = "what?"
                raise LookupError(msg)
            return super().events()

    broken, ear = Broken(), Ear()
    feed = Feed(broken, pauses_s=[0.001])
    broken.begin("default")

    feed.join(ear)

    assert ear.next().sentence == "LookupError: what?"
    ear.until(HistoryEvent)
    leave(feed, broken, ear)


def test_a_panel_that_cannot_be_told_does_not_silence_the_others(feed, source):
    class Deaf(Ear):
        def take(self, news):
            msg = "its comm is closed"
            raise RuntimeError(msg)

    deaf, ear = Deaf(), Ear()
    feed.join(deaf)
    feed.join(ear)
    source.begin("default")
    source.sample(200, "default")

    ear.until(SampleEvent)
    leave(feed, source, ear)


def test_who_looks_once_gets_status_and_history_and_lets_go(source):
    source.begin("default")

    known = take_once(source)

    assert len(known.samples) == 2
    assert source.closed.is_set()
