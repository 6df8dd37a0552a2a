"""The control API: a small HTTP API behind a token, the same for every front end.

GET    /api/instance              who this is and how handles connect
GET    /api/status                everything that runs
GET    /api/events                the same whenever it changes, and what is measured
PUT    /api/applications/{name}   deploy; answers with a line of JSON per event
DELETE /api/applications/{name}   stop it and wait until it is gone
PUT    /api/applications/{app}/deployments/{deployment}/scale
                                  another number of replicas; does not wait for them
       /api/applications/{name}/… versions, diff and rollback: `gateway.versions`
GET    /api/applications/{name}/scaling
                                  what autoscaling decided and why
GET    /api/metrics               what is counted, as Prometheus reads it
GET    /api/logs                  what replicas said (`workbench.spec.logs.LogQuery`)
POST   /api/shutdown              end the instance
"""

import hmac
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import fields
from typing import Protocol

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from workbench.controller.target import RouteTakenError
from workbench.errors import ScaleError, UnknownDeploymentError, WorkbenchError
from workbench.gateway.versions import VersionBackend, version_routes
from workbench.observe.exposition import MEDIA_TYPE
from workbench.spec.application import DeployRequest
from workbench.spec.autoscaling import ScalingRecord
from workbench.spec.control import Introduction
from workbench.spec.logs import LogPage, LogQuery
from workbench.spec.status import DeployEvent, ServeStatus

__all__ = ["Backend", "make_app"]

_NDJSON = "application/x-ndjson"

Endpoint = Callable[[Request], Awaitable[Response]]


class Backend(Protocol):
    """What the API lets its callers do."""

    @property
    def versions(self) -> VersionBackend: ...
    def introduce(self) -> Introduction: ...
    def status(self) -> ServeStatus: ...
    def events(self) -> AsyncIterator[bytes]: ...
    def metrics(self) -> str: ...
    def deploy(self, request: DeployRequest) -> AsyncIterator[DeployEvent]: ...
    async def delete(self, name: str) -> bool: ...
    async def scale(self, app: str, deployment: str, num_replicas: int) -> None: ...
    def explain(self, app: str) -> tuple[ScalingRecord, ...]: ...
    async def logs(self, query: LogQuery) -> LogPage: ...
    async def shutdown(self) -> None: ...


def make_app(backend: Backend, token: str) -> Starlette:
    """The ASGI app of the control API."""
    api = _Api(backend)
    routes = [
        ("/api/instance", api.instance, "GET"),
        ("/api/status", api.status, "GET"),
        ("/api/events", api.events, "GET"),
        ("/api/applications/{name}", api.deploy, "PUT"),
        ("/api/applications/{name}", api.delete, "DELETE"),
        ("/api/applications/{app}/deployments/{deployment}/scale", api.scale, "PUT"),
        ("/api/applications/{name}/scaling", api.explain, "GET"),
        ("/api/metrics", api.metrics, "GET"),
        ("/api/logs", api.logs, "GET"),
        ("/api/shutdown", api.shutdown, "POST"),
        *version_routes(lambda: backend.versions, _stream, _refused),
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

    async def events(self, _request: Request) -> Response:
        return StreamingResponse(self._backend.events(), media_type=_NDJSON)

    async def metrics(self, _request: Request) -> Response:
        return Response(self._backend.metrics(), media_type=MEDIA_TYPE)

    async def deploy(self, request: Request) -> Response:
        try:
            wish = msgspec.msgpack.decode(await request.body(), type=DeployRequest)
        except msgspec.DecodeError as error:
            return _refusal(400, "DeployError", f"The deploy cannot be read: {error}.")
        return await _stream(self._backend.deploy(wish))

    async def delete(self, request: Request) -> Response:
        name = request.path_params["name"]
        return JSONResponse({"deleted": await self._backend.delete(name)})

    async def scale(self, request: Request) -> Response:
        try:
            wish = msgspec.json.decode(await request.body(), type=_Scale)
        except msgspec.DecodeError as error:
            return _refusal(400, "ScaleError", f"The number cannot be read: {error}.")
        names = request.path_params
        try:
            await self._backend.scale(
                names["app"], names["deployment"], wish.num_replicas
            )
        except UnknownDeploymentError as error:
            return _refused(404, error)
        except ScaleError as error:
            return _refused(400, error)
        return JSONResponse({"scaled": True})

    async def explain(self, request: Request) -> Response:
        return _json(self._backend.explain(request.path_params["name"]))

    async def logs(self, request: Request) -> Response:
        try:
            query = _log_query(request.query_params)
        except (TypeError, ValueError) as error:
            return _refusal(400, "LogQueryError", f"{error}")
        return _json(await self._backend.logs(query))

    async def shutdown(self, _request: Request) -> Response:
        await self._backend.shutdown()
        return JSONResponse({"shutdown": True})


class _Scale(msgspec.Struct, frozen=True):
    """Body of `PUT …/scale`."""

    num_replicas: int


def _log_query(given: Mapping[str, str]) -> LogQuery:
    """The query that a URL's parameters are.

    Raises:
        ValueError: an unknown name, or a value that cannot be.
    """
    known = [each.name for each in fields(LogQuery)]
    if unknown := sorted(set(given) - set(known)):
        msg = f"Logs have no filter {', '.join(unknown)}; there are {', '.join(known)}."
        raise ValueError(msg)
    return msgspec.convert(dict(given), type=LogQuery, strict=False)


def _guarded(endpoint: Endpoint, token: str) -> Endpoint:
    """Let in only who knows the token, and no web page: pages send an Origin."""
    expected = f"Bearer {token}".encode()

    async def guarded(request: Request) -> Response:
        given = request.headers.get("authorization", "").encode()
        if "origin" in request.headers or not hmac.compare_digest(given, expected):
            return _refusal(401, "WrongTokenError", "The token is missing or wrong.")
        return await endpoint(request)

    return guarded


async def _stream(events: AsyncIterator[DeployEvent]) -> Response:
    """A line for each event of a deploy."""
    try:
        first = await anext(events)
    except RouteTakenError as error:
        return _refusal(409, "DeployError", str(error))
    return StreamingResponse(_lines(first, events), media_type=_NDJSON)


async def _lines(
    first: DeployEvent, rest: AsyncIterator[DeployEvent]
) -> AsyncIterator[bytes]:
    yield msgspec.json.encode(first) + b"\n"
    async for event in rest:
        yield msgspec.json.encode(event) + b"\n"


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")


def _refused(status: int, error: WorkbenchError) -> Response:
    said = {"error": type(error).__name__, "message": error.message, "hint": error.hint}
    return JSONResponse(said, status_code=status)


def _refusal(status: int, error: str, message: str) -> Response:
    return JSONResponse({"error": error, "message": message}, status_code=status)
