"""How long a call has waited for its batches: time that is not its own code's. Pure.

Only calls whose client asked for times have one. Waits may overlap; each moment counts
once.
"""

__all__ = ["Stopwatch"]


class Stopwatch:
    """Of one call; the time is one of the arguments, in seconds of one clock."""

    __slots__ = ("_since_s", "_waited_s", "_waiting")

    def __init__(self) -> None:
        self._waiting = 0
        self._since_s = 0.0
        self._waited_s = 0.0

    def begin(self, now_s: float) -> None:
        """Something waits for its batch from now on."""
        if not self._waiting:
            self._since_s = now_s
        self._waiting += 1

    def end(self, now_s: float) -> None:
        """Something waits no longer."""
        self._waiting -= 1
        if not self._waiting:
            self._waited_s += now_s - self._since_s

    def waited_ns(self) -> int:
        """How long at least one thing waited."""
        return int(self._waited_s * 1e9)
