"""A call that goes on though nobody waits for it, and where in user code it is.

`server` names them, `watchdog` asks where they hang. `where` may be asked in any thread.
"""

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from types import CoroutineType, FrameType
from typing import Any

from workbench.code.exceptions import stack_text
from workbench.replica.threads import Job

__all__ = ["Leftover", "frames_from", "frames_of_thread"]


@dataclass(frozen=True, slots=True)
class Leftover:
    """Equal to another one of the same task or job."""

    request_id: str
    work: asyncio.Task[None] | Job[Any]

    def where(self) -> str:
        """The user's frames, outermost first; a sentence where there are none."""
        if isinstance(self.work, Job):
            frames = frames_of_thread(self.work.thread)
        else:
            frames = list(_frames_of(self.work.get_coro()))
        return stack_text(frames) or "  (nowhere in Python code)\n"


def frames_of_thread(thread: int) -> list[FrameType]:
    """What a thread runs now, outermost first; nothing if it has ended."""
    return frames_from(sys._current_frames().get(thread))  # noqa: SLF001 - it has no public name


def frames_from(frame: FrameType | None) -> list[FrameType]:
    """A frame and those that called it, outermost first."""
    frames: list[FrameType] = []
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back
    return frames[::-1]


def _frames_of(coroutine: object) -> Iterator[FrameType]:
    """From a task's outermost coroutine to the one that waits."""
    while isinstance(coroutine, CoroutineType):
        if coroutine.cr_frame is not None:
            yield coroutine.cr_frame
        coroutine = coroutine.cr_await
