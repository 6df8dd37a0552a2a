"""The last seconds of something that goes on: rates and percentiles. Pure.

Percentiles look at the last 2 s: long enough that 1 % of a few hundred requests a
second are several, short enough that a change is seen while one is looking. Rates look
at the last 1 s: two beats, since what is told late shows in the next one.
"""

from collections import deque
from typing import Final

from workbench.observe.histogram import Buckets, Histogram

__all__ = ["PERCENTILE_BEATS", "RATE_BEATS", "Window"]

PERCENTILE_BEATS: Final = 4
RATE_BEATS: Final = 2

_NS_PER_MS: Final = 1e6


class Window:
    """What ended in the last beats; `turn` begins the next one."""

    __slots__ = ("_beats", "_errors", "_now", "_seen")

    def __init__(self) -> None:
        self._now = Histogram()
        self._errors = 0
        self._beats: deque[tuple[Histogram, int]] = deque()
        self._seen = Histogram()
        """The sum of these."""

    def add(self, buckets: Buckets, errors: int) -> None:
        """Some ended, within the beat that goes on."""
        self._now.merge(buckets)
        self._errors += errors

    def turn(self) -> None:
        """The beat is over: it counts from now on, and the oldest no more."""
        if not (self._beats or self._now.count or self._errors):
            return
        self._beats.append((self._now, self._errors))
        self._seen.merge(self._now.buckets)
        self._now, self._errors = Histogram(), 0
        if len(self._beats) > PERCENTILE_BEATS:
            oldest, _ = self._beats.popleft()
            self._seen.take_off(oldest.buckets)
        if not any(beat.count or errors for beat, errors in self._beats):
            self._beats.clear()

    def rates(self, span_s: float) -> tuple[float, float]:
        """How many ended, and failed, per second; the last beats took `span_s`."""
        last = list(self._beats)[-RATE_BEATS:]
        ended = sum(histogram.count for histogram, _ in last)
        failed = sum(errors for _, errors in last)
        return ended / span_s, failed / span_s

    def percentiles_ms(self, *ranks: float) -> list[float | None]:
        """Durations at these ranks in milliseconds; None where nothing ended."""
        found = self._seen.percentiles(*ranks)
        if not found:
            return [None] * len(ranks)
        return [round(value / _NS_PER_MS, 4) for value in found]
