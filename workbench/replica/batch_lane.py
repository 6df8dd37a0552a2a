"""The calls of one batched function on one object: queued, run together, answered apart.

`batching` makes one for each object. `batch_policy` says what is due; this runs it, in a
task for each batch, and hands out the answers.
"""

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Callable, Hashable
from contextvars import Context, copy_context
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any

from workbench.errors import BatchError
from workbench.replica.batch_metrics import BatchMetrics
from workbench.replica.batch_policy import BatchOptions, BatchQueue
from workbench.replica.shape import Shape, shape_of
from workbench.request import apart, current_request

__all__ = ["BatchLane", "Item", "Single", "Streamed"]


class BatchLane:
    """The calls of one batched function on one object."""

    def __init__(
        self,
        function: Callable[..., Any],
        options: BatchOptions,
        tuned: dict[str, Any],
    ) -> None:
        self._function = function
        self._name = function.__qualname__
        self._signature = inspect.signature(function)
        self._tuned = tuned
        self._options = replace(options, **tuned)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._queue: BatchQueue[Item] = BatchQueue(self._options)
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._metrics = BatchMetrics(function.__name__)
        self.shape = shape_of(self._function)

    def tune(self, **changes: Any) -> None:
        """Change options; may be called in any thread."""
        if isinstance(changes.get("batch_wait_timeout_s"), int | float):
            changes["latency_target_s"] = None
        self._options = replace(self._options, **changes)
        self._tuned.update(changes)
        self._queue.tune(self._options)

    # -- callers -----------------------------------------------------------------------

    def submit(
        self, item: "Item", owner: object | None, args: Any, kwargs: dict[str, Any]
    ) -> None:
        """Queue one call; its parameters are bound now, so that mistakes are its own."""
        loop = asyncio.get_running_loop()
        if (
            loop is not self._loop
        ):  # another test's, say: what the last one left is lost
            self._loop, self._queue = loop, BatchQueue(self._options)
        item.owner = () if owner is None else (owner,)
        bound = self._signature.bind(*item.owner, *args, **kwargs)
        bound.apply_defaults()
        item.bound = bound
        first = next(islice(bound.arguments.values(), len(item.owner), None), None)
        now = time.monotonic()
        if not self._queue.add(item, first, _group_of_call(), now):
            msg = (
                f"One item of {self._name} is larger than a batch may be "
                f"(max_batch_size={self._queue.max_batch_size}, by batch_size_fn)."
            )
            raise BatchError(msg)
        item.note_waiting(now)
        self._run_due()

    def withdraw(self, item: "Item") -> None:
        """The caller waits no longer: drop what has not begun, end what nobody needs."""
        item.is_wanted = False
        if item.batch is None:
            self._queue.remove(item)
            item.note_begun(time.monotonic())
        elif not any(each.is_wanted for each in item.batch):
            task = self._tasks.get(id(item.batch))
            if task is not None:
                task.cancel()

    # -- batches -----------------------------------------------------------------------

    def _run_due(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = time.monotonic()
        while (batch := self._queue.take(now)) is not None:
            self._start(batch, now)
        due = self._queue.next_due()
        if due is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(due - now, 0.0), self._run_due)

    def _start(self, batch: list["Item"], now: float) -> None:
        most = self._queue.max_batch_size
        self._metrics.note_begun(len(batch), most, now - batch[0].came_s)
        self._metrics.note_queue(len(self._queue))
        for item in batch:
            item.batch = batch
            item.note_begun(now)
        loop = asyncio.get_running_loop()
        # In the context of the first: its request id, and the model id all share.
        context = batch[0].context
        context.run(_stand_apart)
        task = loop.create_task(self._run(batch), context=context)
        self._tasks[id(batch)] = task
        # Not in the task's own `finally`: one cancelled before its first step has none.
        task.add_done_callback(partial(self._ended, batch, now))

    def _ended(
        self, batch: list["Item"], began: float, _task: asyncio.Task[None]
    ) -> None:
        del self._tasks[id(batch)]
        now = time.monotonic()
        self._metrics.note_ended(now - began)
        self._queue.end(len(batch), now - began, now)
        self._metrics.note_queue(len(self._queue))
        self._run_due()

    async def _run(self, batch: list["Item"]) -> None:
        try:
            if self.shape.is_stream:
                await self._stream(batch)
            else:
                self._hand_out(batch, await self._call(batch))
        except asyncio.CancelledError:
            for item in batch:
                item.end(asyncio.CancelledError())
            raise
        except Exception as error:  # noqa: BLE001 - the callers get it, whatever it is
            for item in batch:
                item.end(error)

    async def _call(self, batch: list["Item"]) -> object:
        if self.shape is Shape.COROUTINE:
            return await self._begin(batch)
        answers = await asyncio.to_thread(self._begin, batch)
        return await answers if inspect.isawaitable(answers) else answers

    async def _stream(self, batch: list["Item"]) -> None:
        steps = self._begin(batch)
        if not hasattr(steps, "__aiter__"):
            steps = _in_thread(steps)
        try:
            async for answers in steps:
                self._hand_out(batch, answers)
                if all(item.is_over for item in batch):
                    break
        finally:
            await steps.aclose()
        for item in batch:
            item.end(None)

    def _begin(self, batch: list["Item"]) -> Any:
        """Call the function with a list for each of its parameters."""
        bound = self._signature.bind(*batch[0].bound.args, **batch[0].bound.kwargs)
        for name in list(bound.arguments)[len(batch[0].owner) :]:
            bound.arguments[name] = [item.bound.arguments[name] for item in batch]
        return self._function(*bound.args, **bound.kwargs)

    def _hand_out(self, batch: list["Item"], answers: Any) -> None:
        """Give each caller its answer, if there is one for each."""
        has_length = hasattr(answers, "__len__") and hasattr(answers, "__getitem__")
        if not has_length or isinstance(answers, str | bytes | dict):
            msg = (
                f"{self._name} got a batch of {len(batch)} and must give a list with as "
                f"many answers; it gave {type(answers).__name__}."
            )
            raise BatchError(msg)
        if len(answers) != len(batch):
            msg = (
                f"{self._name} got a batch of {len(batch)} and gave {len(answers)} "
                "answers; give one for each item, in the same order."
            )
            raise BatchError(msg)
        for item, answer in zip(batch, answers, strict=True):
            item.answer(answer)


