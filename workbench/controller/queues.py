"""How many calls wait where, for deployments whose queues have a limit. Pure.

The limit is one for the deployment, but its calls wait in many routers. Each tells when
its part has changed much, and is told what the others have together. Until it has heard
(about a millisecond) it counts with what it knew.
"""

__all__ = ["QueueLedger"]


class QueueLedger:
    """Waiting calls by deployment and router."""

    def __init__(self) -> None:
        self._counts: dict[str, dict[str, int]] = {}

    def note(self, router: str, deployment: str, count: int) -> dict[str, int]:
        """A router has so many now; what each that has any is to be told."""
        counts = self._counts.setdefault(deployment, {})
        counts[router] = count
        total = sum(counts.values())
        told = {each: total - own for each, own in counts.items()}
        # Who has none is told once more, when it asks; else it would never end.
        self._counts[deployment] = {name: n for name, n in counts.items() if n}
        if not self._counts[deployment]:
            del self._counts[deployment]
        return told

    def forget(self, router: str) -> dict[str, dict[str, int]]:
        """A router is gone; what the others are to be told, by deployment."""
        return {
            deployment: {
                name: count
                for name, count in self.note(router, deployment, 0).items()
                if name != router
            }
            for deployment, counts in list(self._counts.items())
            if router in counts
        }
