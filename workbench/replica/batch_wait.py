"""How long a batch waits to fill. Pure: no clock, no loop.

`batch_policy` tells a `Wait` what happens and asks it: `FixedWait` goes by the clock of
the first item, `AdaptiveWait` by what it has learnt of callers and of the function.
"""

from typing import Protocol

__all__ = ["AdaptiveWait", "FixedWait", "Wait"]


class Wait(Protocol):
    """How long a batch waits for more items."""

    def on_arrival(self, now: float) -> None:
        """An item came."""

    def on_batch(self, size: int, took_s: float, *, now: float, waiting: int) -> None:
        """A batch has run, and so many items wait."""

    def limit(self, size: int, age_s: float) -> int:
        """At most how many of `size` items to run together; the oldest waits `age_s`."""

    def until(self, size: int, first: float, last: float) -> float:
        """When `size` items are due, the first and last of which came at these times."""


class FixedWait:
    """So long after its first item a batch is due."""

    def __init__(self, wait_s: float) -> None:
        self._wait_s = wait_s

    def on_arrival(self, now: float) -> None:
        """Nothing to learn."""

    def on_batch(self, size: int, took_s: float, *, now: float, waiting: int) -> None:
        """Nothing to learn."""

    def limit(self, size: int, age_s: float) -> int:  # noqa: ARG002 - as the protocol has it
        return size

    def until(self, size: int, first: float, last: float) -> float:  # noqa: ARG002
        return first + self._wait_s


class AdaptiveWait:
    """Waits for more items as long as that is likely to save more than it costs.

    A batch of n items takes about a + b·n. To wait until m more are there costs each of
    the n the time until then, and saves those m the a of a batch of their own: worth it
    while n times that time is below m·a, and given up when nothing has come for several
    times as long as is usual. a and b are learnt by least squares with forgetting over
    the last batches, the usual times as moving averages.

    One more is expected, always. But where callers wait for an answer before they ask
    again, all come back when a batch has ended, whenever the last item came: unless they
    are waited for, those who are answered and those who wait take turns for ever, in
    batches of half the size. It shows in how many of a batch are back within half the
    time that a batch takes (of independent callers, half at most), or in that nobody
    comes while one runs; how many there are, in what ran and waited at once.
    """

    _FORGET = 0.95
    _WEIGHT = 0.1
    # So many times the usual gap, or the usual time of coming back, is no longer usual.
    _GAPS = 8.0
    _TURNS = 4.0
    _MOST = 0.75
    # Of fewer, it may be chance that none came while they ran.
    _SEVERAL = 4

    def __init__(self, latency_target_s: float | None) -> None:
        self._target_s = latency_target_s
        self._last: float | None = None
        self._gap_s: float | None = None
        """Between two items of a burst."""
        self._ended = float("-inf")
        self._turn_s = 0.0
        """From the end of a batch to the first item after it."""
        self._answered = 0
        self._back = 0
        self._share_back = 0.0
        """Of a batch's callers, those who are back within half of its time."""
        self._callers = 0.0
        # Sums of weight, n, n², time, n·time.
        self._sums = [0.0] * 5

    def on_arrival(self, now: float) -> None:
        last, self._last = self._last, now
        base, slope = self.curve()
        since_end = now - self._ended
        if since_end < base / 2 and self._back < self._answered:
            self._back += 1
        if last is None:
            return
        if last < self._ended:
            self._turn_s += self._WEIGHT * (min(since_end, base) - self._turn_s)
            if self._come_back:
                return
        gap = max(now - last, 0.0)
        if self._gap_s is None:
            self._gap_s = gap
        elif gap < base + slope or gap < self._gap_s:
            self._gap_s += self._WEIGHT * (gap - self._gap_s)
        else:
            # Long ago: light load. Forget the burst, soon but not at once.
            self._gap_s += self._WEIGHT * (base + slope)

    @property
    def _come_back(self) -> bool:
        """Whether callers wait for an answer before they ask again."""
        return self._share_back > self._MOST

    def on_batch(self, size: int, took_s: float, *, now: float, waiting: int) -> None:
        if self._answered:
            share = self._back / self._answered
            if size >= self._SEVERAL:
                share = max(share, 1 - waiting / size)
            self._share_back += self._WEIGHT * (share - self._share_back)
        self._ended, self._answered, self._back = now, size, 0
        self._callers = max(size + waiting, self._callers / 2)
        new = (1.0, size, size * size, took_s, size * took_s)
        self._sums = [
            old * self._FORGET + value
            for old, value in zip(self._sums, new, strict=True)
        ]

    def curve(self) -> tuple[float, float]:
        """What a batch takes: seconds, and seconds for each item; (0, 0) if unknown."""
        weight, n, nn, t, nt = self._sums
        if not weight:
            return 0.0, 0.0
        spread = weight * nn - n * n
        if spread <= 1e-9 * weight * nn:  # all of one size: all of it may be the base
            return t / weight, 0.0
        slope = max((weight * nt - n * t) / spread, 0.0)
        return max((t - slope * n) / weight, 0.0), slope

    def limit(self, size: int, age_s: float) -> int:
        if self._target_s is None:
            return size
        base, slope = self.curve()
        left = self._target_s - age_s - base
        if slope <= 0.0:
            return size
        if left < slope:
            # Late in any case: then as many as a punctual batch would have had.
            left = max(self._target_s - base, slope)
        return max(1, min(size, int(left / slope)))

    def until(self, size: int, first: float, last: float) -> float:
        if self._gap_s is None:
            return first
        base, slope = self.curve()
        gap = usual = self._gap_s
        missing, since, patience = 1.0, last, self._GAPS * gap
        if self._come_back:
            missing = self._callers - size
            if last < self._ended:  # those who were answered are on their way
                usual, since = self._turn_s, self._ended
                patience = self._TURNS * usual
        if missing < 1 or (usual + (missing - 1) * gap) * size >= missing * base:
            return first
        due = since + min(missing * base / size, base, patience)
        if self._target_s is not None:
            due = min(due, first + self._target_s - base - slope * (size + 1))
        return due
