"""How well learnt waiting does under loads that are made up, on a clock that is, too.

A batch takes 10 ms, whatever its size. Callers either wait for an answer before they ask
again, one answer going out each 0.12 ms, or ask independently of each other.
"""

import heapq
import itertools
import random
from collections.abc import Callable, Iterable

import pytest

from workbench.replica.batch_policy import BatchOptions, BatchQueue

BATCH_S = 0.010
Item = tuple[float, int]
"""When it came, and who asked."""


class World:
    """Events in the order of their time, and one queue of batches."""

    def __init__(self, wait: float | str, size: int = 64) -> None:
        options = BatchOptions(max_batch_size=size, batch_wait_timeout_s=wait)
        self._queue: BatchQueue[Item] = BatchQueue(options)
        self._events: list[tuple[float, int, list[Item] | Item | None]] = []
        self._order = itertools.count()
        self.waits: list[float] = []
        """How long each of the last run has waited for its answer."""
        self.now = 0.0

    def at(self, time: float, what: list[Item] | Item | None) -> None:
        """Have an item come, a batch end, or the queue be looked at."""
        heapq.heappush(self._events, (time, next(self._order), what))

    def run(self, answered: Callable[[list[Item]], None], items: int) -> None:
        """Go on until so many items are answered."""
        self.waits = []
        while self._events and len(self.waits) < items:
            self.now, _, what = heapq.heappop(self._events)
            if isinstance(what, tuple):
                self._queue.add(what, what, None, self.now)
            elif what:
                self._queue.end(len(what), BATCH_S, self.now)
                self.waits += [self.now - came for came, _ in what]
                answered(what)
            while (batch := self._queue.take(self.now)) is not None:
                self.at(self.now + BATCH_S, batch)
            if (due := self._queue.next_due()) is not None:
                self.at(max(due, self.now + 1e-9), None)


def rate_of_callers(world: World, callers: int) -> float:
    """Answers a second to callers of whom each asks again once answered."""
    chance, begin = random.Random(1), world.now

    def ask(who: Iterable[int]) -> None:
        for place, caller in enumerate(who, 1):
            time = world.now + place * 0.00012 + chance.expovariate(1 / 0.0003)
            world.at(time, (time, caller))

    ask(range(callers))
    items = 300 * callers
    world.run(lambda batch: ask(caller for _, caller in batch), items)
    rate = items / (world.now - begin)
    world.run(lambda _: None, 64)  # those who still wait; then all leave
    return rate


def mean_wait_s(rate: float, wait: float | str) -> float:
    """From asking to the answer, if so many ask each second, whatever the answers."""
    chance, world = random.Random(2), World(wait)
    time = 0.0
    for caller in range(3_000):
        time += chance.expovariate(rate)
        world.at(time, (time, caller))
    world.run(lambda _: None, 3_000)
    return sum(world.waits) / len(world.waits)


@pytest.mark.parametrize("callers", [1, 2, 3, 8, 32, 64])
def test_callers_who_wait_for_answers_share_a_batch(callers):
    told_how_many = rate_of_callers(World(10.0, size=callers), callers)

    assert rate_of_callers(World("auto"), callers) > 0.95 * told_how_many


@pytest.mark.parametrize("callers", [2, 3, 8, 32])
def test_unless_they_are_waited_for_they_take_turns(callers):
    learnt, none = World("auto"), World(0.0)

    assert rate_of_callers(learnt, callers) > 1.3 * rate_of_callers(none, callers)


def test_callers_who_have_left_are_soon_forgotten():
    world, alone = World("auto"), rate_of_callers(World("auto"), 1)
    for callers in (64, 8):
        rate_of_callers(world, callers)
        assert rate_of_callers(world, 1) > 0.9 * alone


@pytest.mark.parametrize("rate", [5, 50, 100, 200, 400, 1000])
def test_independent_callers_are_hardly_kept_waiting(rate):
    assert mean_wait_s(rate, "auto") < 1.05 * mean_wait_s(rate, 0.0)
