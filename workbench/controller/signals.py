"""What autoscaling goes by: a deployment's calls over the last seconds. Pure.

Made by `measured` every beat from what routers and replicas say, kept by `autoscaler`.
"""

from collections import deque
from dataclasses import dataclass, field

__all__ = ["Load", "Signal", "SignalWindow"]

# The beat before a first signal: how long that is held to have been so.
_FIRST_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One deployment at one moment, all processes together."""

    queued: int = 0
    """Calls that wait for a slot."""
    in_flight: int = 0
    """Calls that were sent to replicas and are not over."""
    ended: int = 0
    """Calls that ended since the signal before: short ones leave no other trace."""
    oldest_queued_s: float = 0.0
    latency_ms: dict[str, float] = field(default_factory=dict)
    """`p50`, `p95` and `p99` of the last seconds; empty when none ended."""

    @property
    def ongoing(self) -> int:
        """Calls that run or wait."""
        return self.queued + self.in_flight


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a decision is made from."""

    running: int = 0
    """Replicas that serve."""
    ongoing: float = 0.0
    """Calls that run and wait, aggregated over the period looked back on."""
    now: Signal = field(default_factory=Signal)

    @property
    def is_idle(self) -> bool:
        """Whether nobody has called since the signal before, or waits."""
        return not (self.now.ongoing or self.now.ended)


class SignalWindow:
    """The signals of the period looked back on, oldest first."""

    def __init__(self) -> None:
        self._signals: deque[tuple[float, int]] = deque()
        self.last = Signal()

    def add(self, now_s: float, signal: Signal, look_back_s: float) -> None:
        """Take in a signal, forget what is too old."""
        self._signals.append((now_s, signal.ongoing))
        self.last = signal
        while self._signals[0][0] < now_s - look_back_s:
            self._signals.popleft()

    def ongoing(self, aggregation: str) -> float:
        """Calls that ran and waited: their mean over time, their most or their least."""
        if not self._signals:
            return 0.0
        if aggregation != "mean":
            choose = max if aggregation == "max" else min
            return float(choose(count for _, count in self._signals))
        before = self._signals[0][0] - _FIRST_S
        total = span = 0.0
        for at, count in self._signals:
            total += count * (at - before)
            span += at - before
            before = at
        return total / span
