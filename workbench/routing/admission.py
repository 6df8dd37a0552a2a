"""Which call goes to which replica, and which waits; no I/O and no clock.

One `Admission` per deployment and router; `lane` and `link` tell it what happens and
do what it says. It counts only the calls of its own router: the replica alone knows how
many it runs, and rejects what is too much. So it sends no more than
`max_ongoing_requests` to a replica, and after a rejection no more than were taken.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

__all__ = ["Admission", "Slots"]

T = TypeVar("T")


class Slots:
    """What one router knows of the slots of one replica.

    `limit` is how many calls we may have there. A rejection sets it to what we have;
    each `Free` raises it by one. So does a round of `limit` calls that ended without
    a rejection, the next such round by two, then four: a share that another router
    has left is taken within a few rounds. Two busy routers so find their shares at the
    price of about one rejection a round; were a `Free` to lift the limit altogether,
    each would be followed by a burst of rejections.
    """

    __slots__ = ("_ended", "_step", "cap", "last", "limit", "ongoing", "replica")

    def __init__(self, replica: str, cap: int) -> None:
        self.replica = replica
        self.cap = cap
        self.limit = cap
        self.ongoing = 0
        self.last = 0
        """Id of the call that came here last."""
        self._ended = 0
        self._step = 1

    def end(self) -> None:
        """One of our calls there is over."""
        self.ongoing -= 1
        if self.limit < self.cap:
            self._ended += 1
            if self._ended >= self.limit:
                self.limit = min(self.limit + self._step, self.cap)
                self._step *= 2
                self._ended = 0

    def reject(self) -> None:
        """One of our calls there was not taken."""
        self.ongoing -= 1
        self.saturate()

    def saturate(self) -> None:
        """There is no room for more than we have there now."""
        self.limit = min(self.ongoing, self.cap)
        self._ended = 0
        self._step = 1

    def free(self) -> None:
        """The replica says that a slot is free."""
        self.limit = min(self.limit + 1, self.cap)

    def resize(self, cap: int) -> None:
        """The replica has another number of slots now."""
        self.limit = cap if self.limit == self.cap else min(self.limit, cap)
        self.cap = cap


class Admission(Generic[T]):
    """Replicas and waiting calls of one deployment. Calls are told apart by their id."""

    def __init__(self) -> None:
        self.max_ongoing = 1
        self.max_queued = -1
        """-1: no limit."""
        self._usable: list[Slots] = []
        self._queue: OrderedDict[int, T] = OrderedDict()
        # Calls that were rejected; they came before all those in the queue.
        self._rejected: OrderedDict[int, T] = OrderedDict()

    def resize(self, max_ongoing: int, max_queued: int) -> None:
        """Take over the deployment's options."""
        self.max_ongoing = max_ongoing
        self.max_queued = max_queued
        for slots in self._usable:
            slots.resize(max_ongoing)

    def add(self, replica: str) -> Slots:
        """A replica can be reached: use its slots."""
        slots = Slots(replica, self.max_ongoing)
        self._usable.append(slots)
        return slots

    def remove(self, slots: Slots) -> None:
        """The replica is lost or leaving: use it no more."""
        if slots in self._usable:
            self._usable.remove(slots)

    def take(self, call_id: int) -> Slots | None:
        """Choose the replica that has the fewest of our calls, and count this one.

        Among equals the one that waited longest for a call is taken.
        """
        best = None
        for slots in self._usable:
            if slots.ongoing < slots.limit and (
                best is None
                or slots.ongoing < best.ongoing
                or (slots.ongoing == best.ongoing and slots.last < best.last)
            ):
                best = slots
        if best is not None:
            best.ongoing += 1
            best.last = call_id
        return best

    def enqueue(self, call_id: int, call: T, unreached: int = 0) -> bool:
        """Let a new call wait; False if the queue is full.

        Calls that the slots of `unreached` replicas will take do not count: else a
        burst would be refused only because a channel is still being opened.
        """
        room = self.max_queued + unreached * self.max_ongoing
        if self.max_queued >= 0 and self.queued >= room:
            return False
        self._queue[call_id] = call
        return True

    def put_back(self, call_id: int, call: T) -> None:
        """Let a rejected call wait, before all new ones."""
        self._rejected[call_id] = call

    def withdraw(self, call_id: int) -> None:
        """A call waits no longer."""
        if self._queue.pop(call_id, None) is None:
            self._rejected.pop(call_id, None)

    @property
    def queued(self) -> int:
        """How many calls wait."""
        return len(self._queue) + len(self._rejected)

    def pump(self) -> Iterable[tuple[T, Slots]]:
        """Take the calls that need wait no longer, and say where each one goes."""
        # Asked after every answer; mostly nothing waits, and a generator costs 0.2 µs.
        return self._pump() if self._queue or self._rejected else ()

    def _pump(self) -> Iterator[tuple[T, Slots]]:
        while queue := self._rejected or self._queue:
            slots = self.take(next(iter(queue)))
            if slots is None:
                return
            yield queue.popitem(last=False)[1], slots

    def drop_all(self) -> list[T]:
        """Empty the queue and return what was in it, oldest first."""
        calls = [*self._rejected.values(), *self._queue.values()]
        self._rejected.clear()
        self._queue.clear()
        return calls