class Item:
    """One call that waits for its answer."""

    __slots__ = (
        "batch",
        "bound",
        "came_s",
        "context",
        "is_over",
        "is_wanted",
        "owner",
        "stopwatch",
    )

    def __init__(self) -> None:
        self.owner: tuple[object, ...] = ()
        self.bound: inspect.BoundArguments
        self.context: Context = copy_context()
        self.batch: list[Item] | None = None
        self.came_s = 0.0
        self.is_wanted = True
        self.is_over = False
        self.stopwatch = current_request.get().stopwatch

    def note_waiting(self, now: float) -> None:
        """It waits for its batch from now on."""
        self.came_s = now
        if self.stopwatch is not None:
            self.stopwatch.begin(now)

    def note_begun(self, now: float) -> None:
        """It waits for its batch no longer."""
        if self.stopwatch is not None:
            self.stopwatch.end(now)

    def answer(self, value: object) -> None:
        raise NotImplementedError

    def end(self, error: BaseException | None) -> None:
        raise NotImplementedError


class Single(Item):
    """A call that gets one answer."""

    __slots__ = ("future",)

    def __init__(self) -> None:
        super().__init__()
        self.future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def answer(self, value: object) -> None:
        if isinstance(value, Exception):
            self.end(value)
        elif not self.future.done():
            self.future.set_result(value)

    def end(self, error: BaseException | None) -> None:
        if self.future.done():
            return
        if isinstance(error, asyncio.CancelledError):
            self.future.cancel()
        elif isinstance(error, StopIteration):
            # A future cannot hold one; so Python itself turns it, in generators.
            self.future.set_exception(RuntimeError("the batch raised StopIteration"))
        elif error is not None:
            self.future.set_exception(error)


class Streamed(Item):
    """A call that gets an answer for each step of the batch."""

    __slots__ = ("answers",)

    def __init__(self) -> None:
        super().__init__()
        self.answers: asyncio.Queue[tuple[bool, Any]] = asyncio.Queue()

    def answer(self, value: object) -> None:
        if self.is_over:
            return
        if value in (StopIteration, StopAsyncIteration) or isinstance(
            value, StopIteration | StopAsyncIteration
        ):
            self.end(None)
        elif isinstance(value, Exception):
            self.end(value)
        else:
            self.answers.put_nowait((False, value))

    def end(self, error: BaseException | None) -> None:
        if not self.is_over:
            self.is_over = True
            self.answers.put_nowait((True, error))


def _group_of_call() -> Hashable:
    """Calls for different models never share a batch."""
    return current_request.get().multiplexed_model_id


def _stand_apart() -> None:
    """What a batch calls is not cancelled because the first of its callers leaves."""
    current_request.set(apart(current_request.get()))


async def _in_thread(steps: Any) -> AsyncIterator[object]:
    """A sync generator's items, each worked out in a thread."""
    over = object()
    try:
        while True:
            answers = await asyncio.to_thread(next, steps, over)
            if answers is over:
                return
            yield answers
    finally:
        steps.close()
