"""The stream of events that front ends follow: status, history, samples.

One `EventFeed` serves all followers: each event is encoded once. A follower that reads
slowly holds up nobody: of the status it is owed only the newest, of samples a few.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Final

import msgspec

from workbench.controller.measured import Measurements, Population
from workbench.observe.beat import BEAT_S, COUNTING_PLACE, until
from workbench.spec.events import Event, HistoryEvent, SampleEvent, StatusEvent
from workbench.spec.status import ServeStatus

__all__ = ["EventFeed"]

_log = logging.getLogger("workbench.controller")

# A rollout changes the status many times a second; nobody can see more than this.
_LOOK_AGAIN_S: Final = 0.1
# Samples that a slow follower is owed; older ones are dropped.
_OWED_SAMPLES: Final = 8


class EventFeed:
    """Tells followers what runs and what was measured; lives on the gateway's loop."""

    def __init__(
        self,
        measurements: Measurements,
        *,
        status: Callable[[], ServeStatus],
        population: Callable[[], Population],
        beat_s: float = BEAT_S,
        look_again_s: float = _LOOK_AGAIN_S,
    ) -> None:
        self._measurements = measurements
        self._read_status = status
        self._read_population = population
        self._beat_s = beat_s
        self._look_again_s = look_again_s
        self.on_measured: Callable[[float], None] = lambda _: None
        """Called each beat, when there is a new sample."""
        self._followers: set[_Follower] = set()
        self._changed = asyncio.Event()
        self._status = b""

    async def run(self) -> None:
        """Measure and tell until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._beat())
            group.create_task(self._watch())

    def on_changed(self) -> None:
        """The status may have changed: look soon."""
        self._changed.set()

    async def follow(self) -> AsyncIterator[bytes]:
        """Events from now on, a line each; several may come at once."""
        self._look()
        history = HistoryEvent(samples=tuple(self._measurements.history))
        follower = _Follower(self._status + _line(history))
        self._followers.add(follower)
        try:
            yield follower.take()
            while True:
                await follower.has_more.wait()
                yield follower.take()
        finally:
            self._followers.discard(follower)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(until(COUNTING_PLACE, time.time(), self._beat_s))
            try:
                self._turn(time.time())
            except Exception:  # noqa: BLE001 - one bad turn must not end all further ones
                _log.exception("A sample could not be taken")

    def _turn(self, now_s: float) -> None:
        there_is = self._read_population()
        self._measurements.turn(now_s, there_is)
        self.on_measured(now_s)
        if not self._followers:
            return
        # Not all that is in a status is announced: that of the proxy is not.
        self._look()
        line = _line(SampleEvent(sample=self._measurements.latest(there_is)))
        for follower in self._followers:
            follower.put_sample(line)

    async def _watch(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            if self._followers:
                self._look()
            await asyncio.sleep(self._look_again_s)

    def _look(self) -> None:
        """Tell the status if it is another than before."""
        status = _line(StatusEvent(status=self._read_status()))
        if status != self._status:
            self._status = status
            for follower in self._followers:
                follower.put_status(status)


class _Follower:
    """What one follower is owed."""

    def __init__(self, first: bytes) -> None:
        self.has_more = asyncio.Event()
        self._status = first
        self._samples: deque[bytes] = deque(maxlen=_OWED_SAMPLES)

    def put_status(self, line: bytes) -> None:
        self._status = line
        self.has_more.set()

    def put_sample(self, line: bytes) -> None:
        self._samples.append(line)
        self.has_more.set()

    def take(self) -> bytes:
        """All it is owed; the status first, which the samples may name parts of."""
        owed = b"".join((self._status, *self._samples))
        self._status = b""
        self._samples.clear()
        self.has_more.clear()
        return owed


def _line(event: Event) -> bytes:
    return msgspec.json.encode(event) + b"\n"
