"""Deployments whose replicas keep failing, and when each may try again. Pure."""

from dataclasses import dataclass, replace

__all__ = ["Failures"]

Key = tuple[str, str]

# Failures before this much time of good service are forgotten.
_QUIET_S = 60.0
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 300.0
# A deployment that serves well before it fails again, so many times the pause that would
# come next, has no longer pauses; or even shorter ones.
_MADE_UP = 4.0
_FORGIVEN = 8.0
# From here on the owner is told how it goes on.
_OFTEN = 3


@dataclass(frozen=True, slots=True)
class _Streak:
    """Failures in a row."""

    count: int
    last: float
    recovered_at: float | None = None
    """Since when all replicas have run again; None: they have not."""

    @property
    def retry_at(self) -> float:
        return self.last + _pause_s(self.count)

    def count_at(self, now: float) -> int:
        """The count with one failure more, for which good service makes up."""
        if self.recovered_at is None:
            return self.count + 1
        served_s, longer_s = now - self.recovered_at, _pause_s(self.count + 1)
        if served_s >= _QUIET_S:
            return 1
        if served_s >= _FORGIVEN * longer_s:
            return max(1, self.count - 1)
        return self.count if served_s >= _MADE_UP * longer_s else self.count + 1


class Failures:
    """The first failure is tried again at once, further ones after growing pauses."""

    def __init__(self) -> None:
        self._streaks: dict[Key, _Streak] = {}
        self._reasons: dict[Key, str] = {}

    def add(self, key: Key, now: float, reason: str = "") -> None:
        """A replica of the deployment failed."""
        before = self._streaks.get(key)
        self._streaks[key] = _Streak(before.count_at(now) if before else 1, now)
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

    def recovered(self, app: str, now: float) -> None:
        """All replicas of an application run; further failures are still counted."""
        for key in [each for each in self._reasons if each[0] == app]:
            del self._reasons[key]
            self._streaks[key] = replace(self._streaks[key], recovered_at=now)

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

    def until_retry(self, now: float, planned: float) -> float | None:
        """Seconds until the next deployment may try again; None if none waits.

        `planned` is when it was last looked what may: the time of a retry may have come
        since then, and must not be missed.
        """
        waits = [at - now for at in self.retry_at().values() if at > planned]
        return max(0.0, min(waits)) if waits else None

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


def _pause_s(count: int) -> float:
    """Before the next try, after so many failures."""
    return min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(count - 2, 10))
