"""A page that comes later is told what the others were."""

import msgspec
import pytest

from workbench.sidebar.memory import Memory, relayed
from workbench.sidebar.messages import InstanceEvent
from workbench.spec.events import HistoryEvent, SampleEvent, StatusEvent
from workbench.spec.metrics import ReplicaSample, Sample
from workbench.spec.status import ServeStatus

STATUS = StatusEvent(status=ServeStatus())


def sample(at_s):
    return Sample(at_s=at_s, replicas={"r": ReplicaSample(deployment="a#d")})


def event_of(message):
    return msgspec.json.decode(message.text, type=InstanceEvent).event


@pytest.fixture
def memory():
    return Memory("i")


def heard(memory, *events):
    for event in events:
        memory.take(event, relayed("i", event))
    return [event_of(message) for message in memory.recall()]


def test_nothing_is_recalled_before_the_first_status(memory):
    assert heard(memory, HistoryEvent(samples=())) == []


def test_later_samples_are_added_to_the_history_without_their_replicas(memory):
    first, second, third = (SampleEvent(sample=sample(n)) for n in (1.0, 2.0, 3.0))
    begun = HistoryEvent(samples=(Sample(at_s=0.0),))

    told = heard(memory, STATUS, begun, first, second, third)

    past = HistoryEvent(samples=tuple(Sample(at_s=n) for n in (0.0, 1.0, 2.0)))
    assert told == [STATUS, past, third]


def test_a_history_begins_anew_when_the_instance_sends_another(memory):
    anew = HistoryEvent(samples=(Sample(at_s=9.0),))

    told = heard(memory, STATUS, SampleEvent(sample=sample(1.0)), anew)

    assert told == [STATUS, anew]


def test_an_event_is_handed_on_as_it_came():
    line = b'{"kind":"status","status":{"news":"of a later version"}}'

    message = relayed("i", STATUS, line)

    assert message.text == b'{"kind":"event","instance":"i","event":' + line + b"}"
