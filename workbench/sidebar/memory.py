"""What an instance said last: what a page is told that comes later."""

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from workbench.sidebar.page import Message, Slot
from workbench.spec.events import Event, HistoryEvent, SampleEvent, StatusEvent

if TYPE_CHECKING:
    from workbench.spec.metrics import Sample

__all__ = ["Memory", "relayed"]

_SLOTS = {
    StatusEvent: Slot.STATUS,
    HistoryEvent: Slot.HISTORY,
    SampleEvent: Slot.SAMPLE,
}
# Five minutes: as many as instances keep themselves.
_MOST_SAMPLES = 600


class _Relay(msgspec.Struct, frozen=True, tag_field="kind", tag="event"):
    """An `InstanceEvent` whose event is passed on as it came."""

    instance: str
    event: msgspec.Raw


class Memory:
    """Status, history and latest sample of one instance."""

    def __init__(self, instance: str) -> None:
        self._instance = instance
        self._status: Message | None = None
        self._latest: Message | None = None
        self._latest_sample: Sample | None = None
        self._past: deque[Sample] = deque(maxlen=_MOST_SAMPLES)

    def take(self, event: Event, message: Message) -> None:
        """Remember an event and the message that was made of it."""
        match event:
            case StatusEvent():
                self._status = message
            case HistoryEvent(samples=samples):
                self._latest = self._latest_sample = None
                self._past = deque(samples, maxlen=_MOST_SAMPLES)
            case SampleEvent(sample=sample):
                self._remember_latest()
                self._latest, self._latest_sample = message, sample

    def recall(self) -> list[Message]:
        """What a page that comes now is told of the instance."""
        if self._status is None:
            return []
        history = HistoryEvent(samples=tuple(self._past))
        told = [self._status, relayed(self._instance, history)]
        return told if self._latest is None else [*told, self._latest]

    def _remember_latest(self) -> None:
        if self._latest_sample is not None:
            self._past.append(replace(self._latest_sample, replicas={}))


def relayed(instance: str, event: Event, line: bytes | None = None) -> Message:
    """The message that hands an event on; `line` is its JSON if there is one."""
    raw = msgspec.Raw(msgspec.json.encode(event) if line is None else line)
    return Message(
        slot=_SLOTS[type(event)],
        instance=instance,
        text=msgspec.json.encode(_Relay(instance, raw)),
    )
