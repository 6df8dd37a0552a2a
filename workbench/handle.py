"""Handles: Python callers of a deployment, in replicas, scripts and notebooks.

`handle.remote(...)` hands the call to the process's router at once and returns a
response to wait on. In a replica the router shares the loop with async user code, so
a call there costs no thread hop; everywhere else the router has a thread of its own,
which is why `.result()` works in a notebook cell although a loop runs there.
"""

import asyncio
from typing import Any

from workbench.errors import NoInstanceError
from workbench.request import current_request
from workbench.response import (
    DeploymentResponse,
    DeploymentResponseGenerator,
    Runtime,
    Submitter,
)
from workbench.wire.messages import Call

__all__ = [
    "DeploymentHandle",
    "DeploymentResponse",
    "DeploymentResponseGenerator",
    "set_runtime",
]

_runtime: Runtime | None = None


def set_runtime(
    router: Submitter | None, loop: asyncio.AbstractEventLoop | None = None
) -> None:
    """Say how calls leave this process, and on which loop; None: they no longer can."""
    global _runtime  # noqa: PLW0603 - one router per process, set by whoever owns it
    _runtime = Runtime(router, loop) if router and loop else None


def _get_runtime() -> Runtime:
    if _runtime is None:
        msg = "This process is not connected to an instance, so a handle cannot call."
        raise NoInstanceError(
            msg, "Call serve.run(), serve.start() or serve.connect()."
        )
    return _runtime


class DeploymentHandle:
    """Calls a deployment's methods: `handle.remote(x)`, `handle.method.remote(x)`.

    Cheap to make, picklable, and never connected to a single replica.
    """

    def __init__(
        self,
        deployment_name: str,
        app_name: str,
        method_name: str = "__call__",
        stream: bool = False,  # noqa: FBT001, FBT002 - set by options(stream=...)
    ) -> None:
        self._deployment = deployment_name
        self._app = app_name
        self._method = method_name
        self._stream = stream

    @property
    def deployment_name(self) -> str:
        """Name of the deployment."""
        return self._deployment

    @property
    def app_name(self) -> str:
        """Name of the application it belongs to."""
        return self._app

    def options(
        self, *, method_name: str | None = None, stream: bool | None = None
    ) -> "DeploymentHandle":
        """A handle that calls another method, or gets its answer as a stream."""
        return DeploymentHandle(
            self._deployment,
            self._app,
            self._method if method_name is None else method_name,
            self._stream if stream is None else stream,
        )

    def remote(self, *args: object, **kwargs: object) -> Any:
        """Call; returns at once a response, or with `stream` a generator of items.

        Arguments that are responses of other calls are waited for first, without
        holding up this caller or a replica.
        """
        runtime = _get_runtime()
        call = Call(
            id=runtime.router.next_id(),
            method=self._method,
            request_id=current_request.get().request_id,
            stream=self._stream,
        )
        made = DeploymentResponseGenerator if self._stream else DeploymentResponse
        response = made(runtime, call, f"{self._app}#{self._deployment}")
        response.send(args, kwargs)
        return response

    def __getattr__(self, name: str) -> "DeploymentHandle":
        if name.startswith("__"):
            raise AttributeError(name)
        return self.options(method_name=name)

    def __reduce__(self) -> tuple[object, ...]:
        return DeploymentHandle, (
            self._deployment,
            self._app,
            self._method,
            self._stream,
        )

    def __repr__(self) -> str:
        method = "" if self._method == "__call__" else f", method={self._method!r}"
        return f"DeploymentHandle({self._app}#{self._deployment}{method})"

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, DeploymentHandle)
            and self.__reduce__()[1] == other.__reduce__()[1]
        )

    def __hash__(self) -> int:
        return hash(self.__reduce__()[1])
