"""What autoscaling goes by: a deployment's calls over the last seconds. Pure.

Made by `measured` every beat from what routers and replicas say, kept by `autoscaler`.
"""

from collections import deque
from dataclasses import dataclass, field

__all__ = ["Load", "Series", "Signal", "SignalWindow"]

Series = dict[str, dict[str, list[tuple[float, float]]]]
"""Times and values, by the name of what was measured and by replica."""

# The beat before a first signal: how long that is held to have been so.
_FIRST_S = 0.5
# Routers that lost their controller come back within 1.5 s, and tell every half second.
_ALL_TOLD_S = 3.0


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
    stats: dict[str, dict[str, float]] = field(default_factory=dict)
    """What user code says of itself, by replica and by name."""

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
    is_whole: bool = True
    """Whether the period was seen in full. A controller that has just started has not
    heard all calls yet, and a decline must not follow from that."""

    @property
    def is_idle(self) -> bool:
        """Whether nobody has called since the signal before, or waits."""
        return not (self.now.ongoing or self.now.ended)


class SignalWindow:
    """The signals of the period looked back on, oldest first."""

    def __init__(self) -> None:
        self._signals: deque[tuple[float, int]] = deque()
        self._stats: deque[tuple[float, dict[str, dict[str, float]]]] = deque()
        self._began: float | None = None
        self._ended = 0.0
        self.last = Signal()

    def add(self, now_s: float, signal: Signal, look_back_s: float) -> None:
        """Take in a signal, forget what is too old."""
        self._signals.append((now_s, signal.ongoing))
        self._began = now_s if self._began is None else self._began
        self._ended = now_s
        self.last = signal
        while self._signals[0][0] < now_s - look_back_s:
            self._signals.popleft()
        if signal.stats or self._stats:
            self._stats.append((now_s, signal.stats))
            while self._stats[0][0] < now_s - look_back_s:
                self._stats.popleft()

    def is_whole(self, look_back_s: float) -> bool:
        """Whether it has lasted as long as the period looked back on."""
        began = self._ended if self._began is None else self._began
        return self._ended - began >= max(look_back_s, _ALL_TOLD_S)

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

    def stats(self) -> Series:
        """What replicas that are there said of themselves in that time."""
        found: Series = {}
        for at, told in self._stats:
            for replica in told.keys() & self.last.stats.keys():
                for name, value in told[replica].items():
                    series = found.setdefault(name, {}).setdefault(replica, [])
                    series.append((at, value))
        return found
