"""An event loop in a thread of its own, for code that must not share its caller's."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

__all__ = ["LoopThread", "new_event_loop"]

Answer = TypeVar("Answer")


def new_event_loop() -> asyncio.AbstractEventLoop:
    """A uvloop where it exists, else Python's own."""
    try:
        import uvloop  # noqa: PLC0415 - not on every system
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


class LoopThread:
    """A daemon thread that runs one event loop until it is stopped."""

    def __init__(self, name: str) -> None:
        self.loop = new_event_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> "LoopThread":
        """Begin to run the loop; returns itself."""
        self._thread.start()
        return self

    def submit(self, work: Coroutine[Any, Any, Answer]) -> "Future[Answer]":
        """Run a coroutine on the loop; wait for it with `.result()`."""
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    async def call(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        """Run a coroutine on the loop and await it from another one."""
        return await asyncio.wrap_future(self.submit(work))

    def stop(self) -> None:
        """Cancel what runs, end the loop, and wait for the thread."""
        if not self._thread.is_alive():
            return
        self.submit(_cancel_all()).add_done_callback(
            lambda _: self.loop.call_soon_threadsafe(self.loop.stop)
        )
        self._thread.join()
        self.loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()


async def _cancel_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
