"""What user code returned becomes an HTTP answer.

Called by `http_entry`. `render` decides (no I/O) and covers all values that are
complete; a generator or a Starlette response that speaks for itself is driven here.
"""

from collections.abc import AsyncIterator, Iterator

from starlette.responses import Response, StreamingResponse

from workbench.replica.asgi import answer_by_app
from workbench.replica.exchange import Exchange
from workbench.replica.json_text import encode_json
from workbench.replica.reply import Reply, check_status, head_of
from workbench.replica.streamed_response import answer_by_iterator, is_plain_stream
from workbench.replica.streams import pump
from workbench.replica.threads import Threads
from workbench.wire.messages import HttpReply

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
    if kind is dict or kind is list:  # by far the most frequent
        head, body = _JSON, encode_json(value)
    elif isinstance(value, str):
        head, body = _TEXT, value.encode()
    elif value is None:
        head, body = _BYTES, b""
    elif isinstance(value, bytes | bytearray | memoryview):
        head, body = _BYTES, bytes(value)
    elif isinstance(value, Response):
        return _render_response(value)
    elif isinstance(value, AsyncIterator | Iterator):
        return None
    else:
        head, body = _JSON, encode_json(value)
    return Reply(200, head, body, len(body))


async def respond(exchange: Exchange, value: object, threads: Threads) -> None:
    """Send the answer that `value` is, or that `render` has made of it."""
    reply = value if isinstance(value, Reply) else render(value)
    if reply is not None:
        await exchange.reply(reply)
    elif is_plain_stream(value):
        assert isinstance(value, StreamingResponse)
        await answer_by_iterator(exchange, value)
    elif isinstance(value, Response):
        await answer_by_app(exchange, value)
    else:
        assert isinstance(value, AsyncIterator | Iterator)
        stream = _ItemStream(exchange)
        await pump(exchange, value, stream.encode, stream.send, threads=threads)
        stream.end()


class _ItemStream:
    """Items of a generator as one body; the first item says of what type."""

    def __init__(self, exchange: Exchange) -> None:
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
            head = HttpReply(exchange.id, 200, self._head, None, more=True)
            exchange.begin(head, (data,))
        elif data:
            await exchange.send_pieces(data)

    def end(self) -> None:
        if self._exchange.has_begun:
            self._exchange.end()
        else:
            self._exchange.reply_nowait(Reply(200, _BYTES, b"", 0))


def _render_response(response: Response) -> Reply | None:
    """A Starlette response that does nothing but send what it holds."""
    if type(response).__call__ is not Response.__call__ or response.background:
        return None
    head, length = head_of(response.raw_headers)
    return Reply(check_status(response.status_code), head, bytes(response.body), length)
