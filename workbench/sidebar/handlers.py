"""The routes under `<base_url>workbench/`: parse, ask the desk, answer in JSON.

Each is behind Jupyter's authentication and authorization, writes also behind its XSRF
check; the feed checks the origin as Jupyter's own sockets do.
"""

# Tornado declares the verbs as attributes, which mypy lets no method replace.
# mypy: disable-error-code="mutable-override"

import asyncio
import functools
from collections.abc import Awaitable, Callable
from contextlib import suppress
from http.client import responses
from typing import Any, TypeVar, cast

import msgspec
from jupyter_server.auth.decorator import authorized, ws_authenticated
from jupyter_server.base.handlers import APIHandler, JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from tornado import web
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from workbench import __version__
from workbench.sidebar.desk import Desk
from workbench.sidebar.messages import ConnectRequest, ScaleRequest
from workbench.sidebar.page import PageQueue
from workbench.sidebar.refusal import RefusedError

__all__ = ["ROUTES"]

_RESOURCE = "workbench"

Body = TypeVar("Body")
Method = TypeVar("Method", bound=Callable[..., Awaitable[None]])


def _guarded(method: Method) -> Method:
    """Let in only who may, and say why something was refused."""

    @functools.wraps(method)
    async def answered(self: "_Handler", *args: str) -> None:
        try:
            await method(self, *args)
        except RefusedError as error:
            self.refuse(error)

    return cast("Method", web.authenticated(authorized(answered)))


class _Handler(APIHandler):
    auth_resource = _RESOURCE

    @property
    def desk(self) -> Desk:
        desk: Desk = self.settings["workbench_desk"]
        return desk

    def body(self, kind: type[Body]) -> Body:
        try:
            return msgspec.json.decode(self.request.body, type=kind)
        except msgspec.DecodeError as error:
            msg = f"The request cannot be read: {error}."
            remedy = "Reload the page: it may be older than Jupyter's server."
            raise RefusedError(400, msg, remedy) from None

    def answer(self, value: object) -> None:
        self.finish(msgspec.json.encode(value))

    def refuse(self, error: RefusedError) -> None:
        self.set_status(error.status)
        self.answer({"message": error.message, "remedy": error.hint})

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """What Jupyter refuses by itself, and mistakes of ours, in the same form."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        said = getattr(error, "log_message", None) or responses.get(status_code)
        remedy = "Reload the page. If that does not help, see Jupyter's log."
        self.answer({"message": said or "Unknown error", "remedy": remedy})


class _Watching(_Handler):
    """A route that pages ask by themselves: it does not keep an idle server alive."""

    _track_activity = False


class _Instances(_Watching):
    @_guarded
    async def get(self) -> None:
        instances = await self.desk.instances()
        self.answer({"instances": instances, "server_version": __version__})

    @_guarded
    async def post(self) -> None:
        self.answer(await self.desk.connect(self.body(ConnectRequest)))


class _Start(_Handler):
    @_guarded
    async def post(self) -> None:
        self.answer(await self.desk.start())


class _Instance(_Handler):
    @_guarded
    async def delete(self, instance: str) -> None:
        self.answer({await self.desk.remove(instance): True})


class _Application(_Handler):
    @_guarded
    async def delete(self, instance: str, app: str) -> None:
        await self.desk.delete(instance, app)
        self.answer({"deleted": True})


class _Scale(_Handler):
    @_guarded
    async def put(self, instance: str, app: str, deployment: str) -> None:
        wish = self.body(ScaleRequest)
        await self.desk.scale(instance, app, deployment, wish.num_replicas)
        self.answer({"scaled": True})


class _Logs(_Watching):
    _asking: asyncio.Task[bytes] | None = None

    @_guarded
    async def get(self, instance: str) -> None:
        # Not stripped: a filter may begin with a space.
        asked = {
            key: self.get_query_argument(key, strip=False)
            for key in self.request.query_arguments
        }
        self._asking = asyncio.create_task(
            self.desk.logs(instance, asked), name="workbench-logs"
        )
        with suppress(asyncio.CancelledError):
            self.finish(await self._asking)

    def on_connection_close(self) -> None:
        """Nobody waits any more: end the wait at the instance too."""
        super().on_connection_close()
        if self._asking is not None:
            self._asking.cancel()


class _FeedSocket(WebSocketMixin, WebSocketHandler, JupyterHandler):
    """One page's socket: `FeedMessage`s, one way."""

    auth_resource = _RESOURCE
    _page: PageQueue | None = None
    _sending: asyncio.Task[None] | None = None

    @ws_authenticated
    @authorized
    async def get(self, *args: Any, **kwargs: Any) -> None:
        await super().get(*args, **kwargs)

    def open(self, *args: Any, **kwargs: Any) -> None:
        super().open(*args, **kwargs)  # begins to ping
        self._page = self._desk.feed.join()
        self._sending = asyncio.create_task(self._send(self._page))

    def on_message(self, message: str | bytes) -> None:
        """Pages have nothing to say here."""

    def on_close(self) -> None:
        super().on_close()
        if self._page is not None:
            self._desk.feed.leave(self._page)
        if self._sending is not None:
            self._sending.cancel()

    async def _send(self, page: PageQueue) -> None:
        with suppress(WebSocketClosedError):
            while True:
                message = await page.take()
                # Returns when the socket has taken it: a slow page waits here.
                await self.write_message(message.text)

    @property
    def _desk(self) -> Desk:
        desk: Desk = self.settings["workbench_desk"]
        return desk


_ID = r"/workbench/instances/([^/]+)"
_APP = rf"{_ID}/applications/([^/]+)"

ROUTES = [
    (r"/workbench/instances", _Instances),
    (r"/workbench/instances/start", _Start),
    (r"/workbench/feed", _FeedSocket),
    (_ID, _Instance),
    (rf"{_ID}/logs", _Logs),
    (_APP, _Application),
    (rf"{_APP}/deployments/([^/]+)/scale", _Scale),
]
