"""How an ASGI application, or a Starlette response, answers an HTTP call.

Called by `http_entry` and `respond`. `Responder` is the application's `send`: it turns
ASGI's messages into what `Exchange` sends.
"""

import asyncio
from enum import Enum, auto

from starlette.types import ASGIApp, Message

from workbench.replica.exchange import WHOLE_BYTES, Exchange
from workbench.replica.reply import Reply, check_status, head_of
from workbench.replica.streams import Pace
from workbench.wire.messages import HttpReply

__all__ = ["Responder", "answer_by_app"]


async def answer_by_app(
    exchange: Exchange, app: ASGIApp, state: dict[str, object] | None = None
) -> None:
    """Let `app` answer, and return when it has returned.

    Raises:
        RuntimeError: it does not keep to the protocol; also whatever it raises itself.
    """
    scope = exchange.scope()
    if state is not None:
        scope["state"] = state.copy()
    responder = Responder(exchange)
    try:
        await app(scope, exchange.receive, responder)
    finally:
        responder.close()
    if not exchange.is_answered and not exchange.is_abandoned:
        msg = f"The application returned when its answer was {responder.progress}."
        raise RuntimeError(msg)


class _Progress(Enum):
    """How far an application has come with its answer."""

    NOT_BEGUN = auto()
    HEAD_KNOWN = auto()
    """Status and headers wait a moment for the body, to travel in the same frame."""
    IN_BODY = auto()
    COMPLETE = auto()


class Responder:
    """The `send` of one ASGI conversation."""

    __slots__ = ("_exchange", "_head", "_pace", "_timer", "progress")

    def __init__(self, exchange: Exchange) -> None:
        self.progress = _Progress.NOT_BEGUN
        self._exchange = exchange
        self._head: HttpReply | None = None
        self._timer: asyncio.Handle | None = None
        self._pace = Pace()

    async def __call__(self, message: Message) -> None:
        """Take the application's next message.

        Raises:
            OSError: the client is gone (what ASGI 2.4 asks for).
            RuntimeError: a message that has no place here.
        """
        if self._exchange.is_abandoned:
            msg = "The client has gone; nobody gets this answer."
            raise OSError(msg)
        kind = message["type"]
        if kind == "http.response.start" and self.progress is _Progress.NOT_BEGUN:
            self._on_start(message)
        elif kind == "http.response.body" and self._head is not None:
            # A copy of what is not bytes: the application may write to it again.
            body = bytes(message.get("body", b""))
            await self._on_body(self._head, body, more=message.get("more_body", False))
        else:
            msg = (
                f"The application sent {kind!r} when its answer was {self.progress}; "
                "ASGI has one http.response.start, then http.response.body until the "
                "first one without more_body."
            )
            raise RuntimeError(msg)

    def close(self) -> None:
        """The application has returned or raised: what it did not send stays here."""
        if self._timer is not None:
            self._timer.cancel()

    def _on_start(self, message: Message) -> None:
        status = check_status(int(message["status"]))
        head, length = head_of(message.get("headers", ()))
        self._head = HttpReply(self._exchange.id, status, head, length, more=True)
        self._timer = asyncio.get_running_loop().call_soon(self._begin, self._head)
        self.progress = _Progress.HEAD_KNOWN

    def _begin(self, head: HttpReply) -> None:
        self.progress = _Progress.IN_BODY
        self._exchange.begin(head, (b"",))

    async def _on_body(self, head: HttpReply, body: bytes, *, more: bool) -> None:
        exchange = self._exchange
        is_first = self.progress is _Progress.HEAD_KNOWN
        self.close()
        self.progress = _Progress.IN_BODY
        if not more:
            self._head = None
            self.progress = _Progress.COMPLETE
        if is_first and not more:
            await exchange.reply(Reply(head.status, head.head, body, head.length))
        elif is_first and len(body) <= WHOLE_BYTES:
            exchange.begin(head, (body,))
        else:
            if is_first:
                exchange.begin(head, (b"",))
            if body:
                await exchange.send_pieces(body)
            if not more:
                exchange.end()
        if more and self._pace.is_slow():
            await self._pace.let_go_out()
