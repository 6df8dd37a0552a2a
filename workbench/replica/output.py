"""Standard output and error of a replica, heard while they are written.

`logs` puts one in the place of `sys.stdout` and one in that of `sys.stderr`. What is
written goes where it went before. What C code, a subprocess or `sys.stdout.buffer`
writes passes by unheard.
"""

import io
import threading
import time
from collections.abc import Callable
from threading import get_ident
from typing import Any, TextIO

from workbench.request import current_request

__all__ = ["HeardStream", "Mute"]

# A line without an end is passed on at this length.
_LINE_CHARS = 16_000

Hear = Callable[[str, str], None]


class Mute(threading.local):
    """Whether this thread is writing what has been heard already."""

    is_on = False


class HeardStream(io.TextIOBase):
    """A text stream whose lines are told, each with the request that wrote it.

    A `print` to a file takes 2.3 µs by itself, and 3.6 more when it is heard.
    """

    def __init__(self, stream: TextIO, hear: Hear, mute: Mute) -> None:
        self.stream = stream
        self._hear = hear
        self._mute = mute
        # What each thread has written of a line whose end is still to come.
        self._begun: dict[int, _Begun] = {}

    def write(self, text: str) -> int:
        """Write, and tell each line that is now complete."""
        count = self.stream.write(text)
        if not self._mute.is_on:
            try:  # noqa: SIM105 - contextlib.suppress would take 0.5 µs
                self._listen(text)
            except Exception:  # noqa: BLE001, S110 - listening must not break a print
                pass
        return count

    def tell_begun(self, older_than_s: float) -> bool:
        """Tell lines that nobody goes on with; True if others are still begun."""
        now = time.monotonic()
        for thread, begun in list(self._begun.items()):
            if now - begun.at_s >= older_than_s:
                # By now the thread may have gone on with it, or with another.
                taken = self._begun.pop(thread, None)
                if taken is not None:
                    self._tell(taken.text, taken.request_id)
        return bool(self._begun)

    def _listen(self, text: str) -> None:
        request_id = current_request.get().request_id
        begun = self._begun.pop(get_ident(), None) if self._begun else None
        if begun is not None:
            if begun.request_id == request_id:
                text = begun.text + text
            else:  # another task of the same thread has begun to speak
                self._tell(begun.text, begun.request_id)
        if text[-1:] == "\n":
            self._tell(text, request_id)
        elif text:
            self._begin(text, request_id)

    def _begin(self, text: str, request_id: str) -> None:
        """Keep what follows the last line end."""
        whole, _, rest = text.rpartition("\n")
        if len(rest) > _LINE_CHARS:
            whole, rest = text, ""
        self._tell(whole, request_id)
        if rest:
            self._begun[get_ident()] = _Begun(rest, request_id)

    def _tell(self, text: str, request_id: str) -> None:
        text = text.rstrip()
        if "\r" in text:
            # A progress bar is written over itself again and again.
            text = "\n".join(each.rpartition("\r")[2] for each in text.split("\n"))
        if text:
            self._hear(text, request_id)

    # -- all else is as the stream itself has it ----------------------------------------

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    @property
    def encoding(self) -> str:  # type: ignore[override]  # never assigned
        """Encoding of the stream."""
        return self.stream.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]  # never assigned
        """How it treats what cannot be encoded."""
        return self.stream.errors

    @property
    def closed(self) -> bool:
        """Whether it is closed."""
        return self.stream.closed

    def fileno(self) -> int:
        """File descriptor."""
        return self.stream.fileno()

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self.stream.isatty()

    def writable(self) -> bool:
        """It is."""
        return True

    def flush(self) -> None:
        """Write what is buffered."""
        self.stream.flush()

    def close(self) -> None:
        """Leave the stream open: it is the process's, and this only stands before it."""


class _Begun:
    """The beginning of a line."""

    __slots__ = ("at_s", "request_id", "text")

    def __init__(self, text: str, request_id: str) -> None:
        self.text = text
        self.request_id = request_id
        self.at_s = time.monotonic()
