"""What user code returned becomes an HTTP answer.

Called by `http_entry`. `render` decides (no I/O) and covers all values that are
complete; a generator or a Starlette response that speaks for itself is driven here.
"""

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

from starlette.responses import Response

from workbench.replica.asgi import answer_by_app
from workbench.replica.json_text import encode_json
from workbench.replica.reply import Reply, check_status, head_of
from workbench.replica.streams import pump
from workbench.wire.messages import HttpReply

if TYPE_CHECKING:
    from workbench.replica.exchange import Exchange
    from workbench.replica.threads import Threads

__all__ = ["render", "respond"]

_BYTES = b"content-type: text/plain\r\n"
_TEXT = b"content-type: text/plain; charset=utf-8\r\n"
_JSON = b"content-type: application/json\r\n"
_JSON_LINES = b"content-type: application/x-ndjson\r\n"


def render(value: object) -> Reply | None:
    """The answer that `value` is; None if it has to be asked for its parts.

    Raises:
        TypeError: it has no JSON form.
    """
    kind = type(value)
    if kind is dict or kind is list:
        return _reply(_JSON, encode_json(value))
    if isinstance(value, str):
        return _reply(_TEXT, value.encode())
    if value is None:
        return _reply(_BYTES, b"")
    if isinstance(value, bytes | bytearray | memoryview):
        return _reply(_BYTES, bytes(value))
    if isinstance(value, Response):
        return _render_response(value)
    if isinstance(value, AsyncIterator | Iterator):
        return None
    return _reply(_JSON, encode_json(value))


async def respond(exchange: "Exchange", value: object, threads: "Threads") -> None:
    """Send the answer that `value` is, or that `render` has made of it."""
    reply = value if isinstance(value, Reply) else render(value)
    if reply is not None:
        await exchange.deliver(reply)
    elif isinstance(value, Response):
        await answer_by_app(exchange, value)
    else:
        assert isinstance(value, AsyncIterator | Iterator)
        stream = _ItemStream(exchange)
        await pump(exchange, value, stream.encode, stream.send, threads)
        stream.end()


class _ItemStream:
    """Items of a generator as one body; the first item says of what type."""

    def __init__(self, exchange: "Exchange") -> None:
        self._exchange = exchange
        self._head = b""

    def encode(self, item: object) -> bytes:
        """Text and bytes as they are, anything else as a line of JSON."""
        if isinstance(item, bytes | bytearray | memoryview):
            self._head = self._head or _BYTES
            return bytes(item)
        if isinstance(item, str) and self._head != _JSON_LINES:
            self._head = self._head or _TEXT
            return item.encode()
        self._head = self._head or _JSON_LINES
        return encode_json(item) + b"\n"

    async def send(self, data: bytes) -> None:
        exchange = self._exchange
        if not exchange.has_begun:
            exchange.begin(HttpReply(exchange.id, 200, self._head, None, True), (data,))
        elif data:
            await exchange.send_pieces(data)

    def end(self) -> None:
        if self._exchange.has_begun:
            self._exchange.end()
        else:
            self._exchange.reply(_reply(_BYTES, b""))


def _reply(head: bytes, body: bytes) -> Reply:
    return Reply(200, head, body, len(body))


def _render_response(response: Response) -> Reply | None:
    """A Starlette response that does nothing but send what it holds."""
    if type(response).__call__ is not Response.__call__ or response.background:
        return None
    head, length = head_of(response.raw_headers)
    return Reply(check_status(response.status_code), head, response.body, length)
