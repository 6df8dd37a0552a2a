"""When a batch is due and what goes into it. Pure: no clock, no loop.

`batching` tells a `BatchQueue` what arrives and when, and asks it for the next batch.
How long a batch waits to fill is a `Wait`: `FixedWait` by the clock of its first item,
`AdaptiveWait` by what it has learnt of arrivals and of the function's running time.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

__all__ = ["AdaptiveWait", "BatchOptions", "BatchQueue", "FixedWait", "Wait"]

Item = TypeVar("Item")

SizeFunction = Callable[[list[object]], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions:
    """Options of `@serve.batch`: default, unit and check stand here only."""

    max_batch_size: int = 10
    batch_wait_timeout_s: float | str = 0.01
    """How long the first item waits for others; `"auto"` learns it."""
    max_concurrent_batches: int = 1
    batch_size_fn: SizeFunction | None = None
    """Size of a list of items; None counts them."""
    latency_target_s: float | None = None
    """With `"auto"`: batches are kept so small that waiting and running take no longer."""

    def __post_init__(self) -> None:
        """Reject what cannot work, naming the value."""
        _require_count("max_batch_size", self.max_batch_size)
        _require_count("max_concurrent_batches", self.max_concurrent_batches)
        wait = self.batch_wait_timeout_s
        if isinstance(wait, str):
            if wait != "auto":
                msg = f'batch_wait_timeout_s is a time in seconds or "auto"; got {wait!r}.'
                raise ValueError(msg)
        else:
            _require_time("batch_wait_timeout_s", wait, least=0.0)
        if self.latency_target_s is not None:
            _require_time("latency_target_s", self.latency_target_s, least=1e-6)
            if wait != "auto":
                msg = 'latency_target_s needs batch_wait_timeout_s="auto".'
                raise ValueError(msg)
        size_fn: object = self.batch_size_fn
        if size_fn is not None and not callable(size_fn):
            msg = f"batch_size_fn must be callable; got {size_fn!r}."
            raise TypeError(msg)

    def wait(self) -> "Wait":
        """How batches wait under these options."""
        wait = self.batch_wait_timeout_s
        if isinstance(wait, str):
            return AdaptiveWait(self.latency_target_s)
        return FixedWait(wait)


def _require_count(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        msg = f"{name} must be a whole number; got {value!r}."
        raise TypeError(msg)
    if value < 1:
        msg = f"{name} must be at least 1; got {value}."
        raise ValueError(msg)


def _require_time(name: str, value: object, *, least: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        msg = f"{name} is a time in seconds; got {value!r}."
        raise TypeError(msg)
    if not least <= value < float("inf"):
        msg = f"{name} must be {least:g} s or more; got {value!r}."
        raise ValueError(msg)


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
    time that a batch takes (of independent callers, half at most); how many there are,
    in what ran and waited at once.
    """

    _FORGET = 0.95
    _WEIGHT = 0.1
    # So many times the usual gap, or the usual time of coming back, is no longer usual.
    _GAPS = 8.0
    _TURNS = 4.0
    _MOST = 0.75

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
            self._share_back += self._WEIGHT * (share - self._share_back)
        self._ended, self._answered, self._back = now, size, 0
        self._callers = max(size + waiting, self._callers * self._FORGET)
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
        due = since + min(missing * base / size, patience)
        if self._target_s is not None:
            due = min(due, first + self._target_s - base - slope * (size + 1))
        return due


class BatchQueue(Generic[Item]):
    """Items that wait, in order of arrival, each group by itself.

    Items of different groups (model ids) never share a batch. `max_batch_size` and the
    wait may be changed at any time.
    """

    def __init__(self, options: BatchOptions) -> None:
        self.max_batch_size = options.max_batch_size
        self.wait = options.wait()
        self.running = 0
        """Batches that run now."""
        self._concurrent = options.max_concurrent_batches
        self._size_of = options.batch_size_fn
        self._groups: OrderedDict[Hashable, deque[tuple[float, Item, object]]] = (
            OrderedDict()
        )

    def tune(self, options: BatchOptions) -> None:
        """Take over other options, for batches that have not begun."""
        self.max_batch_size = options.max_batch_size
        self.wait = options.wait()

    def __len__(self) -> int:
        return sum(map(len, self._groups.values()))

    def add(self, item: Item, value: object, group: Hashable, now: float) -> bool:
        """Let an item wait; False if it alone is larger than a batch may be."""
        if self._size_of is not None and self._size_of([value]) > self.max_batch_size:
            return False
        self.wait.on_arrival(now)
        self._groups.setdefault(group, deque()).append((now, item, value))
        return True

    def remove(self, item: Item) -> None:
        """The item waits no longer."""
        for group, waiting in self._groups.items():
            for entry in waiting:
                if entry[1] is item:
                    waiting.remove(entry)
                    if not waiting:
                        del self._groups[group]
                    return

    def next_due(self) -> float | None:
        """When `take` should be asked again; None: not before something happens."""
        if self.running >= self._concurrent or not self._groups:
            return None
        return min(map(self._due, self._groups.values()))

    def take(self, now: float) -> list[Item] | None:
        """The batch that is due, if one is and may run; count it as running."""
        if self.running >= self._concurrent:
            return None
        for group, waiting in self._groups.items():
            if self._due(waiting) <= now:
                batch = self._cut(waiting, now)
                if waiting:
                    self._groups.move_to_end(group)  # no group starves another
                else:
                    del self._groups[group]
                self.running += 1
                return batch
        return None

    def end(self, size: int, took_s: float, now: float) -> None:
        """A batch has run."""
        self.running -= 1
        self.wait.on_batch(size, took_s, now=now, waiting=len(self))

    def _due(self, waiting: Sequence[tuple[float, Item, object]]) -> float:
        first = waiting[0][0]
        if len(waiting) >= self.max_batch_size or self._is_full(waiting):
            return first
        return self.wait.until(len(waiting), first, waiting[-1][0])

    def _is_full(self, waiting: Sequence[tuple[float, Item, object]]) -> bool:
        if self._size_of is None:
            return False
        return self._size_of([value for _, _, value in waiting]) >= self.max_batch_size

    def _cut(
        self, waiting: deque[tuple[float, Item, object]], now: float
    ) -> list[Item]:
        age_s = now - waiting[0][0]
        most = self.wait.limit(min(len(waiting), self.max_batch_size), age_s)
        batch: list[Item] = []
        values: list[object] = []
        while waiting and len(batch) < most:
            values.append(waiting[0][2])
            if (
                self._size_of is not None
                and batch
                and self._size_of(values) > self.max_batch_size
            ):
                break
            batch.append(waiting.popleft()[1])
        return batch
