"""The feed of one deploy: its events, in order, for whoever follows it."""

import asyncio
import time
from collections.abc import AsyncIterator

from workbench.spec.status import DeployEvent, EventKind

__all__ = ["DeployFeed"]

_LAST = frozenset({EventKind.LIVE, EventKind.FAILED})


class DeployFeed:
    """Events go in with `put`; iterating ends after the one that says how it ended."""

    def __init__(self, app: str) -> None:
        self.app = app
        self._started = time.monotonic()
        self._events: asyncio.Queue[DeployEvent] = asyncio.Queue()

    def event(self, kind: EventKind, **fields: object) -> DeployEvent:
        """An event of now."""
        at_s = time.monotonic() - self._started
        return DeployEvent(kind=kind, at_s=at_s, **fields)  # type: ignore[arg-type]

    def put(self, event: DeployEvent) -> None:
        """Add an event."""
        self._events.put_nowait(event)

    async def __aiter__(self) -> AsyncIterator[DeployEvent]:
        """Events until the deploy has ended."""
        while True:
            event = await self._events.get()
            yield event
            if event.kind in _LAST:
                return
