"""Bytes of one connection in, HTTP/1.1 requests out. No I/O.

`HttpProtocol` feeds it what the client sends and takes requests from the front of
`requests`. llhttp (through httptools) does the grammar, and refuses what lets two
servers disagree about where a request ends: two lengths, a length beside chunks, line
folding, bare line feeds. What it lets through is refused here, as is what exceeds the
limits.
"""

from collections import deque

import httptools

from workbench.proxy import pages
from workbench.proxy.reply import Page
from workbench.proxy.request import CODING, LENGTH, OWN, SPECIAL, UPGRADE, Request
from workbench.spec.http import HTTPOptions

__all__ = ["RequestReader"]

_HOST = b"host"
_KNOWN = OWN | {_HOST}
_NO_LIMIT = 1 << 62


class RequestReader:
    """Cuts one connection's bytes into requests.

    `problem`, once set, is the answer to whatever stands after the last request of
    `requests` (or in its body); nothing is read beyond it.
    """

    def __init__(self, options: HTTPOptions | None = None) -> None:
        self.requests: deque[Request] = deque()
        self.problem: Page | None = None
        self._options = options = options or HTTPOptions()
        self._max_headers = options.max_headers
        self._max_body_bytes = options.max_body_bytes or _NO_LIMIT
        self._surely_small_bytes = min(options.max_url_bytes, options.max_header_bytes)
        """A head that came whole in a read of up to this size is not measured."""
        self._current: Request | None = None
        self._interrupted: Request | None = None
        self._upgraded: Request | None = None
        self._hosts = 0
        self._is_special = False
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
        if self._upgraded is not None:
            self._upgraded.pieces.append(data)
            return
        is_inside = bool(self._target) or self._current is not None
        self._must_measure = is_inside or len(data) > self._surely_small_bytes
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
                if self._upgraded is not None:
                    self._upgraded.pieces.append(bytes(data))
                    return
                self._decline()
            except httptools.HttpParserCallbackError as error:
                raise error.__context__ or error from None
            else:
                return

    def _decline(self) -> None:
        """Go on in HTTP/1.1 behind an offer (h2c, say) that is not taken up.

        The parser skips a body that came with it, whose bytes would then be read as the
        next request: a new one has to be told of the body, with a head of its own.
        """
        self._parser = self._new_parser()
        request = self.requests[-1]
        framing = request.framing
        if framing:
            request.is_complete = False
            self._interrupted = request
            self._parser.feed_data(b"POST / HTTP/1.1\r\n%b\r\n" % framing)

    def _go_on_with_body(self, request: Request) -> None:
        self._current, self._interrupted = request, None
        self._target, self._headers, self._own = b"", [], {}

    def _measure(self) -> None:
        """Refuse a head that is too large, complete or not."""
        size = len(self._target)
        if size > (limit := self._options.max_url_bytes):
            raise _RefusedError(pages.url_too_long(limit))
        size += sum(len(name) + len(value) + 4 for name, value in self._headers)
        if size > (limit := self._options.max_header_bytes):
            raise _RefusedError(pages.head_too_large(limit))
        if len(self._headers) > (limit := self._options.max_headers):
            raise _RefusedError(pages.too_many_headers(limit))

    def _limit_fruitless(self, data: bytes, before: tuple[int, Request | None]) -> None:
        """Bound what a header, trailers or chunk extensions may take without an end."""
        current = self._current
        if before != (len(self.requests), current) or (current and current.pieces):
            self._fruitless_bytes = 0
        else:
            self._fruitless_bytes += len(data)
            if self._fruitless_bytes > (limit := self._options.max_header_bytes):
                raise _RefusedError(pages.head_too_large(limit))

    # What the parser calls. An exception raised here ends the parsing.

    def on_url(self, part: bytes) -> None:
        """Part of the request's target."""
        self._target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header, or one trailer."""
        name = name.lower()
        self._headers.append((name, value))
        if name in _KNOWN:
            if name == _HOST:
                self._hosts += 1
                return
            if name == CODING and name in self._own:
                raise _RefusedError(pages.malformed("Transfer-Encoding twice"))
            self._own[name] = value
            if name in SPECIAL:
                self._is_special = True

    def on_headers_complete(self) -> None:
        """The head is complete: a request, unless it is one of those not taken."""
        if self._interrupted is not None:
            self._go_on_with_body(self._interrupted)
            return
        target, headers, own = self._target, self._headers, self._own
        if self._must_measure or len(headers) > self._max_headers:
            self._measure()
        self._target = b""
        if not target.startswith(b"/") or b"#" in target:
            target = _origin_form(target)
        request = Request(self._parser, target, headers, own)
        if own or request.version != "1.1":
            self._refuse_unspoken(request.version, own)
            if self._parser.should_upgrade() and own[UPGRADE].lower() == b"websocket":
                self._upgrade(request)
            self._own = {}
            if self._is_special:
                request.is_special, self._is_special = True, False
        if self._hosts != 1 and (self._hosts or request.version == "1.1"):
            raise _RefusedError(pages.malformed("it needs one Host header"))
        self._hosts = 0
        self._headers = []
        self._current = request
        self.requests.append(request)

    def on_body(self, piece: bytes) -> None:
        """Part of the body."""
        current = self._current
        if current is not None:
            current.body_bytes = size = current.body_bytes + len(piece)
            if size > (limit := self._max_body_bytes):
                raise _RefusedError(pages.body_too_large(limit))
            current.pieces.append(piece)

    def on_message_complete(self) -> None:
        """The body is complete, or there is none."""
        if self._current is not None:
            self._current.is_complete = True
            self._current = None
        if self._headers:
            # Trailers: kept, they would become headers of the next request.
            self._headers = []
            self._own = {}
            self._hosts = 0
            self._is_special = False

    def _refuse_unspoken(self, version: str, own: dict[bytes, bytes]) -> None:
        coding = own.get(CODING)
        if version not in {"1.1", "1.0"}:
            raise _RefusedError(pages.not_implemented(f"HTTP/{version}", status=505))
        if coding is not None and version == "1.0":
            raise _RefusedError(pages.malformed("HTTP/1.0 has no Transfer-Encoding"))
        if coding is not None and coding.lower() != b"chunked":
            raise _RefusedError(pages.not_implemented("Transfer-Encoding but chunked"))
        limit = self._max_body_bytes
        if limit != _NO_LIMIT and int(own.get(LENGTH, b"0")) > limit:
            raise _RefusedError(pages.body_too_large(limit))

    def _upgrade(self, request: Request) -> None:
        if CODING in self._own or self._own.get(LENGTH, b"0") != b"0":
            raise _RefusedError(pages.malformed("a WebSocket handshake with a body"))
        # Turned down or not, the connection is not used for HTTP again.
        self._upgraded = request
        request.is_websocket = True
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
