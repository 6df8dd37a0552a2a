"""The ways HTTP enters user code; one is chosen when the code is loaded.

`server` runs `answer` in the call's own task. Nothing here catches what user code
raises: that is the server's.
"""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from starlette.types import ASGIApp

from workbench.replica import websocket
from workbench.replica.asgi import answer_by_app
from workbench.replica.exchange import Exchange, HttpRequest
from workbench.replica.reply import Reply
from workbench.replica.respond import render, respond
from workbench.replica.shape import Shape, shape_of, takes_argument
from workbench.replica.threads import Threads
from workbench.replica.websocket import Socket

__all__ = ["AppEntry", "HttpEntry", "entry_for"]


class HttpEntry(Protocol):
    """One way into user code."""

    async def answer(self, exchange: Exchange) -> None:
        """Run user code for this call and send what comes of it."""

    async def converse(self, socket: Socket) -> None:
        """Run user code for this WebSocket, or turn it down."""


def entry_for(servable: object, threads: Threads) -> HttpEntry:
    """The way into a plain function, or an instance with `__call__`."""
    if not callable(servable):
        return _NoEntry(servable)
    function: Callable[..., Any] = servable
    if inspect.ismethod(getattr(servable, "__call__", None)):  # noqa: B004 - wanted bound
        function = servable.__call__
    shape = shape_of(function)
    if not takes_argument(function):
        function = _without_request(function)
    if shape is Shape.COROUTINE:
        return _CoroutineEntry(function, threads)
    if shape is Shape.FUNCTION:
        return _ThreadEntry(function, threads)
    return _StreamEntry(function, threads)


class _WithoutSockets:
    """What only ASGI applications can answer."""

    async def converse(self, socket: Socket) -> None:
        text = b"No WebSockets here: they need @serve.ingress with an ASGI application."
        head = b"content-type: text/plain; charset=utf-8\r\n"
        await socket.reply(Reply(501, head, text, len(text)))


class _CoroutineEntry(_WithoutSockets):
    """`async def`: on the loop, with nothing between it and the frame that came in."""

    def __init__(
        self, function: Callable[..., Awaitable[object]], threads: Threads
    ) -> None:
        self._function = function
        self._threads = threads

    async def answer(self, exchange: Exchange) -> None:
        value = await self._function(exchange.request())
        reply = render(value)
        if reply is None or not exchange.reply_nowait(reply):
            await respond(exchange, reply or value, self._threads)


class _ThreadEntry(_WithoutSockets):
    """`def`: in a thread, which also makes the answer out of what is returned."""

    def __init__(self, function: Callable[..., object], threads: Threads) -> None:
        self._function = function
        self._threads = threads

    async def answer(self, exchange: Exchange) -> None:
        request = exchange.request()
        exchange.job = job = self._threads.start(lambda: self._run(request))
        value = await job.wait()
        if inspect.isawaitable(value):
            value = await value
        await respond(exchange, value, self._threads)

    def _run(self, request: HttpRequest) -> object:
        value = self._function(request)
        if inspect.isawaitable(value):
            return value
        return render(value) or value


class _StreamEntry(_WithoutSockets):
    """A generator, sync or async: its items are the body."""

    def __init__(self, function: Callable[..., object], threads: Threads) -> None:
        self._function = function
        self._threads = threads

    async def answer(self, exchange: Exchange) -> None:
        await respond(exchange, self._function(exchange.request()), self._threads)


class AppEntry:
    """An ASGI application."""

    def __init__(self, app: ASGIApp, state: dict[str, object]) -> None:
        self._app = app
        self._state = state

    async def answer(self, exchange: Exchange) -> None:
        await answer_by_app(exchange, self._app, self._state)

    async def converse(self, socket: Socket) -> None:
        await websocket.answer_by_app(socket, self._app, self._state)


class _NoEntry(_WithoutSockets):
    """Nothing that HTTP could enter."""

    def __init__(self, servable: object) -> None:
        self._name = type(servable).__name__

    async def answer(self, _exchange: Exchange) -> None:
        msg = (
            f"{self._name} has no __call__ method, so it cannot answer HTTP. Add "
            "`async def __call__(self, request)`, or call its methods by handle."
        )
        raise TypeError(msg)


def _without_request(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda _request: function()
