"""When a batch is due and what goes into it. Pure: no clock, no loop.

`batch_lane` tells a `BatchQueue` what arrives and when, and asks it for the next batch.
How long a batch waits to fill is decided in `batch_wait`.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from workbench.replica.batch_wait import AdaptiveWait, FixedWait, Wait

__all__ = ["BatchOptions", "BatchQueue"]

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
