"""What killed processes leave: their files, and places that were held for them.

Run by `control` for as long as it lives. A process that ends in good order leaves
nothing, and the controller clears up after one that dies under it; one that dies while
the controller is away is noticed by nobody. So this looks at what there is: at once,
since a replica may wait for a place that a dead one holds, and then now and then.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path
from typing import Final, Protocol

__all__ = ["Cluster", "keep_swept", "release_unused", "sweep"]

_log = logging.getLogger("workbench.controller")

_PERIOD_S: Final = 10.0
_SHELL: Final = "shell-"
# A shell's socket, and what it may have said last.
_SUFFIXES: Final = frozenset({".sock", ".last"})

Names = Callable[[], Awaitable[Collection[str]]]


class Cluster(Protocol):
    """What this needs of the cluster."""

    async def list_names(self) -> Collection[str]: ...
    async def list_reservations(self) -> Collection[str]: ...
    async def release(self, name: str) -> None: ...


async def keep_swept(
    directory: Path, cluster: Cluster, used: Callable[[], Collection[str]]
) -> None:
    """Sweep for ever; run as a task. `used` tells which reservations have an owner."""
    while True:
        try:
            await release_unused(cluster, used)
            await sweep(directory, cluster.list_names)
        except Exception:  # noqa: BLE001 - Ray may be away; there is a next time
            _log.warning("What is left over could not be swept", exc_info=True)
        await asyncio.sleep(_PERIOD_S)


async def release_unused(cluster: Cluster, used: Callable[[], Collection[str]]) -> None:
    """Give back reservations that no replica holds or is about to.

    They are listed before `used` is asked: each has its owner before it is made.
    """
    found = await cluster.list_reservations()
    for name in set(found) - set(used()):
        _log.info("Reservation %s has no owner any more; released", name)
        await cluster.release(name)


async def sweep(directory: Path, names: Names) -> None:
    """Remove the files of shells that are not among the processes that `names` tells.

    Files are listed before processes: one that starts meanwhile is not taken for dead.
    """
    if files := _files(directory):
        living = await names()
        for each in files:
            if f"{_SHELL}{each.stem}" not in living:
                each.unlink(missing_ok=True)


def _files(directory: Path) -> list[Path]:
    return [
        each
        for each in directory.iterdir()
        if each.suffix in _SUFFIXES and each.stem != "controller"
    ]
