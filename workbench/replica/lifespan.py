"""Startup and shutdown of one ASGI application.

`build` starts it before the first call, `process` stops it after the last. An
application that knows no lifespan is left alone.
"""

import asyncio
import logging
from typing import Any

from starlette.types import ASGIApp, Message

__all__ = ["Lifespan"]

logger = logging.getLogger(__name__)


class Lifespan:
    """The lifespan conversation with one application, in a task of its own."""

    def __init__(self, app: ASGIApp) -> None:
        self.state: dict[str, Any] = {}
        """What startup left for the requests; each gets a copy."""
        self._app = app
        self._said: asyncio.Queue[Message] = asyncio.Queue()
        self._heard: asyncio.Queue[Message] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Run the startup.

        Raises:
            Exception: whatever the application raised in it.
        """
        self._task = asyncio.create_task(self._converse())
        answer = await self._ask("lifespan.startup")
        if answer == "lifespan.startup.failed":
            await self._task
            msg = "The ASGI application said that its startup failed."
            raise RuntimeError(msg)

    async def stop(self) -> None:
        """Run the shutdown; its errors go to the log."""
        if self._task is None or self._task.done():
            return
        await self._ask("lifespan.shutdown")
        try:
            await self._task
        except Exception:
            logger.exception("The shutdown of the ASGI application raised.")

    async def _converse(self) -> None:
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self.state,
        }
        await self._app(scope, self._said.get, self._heard.put)

    async def _ask(self, question: str) -> str:
        """Say something; return the answer, or nothing if the application ends."""
        assert self._task is not None
        self._said.put_nowait({"type": question})
        answer = asyncio.ensure_future(self._heard.get())
        await asyncio.wait({answer, self._task}, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            answer.cancel()
            if not self._task.cancelled():
                self._task.exception()  # seen: it means that it knows no lifespan
            return ""
        return str(answer.result()["type"])
