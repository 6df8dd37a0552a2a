"""What user code returned becomes an HTTP answer.

Called by `http_entry`. `render` decides (no I/O) and covers all values that are
complete; a generator or a Starlette response that speaks for itself is driven here.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import TYPE_CHECKING

from starlette.responses import Response

from workbench.replica.asgi import answer_by_app
from workbench.replica.json_text import encode_json
from workbench.replica.reply import Reply, check_status, head_of
from workbench.replica.threads import Threads
from workbench.wire.messages import HttpReply

if TYPE_CHECKING:
    from workbench.replica.exchange import Exchange

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


async def respond(exchange: "Exchange", value: object, threads: Threads) -> None:
    """Send the answer that `value` is, in as many parts as it has."""
    if isinstance(value, Response):
        reply = _render_response(value)
        ...


def _reply(head: bytes, body: bytes) -> Reply:
    return Reply(200, head, body, len(body))


def _render_response(response: Response) -> Reply | None:
    """A Starlette response that does nothing but send what it holds."""
    if type(response).__call__ is not Response.__call__ or response.background:
        return None
    head, length = head_of(response.raw_headers)
    return Reply(check_status(response.status_code), head, response.body, length)
