"""Deployments whose replicas keep failing, and when each may try again. Pure."""

from dataclasses import dataclass, replace

__all__ = ["Failures"]

Key = tuple[str, str]

# Failures before this much time of good service are forgotten.
_QUIET_S = 60.0
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 300.0
# From here on the owner is told how it goes on.
_OFTEN = 3


@dataclass(frozen=True, slots=True)
class _Streak:
    """Failures in a row."""

    count: int
    last: float
    recovered: bool = False

    @property
    def retry_at(self) -> float:
        pause = _FIRST_PAUSE_S * 2.0 ** min(self.count - 2, 10)
        return self.last + min(_LONGEST_PAUSE_S, pause)


class Failures:
    """The first failure is tried again at once, further ones after growing pauses."""

    def __init__(self) -> None:
        self._streaks: dict[Key, _Streak] = {}
        self._reasons: dict[Key, str] = {}

    def add(self, key: Key, now: float, reason: str = "") -> None:
        """A replica of the deployment failed."""
        before = self._streaks.get(key)
        count = 1
        if before and not (before.recovered and now - before.last >= _QUIET_S):
            count = before.count + 1
        self._streaks[key] = _Streak(count, now)
        self._reasons[key] = reason

    def count(self, key: Key) -> int:
        """How often it failed since it began anew, or served well for a while."""
        streak = self._streaks.get(key)
        return streak.count if streak else 0

    def forget(self, key: Key) -> None:
        """The deployment begins anew."""
        self._streaks.pop(key, None)
        self._reasons.pop(key, None)

    def has_reason(self, app: str) -> bool:
        """Whether a deployment of the application has failed and not recovered."""
        return any(key[0] == app for key in self._reasons)

    def recovered(self, app: str) -> None:
        """All replicas of an application run; further failures are still counted."""
        for key in [each for each in self._reasons if each[0] == app]:
            del self._reasons[key]
            self._streaks[key] = replace(self._streaks[key], recovered=True)

    def reasons(self) -> dict[Key, str]:
        """Why deployments that have not recovered failed last, and what is done."""
        return {key: self._told(key, reason) for key, reason in self._reasons.items()}

    def retry_at(self) -> dict[Key, float]:
        """Times before which no replica of a deployment is started."""
        return {
            key: streak.retry_at
            for key, streak in self._streaks.items()
            if streak.count > 1
        }

    def until_retry(self, now: float) -> float | None:
        """Seconds until the next deployment may try again; None if none waits."""
        waits = [at - now for at in self.retry_at().values() if at > now]
        return min(waits, default=None)

    def _told(self, key: Key, reason: str) -> str:
        streak = self._streaks[key]
        if streak.count < _OFTEN:
            return reason
        pause_s = streak.retry_at - streak.last
        return (
            f"{reason.rstrip()}\nIt has failed {streak.count} times in a row and is "
            f"tried again {pause_s:g} s after each failure, ever more rarely; deploy it "
            f"again to try at once."
        )
