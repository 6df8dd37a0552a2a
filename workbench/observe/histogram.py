"""A histogram of durations whose percentiles are off by at most 1 %.

The idea is DDSketch (Masson, Rim, Lee: "DDSketch: A Fast and Fully-Mergeable Quantile
Sketch with Relative-Error Guarantees", VLDB 2019): bucket `i` counts the values from
`RATIO**i` up to `RATIO**(i + 1)`, and every value of a bucket is within `RELATIVE_ERROR`
of the one that stands for it. So:

- Error: each percentile is within 1 % of the true one (nearest rank, the lower of two),
  however the values are spread and whatever was merged; values below 1 count as 1.
- Merging adds counts, in any order, and loses nothing: the histogram of a deployment is
  the sum of its replicas'. What was added can be taken off again.
- Memory: only buckets that hold something, in a dict. From a nanosecond to a day there
  are 1,605 of them, 170 KB if all were in use; those of one service are about a hundred.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Final

__all__ = ["RATIO", "RELATIVE_ERROR", "Buckets", "Histogram", "count_into"]

RELATIVE_ERROR: Final = 0.01
RATIO: Final = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
"""Upper end of a bucket ÷ its lower end."""

_PER_LOG: Final = 1 / math.log(RATIO)
# What stands for a bucket is as far from its lower end as from its upper, in percent.
_MIDDLE: Final = 2 * RATIO / (1 + RATIO)

Buckets = Mapping[int, int]
"""How many values each bucket holds; what a process tells of a period is one of these."""


def count_into(buckets: dict[int, int], values: Iterable[float]) -> None:
    """Count values into their buckets, each where its logarithm says."""
    log, get = math.log, buckets.get
    for value in values:
        index = int(log(value) * _PER_LOG) if value > 1 else 0
        buckets[index] = get(index, 0) + 1


class Histogram:
    """Counts by bucket, and how many there are in all."""

    __slots__ = ("_buckets", "count")

    def __init__(self, values: Iterable[float] = ()) -> None:
        self._buckets: dict[int, int] = {}
        self.count = 0
        if values:
            count_into(self._buckets, values)
            self.count = sum(self._buckets.values())

    @property
    def buckets(self) -> Buckets:
        """The buckets that hold something."""
        return self._buckets

    def values(self) -> Iterable[tuple[float, int]]:
        """The values that stand for the buckets, and how many each has."""
        for index, count in self._buckets.items():
            yield _MIDDLE * RATIO**index, count

    def merge(self, buckets: Buckets) -> None:
        """Add what another histogram counted."""
        mine, get = self._buckets, self._buckets.get
        self.count += sum(buckets.values())
        for index, count in buckets.items():
            mine[index] = get(index, 0) + count

    def take_off(self, buckets: Buckets) -> None:
        """Take off again what was merged before."""
        mine = self._buckets
        self.count -= sum(buckets.values())
        for index, count in buckets.items():
            left = mine[index] - count
            if left:
                mine[index] = left
            else:
                del mine[index]

    def percentiles(self, *ranks: float) -> list[float]:
        """The values that stand at these ranks (rising, 0.5 is the median).

        None of them if nothing was counted.
        """
        wanted = [int(rank * (self.count - 1)) for rank in ranks]
        found: list[float] = []
        below = self.count
        # From the top: what is asked for is mostly near it.
        for index in sorted(self._buckets, reverse=True):
            below -= self._buckets[index]
            while wanted and wanted[-1] >= below:
                wanted.pop()
                found.append(_MIDDLE * RATIO**index)
            if not wanted:
                break
        found.reverse()
        return found
