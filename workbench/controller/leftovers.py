"""Socket files of processes that were killed: nobody else takes them away.

Run by `gateway` for as long as it lives. A process that ends in good order removes its
own; one that dies while the controller is away is noticed by nobody, so this looks at
what lies there, now and then: a file more does no harm meanwhile.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path
from typing import Final

__all__ = ["keep_swept", "sweep"]

_log = logging.getLogger("workbench.controller")

_PERIOD_S: Final = 10.0
_SHELL: Final = "shell-"

Names = Callable[[], Awaitable[Collection[str]]]


async def keep_swept(directory: Path, names: Names) -> None:
    """Sweep for ever; run as a task."""
    while True:
        await asyncio.sleep(_PERIOD_S)
        try:
            await sweep(directory, names)
        except Exception:  # noqa: BLE001 - Ray may be away; there is a next time
            _log.warning("Socket files could not be swept", exc_info=True)


async def sweep(directory: Path, names: Names) -> None:
    """Remove the sockets of shells that are not among the processes that `names` tells.

    Files are listed before processes: one that starts meanwhile is not taken for dead.
    """
    if files := _sockets(directory):
        living = await names()
        for each in files:
            if f"{_SHELL}{each.stem}" not in living:
                each.unlink(missing_ok=True)


def _sockets(directory: Path) -> list[Path]:
    return [each for each in directory.glob("*.sock") if each.stem != "controller"]
