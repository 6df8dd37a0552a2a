"""Lines that wait to be told to the controller: how many, how long, how fast. Pure.

`logs` puts in what user code says, from any thread, and takes it out again.
"""

import threading
from collections import deque

from workbench.wire.messages import Line

__all__ = ["Backlog", "cut"]

# One record; of a longer one its beginning and its end are kept.
_RECORD_CHARS = 16_000
# What waits while the controller is away.
_WAITING_LINES = 2_000
_WAITING_CHARS = 1_000_000
# What one replica may say in a second. Tracebacks have an allowance of their own, so
# that a chatty loop never hides why a request failed.
_LINES_PER_S = 500
_CHARS_PER_S = 250_000
_TRACEBACKS_PER_S = 100

_GRAVE = frozenset({"ERROR", "CRITICAL"})


def cut(text: str, limit: int = _RECORD_CHARS) -> str:
    """The text, if it is too long without its middle."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return (
        f"{text[:half]}\n… {len(text) - 2 * half} characters are left out …\n"
        f"{text[-half:]}"
    )


class Backlog:
    """Takes lines in up to a rate, holds up to a number, and counts what it drops."""

    def __init__(self) -> None:
        # Re-entrant: a destructor that prints may run while the lock is held.
        self._lock = threading.RLock()
        self._lines: deque[Line] = deque()
        self._chars = 0
        self._dropped = 0
        self._normal = _Allowance(_LINES_PER_S, _CHARS_PER_S)
        self._grave = _Allowance(_TRACEBACKS_PER_S, _CHARS_PER_S)

    def add(self, line: Line) -> bool:
        """Keep a line; False if it is one too many in its second."""
        with self._lock:
            allowance = self._grave if line.level in _GRAVE else self._normal
            if not allowance.take(line):
                self._dropped += 1
                return False
            self._keep(line)
            return True

    def take(self) -> tuple[list[Line], int]:
        """Everything that waits, and how many lines were dropped; both are forgotten."""
        with self._lock:
            lines, dropped = list(self._lines), self._dropped
            self._lines.clear()
            self._chars = self._dropped = 0
            return lines, dropped

    def put_back(self, lines: list[Line], dropped: int) -> None:
        """What was taken could not be told: keep it for later."""
        with self._lock:
            newer, self._lines = self._lines, deque()
            self._chars = 0
            self._dropped += dropped
            for line in (*lines, *newer):
                self._keep(line)

    def _keep(self, line: Line) -> None:
        """At the end; the oldest make room."""
        self._lines.append(line)
        self._chars += len(line.text)
        while len(self._lines) > _WAITING_LINES or self._chars > _WAITING_CHARS:
            self._chars -= len(self._lines.popleft().text)
            self._dropped += 1


class _Allowance:
    """So many lines and characters in each second."""

    def __init__(self, lines: int, chars: int) -> None:
        self._limits = lines, chars
        self._second = 0
        self._lines = 0
        self._chars = 0

    def take(self, line: Line) -> bool:
        second = int(line.at_s)
        if second != self._second:
            self._second = second
            self._lines = self._chars = 0
        self._lines += 1
        self._chars += len(line.text)
        lines, chars = self._limits
        return self._lines <= lines and self._chars <= chars
