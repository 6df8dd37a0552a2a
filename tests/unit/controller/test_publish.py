"""What routers are told, and what they tell."""

import asyncio

import pytest

from workbench.controller.publish import Publisher
from workbench.spec.table import RouteEntry, Table, TableChange
from workbench.wire.framing import read_frame
from workbench.wire.messages import (
    Said,
    Subscribe,
    TableChanged,
    TableSeen,
    TableUpdate,
)


class Channel:
    """Remembers what is sent on it."""

    def __init__(self):
        self.sent = []
        self.is_closed = False

    def send(self, message, buffers=()):
        self.sent.append(message)

    def send_frame(self, frame):
        read = read_frame(frame)
        assert read is not None
        self.send(read[0])

    def close(self):
        self.is_closed = True


SAID = Said("app", "Model", "r1", [], 3)


def subscribed(publisher, name):
    channel = Channel()
    publisher.on_message(channel, Subscribe(name), ())
    return channel


def test_a_subscriber_gets_the_table_at_once_and_when_it_changes():
    publisher = Publisher()
    early = subscribed(publisher, "a")
    publisher.publish(Table(version=1))
    late = subscribed(publisher, "b")

    assert early.sent == late.sent == [TableUpdate(Table(version=1))]


def routed(version, *prefixes):
    routes = tuple(
        RouteEntry(prefix=each, app=each, deployment=f"{each}#d") for each in prefixes
    )
    return Table(version=version, routes=routes)


def test_who_has_the_table_is_told_only_what_changed():
    publisher = Publisher()
    channel = subscribed(publisher, "a")
    publisher.publish(routed(1, "/a", "/b"))
    publisher.publish(routed(2, "/b", "/c"))

    (new,) = routed(2, "/c").routes
    change = TableChange(version=2, after=1, routes=(new,), routes_gone=("/a",))
    assert channel.sent[1:] == [TableChanged(change)]


def test_who_subscribes_again_gets_the_whole_table():
    publisher = Publisher()
    channel = subscribed(publisher, "a")
    publisher.publish(routed(1, "/a"))
    publisher.publish(routed(2, "/b"))

    publisher.on_message(channel, Subscribe("a"), ())

    assert channel.sent[-1] == TableUpdate(routed(2, "/b"))


@pytest.mark.anyio
async def test_a_table_is_seen_when_all_who_are_there_have_it():
    publisher = Publisher()
    channels = [subscribed(publisher, str(number)) for number in range(3)]
    publisher.publish(routed(1))
    waiting = asyncio.create_task(publisher.wait_until_seen(1, timeout_s=60))

    publisher.on_message(channels[2], TableSeen(1), ())
    publisher.on_message(channels[0], TableSeen(1), ())
    await asyncio.sleep(0)
    was_done = waiting.done()
    publisher.on_closed(channels[1], None)
    await waiting

    assert not was_done


def test_what_a_router_tells_goes_to_who_asked_for_it_with_its_name():
    publisher = Publisher()
    heard = []
    publisher.hear(Said, lambda name, said: heard.append((name, said)))
    channel = subscribed(publisher, "replica-1")

    publisher.on_message(channel, SAID, ())

    assert heard == [("replica-1", SAID)]
    assert not channel.is_closed


def test_a_message_that_nobody_asked_for_ends_the_channel():
    publisher = Publisher()
    channel = subscribed(publisher, "replica-1")

    publisher.on_message(channel, SAID, ())

    assert channel.is_closed


def test_it_says_whose_channel_has_closed():
    publisher = Publisher()
    gone: list[str] = []
    publisher.on_gone.append(gone.append)
    channel = subscribed(publisher, "client-1")
    subscribed(publisher, "client-2")

    publisher.on_closed(channel, None)

    assert gone == ["client-1"]


def test_one_router_alone_is_told_by_its_newest_channel():
    publisher = Publisher()
    first, other, second = (subscribed(publisher, name) for name in "aba")
    publisher.on_closed(first, None)

    assert publisher.tell("a", TableSeen(7))
    assert second.sent == [TableSeen(7)]
    assert not first.sent
    assert not other.sent

    publisher.on_closed(second, None)
    assert not publisher.tell("a", TableSeen(8))
