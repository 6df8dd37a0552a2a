"""The control API: a small HTTP API behind a token, the same for every front end.

GET    /api/instance              who this is and how handles connect
GET    /api/status                everything that runs
PUT    /api/applications/{name}   deploy; answers with a line of JSON per event
DELETE /api/applications/{name}   stop it and wait until it is gone
POST   /api/shutdown              end the instance
"""

import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from workbench.controller.target import RouteTakenError
from workbench.spec.application import DeployRequest
from workbench.spec.control import Introduction
from workbench.spec.status import DeployEvent, ServeStatus

__all__ = ["Backend", "make_app"]

Endpoint = Callable[[Request], Awaitable[Response]]


class Backend(Protocol):
    """What the API lets its callers do."""

    def introduce(self) -> Introduction: ...
    def status(self) -> ServeStatus: ...
    def deploy(self, request: DeployRequest) -> AsyncIterator[DeployEvent]: ...
    async def delete(self, name: str) -> bool: ...
    async def shutdown(self) -> None: ...


def make_app(backend: Backend, token: str) -> Starlette:
    """The ASGI app of the control API."""
    api = _Api(backend)
    routes = [
        ("/api/instance", api.instance, "GET"),
        ("/api/status", api.status, "GET"),
        ("/api/applications/{name}", api.deploy, "PUT"),
        ("/api/applications/{name}", api.delete, "DELETE"),
        ("/api/shutdown", api.shutdown, "POST"),
    ]
    return Starlette(
        routes=[
            Route(path, _guarded(endpoint, token), methods=[verb])
            for path, endpoint, verb in routes
        ]
    )


class _Api:
    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def instance(self, _request: Request) -> Response:
        return _json(self._backend.introduce())

    async def status(self, _request: Request) -> Response:
        return _json(self._backend.status())

    async def deploy(self, request: Request) -> Response:
        try:
            wish = msgspec.msgpack.decode(await request.body(), type=DeployRequest)
        except msgspec.DecodeError as error:
            return _refusal(400, "DeployError", f"The deploy cannot be read: {error}.")
        events = self._backend.deploy(wish)
        try:
            first = await anext(events)
        except RouteTakenError as error:
            return _refusal(409, "DeployError", str(error))
        return StreamingResponse(
            _lines(first, events), media_type="application/x-ndjson"
        )

    async def delete(self, request: Request) -> Response:
        name = request.path_params["name"]
        return JSONResponse({"deleted": await self._backend.delete(name)})

    async def shutdown(self, _request: Request) -> Response:
        await self._backend.shutdown()
        return JSONResponse({"shutdown": True})


def _guarded(endpoint: Endpoint, token: str) -> Endpoint:
    """Let in only who knows the token, and no web page: pages send an Origin."""
    expected = f"Bearer {token}".encode()

    async def guarded(request: Request) -> Response:
        given = request.headers.get("authorization", "").encode()
        if "origin" in request.headers or not hmac.compare_digest(given, expected):
            return _refusal(401, "WrongTokenError", "The token is missing or wrong.")
        return await endpoint(request)

    return guarded


async def _lines(
    first: DeployEvent, rest: AsyncIterator[DeployEvent]
) -> AsyncIterator[bytes]:
    yield msgspec.json.encode(first) + b"\n"
    async for event in rest:
        yield msgspec.json.encode(event) + b"\n"


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")


def _refusal(status: int, error: str, message: str) -> Response:
    return JSONResponse({"error": error, "message": message}, status_code=status)
