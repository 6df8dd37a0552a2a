"""Tasks that are started and not waited for.

`controller` holds `Tasks`: one piece of work for each replica, and what has to be done
besides. `work` has a `Background` of its own.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

__all__ = ["Background", "Tasks"]

_log = logging.getLogger("workbench.controller")


class Background:
    """Keeps tasks from being collected before they have ended."""

    def __init__(self) -> None:
        self._kept: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Do something besides; whoever cares may wait for the task."""
        task = asyncio.create_task(work)
        self._kept.add(task)
        task.add_done_callback(self._kept.discard)
        return task


class Tasks(Background):
    """The controller's; hears of work on replicas that breaks, so none does in silence."""

    def __init__(self, on_broken: Callable[[str, BaseException], None]) -> None:
        super().__init__()
        self._on_broken = on_broken
        self._of_replicas: dict[str, asyncio.Task[None]] = {}

    def work_on(self, replica_id: str, work: Coroutine[Any, Any, None]) -> None:
        """From now on this is the work on that replica; any before it goes on."""
        task = asyncio.create_task(work)
        self._of_replicas[replica_id] = task

        def done(ended: asyncio.Task[None]) -> None:
            if self._of_replicas.get(replica_id) is ended:
                del self._of_replicas[replica_id]
            if not ended.cancelled() and (error := ended.exception()):
                _log.error("Work on replica %s failed", replica_id, exc_info=error)
                self._on_broken(replica_id, error)

        task.add_done_callback(done)

    def give_up(self, replica_id: str) -> None:
        """Cancel the work on a replica, if there is some."""
        if (task := self._of_replicas.get(replica_id)) is not None:
            task.cancel()
