"""When the controller takes a turn: as soon as something happened, one at a time.

Held by `controller`, whose turns they are; knows nothing of what is done in one.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

__all__ = ["Turns"]

_log = logging.getLogger("workbench.controller")

_AFTER_ERROR_S = 1.0


class Turns:
    """Runs turns for ever, and lets others wait for their end."""

    def __init__(
        self,
        turn: Callable[[float], Awaitable[None]],
        until_next: Callable[[float, float], float | None],
    ) -> None:
        self._turn = turn
        self._until_next = until_next
        """Seconds to the next turn if nothing happens, from now and the last one."""
        self._woken = asyncio.Event()
        self._ended = asyncio.Condition()

    def wake(self) -> None:
        """Something happened: take a turn, or another one after that under way."""
        self._woken.set()

    async def run(self) -> None:
        """Turn for ever; run as a task."""
        self.wake()
        begun = time.monotonic()
        while True:
            pause = self._until_next(time.monotonic(), begun)
            try:
                async with asyncio.timeout(pause):
                    await self._woken.wait()
            except TimeoutError:
                pass
            self._woken.clear()
            begun = time.monotonic()
            try:
                await self._turn(begun)
                await self._tell_ended()
            except Exception:  # noqa: BLE001 - one bad turn must not end all further ones
                _log.exception("A turn of the controller failed; taking another")
                await asyncio.sleep(_AFTER_ERROR_S)
                self.wake()

    async def next_end(self) -> None:
        """Return when a turn has ended."""
        async with self._ended:
            await self._ended.wait()

    async def until(self, claim: Callable[[], bool]) -> None:
        """Return at the end of the first turn after which that is so."""
        async with self._ended:
            await self._ended.wait_for(claim)

    async def _tell_ended(self) -> None:
        async with self._ended:
            self._ended.notify_all()
