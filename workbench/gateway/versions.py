"""The part of the control API that is about versions.

GET    /api/applications/{name}/versions   what was deployed of it, newest first
GET    /api/applications/{name}/diff       what changed `from` one version `to` another
POST   /api/applications/{name}/rollback   deploy a `version` again; answers as a deploy
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from workbench.errors import UnknownDeploymentError, UnknownVersionError, WorkbenchError
from workbench.spec.status import DeployEvent
from workbench.spec.versions import VersionDiff, VersionList

__all__ = ["VersionBackend", "version_routes"]

Endpoint = Callable[[Request], Awaitable[Response]]
Stream = Callable[[AsyncIterator[DeployEvent]], Awaitable[Response]]
Refuse = Callable[[int, WorkbenchError], Response]


class VersionBackend(Protocol):
    """What the API lets its callers do with versions."""

    def list(self, name: str) -> VersionList: ...
    async def diff(self, name: str, before: str, after: str) -> VersionDiff: ...
    def rollback(self, name: str, version: str) -> AsyncIterator[DeployEvent]: ...


def version_routes(
    backend: Callable[[], VersionBackend], stream: Stream, refuse: Refuse
) -> list[tuple[str, Endpoint, str]]:
    """Path, endpoint and verb of each; `stream` answers with a deploy's events."""
    api = _Api(backend, stream)
    routes = [
        ("versions", api.versions, "GET"),
        ("diff", api.diff, "GET"),
        ("rollback", api.rollback, "POST"),
    ]
    return [
        (f"/api/applications/{{name}}/{path}", _or_unknown(endpoint, refuse), verb)
        for path, endpoint, verb in routes
    ]


class _Api:
    def __init__(self, backend: Callable[[], VersionBackend], stream: Stream) -> None:
        self._backend = backend
        self._stream = stream

    async def versions(self, request: Request) -> Response:
        return _json(self._backend().list(request.path_params["name"]))

    async def diff(self, request: Request) -> Response:
        asked = request.query_params
        found = await self._backend().diff(
            request.path_params["name"], asked.get("from", ""), asked.get("to", "")
        )
        return _json(found)

    async def rollback(self, request: Request) -> Response:
        name = request.path_params["name"]
        version = request.query_params.get("version", "")
        return await self._stream(self._backend().rollback(name, version))


def _or_unknown(endpoint: Endpoint, refuse: Refuse) -> Endpoint:
    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except (UnknownDeploymentError, UnknownVersionError) as error:
            return refuse(404, error)

    return answer


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")
