"""Bytes of one connection in, HTTP/1.1 requests out. No I/O.

`HttpProtocol` feeds it what the client sends and takes requests from the front of
`requests`. The last of them may still be incomplete: `pieces` then grows, feed by feed,
until `is_complete`. llhttp (through httptools) does the grammar, and refuses what lets
two servers disagree about where a request ends: two lengths, a length beside chunks,
line folding, bare line feeds. What it lets through is refused here.
"""

import math
from collections import deque
from urllib.parse import unquote

import httptools

from workbench.proxy import pages
from workbench.proxy.reply import Page

__all__ = ["INLINE_BODY_BYTES", "Request", "RequestReader"]

INLINE_BODY_BYTES = 64 * 1024
"""A body of a declared length up to this goes to the replica in one piece."""

# Headers that mean something to the proxy itself.
_EXPECT = b"expect"
_REQUEST_ID = b"x-request-id"
_TIMEOUT = b"x-request-timeout-seconds"
_LENGTH = b"content-length"
_CODING = b"transfer-encoding"
_UPGRADE = b"upgrade"
_OWN = frozenset({_EXPECT, _REQUEST_ID, _TIMEOUT, _LENGTH, _CODING, _UPGRADE})

_FOR_EVER_S = 1e8

# A head that came whole in a read of up to this size is not measured.
_SURELY_SMALL_BYTES = 16 * 1024


class Request:
    """One request; its body arrives in `pieces`, which whoever uses them empties."""

    is_complete = False
    """Whether the body has come to its end."""
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
        length = self._own.get(_LENGTH)
        return length is None or int(length) > INLINE_BODY_BYTES

    @property
    def is_held_back(self) -> bool:
        """Whether the client waits for `100 Continue` before it sends the body."""
        if self._was_continued or self.is_complete or self.pieces:
            return False
        expect = self._own.get(_EXPECT, b"")
        return expect.lower() == b"100-continue" and self.version == "1.1"

    @property
    def given_id(self) -> bytes | None:
        """X-Request-ID as the client gave it."""
        return self._own.get(_REQUEST_ID)

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


