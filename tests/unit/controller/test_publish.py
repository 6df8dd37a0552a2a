"""What routers are told, and what they tell."""

from workbench.controller.publish import Publisher
from workbench.spec.table import Table
from workbench.wire.messages import Said, Subscribe, TableUpdate


class Channel:
    """Remembers what is sent on it."""

    def __init__(self):
        self.sent = []
        self.is_closed = False

    def send(self, message, buffers=()):
        self.sent.append(message)

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
    publisher.on_gone = gone.append
    channel = subscribed(publisher, "client-1")
    subscribed(publisher, "client-2")

    publisher.on_closed(channel, None)

    assert gone == ["client-1"]
