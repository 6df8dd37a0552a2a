"""Calls of one deployment that wait in one router, and whose turn it is. Pure.

The most urgent go first, and among equals the one that came first. But of eight calls
let in, one is the one that has waited longest, whatever its priority, so none starves.
Calls for different models or sessions wait in groups of their own: where one group's
replicas have no room, the others need not wait behind it.
"""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Generic, TypeVar

from workbench.request import Extras

__all__ = ["Waiting"]

T = TypeVar("T")

_OLDEST_EVERY = 8

_Group = tuple[int, str, str]
"""Minus the priority (so that groups sort by urgency), model, session."""


class Waiting(Generic[T]):
    """The calls, told apart by their ids, which rise."""

    def __init__(self) -> None:
        self._groups: dict[_Group, OrderedDict[int, tuple[T, Extras | None]]] = {}
        self._group_of: dict[int, _Group] = {}
        self._let_in = 0

    def __len__(self) -> int:
        return len(self._group_of)

    def add(
        self, call_id: int, call: T, extras: Extras | None, *, is_back: bool = False
    ) -> None:
        """Let a call wait; one that `is_back` goes before those that never left."""
        group = _NO_GROUP if extras is None else _group(extras)
        calls = self._groups.get(group)
        if calls is None:
            calls = self._groups[group] = OrderedDict()
        calls[call_id] = call, extras
        self._group_of[call_id] = group
        if is_back:
            self._sort_in(calls, call_id)

    def remove(self, call_id: int) -> None:
        """The call waits no longer; nothing happens if it did not."""
        group = self._group_of.pop(call_id, None)
        if group is not None:
            calls = self._groups[group]
            del calls[call_id]
            if not calls:
                del self._groups[group]

    def let_in(self, call_id: int) -> None:
        """It is this call's turn."""
        self._let_in += 1
        self.remove(call_id)

    def heads(self) -> Iterator[tuple[int, T, Extras | None]]:
        """The first of each group, in the order of their turns."""
        groups = list(self._groups)
        if len(groups) > 1:
            if self._let_in % _OLDEST_EVERY == _OLDEST_EVERY - 1:
                groups.sort(key=self._oldest)
            else:
                groups.sort(key=lambda group: (group[0], self._oldest(group)))
        for group in groups:
            call_id, (call, extras) = next(iter(self._groups[group].items()))
            yield call_id, call, extras

    def oldest(self) -> T | None:
        """The call that came first of those that wait."""
        if not self._groups:
            return None
        call, _ = next(iter(self._groups[min(self._groups, key=self._oldest)].values()))
        return call

    def drop_all(self) -> list[T]:
        """Let nobody wait, and return who did, in order of arrival."""
        waiting = sorted(
            (call_id, call)
            for calls in self._groups.values()
            for call_id, (call, _) in calls.items()
        )
        self._groups.clear()
        self._group_of.clear()
        return [call for _, call in waiting]

    def _oldest(self, group: _Group) -> int:
        return next(iter(self._groups[group]))

    @staticmethod
    def _sort_in(
        calls: OrderedDict[int, tuple[T, Extras | None]], call_id: int
    ) -> None:
        """To the front, behind those that came earlier."""
        earlier = []
        for other in calls:
            if other > call_id:
                break
            earlier.append(other)
        calls.move_to_end(call_id, last=False)
        for other in reversed(earlier):
            if other != call_id:
                calls.move_to_end(other, last=False)


_NO_GROUP: _Group = (0, "", "")


def _group(extras: Extras) -> _Group:
    return -extras.priority, extras.model_id, extras.session_id
