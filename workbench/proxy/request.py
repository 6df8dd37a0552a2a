"""One HTTP request, as far as it has come. No I/O.

Made by `RequestReader`, answered by an `Exchange`. While it is incomplete, `pieces`
grows with every read until `is_complete`.
"""

import math
from urllib.parse import unquote

import httptools

from workbench.proxy.extras import EXTRA_HEADERS, TIMING, wants_timing

__all__ = [
    "CODING",
    "INLINE_BODY_BYTES",
    "LENGTH",
    "OWN",
    "SPECIAL",
    "UPGRADE",
    "Request",
]

INLINE_BODY_BYTES = 64 * 1024
"""A body of a declared length up to this goes to the replica in one piece."""

# Headers that mean something to the proxy itself.
_EXPECT = b"expect"
_REQUEST_ID = b"x-request-id"
_TIMEOUT = b"x-request-timeout-seconds"
LENGTH = b"content-length"
CODING = b"transfer-encoding"
UPGRADE = b"upgrade"
_FORWARDED_FOR = b"x-forwarded-for"
_FORWARDED_PROTO = b"x-forwarded-proto"
# What few requests have, and which makes the way of those that have it a longer one.
SPECIAL = EXTRA_HEADERS | {_FORWARDED_FOR, _FORWARDED_PROTO, _TIMEOUT}
OWN = SPECIAL | {_EXPECT, _REQUEST_ID, CODING, LENGTH, UPGRADE}

_FOR_EVER_S = 1e8


class Request:
    """One request; its body arrives in `pieces`, which whoever uses them empties."""

    is_complete = False
    """Whether the body has come to its end."""
    body_bytes = 0
    """How much of the body has come."""
    is_special = False
    """Whether a header says how to treat it: for whom, how urgent, how long."""
    is_websocket = False
    """Whether this asks for a WebSocket; what follows it is no HTTP then."""
    _was_continued = False

    def __init__(
        self,
        parser: httptools.HttpRequestParser,
        target: bytes,
        headers: list[tuple[bytes, bytes]],
        own: dict[bytes, bytes],
    ) -> None:
        self.raw_path, _, self.query = target.partition(b"?")
        path = self.raw_path.decode("ascii")
        self.path = unquote(path) if "%" in path else path
        self.method = parser.get_method().decode("ascii")
        self.version = parser.get_http_version()
        self.keeps_alive = parser.should_keep_alive()
        self.headers = headers
        self.pieces: list[bytes] = []
        self._own = own

    @property
    def is_streamed(self) -> bool:
        """Whether the body is long, or of unknown length: not waited for."""
        length = self._own.get(LENGTH)
        return length is None or int(length) > INLINE_BODY_BYTES

    @property
    def framing(self) -> bytes:
        """The header line that says how the body ends; nothing without a body."""
        if CODING in self._own:
            return b"transfer-encoding: chunked\r\n"
        length = self._own.get(LENGTH, b"0")
        return b"content-length: %b\r\n" % length if int(length) else b""

    @property
    def is_held_back(self) -> bool:
        """Whether the client waits for `100 Continue` before it sends the body."""
        if self._was_continued or self.is_complete or self.pieces:
            return False
        expect = self._own.get(_EXPECT, b"")
        return expect.lower() == b"100-continue" and self.version == "1.1"

    @property
    def forwarded(self) -> tuple[str, str]:
        """For whom a proxy in front says that it forwards this, and asked how."""
        own = self._own
        asked_by = own.get(_FORWARDED_FOR, b"").decode("latin-1")
        return asked_by, own.get(_FORWARDED_PROTO, b"").decode("latin-1")

    @property
    def given_id(self) -> bytes | None:
        """X-Request-ID as the client gave it."""
        return self._own.get(_REQUEST_ID)

    @property
    def is_timed(self) -> bool:
        """Whether the client asks what takes how long."""
        return wants_timing(self._own.get(TIMING, b"").decode("latin-1"))

    def timeout_s(self, default: float | None) -> float | None:
        """How long the client, else the server, wants to wait; None: for ever."""
        given = self._own.get(_TIMEOUT)
        if given is not None:
            try:
                timeout = float(given)
            except ValueError:
                timeout = math.nan
            if not math.isnan(timeout):
                return timeout if 0 < timeout < _FOR_EVER_S else None
        return default if default is not None and default > 0 else None

    def take_continue(self) -> bool:
        """Whether to send `100 Continue` now; it is sent once at most."""
        is_due = self.is_held_back
        self._was_continued = True
        return is_due

    def take_body(self) -> bytes:
        """What has come of the body since it was last taken."""
        pieces = self.pieces
        if not pieces:
            return b""
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        return body
