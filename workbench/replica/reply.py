"""A complete HTTP answer, and header lines as they go out. No I/O.

Made by `respond` and `asgi`, sent by `exchange`. Content-length, transfer-encoding,
connection, date and server are left out: those are the proxy's to write.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

import msgspec

__all__ = ["Reply", "check_status", "head_of"]

_OF_THE_PROXY = frozenset(
    {
        b"connection",
        b"content-length",
        b"date",
        b"keep-alive",
        b"server",
        b"transfer-encoding",
    }
)
_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")


class Reply(msgspec.Struct, frozen=True):
    """Status, header lines, body, and the length that was declared."""

    status: int
    head: bytes
    body: bytes
    length: int | None


def head_of(headers: Iterable[Iterable[bytes]]) -> tuple[bytes, int | None]:
    """Header lines, each ended by CRLF, and the content-length among them.

    Raises:
        ValueError: a name or value that would break out of its line.
    """
    lines: list[bytes] = []
    length = None
    for name, value in headers:
        start = _line_start(name)
        if start:
            lines += (start, value, b"\r\n")
        elif name.lower() == b"content-length":
            length = int(value)
    head = b"".join(lines)
    ends = len(lines) // 3
    if head.count(b"\n") != ends or head.count(b"\r") != ends or b"\0" in head:
        msg = f"A header value holds a line break or NUL: {head!r}; take it out."
        raise ValueError(msg)
    return head, length


def check_status(status: int) -> int:
    """Refuse a status that is not a final answer.

    Raises:
        ValueError: it is below 200 or above 999.
    """
    if not 200 <= status <= 999:
        msg = f"{status} is not the status of an answer; use 200 to 999."
        raise ValueError(msg)
    return status


@lru_cache(maxsize=1024)
def _line_start(name: bytes) -> bytes:
    """How the line of this header begins; nothing if the proxy writes it.

    Cached: looking it up takes 0.07 µs, checking it 0.6.
    """
    name = name.lower()
    if name in _OF_THE_PROXY:
        return b""
    if not _TOKEN.fullmatch(name):
        msg = f"{name!r} cannot be the name of a header."
        raise ValueError(msg)
    return name + b": "
