"""How many warm shells each node is worth. Pure.

The largest number of replicas that started there within a few seconds, in the last
minutes: the next step of the same size then finds as many shells. Bounded in number by
what is said here, and in memory by whoever asks.
"""

from collections import deque

__all__ = ["MOST_SHELLS", "ShellDemand", "affordable_shells"]

MOST_SHELLS = 8
"""On one node, however large its steps."""

# What starts so close together is one step: replicas of one deploy, and the deploys of
# somebody who tries things out, faster than a busy machine makes shells (2-3 s each).
_STEP_S = 10.0
# For so long a step is remembered.
_MEMORY_S = 600.0

# A shell that waits has about 60 MB of its own (116 MB with what it shares).
_SHELL_BYTES = 64 * 2**20
# Shells may take this share of the memory that is free.
_SHARE = 0.25


class ShellDemand:
    """Starts on each node, and what they say about the next ones."""

    def __init__(self, least: int) -> None:
        """`least` shells are kept on the home node; with 0, none anywhere."""
        self._least = least
        self._starts: dict[str, deque[float]] = {}

    def note(self, node_id: str, now: float) -> None:
        """A replica starts there."""
        self._starts.setdefault(node_id, deque()).append(now)

    def forget(self, node_id: str) -> None:
        """Nothing is to be kept ready there until more starts there."""
        self._starts.pop(node_id, None)

    def wanted(self, now: float, *, home: str) -> dict[str, int]:
        """Shells to keep on each node."""
        if not self._least:
            return {}
        wanted = {node: self._step(node, now) for node in list(self._starts)}
        wanted[home] = max(self._least, wanted.get(home, 0))
        return {node: count for node, count in wanted.items() if count}

    def _step(self, node_id: str, now: float) -> int:
        """The largest step of late."""
        starts = self._starts[node_id]
        while starts and now - starts[0] > _MEMORY_S:
            starts.popleft()
        if not starts:
            del self._starts[node_id]
            return 0
        largest = first = 0
        for last, at in enumerate(starts):
            while at - starts[first] > _STEP_S:
                first += 1
            largest = max(largest, last - first + 1)
        return min(largest, MOST_SHELLS)


def affordable_shells(ready: int, free_bytes: int | None) -> int:
    """How many shells there may be where `ready` wait and so much memory is free."""
    if free_bytes is None:
        return MOST_SHELLS
    return ready + int(free_bytes * _SHARE / _SHELL_BYTES)
