"""`@serve.batch`: calls with one item each become calls with lists of items.

What users decorate becomes a `Batched`; every object whose method it is has a
`BatchLane` of its own, where its calls wait. A caller only ever waits for a future, or
reads a queue of its own if the function is a generator.
"""

import inspect
import weakref
from collections.abc import AsyncIterator, Callable
from functools import update_wrapper
from typing import Any

from workbench.replica.batch_lane import BatchLane, Single, Streamed
from workbench.replica.batch_policy import BatchOptions

__all__ = ["Batched", "BoundBatch", "batch"]

# Where an object keeps what `set_max_batch_size` and the like were told: beside what it
# holds otherwise, so that it survives new code taking over the object.
_TUNED = "_workbench_batch_settings"
_VARIADIC = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}


def batch(
    _func: Callable[..., Any] | None = None,
    /,
    *,
    max_batch_size: int = 10,
    batch_wait_timeout_s: float | str = 0.01,
    max_concurrent_batches: int = 1,
    batch_size_fn: Callable[[list[Any]], int] | None = None,
    latency_target_s: float | None = None,
) -> Any:
    """Let calls of a method or function be run together, as lists.

    Callers give one item and get one answer; the function gets a list for each of its
    parameters and returns (or, as a generator, yields) a list of the same length. An
    answer that is an exception is raised for its caller alone. `def` runs in a thread.
    `batch_wait_timeout_s="auto"` learns how long waiting pays, and keeps batches so
    small that `latency_target_s` is met. Change the first two while it runs with
    `self.method.set_max_batch_size(n)` and `.set_batch_wait_timeout_s(t)`.

    Raises:
        TypeError: it decorates no function, or an option has the wrong type.
        ValueError: an option has a value that cannot be.
    """
    options = BatchOptions(
        max_batch_size=max_batch_size,
        batch_wait_timeout_s=batch_wait_timeout_s,
        max_concurrent_batches=max_concurrent_batches,
        batch_size_fn=batch_size_fn,
        latency_target_s=latency_target_s,
    )

    def decorate(function: Callable[..., Any]) -> "Batched":
        if not inspect.isfunction(function):
            msg = f"@serve.batch decorates a function or method; got {function!r}."
            raise TypeError(msg)
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind in _VARIADIC:
                msg = (
                    f"@serve.batch needs to know the parameters of {function.__name__}; "
                    f"write them out instead of {parameter}."
                )
                raise TypeError(msg)
        return Batched(function, options)

    return decorate if _func is None else decorate(_func)


class Batched:
    """What `@serve.batch` makes of a function."""

    def __init__(self, function: Callable[..., Any], options: BatchOptions) -> None:
        update_wrapper(self, function)
        self.options = options
        self._lanes: dict[int, BatchLane] = {}

    def __get__(self, owner: object | None, cls: type | None = None) -> Any:
        return self if owner is None else self._bound(owner)

    def __call__(self, *args: object, **kwargs: object) -> Any:
        return self._bound(None)(*args, **kwargs)

    def __reduce__(self) -> tuple[Any, ...]:
        # Queues stay behind: they belong to this process.
        return Batched, (self.__wrapped__, self.options)  # type: ignore[attr-defined]

    def set_max_batch_size(self, max_batch_size: int) -> None:
        """For a function that is no method: see `BoundBatch`."""
        self._bound(None).set_max_batch_size(max_batch_size)

    def set_batch_wait_timeout_s(self, batch_wait_timeout_s: float | str) -> None:
        """For a function that is no method: see `BoundBatch`."""
        self._bound(None).set_batch_wait_timeout_s(batch_wait_timeout_s)

    def _bound(self, owner: object | None) -> "BoundBatch":
        lane = self._lanes.get(id(owner))
        if lane is None:
            lane = self._lanes[id(owner)] = BatchLane(
                self.__wrapped__,  # type: ignore[attr-defined]
                self.options,
                _tuned(self, owner),
            )
            if owner is not None:
                weakref.finalize(owner, self._lanes.pop, id(owner), None)
        kind = _BoundStream if lane.shape.is_stream else _BoundCall
        return kind(lane, owner)


class BoundBatch:
    """A batched function and the object whose method it is, ready to be called."""

    __slots__ = ("_lane", "_owner")

    def __init__(self, lane: "BatchLane", owner: object | None) -> None:
        self._lane = lane
        self._owner = owner

    def __call__(self, *args: object, **kwargs: object) -> Any:
        raise NotImplementedError

    def set_max_batch_size(self, max_batch_size: int) -> None:
        """Later batches have at most so many items.

        Raises:
            ValueError: it is less than 1.
        """
        self._lane.tune(max_batch_size=max_batch_size)

    def set_batch_wait_timeout_s(self, batch_wait_timeout_s: float | str) -> None:
        """Later batches wait so long for more items; "auto" learns it.

        Raises:
            ValueError: it is negative.
        """
        self._lane.tune(batch_wait_timeout_s=batch_wait_timeout_s)


class _BoundCall(BoundBatch):
    async def __call__(self, *args: object, **kwargs: object) -> object:
        item = Single()
        self._lane.submit(item, self._owner, args, kwargs)
        try:
            return await item.future
        finally:
            self._lane.withdraw(item)


class _BoundStream(BoundBatch):
    async def __call__(self, *args: object, **kwargs: object) -> AsyncIterator[object]:
        item = Streamed()
        self._lane.submit(item, self._owner, args, kwargs)
        try:
            while True:
                is_last, value = await item.answers.get()
                if not is_last:
                    yield value
                elif value is None:
                    return
                else:
                    raise value
        finally:
            self._lane.withdraw(item)


def _tuned(batched: Batched, owner: object | None) -> dict[str, Any]:
    """What was set while it ran, for this function and object."""
    keeper: object = batched if owner is None else owner
    name = batched.__wrapped__.__name__  # type: ignore[attr-defined]
    settings: dict[str, dict[str, Any]] = keeper.__dict__.setdefault(_TUNED, {})
    return settings.setdefault(name, {})
