"""An answer as bytes: status line, headers, framing. No I/O.

`Exchange` calls it for what replicas answer and for the pages that the proxy answers
by itself. Content-length, transfer-encoding, connection, date and x-request-id are
made here; every other header line comes ready from the replica.
"""

from dataclasses import dataclass
from enum import Enum, auto
from http import HTTPStatus

from workbench.wire.messages import Buffers, HttpReply, Spent

__all__ = [
    "BODILESS_STATUSES",
    "CLOSE_LINE",
    "CONTINUE",
    "KEEP_ALIVE_LINE",
    "BodyFramer",
    "Framing",
    "Page",
    "WrongLengthError",
    "page_reply",
    "render_head",
    "render_whole",
]

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
CLOSE_LINE = b"connection: close\r\n"
KEEP_ALIVE_LINE = b"connection: keep-alive\r\n"
BODILESS_STATUSES = frozenset({204, 304})
_JOINED_BYTES = 16 * 1024


class Framing(Enum):
    """How the end of a body is told."""

    NONE = auto()
    """There is no body."""
    SIZED = auto()
    CHUNKED = auto()
    UNTIL_CLOSE = auto()
    """HTTP/1.0 without a length: the connection's end is the body's end."""


@dataclass(frozen=True, slots=True)
class Page:
    """An answer of the proxy's own."""

    status: int
    text: str
    content_type: str = "text/plain; charset=utf-8"
    head: bytes = b""
    """More header lines."""


class _StatusLines(dict[int, bytes]):
    """Status lines; what cannot be an answer's status goes out as 500."""

    def __missing__(self, status: int) -> bytes:
        if not 200 <= status <= 999:
            return self[500]
        line = self[status] = _status_line(status)
        return line


def _status_line(status: int) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Client Closed Request" if status == 499 else ""
    return f"HTTP/1.1 {status} {phrase}\r\n".encode("ascii")


_STATUS_LINES = _StatusLines()


def render_whole(
    reply: HttpReply, body: bytes | memoryview, request_id: str, trailer: bytes
) -> bytes:
    """A complete answer and its body; `trailer` has the date and connection lines."""
    size_line = b"content-length: %d\r\n" % len(body)
    return b"".join((render_head(reply, size_line, request_id, trailer), body))


def render_head(
    reply: HttpReply, body_line: bytes, request_id: str, trailer: bytes
) -> bytes:
    """What stands before a body; `body_line` says how its end is told.

    An application that sends a request id of its own keeps it.
    """
    head = reply.head
    if b"x-request-id:" in head:
        return b"%b%b%b%b\r\n" % (_STATUS_LINES[reply.status], head, body_line, trailer)
    return b"%b%b%bx-request-id: %b\r\n%b\r\n" % (
        _STATUS_LINES[reply.status],
        head,
        body_line,
        request_id.encode("ascii"),
        trailer,
    )


def page_reply(page: Page, spent: Spent | None = None) -> HttpReply:
    """An answer of the proxy's own, as if a replica had given it."""
    head = f"content-type: {page.content_type}\r\n".encode("ascii")
    return HttpReply(0, page.status, head + page.head, None, more=False, spent=spent)


class BodyFramer:
    """The body of one streamed answer: what goes out for what comes in.

    `line` is the header line that tells the client, and `framing` says the same.
    """

    __slots__ = ("_missing", "framing", "line")

    def __init__(
        self, status: int, length: int | None, *, is_head: bool, is_http_10: bool
    ) -> None:
        self._missing = length or 0
        self.line = b""
        if length is not None and status != HTTPStatus.NO_CONTENT:
            self.line = b"content-length: %d\r\n" % length
        if is_head or status in BODILESS_STATUSES:
            self.framing = Framing.NONE
        elif length is not None:
            self.framing = Framing.SIZED
        elif is_http_10:
            self.framing = Framing.UNTIL_CLOSE
        else:
            self.framing = Framing.CHUNKED
            self.line = b"transfer-encoding: chunked\r\n"

    def frame(self, buffers: Buffers, size: int) -> Buffers:
        """The bytes to send for `size` bytes of body; small pieces are joined.

        Raises:
            WrongLengthError: the body is longer than its declared length.
        """
        if size == 0:  # as a chunk it would end the body
            return ()
        if self.framing is Framing.CHUNKED:
            buffers = (b"%x\r\n" % size, *buffers, b"\r\n")
        elif self.framing is Framing.SIZED:
            self._missing -= size
            if self._missing < 0:
                raise WrongLengthError
        return buffers if size > _JOINED_BYTES else (b"".join(buffers),)

    def end(self) -> Buffers:
        """The bytes that end the body.

        Raises:
            WrongLengthError: the body is shorter than its declared length.
        """
        if self.framing is Framing.SIZED and self._missing:
            raise WrongLengthError
        return (b"0\r\n\r\n",) if self.framing is Framing.CHUNKED else ()


class WrongLengthError(Exception):
    """A body of another length than declared; the connection cannot be used again."""
