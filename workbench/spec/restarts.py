"""How often, and how soon, something that keeps ending is started again. Pure.

Used by whoever restarts a process: the launcher for all of Ray, the host for Ray's GCS.
"""

from dataclasses import dataclass, replace

__all__ = ["Restarts"]

# So many within the window, and the next end is taken for the last.
_MOST = 5
_WINDOW_S = 300.0
_LONGEST_PAUSE_S = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Restarts:
    """The restarts of the last minutes."""

    at_s: tuple[float, ...] = ()
    """When each was decided, by the clock that `add` is given."""

    def pause_s(self, now: float) -> float | None:
        """How long to wait before the next one; None: give up.

        The first comes at once: what ended by accident should be back soon.
        """
        recent = len(self._recent(now))
        if recent >= _MOST:
            return None
        return min(2.0 ** (recent - 1), _LONGEST_PAUSE_S) if recent else 0.0

    def add(self, now: float) -> "Restarts":
        """Count one."""
        return replace(self, at_s=(*self._recent(now), now))

    def _recent(self, now: float) -> tuple[float, ...]:
        return tuple(at for at in self.at_s if now - at < _WINDOW_S)
