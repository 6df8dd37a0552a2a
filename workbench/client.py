"""One connection of a front end to an instance: the control API, and handles."""

import json
import platform
import secrets
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import asdict
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from workbench import __version__, errors
from workbench.handle import set_runtime
from workbench.instance import channel_secret
from workbench.loop import LoopThread
from workbench.routing.dispatch import Router
from workbench.routing.report import report
from workbench.spec.application import DeployRequest
from workbench.spec.autoscaling import ScalingRecord
from workbench.spec.control import Introduction
from workbench.spec.events import Event
from workbench.spec.logs import LogPage, LogQuery
from workbench.spec.status import DeployEvent, ServeStatus
from workbench.spec.versions import VersionDiff, VersionList
from workbench.wire.host import host_id

if TYPE_CHECKING:
    from concurrent.futures import Future

if TYPE_CHECKING:
    import httpx

__all__ = ["Client"]

_CONNECT_S = 5.0
_READY_S = 10.0
# The stream of events says something twice a second.
_SILENT_S = 15.0


class Client:
    """Speaks to one instance; handles made in this process call through it."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url.rstrip("/")
        self._token = token
        # Replicas import all of this too, but never need httpx: 0.15 s of import.
        import httpx  # noqa: PLC0415

        self._transport_error = httpx.TransportError
        # No timeout on reading: a deploy takes as long as the user's constructor.
        self._http = httpx.Client(
            base_url=self.url,
            headers={"authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(_CONNECT_S, read=None),
            trust_env=False,
            # Reading the certificates costs 65 ms, which http:// does not need.
            verify=self.url.startswith("https:"),
        )
        self._thread: LoopThread | None = None
        self._router: Router | None = None
        self.answered_s = 0.0
        """When it last did as asked, by the monotonic clock; 0 if not when last asked."""
        self.about = self._introduce()

    def open_handles(self) -> None:
        """Let handles of this process call; nothing happens the second time."""
        if self._thread is not None:
            return
        self._thread = LoopThread("workbench-client").start()
        self._thread.submit(self._open_router()).result(_READY_S)

    def is_alive(self) -> bool:
        """Whether the instance still answers."""
        try:
            return self._introduce().id == self.about.id
        except errors.InstanceError:
            return False

    def deploy(
        self, request: DeployRequest, on_event: Callable[[DeployEvent], None]
    ) -> Iterator[DeployEvent]:
        """Send a deploy and give its events as they come."""
        path = _path_of(request.application.name)
        body = msgspec.msgpack.encode(request)
        yield from self._follow("PUT", path, on_event, content=body)

    def rollback(
        self,
        app: str,
        version: str | int | None,
        on_event: Callable[[DeployEvent], None],
    ) -> Iterator[DeployEvent]:
        """Have a version deployed again; gives its events as they come."""
        asked = {} if version is None else {"version": str(version)}
        yield from self._follow(
            "POST", f"{_path_of(app)}/rollback", on_event, params=asked
        )

    def versions(self, app: str) -> VersionList:
        """What was deployed of an application.

        Raises:
            UnknownDeploymentError: there is no such application.
        """
        content = self._ask("GET", f"{_path_of(app)}/versions").content
        return msgspec.json.decode(content, type=VersionList)

    def diff(self, app: str, a: str | int | None, b: str | int | None) -> VersionDiff:
        """What changed between two versions.

        Raises:
            UnknownDeploymentError: there is no such application.
            UnknownVersionError: there is no such version, or its code is gone.
        """
        given = {"from": a, "to": b}
        asked = {name: str(each) for name, each in given.items() if each is not None}
        content = self._ask("GET", f"{_path_of(app)}/diff", params=asked).content
        return msgspec.json.decode(content, type=VersionDiff)

    def _follow(
        self, verb: str, path: str, on_event: Callable[[DeployEvent], None], **sent: Any
    ) -> Iterator[DeployEvent]:
        try:
            with self._http.stream(verb, path, **sent) as response:
                if response.status_code != HTTPStatus.OK:
                    response.read()
                    raise _refusal(response)
                for line in response.iter_lines():
                    event = msgspec.json.decode(line, type=DeployEvent)
                    on_event(event)
                    yield event
        except self._transport_error as error:
            raise self._unreachable(error) from None

    def events(self) -> Generator[Event, None, None]:
        """Status, history and samples as they come, until closed or broken off."""
        import httpx  # noqa: PLC0415 - as above

        patience = httpx.Timeout(_CONNECT_S, read=_SILENT_S)
        try:
            with self._http.stream("GET", "/api/events", timeout=patience) as response:
                if response.status_code != HTTPStatus.OK:
                    response.read()
                    raise _refusal(response)
                for line in response.iter_lines():
                    yield _read_event(line)
        except (self._transport_error, httpx.StreamError) as error:
            raise self._unreachable(error) from None
        raise self._unreachable("it ended the stream of events")

    def status(self) -> ServeStatus:
        """Everything that runs."""
        return msgspec.json.decode(
            self._ask("GET", "/api/status").content, type=ServeStatus
        )

    def metrics(self) -> str:
        """What is counted, as Prometheus reads it."""
        return self._ask("GET", "/api/metrics").text

    def delete(self, name: str) -> bool:
        """Delete an application; False if there is none of that name."""
        return bool(self._ask("DELETE", _path_of(name)).json()["deleted"])

    def scale(self, app: str, deployment: str, num_replicas: int) -> None:
        """Change how many replicas a deployment should have.

        Raises:
            UnknownDeploymentError: there is none of that name.
            ScaleError: the number cannot be.
        """
        names = quote(app, safe=""), quote(deployment, safe="")
        path = "/api/applications/{}/deployments/{}/scale".format(*names)
        self._ask("PUT", path, json={"num_replicas": num_replicas})

    def explain(self, app: str) -> tuple[ScalingRecord, ...]:
        """What autoscaling decided for an application, oldest first."""
        content = self._ask("GET", f"{_path_of(app)}/scaling").content
        return msgspec.json.decode(content, type=tuple[ScalingRecord, ...])

    def logs(self, query: LogQuery) -> LogPage:
        """What replicas said.

        Raises:
            LogQueryError: the instance does not know such a query.
        """
        given = {name: each for name, each in asdict(query).items() if each}
        content = self._ask("GET", "/api/logs", params=given).content
        return msgspec.json.decode(content, type=LogPage)

    def shutdown(self) -> None:
        """Ask the instance to end."""
        self._ask("POST", "/api/shutdown")

    def close(self) -> None:
        """Let go of the instance; it runs on."""
        if self._thread is not None:
            set_runtime(None)
            if self._router is not None:
                self._thread.submit(self._router.close()).result(_READY_S)
            self._thread.stop()
            self._thread = None
        self._http.close()

    def _introduce(self) -> Introduction:
        content = self._ask("GET", "/api/instance").content
        about = msgspec.json.decode(content, type=Introduction)
        _check_versions(about)
        return about

    async def _open_router(self) -> None:
        assert self._thread is not None
        self._router = Router(
            name=f"client-{secrets.token_hex(4)}",
            secret=channel_secret(self._token),
            host_id=host_id(),
        )
        self._following: Future[None] = self._thread.submit(
            self._router.follow(self.about.controller)
        )
        self._reporting: Future[None] = self._thread.submit(report(self._router))
        await self._router.wait_until_ready()
        set_runtime(self._router, self._thread.loop)

    def _ask(self, verb: str, path: str, **parts: Any) -> "httpx.Response":
        try:
            response = self._http.request(verb, path, **parts)
        except self._transport_error as error:
            raise self._unreachable(error) from None
        if response.status_code != HTTPStatus.OK:
            raise _refusal(response)
        self.answered_s = time.monotonic()
        return response

    def _unreachable(self, error: object) -> errors.InstanceError:
        self.answered_s = 0.0
        return errors.InstanceError(
            f"The control API at {self.url} does not answer ({error}).",
            "See with `workbench status` what runs; its address may have changed.",
        )


def _path_of(app: str) -> str:
    return f"/api/applications/{quote(app, safe='')}"


_read_event = msgspec.json.Decoder(Event).decode


def _refusal(response: "httpx.Response") -> errors.WorkbenchError:
    """The error that the control API answered with."""
    try:
        found = response.json()
        kind = getattr(errors, found["error"])
        message, hint = str(found["message"]), found.get("hint")
    except (json.JSONDecodeError, KeyError, AttributeError, TypeError):
        kind, message, hint = errors.InstanceError, response.text[:500], None
    made: errors.WorkbenchError = kind(message, hint)
    return made


def _check_versions(about: Introduction) -> None:
    """Code travels as byte code: both ends must run the same Python and Workbench."""
    ours = platform.python_version_tuple()[:2]
    theirs = tuple(about.python_version.split(".")[:2])
    if ours != theirs:
        msg = (
            f"The instance runs Python {about.python_version}, this process "
            f"{platform.python_version()}: code cannot travel between them."
        )
        raise errors.VersionMismatchError(msg, f"Use Python {'.'.join(theirs)} here.")
    if about.version != __version__:
        msg = f"The instance runs Workbench {about.version}, this is {__version__}."
        hint = f"pip install serve-workbench=={about.version}, or restart the instance."
        raise errors.VersionMismatchError(msg, hint)
