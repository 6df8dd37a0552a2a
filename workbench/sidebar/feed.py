"""All pages and all instances of one Jupyter server, connected.

While a page listens, one `Watch` follows each instance and every page hears what it
says; while none does, nothing is asked of anyone.
"""

import asyncio
import logging
from contextlib import suppress

import msgspec

from workbench import __version__
from workbench.sidebar.contact import Contact
from workbench.sidebar.control import ControlClient
from workbench.sidebar.discovery import Directory
from workbench.sidebar.messages import Instance, InstancesMessage, StartingMessage
from workbench.sidebar.page import Message, PageQueue, Slot
from workbench.sidebar.watch import Watch

__all__ = ["Feed"]

_log = logging.getLogger(__name__)
_LOOK_S = 0.5


class Feed:
    """Hands on to pages; owns the watches."""

    def __init__(self, directory: Directory, control: ControlClient) -> None:
        self._directory = directory
        self._control = control
        self._pages: set[PageQueue] = set()
        self._watches: dict[str, Watch] = {}
        self._has_looked = False
        self._looking = asyncio.Lock()
        self._keeper: asyncio.Task[None] | None = None
        self._starting = ""

    @property
    def is_live(self) -> bool:
        """Whether a page listens, and `instances` says what is known right now."""
        return self._has_looked

    def join(self) -> PageQueue:
        """Add a page: it is told all that is known, then whatever happens."""
        page = PageQueue()
        self._pages.add(page)
        if self._has_looked:
            self._greet(page)
        if self._keeper is None:
            self._keeper = asyncio.create_task(self._keep(), name="workbench-feed")
        return page

    def leave(self, page: PageQueue) -> None:
        """Take a page away; with the last one everything comes to rest."""
        self._pages.discard(page)

    def instances(self) -> tuple[Instance, ...]:
        """All that are followed."""
        return tuple(watch.show() for watch in self._watches.values())

    def expect_end(self, id_: str, *, is_ending: bool = True) -> None:
        """An instance was told to end, or (False) did not do so."""
        if (watch := self._watches.get(id_)) is not None:
            watch.is_ending = is_ending

    def say_starting(self, text: str) -> None:
        """Tell all pages how a start goes; an empty text ends it."""
        self._starting = text
        self._tell(_starting(text))

    async def refresh(self) -> None:
        """Look for instances now, if anybody wants to know."""
        async with self._looking:
            if not self._pages:
                return
            contacts = await self._directory.contacts()
            is_first = not self._has_looked
            if await self._follow(contacts) or is_first:
                self._has_looked = True
                self._tell(self._list())
            if is_first and self._starting:
                self._tell(_starting(self._starting))

    async def close(self) -> None:
        """Stop following; pages hear nothing more."""
        self._pages.clear()
        if self._keeper is not None:
            self._keeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeper
        await self._rest()

    async def _keep(self) -> None:
        """Follow what comes and goes until the last page has left."""
        while self._pages:
            try:
                await self.refresh()
            except OSError:
                _log.exception("Looking for instances failed")
            await asyncio.sleep(_LOOK_S)
        self._keeper = None
        await self._rest()

    async def _rest(self) -> None:
        async with self._looking:
            if not self._pages:
                self._has_looked = False
                await self._follow(())

    async def _follow(self, contacts: tuple[Contact, ...]) -> bool:
        """Make the watches fit; whether anything changed."""
        wanted = {each.id: each for each in contacts}
        gone = [
            watch
            for id_, watch in self._watches.items()
            if wanted.get(id_) != watch.contact
        ]
        for watch in gone:
            del self._watches[watch.contact.id]
            for page in self._pages:
                page.forget(watch.contact.id)
        new = [each for id_, each in wanted.items() if id_ not in self._watches]
        for contact in new:
            watch = Watch(
                contact,
                self._control,
                on_message=self._tell,
                on_change=lambda: self._tell(self._list()),
            )
            self._watches[contact.id] = watch
            watch.start()
        self._watches = {id_: self._watches[id_] for id_ in wanted}
        for id_, watch in self._watches.items():
            watch.look(wanted[id_])
        await asyncio.gather(*(watch.stop() for watch in gone))
        return bool(gone or new)

    def _greet(self, page: PageQueue) -> None:
        page.put_nowait(self._list())
        if self._starting:
            page.put_nowait(_starting(self._starting))
        for watch in self._watches.values():
            for message in watch.recall():
                page.put_nowait(message)

    def _list(self) -> Message:
        listed = InstancesMessage(
            instances=self.instances(), server_version=__version__
        )
        return Message(slot=Slot.INSTANCES, text=msgspec.json.encode(listed))

    def _tell(self, message: Message) -> None:
        for page in self._pages:
            page.put_nowait(message)


def _starting(text: str) -> Message:
    encoded = msgspec.json.encode(StartingMessage(text=text))
    return Message(slot=Slot.STARTING, text=encoded)
