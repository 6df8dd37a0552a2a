"""A store whose content is in files as well, for the day when Ray is gone.

Stands between the controller's `CheckpointStore` and the cluster's store. Files follow
a moment later, so that no deploy waits for a disk (a write with fsync takes 4-12 ms);
they follow in an order that leaves them whole whenever the process ends.
"""

import asyncio
import logging
from typing import TYPE_CHECKING, Protocol

from workbench.controller.checkpoint import Store

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Backlog", "Files", "Mirror"]

_log = logging.getLogger("workbench.controller")

_AFTER_ERROR_S = 5.0


class Files(Protocol):
    """Where the copy is; `saved.SavedFiles`."""

    def put(self, key: str, value: bytes) -> None: ...
    def get(self, key: str) -> bytes | None: ...
    def forget(self, key: str) -> None: ...


class Backlog:
    """What has not reached the files yet, in the order in which it must.

    Of several values of a key only the newest counts, at its own place: what it needs
    was put before it. Nothing is forgotten while something is still to be put, since
    what lies there until then may need it.
    """

    def __init__(self) -> None:
        self._puts: dict[str, bytes] = {}
        self._forgets: dict[str, None] = {}

    def put(self, key: str, value: bytes) -> None:
        """This is to be stored."""
        self._forgets.pop(key, None)
        self._puts.pop(key, None)
        self._puts[key] = value

    def forget(self, key: str) -> None:
        """This is to be deleted."""
        self._puts.pop(key, None)
        self._forgets[key] = None

    def next(self) -> tuple[str, bytes | None] | None:
        """What is to be done next: a key and its value, or None for its end."""
        for key, value in self._puts.items():
            return key, value
        for key in self._forgets:
            return key, None
        return None

    def done(self, key: str, value: bytes | None) -> None:
        """It has been done; a newer value of the key stays."""
        if value is None:
            self._forgets.pop(key, None)
        elif self._puts.get(key) is value:
            del self._puts[key]


class Mirror:
    """Reads and writes the cluster's store, and keeps the files equal to it."""

    def __init__(self, store: Store, files: Files) -> None:
        self._store = store
        self._files = files
        self._backlog = Backlog()
        self._changed = asyncio.Event()
        self._caught_up = asyncio.Event()
        self._caught_up.set()
        self._is_frozen = False
        self.problem = ""
        """Why the files are behind; empty while they are not."""
        self.on_problem: Callable[[], None] = lambda: None

    async def put(self, key: str, value: bytes) -> None:
        """Store a value."""
        await self._store.put(key, value)
        if not self._is_frozen:
            self._backlog.put(key, value)
            self._wake()

    async def get(self, key: str) -> bytes | None:
        """A stored value; what only the files know is given back to the cluster.

        Raises:
            SavedStateError: a file cannot be used.
        """
        value = await self._store.get(key)
        if value is not None:
            return value
        value = await asyncio.to_thread(self._files.get, key)
        if value is not None:
            await self._store.put(key, value)
        return value

    async def forget(self, key: str) -> None:
        """Delete a value."""
        await self._store.forget(key)
        if not self._is_frozen:
            self._backlog.forget(key)
            self._wake()

    async def freeze(self, patience_s: float) -> None:
        """Bring the files up to date; what changes from now on does not reach them."""
        self._is_frozen = True
        try:
            async with asyncio.timeout(patience_s):
                await self._caught_up.wait()
        except TimeoutError:
            _log.error("The saved state in files stays behind: %s", self.problem)

    async def run(self) -> None:
        """Write for ever; run as a task."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            while (todo := self._backlog.next()) is not None:
                await self._write(*todo)
            self._caught_up.set()

    async def _write(self, key: str, value: bytes | None) -> None:
        try:
            if value is None:
                await asyncio.to_thread(self._files.forget, key)
            else:
                await asyncio.to_thread(self._files.put, key, value)
        except OSError as error:
            await self._fail(error)
        else:
            self._backlog.done(key, value)
            self._say("")

    async def _fail(self, error: OSError) -> None:
        if not self.problem:
            _log.error("What is deployed could not be saved; trying again: %s", error)
        self._say(f"What is deployed could not be saved for a restore: {error}.")
        await asyncio.sleep(_AFTER_ERROR_S)

    def _say(self, problem: str) -> None:
        if problem != self.problem:
            self.problem = problem
            self.on_problem()

    def _wake(self) -> None:
        self._caught_up.clear()
        self._changed.set()
