"""Threads that run what must not block the I/O loop: `def` methods, constructors.

Used on the I/O loop only. There is no limit here: a call holds a slot while its job
runs, so there are never more threads at work than slots. `ThreadPoolExecutor` is not
used because the interpreter waits for its threads at exit, where user code may hang,
and because it is slow: there and back takes it 84-108 µs, these threads 30-56 µs (with
eight jobs at a time 34-60 and 10-12).
"""

import asyncio
import threading
from collections.abc import Callable
from contextvars import copy_context
from queue import SimpleQueue
from typing import Generic, TypeVar

__all__ = ["Job", "Threads"]

Answer = TypeVar("Answer")


class Job(Generic[Answer]):
    """Work in a thread. It cannot be stopped, only no longer be waited for."""

    __slots__ = (
        "_answer",
        "_context",
        "_error",
        "_finished",
        "_work",
        "is_done",
        "thread",
        "when_done",
    )

    def __init__(
        self, work: Callable[[], Answer], finished: "asyncio.Future[None]"
    ) -> None:
        self._work = work
        self._finished = finished
        self._context = copy_context()
        self._answer: Answer | None = None
        self._error: BaseException | None = None
        self.thread = 0
        """Ident of the thread that does it; 0 before that."""
        self.is_done = False
        """Its thread is through with it. Set on the loop, like all that follows."""
        self.when_done: Callable[[], None] | None = None
        """Called once the job is done, also when nobody waits any more."""

    async def wait(self) -> Answer:
        """Return what the work returned, or raise what it raised."""
        await self._finished
        if self._error is not None:
            error, self._error = self._error, None
            try:
                raise error
            finally:
                del error  # its traceback holds this frame: no cycle
        answer, self._answer = self._answer, None
        return answer  # type: ignore[return-value]  # None only if it was returned

    def run(self) -> None:
        """Do the work; called in the thread."""
        self.thread = threading.get_ident()
        try:
            self._answer = self._context.run(self._work)
        except BaseException as error:  # noqa: BLE001 - even SystemExit is the caller's
            self._error = error

    def finish(self) -> None:
        """Wake who waits; called on the loop."""
        self.is_done = True
        if not self._finished.done():
            self._finished.set_result(None)
        if self.when_done is not None:
            self.when_done()


class Threads:
    """As many threads as there are jobs at a time; they stay for later jobs."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._queue: SimpleQueue[Job[object] | None] = SimpleQueue()
        self._threads = 0
        self._jobs = 0

    def start(self, work: Callable[[], Answer]) -> Job[Answer]:
        """Run `work` in a thread, in a copy of the caller's context."""
        loop = asyncio.get_running_loop()
        job = Job(work, loop.create_future())
        if self._jobs == self._threads:
            name = f"{self._name}-{self._threads + 1}"
            threading.Thread(
                target=self._serve, args=(loop,), name=name, daemon=True
            ).start()
            self._threads += 1
        self._jobs += 1
        self._queue.put(job)  # type: ignore[arg-type]  # whatever it returns
        return job

    def stop(self) -> None:
        """Let each thread end after what it is doing now."""
        for _ in range(self._threads):
            self._queue.put(None)

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        while (job := self._queue.get()) is not None:
            job.run()
            try:
                loop.call_soon_threadsafe(self._finish, job)
            except RuntimeError:
                return  # the loop has ended, so nobody waits
            del job  # an idle thread must not keep the last answer alive

    def _finish(self, job: Job[object]) -> None:
        self._jobs -= 1
        job.finish()
