"""The journal as front ends read it: they may wait for what is not said yet."""

import asyncio
import time
from dataclasses import replace

from workbench.controller.journal import Journal
from workbench.spec.logs import ACCESS, LogPage, LogQuery
from workbench.wire.messages import Accessed, Line, Said

__all__ = ["Logs"]


class Logs:
    """Hears replicas, and answers who asks what they said."""

    def __init__(self) -> None:
        self._said = Journal(time.time())
        # Apart, so that many requests push out nothing that code has said.
        self._accessed = Journal(time.time())
        self._more = asyncio.Event()

    def hear(self, _router: str, said: Said) -> None:
        """A replica said something, or tells of requests that ended."""
        journal = self._accessed if isinstance(said, Accessed) else self._said
        journal.add(said, time.time())
        # Whoever waits has this event; later ones wait for the next.
        self._more.set()
        self._more = asyncio.Event()

    def note(self, key: tuple[str, str], replica: str, text: str) -> None:
        """What a replica cannot say itself: that it died, or has no place."""
        line = Line(time.time(), "ERROR", "workbench", "", text)
        self.hear("", Said(*key, replica, [line], 0))

    async def read(self, query: LogQuery) -> LogPage:
        """What was said; if that is nothing, wait for it as the query allows."""
        journal = self._accessed if query.source == ACCESS else self._said
        page = journal.read(query)
        deadline = asyncio.get_running_loop().time() + query.wait_s
        try:
            async with asyncio.timeout_at(deadline):
                while not page.records and query.wait_s:
                    more = self._more
                    await more.wait()
                    page = journal.read(replace(query, after=page.next))
        except TimeoutError:
            pass
        return page
