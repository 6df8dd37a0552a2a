"""A replica's slots: how many calls run, and who was turned away for lack of one.

Pure bookkeeping for `server`, which takes a slot before user code runs and gives it
back when the code is done. The replica alone owns its slots: no count that a router
keeps can make more calls run than there are slots.
"""

from collections.abc import Hashable
from typing import Generic, TypeVar

__all__ = ["Slots"]

Waiter = TypeVar("Waiter", bound=Hashable)


class Slots(Generic[Waiter]):
    """A number of slots, those taken, and whom to tell when one opens."""

    __slots__ = ("_waiting", "size", "taken")

    def __init__(self, size: int) -> None:
        self.size = size
        """May change at any time; calls that run already keep their slots."""
        self.taken = 0
        # A dict for its order: whoever was turned away first is told first.
        self._waiting: dict[Waiter, None] = {}

    @property
    def is_open(self) -> bool:
        """Whether another call may run."""
        return self.taken < self.size

    @property
    def has_waiting(self) -> bool:
        """Whether somebody was turned away and has not been told since."""
        return bool(self._waiting)

    def take_nowait(self) -> bool:
        """Take a slot if one is open."""
        if self.taken < self.size:
            self.taken += 1
            return True
        return False

    def give_back(self) -> None:
        """Open the slot of a call that is done.

        Raises:
            RuntimeError: more slots were given back than taken.
        """
        if not self.taken:
            msg = "A slot was given back twice; the count of running calls is wrong."
            raise RuntimeError(msg)
        self.taken -= 1

    def remember(self, waiter: Waiter) -> None:
        """Note that `waiter` was turned away; it keeps its place if noted already."""
        self._waiting[waiter] = None

    def forget(self, waiter: Waiter) -> None:
        """Nobody is there to be told any more."""
        self._waiting.pop(waiter, None)

    def next_waiting(self) -> Waiter | None:
        """Take the one to be told of an open slot; None without slot or waiter."""
        if not self._waiting or not self.is_open:
            return None
        waiter = next(iter(self._waiting))
        del self._waiting[waiter]
        return waiter
