"""What user code says: heard, kept for a moment, and told to the controller.

`process` begins it when the process becomes a replica. Prints and log records come in
from any thread; they go out on the I/O loop, on the router's channel: the first at
once, further ones twice a second, errors never later than 50 ms. While the controller
is away they wait in the `Backlog`.
"""

import asyncio
import contextlib
import functools
import logging
import os
import sys
import time
from collections.abc import Callable
from typing import TextIO, cast

from workbench.code.exceptions import traceback_text
from workbench.replica.backlog import Backlog, cut
from workbench.replica.output import HeardStream, Mute
from workbench.request import current_request
from workbench.spec.replica import Seat
from workbench.wire.messages import Line, Said

__all__ = ["ReplicaLogs"]

_PAUSE_S = 0.5
_PAUSE_AFTER_ERROR_S = 0.05

_LEVELS = (
    (logging.CRITICAL, "CRITICAL"),
    (logging.ERROR, "ERROR"),
    (logging.WARNING, "WARNING"),
    (logging.INFO, "INFO"),
)


class ReplicaLogs:
    """Hears one replica; `tell` sends to the controller and says whether it could."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, tell: Callable[[Said], bool]
    ) -> None:
        self._loop = loop
        self._tell = tell
        self._backlog = Backlog()
        self._seat: Seat | None = None
        self._mute = Mute()
        self._streams: dict[str, HeardStream] = {}
        self._call_handlers: Callable[[logging.Logger, logging.LogRecord], None] | None
        self._call_handlers = None
        # Set from any thread, cleared on the loop.
        self._is_planned = False
        self._is_urgent = False
        self._pushed_at = -_PAUSE_S
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, seat: Seat) -> None:
        """Hear what is said from now on; `seat` says who speaks."""
        if self._seat is None:
            self._hear_streams()
            self._hear_loggers()
            # A forked child has no loop that could tell, and perhaps a locked lock.
            os.register_at_fork(after_in_child=self._leave)
        self._seat = seat

    def end(self) -> None:
        """Tell what is left, and hear no more."""
        if self._seat is None:
            return
        for stream in self._streams.values():
            stream.tell_begun(0)
        self.push()
        if self._timer is not None:
            self._timer.cancel()
        self._leave()
        self._seat = None

    def push(self) -> bool:
        """Tell all that waits now; False if the controller is away. On the loop only."""
        self._is_planned = self._is_urgent = False
        self._pushed_at = time.monotonic()
        for stream in self._streams.values():
            if stream.tell_begun(_PAUSE_S):
                self._plan()
        lines, dropped = self._backlog.take()
        if self._seat is None or not (lines or dropped):
            return True
        said = Said(
            self._seat.app, self._seat.deployment, self._seat.replica_id, lines, dropped
        )
        if self._tell(said):
            return True
        self._backlog.put_back(lines, dropped)
        self._plan()
        return False

    # -- hearing, in any thread --------------------------------------------------------

    def _hear_streams(self) -> None:
        for name in ("stdout", "stderr"):
            heard = functools.partial(self._add, "INFO", name)
            stream = HeardStream(getattr(sys, name), heard, self._mute)
            self._streams[name] = stream
            setattr(sys, name, cast("TextIO", stream))

    def _hear_loggers(self) -> None:
        """Hear every record that its logger lets pass, wherever that sends it.

        Not by a handler of the root logger: with one there, a user's
        `logging.basicConfig` would do nothing, and what does not propagate is missed.
        """
        call_handlers = self._call_handlers = logging.Logger.callHandlers

        def heard(logger: logging.Logger, record: logging.LogRecord) -> None:
            with contextlib.suppress(Exception):
                self._hear_record(record)
            # What handlers write to standard error was heard already, as a record.
            was_muted, self._mute.is_on = self._mute.is_on, True
            try:
                call_handlers(logger, record)
            finally:
                self._mute.is_on = was_muted

        logging.Logger.callHandlers = heard  # type: ignore[assignment,method-assign]

    def _hear_record(self, record: logging.LogRecord) -> None:
        text = _text_of(record)
        level = next((name for no, name in _LEVELS if record.levelno >= no), "DEBUG")
        self._add(level, record.name, text, current_request.get().request_id)

    def _leave(self) -> None:
        for name, stream in self._streams.items():
            if getattr(sys, name) is stream:
                setattr(sys, name, stream.stream)
        self._streams.clear()
        if self._call_handlers is not None:
            logging.Logger.callHandlers = self._call_handlers  # type: ignore[assignment,method-assign]
            self._call_handlers = None

    def _add(self, level: str, source: str, text: str, request_id: str) -> None:
        line = Line(time.time(), level, source, request_id, cut(text))
        if self._backlog.add(line):
            urgent = level in {"ERROR", "CRITICAL"}
            if not self._is_planned or (urgent and not self._is_urgent):
                self._is_planned = True
                self._is_urgent |= urgent
                with contextlib.suppress(RuntimeError):  # the loop has ended
                    self._loop.call_soon_threadsafe(self._plan)

    # -- telling, on the loop ----------------------------------------------------------

    def _plan(self) -> None:
        """Push when the pause since the last push is over."""
        self._is_planned = True
        if self._timer is not None:
            self._timer.cancel()
        pause_s = _PAUSE_AFTER_ERROR_S if self._is_urgent else _PAUSE_S
        wait_s = self._pushed_at + pause_s - time.monotonic()
        # Even without a pause not before the turn ends: what follows goes with it.
        self._timer = self._loop.call_later(max(0.0, wait_s), self._push_on_time)

    def _push_on_time(self) -> None:
        self._timer = None
        self.push()


def _text_of(record: logging.LogRecord) -> str:
    """The message, with the traceback that belongs to it."""
    try:
        parts = [record.getMessage()]
    except Exception:  # noqa: BLE001 - the user's format and arguments do not match
        parts = [f"{record.msg} {record.args}"]
    if record.exc_info and record.exc_info[1] is not None:
        parts.append(traceback_text(record.exc_info[1]).rstrip())
    if record.stack_info:
        parts.append(record.stack_info)
    return "\n".join(parts)
