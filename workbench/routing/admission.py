"""Which call goes to which replica, and which waits; no I/O and no clock.

One `Admission` per deployment and router; `lane` and `link` tell it what happens and
do what it says. It counts only the calls of its own router: the replica alone knows how
many it runs, and rejects what is too much. So it sends no more than
`max_ongoing_requests` to a replica, and after a rejection no more than were taken.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Generic, TypeVar

from workbench.request import Extras
from workbench.routing.policies import LeastLoaded, Policy
from workbench.routing.slots import Slots
from workbench.routing.waiting import Waiting

__all__ = ["Admission"]

T = TypeVar("T")


class Admission(Generic[T]):
    """Replicas and waiting calls of one deployment. Calls are told apart by their id."""

    def __init__(self) -> None:
        self.max_ongoing = 1
        self.max_queued = -1
        """-1: no limit."""
        self.queued_elsewhere = 0
        """Calls that wait in other routers, as far as is known."""
        self.policy: Policy = LeastLoaded()
        self._usable: list[Slots] = []
        self._waiting: Waiting[T] = Waiting()
        # Calls that have waited long enough for a replica that has their model.
        self._patient: set[int] = set()

    def resize(self, max_ongoing: int, max_queued: int) -> None:
        """Take over the deployment's options."""
        self.max_ongoing = max_ongoing
        self.max_queued = max_queued
        for slots in self._usable:
            slots.resize(max_ongoing)

    def add(self, replica: str, *, is_near: bool = True) -> Slots:
        """A replica can be reached: use its slots."""
        slots = Slots(replica, self.max_ongoing, is_near=is_near)
        self._usable.append(slots)
        return slots

    def remove(self, slots: Slots) -> None:
        """The replica is lost or leaving: use it no more."""
        if slots in self._usable:
            self._usable.remove(slots)

    def take(self, call_id: int, extras: Extras | None = None) -> Slots | None:
        """Choose a replica for the call, and count it there; None: it has to wait."""
        replicas: Sequence[Slots] = self._usable
        model = "" if extras is None else extras.model_id
        if model:
            replicas = self._for_model(model, may_load=call_id in self._patient)
        best = self.policy.choose(replicas, extras)
        if best is not None:
            best.ongoing += 1
            best.last = call_id
            if model:
                best.models |= {model}
        return best

    def enqueue(
        self,
        call_id: int,
        call: T,
        unreached: int = 0,
        extras: Extras | None = None,
    ) -> bool:
        """Let a new call wait; False if the queue is full.

        Calls that the slots of `unreached` replicas will take do not count: else a
        burst would be refused only because a channel is still being opened.
        """
        room = self.max_queued + unreached * self.max_ongoing
        if self.max_queued >= 0 and self.queued + self.queued_elsewhere >= room:
            return False
        self._waiting.add(call_id, call, extras)
        return True

    def put_back(self, call_id: int, call: T, extras: Extras | None = None) -> None:
        """Let a rejected call wait, before all that came after it."""
        self._waiting.add(call_id, call, extras, is_back=True)

    def withdraw(self, call_id: int) -> None:
        """A call waits no longer."""
        self._waiting.remove(call_id)
        self._patient.discard(call_id)

    def lose_patience(self, call_id: int) -> None:
        """If the call still waits for a replica with its model: any will do."""
        self._patient.add(call_id)

    @property
    def queued(self) -> int:
        """How many calls wait."""
        return len(self._waiting)

    @property
    def in_flight(self) -> int:
        """How many calls of this router replicas have."""
        return sum(slots.ongoing for slots in self._usable)

    def oldest(self) -> T | None:
        """The call that has waited longest."""
        return self._waiting.oldest()

    def pump(self) -> Iterable[tuple[T, Slots]]:
        """Take the calls that need wait no longer, and say where each one goes."""
        # Asked after every answer; mostly nothing waits, and a generator costs 0.2 µs.
        return self._pump() if self._waiting else ()

    def _pump(self) -> Iterator[tuple[T, Slots]]:
        while (found := self._next()) is not None:
            yield found

    def _next(self) -> tuple[T, Slots] | None:
        if not any(slots.has_room for slots in self._usable):
            return None
        for call_id, call, extras in self._waiting.heads():
            slots = self.take(call_id, extras)
            if slots is not None:
                self._waiting.let_in(call_id)
                self._patient.discard(call_id)
                return call, slots
        return None

    def drop_all(self) -> list[T]:
        """Empty the queue and return what was in it, oldest first."""
        self._patient.clear()
        return self._waiting.drop_all()

    def _for_model(self, model: str, *, may_load: bool) -> Sequence[Slots]:
        """Replicas that have the model; if there are none, those with fewest models.

        Where those that have it are busy the call waits for one of them, for a while:
        to load a model again takes longer than most calls.
        """
        having = [slots for slots in self._usable if model in slots.models]
        if having and (not may_load or any(slots.has_room for slots in having)):
            return having
        free = [slots for slots in self._usable if slots.has_room]
        fewest = min((len(slots.models) for slots in free), default=0)
        return [slots for slots in free if len(slots.models) == fewest]
