"""What a process leaves behind that ends without a word: where, and why.

`process` prepares them when it becomes a replica; the controller reads them when it
hears of the end (`controller.causes`). Ray says only that the connection broke.

A crash in C code is written down by Python's faulthandler, which needs no working
interpreter for it; `os._exit` before it does what it is told.
"""

import faulthandler
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from workbench.code.exceptions import stack_text
from workbench.replica.leftover import frames_from

__all__ = ["prepare_last_words"]


def prepare_last_words(path: Path) -> None:
    """Write to `path` how this process ends, if it does so out of turn."""
    # Never closed: the fault handler writes to it when nothing else works any more.
    file = path.open("w")
    faulthandler.enable(file, all_threads=False)
    leave = os._exit

    def say_and_leave(status: int) -> NoReturn:
        with suppress(Exception):
            place = stack_text(frames_from(sys._getframe(1)))  # noqa: SLF001 - public in all but name
            file.write(f"User code called os._exit({status}), at\n{place}")
            file.flush()
        leave(status)

    os._exit = say_and_leave
