"""A Starlette `StreamingResponse` that does nothing but send what its iterator gives.

Called by `respond`. Driven here and not through ASGI: 100 streams of small chunks come
to 5.4 times the chunks a second of bare uvicorn, 2.2 times with a message for each.
"""

import asyncio
from collections.abc import AsyncIterator
from time import perf_counter

from starlette.responses import StreamingResponse

from workbench.replica.exchange import GATHERED_BYTES, Exchange
from workbench.replica.reply import check_status, head_of
from workbench.replica.streams import LONG_S, let_go_out
from workbench.wire.messages import HttpReply

__all__ = ["answer_by_iterator", "is_plain_stream"]


def is_plain_stream(response: object) -> bool:
    """Whether only the iterator says what is sent."""
    if not isinstance(response, StreamingResponse) or response.background:
        return False
    kind = type(response)
    return (
        kind.__call__ is StreamingResponse.__call__
        and kind.stream_response is StreamingResponse.stream_response
        and kind.listen_for_disconnect is StreamingResponse.listen_for_disconnect
    )


async def answer_by_iterator(exchange: Exchange, response: StreamingResponse) -> None:
    """Send the head, then each item as soon as it is there and there is room for it."""
    head, length = head_of(response.raw_headers)
    status = check_status(response.status_code)
    start = HttpReply(exchange.id, status, head, length, more=True)
    # The head goes out with the first item if that is there at once, else before it.
    begin = asyncio.get_running_loop().call_soon(exchange.begin, start, (b"",))
    items, at = response.body_iterator, 0.0
    try:
        # What `send_pieces` and `Pace` do, written out: of 121 µs of processor for 200
        # small items, their calls were 29.
        async for item in items:
            piece = item if type(item) is bytes else _encode(item, response.charset)
            gathered = exchange.gathered
            if gathered is not None and len(gathered) + len(piece) <= GATHERED_BYTES:
                gathered += piece
            else:
                if not exchange.has_begun:
                    begin.cancel()
                    exchange.begin(start, (b"",))
                if piece:
                    await exchange.send_pieces(piece)
            if exchange.is_abandoned:
                return  # the iterator swallowed its cancellation
            before, at = at, perf_counter()
            if at - before > LONG_S:
                await let_go_out()
                at = perf_counter()
    finally:
        begin.cancel()
        if isinstance(items, AsyncIterator) and hasattr(items, "aclose"):
            await items.aclose()
    if not exchange.has_begun:
        exchange.begin(start, (b"",))
    exchange.end()


def _encode(item: str | bytes | memoryview, charset: str) -> bytes:
    return item.encode(charset) if isinstance(item, str) else bytes(item)