class RequestReader:
    """Cuts one connection's bytes into requests.

    `problem`, once set, is the answer to whatever stands after the last request of
    `requests` (or in its body); nothing is read beyond it.
    """

    def __init__(self) -> None:
        self.requests: deque[Request] = deque()
        self.problem: Page | None = None
        self.rest = b""
        """What followed a request for a WebSocket."""
        self._is_upgraded = False
        self._current: Request | None = None
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._own: dict[bytes, bytes] = {}
        self._must_measure = False
        self._fruitless_bytes = 0
        self._parser = self._new_parser()

    @property
    def is_mid_head(self) -> bool:
        """Whether a request has begun whose head is not complete."""
        return bool(self._target)

    @property
    def is_mid_body(self) -> bool:
        """Whether the body of the last request is still coming."""
        return self._current is not None

    def feed(self, data: bytes) -> None:
        """Read on; see `requests` and `problem` for what came of it."""
        if self.problem is not None:
            return
        if self._is_upgraded:
            self.rest += data
            return
        is_inside = bool(self._target) or self._current is not None
        self._must_measure = is_inside or len(data) > _SURELY_SMALL_BYTES
        before = len(self.requests), self._current
        try:
            self._parse(data)
            if self._must_measure:
                self._measure()
            if is_inside:
                self._limit_fruitless(data, before)
        except _RefusedError as refusal:
            self.problem = refusal.page
        except httptools.HttpParserError as error:
            self.problem = pages.malformed(str(error))

    def close(self) -> None:
        """Forget everything; frees the parser, which refers back to this object."""
        self.requests.clear()
        self._current = None
        del self._parser

    def _new_parser(self) -> httptools.HttpRequestParser:
        parser = httptools.HttpRequestParser(self)
        # Whatever follows `Connection: close` is ignored, rather than an error that
        # would spoil the answer to the request before it.
        parser.set_dangerous_leniencies(lenient_data_after_close=True)
        return parser

    def _parse(self, data: bytes | memoryview) -> None:
        while data:
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                data = memoryview(data)[upgrade.args[0] :]
                if self._is_upgraded:
                    self.rest = bytes(data)
                    return
                # An offer (h2c, say) that is not taken up: the connection goes on as
                # it was.
                self._parser = self._new_parser()
            except httptools.HttpParserCallbackError as error:
                raise error.__context__ or error from None
            else:
                return

    def _measure(self) -> None:
        """Refuse a head that is too large, complete or not."""
        size = len(self._target)
        size += sum(len(name) + len(value) + 4 for name, value in self._headers)
        if size > pages.MAX_HEAD_BYTES:
            raise _RefusedError(pages.HEAD_TOO_LARGE)

    def _limit_fruitless(self, data: bytes, before: tuple[int, Request | None]) -> None:
        """Bound what a header, trailers or chunk extensions may take without an end."""
        current = self._current
        if before != (len(self.requests), current) or (current and current.pieces):
            self._fruitless_bytes = 0
        else:
            self._fruitless_bytes += len(data)
            if self._fruitless_bytes > pages.MAX_HEAD_BYTES:
                raise _RefusedError(pages.HEAD_TOO_LARGE)

    # What the parser calls. An exception raised here ends the parsing.

    def on_url(self, part: bytes) -> None:
        """Part of the request's target."""
        self._target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header, or one trailer."""
        name = name.lower()
        self._headers.append((name, value))
        if name in _OWN:
            self._own[name] = value

    def on_headers_complete(self) -> None:
        """The head is complete: a request, unless it is one of those not taken."""
        if self._must_measure:
            self._measure()
        target, headers, own = self._target, self._headers, self._own
        self._target = b""
        if not target.startswith(b"/") or b"#" in target:
            target = _origin_form(target)
        request = Request(self._parser, target, headers, own)
        if own or request.version != "1.1":
            self._refuse_unspoken(request.version, own)
            if self._parser.should_upgrade() and own[_UPGRADE].lower() == b"websocket":
                self._upgrade(request)
            self._own = {}
        self._headers = []
        self._current = request
        self.requests.append(request)

    def on_body(self, piece: bytes) -> None:
        """Part of the body."""
        if self._current is not None:
            self._current.pieces.append(piece)

    def on_message_complete(self) -> None:
        """The body is complete, or there is none."""
        if self._current is not None:
            self._current.is_complete = True
            self._current = None
        if self._headers:
            # Trailers: kept, they would become headers of the next request.
            self._headers = []
            self._own = {}

    def _refuse_unspoken(self, version: str, own: dict[bytes, bytes]) -> None:
        coding = own.get(_CODING)
        if version not in {"1.1", "1.0"}:
            raise _RefusedError(pages.not_implemented(f"HTTP/{version}", status=505))
        if coding is not None and version == "1.0":
            raise _RefusedError(pages.malformed("HTTP/1.0 has no Transfer-Encoding"))
        if coding is not None and coding.lower() != b"chunked":
            raise _RefusedError(pages.not_implemented("Transfer-Encoding but chunked"))

    def _upgrade(self, request: Request) -> None:
        if _CODING in self._own or self._own.get(_LENGTH, b"0") != b"0":
            raise _RefusedError(pages.malformed("a WebSocket handshake with a body"))
        # Turned down or not, the connection is not used for HTTP again.
        request.is_websocket = self._is_upgraded = True
        request.keeps_alive = False


class _RefusedError(Exception):
    """The request is not taken; `page` says why."""

    def __init__(self, page: Page) -> None:
        super().__init__(page)
        self.page = page


def _origin_form(target: bytes) -> bytes:
    """Path and query of a target in another form, or with a fragment."""
    if target == b"*":
        return target
    if b"/" not in target:
        raise _RefusedError(pages.not_implemented("CONNECT"))
    try:
        url = httptools.parse_url(target)
    except httptools.HttpParserInvalidURLError:
        raise _RefusedError(pages.malformed("the request's target")) from None
    path = url.path or b"/"
    return b"%b?%b" % (path, url.query) if url.query else path
