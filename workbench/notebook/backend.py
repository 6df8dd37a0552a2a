"""What the notebook asks of `workbench.api`, and nothing more of it.

Tests pass a fake of this shape; the module itself is what `extension` passes.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Protocol

from workbench.deployment import Application
from workbench.explanation import Explanation
from workbench.spec.application import Owner
from workbench.spec.gate import Gate
from workbench.spec.logs import LogPage, LogQuery
from workbench.spec.status import DeployEvent, InstanceStatus, ServeStatus
from workbench.versions import Diff, Versions

__all__ = ["Answer", "Backend", "Deployed"]


class Deployed(Protocol):
    """What a deploy leaves in the caller's hands."""

    @property
    def handle(self) -> object: ...
    @property
    def url(self) -> str | None: ...
    @property
    def warnings(self) -> tuple[str, ...]: ...
    @property
    def took_s(self) -> float: ...


class Answer(Protocol):
    """What is shown of an HTTP response (httpx's has more)."""

    @property
    def status_code(self) -> int: ...
    @property
    def reason_phrase(self) -> str: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def content(self) -> bytes: ...
    @property
    def text(self) -> str: ...
    @property
    def elapsed(self) -> timedelta: ...
    def json(self) -> object: ...


class Backend(Protocol):
    """The instance that a notebook works with."""

    def deploy(  # noqa: PLR0913 - the API's own signature
        self,
        target: Application,
        *,
        name: str,
        route_prefix: str | None,
        may_keep: bool,
        wait: bool,
        keep_instance: bool,
        owner: Owner,
        gate: Gate,
        on_event: Callable[[DeployEvent], None],
        on_progress: Callable[[str], None],
    ) -> Deployed: ...
    def status(self) -> ServeStatus: ...
    def delete(self, name: str) -> bool: ...
    def shutdown(self) -> bool: ...
    def connect(self, url: str, token: str | None = None) -> InstanceStatus: ...
    def query(self, path: str, body: object | None = None) -> Answer: ...
    def logs(self, query: LogQuery) -> LogPage: ...
    def explain(self, app: str) -> Explanation: ...
    def versions(self, app: str) -> Versions: ...
    def diff(
        self, app: str, a: str | int | None = None, b: str | int | None = None
    ) -> Diff: ...
    def rollback(
        self,
        app: str,
        version: str | int | None = None,
        *,
        on_event: Callable[[DeployEvent], None],
    ) -> Deployed: ...
    def scale(self, app: str, deployment: str, num_replicas: int) -> None: ...
