"""Follows what replicas say, in one place, until the reader has seen enough."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from IPython.core.interactiveshell import InteractiveShell

from workbench.notebook.backend import Backend
from workbench.notebook.display import NotebookScreen, Screen
from workbench.notebook.logs_view import log_line, logs_view
from workbench.spec.logs import LogQuery, LogRecord

__all__ = ["LogStream", "LogTail", "Tail", "follow", "tail_for"]

Readable = Callable[[str], str]

# What comes faster than this is shown together, ten times a second at most.
_PAUSE_S = 0.1
_WAIT_S = 1.0


class Tail(Protocol):
    """A place that shows records as they come."""

    def add(self, records: Sequence[LogRecord], dropped: int) -> None: ...
    def end(self) -> None: ...


class LogTail:
    """One output of a cell that holds the last records, `query.limit` of them."""

    def __init__(self, query: LogQuery, screen: Screen, readable: Readable) -> None:
        self._query = query
        self._screen = screen
        self._readable = readable
        self._records: deque[LogRecord] = deque(maxlen=query.limit)
        self._dropped = 0

    def add(self, records: Sequence[LogRecord], dropped: int) -> None:
        """Show these too."""
        self._records.extend(records)
        self._dropped = dropped
        self._update("Following; interrupt the cell to stop.", is_last=False)

    def end(self) -> None:
        """Say that nothing more will come."""
        self._update("`%serve logs -f` follows again.", is_last=True)

    def _update(self, note: str, *, is_last: bool) -> None:
        records = tuple(self._records)
        view = logs_view(
            records, self._query, self._dropped, readable=self._readable, note=note
        )
        self._screen.update(view, is_last=is_last)


class LogStream:
    """Lines on a terminal, which stay."""

    def __init__(self, readable: Readable) -> None:
        self._readable = readable

    def add(self, records: Sequence[LogRecord], dropped: int) -> None:  # noqa: ARG002
        """Print them."""
        for each in records:
            print(log_line(each, self._readable), flush=True)  # noqa: T201

    def end(self) -> None:
        """There is nothing to change."""


def tail_for(shell: InteractiveShell, query: LogQuery, readable: Readable) -> Tail:
    """What fits this shell."""
    if hasattr(shell, "kernel"):
        return LogTail(query, NotebookScreen(), readable)
    return LogStream(readable)


def follow(
    backend: Backend, query: LogQuery, tail: Tail, for_s: float | None = None
) -> None:
    """Show the last records and what comes; an interrupt ends it, and is no error."""
    until = float("inf") if for_s is None else time.monotonic() + for_s
    pause = threading.Event()
    try:
        page = backend.logs(query)
        tail.add(page.records, page.dropped)
        while (left := until - time.monotonic()) > 0:
            pause.wait(min(_PAUSE_S, left))
            page = backend.logs(
                replace(query, after=page.next, wait_s=max(0.0, min(_WAIT_S, left)))
            )
            if page.records:
                tail.add(page.records, page.dropped)
    except KeyboardInterrupt:
        pass
    tail.end()
