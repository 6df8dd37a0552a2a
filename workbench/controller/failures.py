"""Deployments whose replicas keep failing, and when each may try again. Pure."""

__all__ = ["Failures"]

Key = tuple[str, str]

# Failures further back than this are forgotten.
_QUIET_S = 60.0
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0


class Failures:
    """The first failure is tried again at once, further ones after growing pauses."""

    def __init__(self) -> None:
        self._times: dict[Key, list[float]] = {}
        self._reasons: dict[Key, str] = {}

    def add(self, key: Key, now: float, reason: str = "") -> None:
        """A replica of the deployment failed."""
        recent = [at for at in self._times.get(key, []) if now - at < _QUIET_S]
        self._times[key] = [*recent, now]
        self._reasons[key] = reason

    def forget(self, key: Key) -> None:
        """The deployment begins anew."""
        self._times.pop(key, None)
        self._reasons.pop(key, None)

    def has_reason(self, app: str) -> bool:
        """Whether a deployment of the application has failed and not recovered."""
        return any(key[0] == app for key in self._reasons)

    def recovered(self, app: str) -> None:
        """All replicas of an application run; further failures are still counted."""
        for key in [each for each in self._reasons if each[0] == app]:
            del self._reasons[key]

    def reasons(self) -> dict[Key, str]:
        """Why deployments that have not recovered failed last."""
        return dict(self._reasons)

    def retry_at(self) -> dict[Key, float]:
        """Times before which no replica of a deployment is started."""
        return {
            key: times[-1] + min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** (n - 2))
            for key, times in self._times.items()
            if (n := len(times)) > 1
        }

    def until_retry(self, now: float) -> float | None:
        """Seconds until the next deployment may try again; None if none waits."""
        waits = [at - now for at in self.retry_at().values() if at > now]
        return min(waits, default=None)
