"""Handles: Python callers of a deployment, in replicas, scripts and notebooks.

`handle.remote(...)` hands the call to the process's router at once and returns a
response to wait on. In a replica the router shares the loop with async user code, so
a call there costs no thread hop; everywhere else the router has a thread of its own,
which is why `.result()` works in a notebook cell although a loop runs there.
"""

import asyncio
import secrets
from typing import Any

from workbench.errors import NoInstanceError
from workbench.request import Extras, current_request
from workbench.response import DeploymentResponse
from workbench.response_stream import DeploymentResponseGenerator
from workbench.sent_call import Runtime, Submitter
from workbench.wire.messages import Call

__all__ = [
    "DeploymentHandle",
    "DeploymentResponse",
    "DeploymentResponseGenerator",
    "ingress_of",
    "set_local_runtime",
    "set_runtime",
]

_NO_EXTRAS = Extras()

_ID_BYTES = 16

# How calls travel in Ray Serve: what they do is the same by all of these.
_TRANSPORT = frozenset(
    {
        "_by_reference",
        "_prefer_local_routing",
        "_run_router_in_separate_loop",
        "request_serialization",
        "response_serialization",
    }
)
_SERIALIZATIONS = frozenset({"cloudpickle", "pickle", "msgpack", "orjson", "noop"})

_runtime: Runtime | None = None
_local_runtimes: dict[str, Runtime] = {}
"""Of applications in local testing mode, by name."""


def set_runtime(
    router: Submitter | None, loop: asyncio.AbstractEventLoop | None = None
) -> None:
    """Say how calls leave this process, and on which loop; None: they no longer can."""
    global _runtime  # noqa: PLW0603 - one router per process, set by whoever owns it
    _runtime = Runtime(router, loop) if router and loop else None


def set_local_runtime(app_name: str, runtime: Runtime | None) -> None:
    """Say how calls to an application in this very process go; None: it is gone."""
    if runtime is None:
        _local_runtimes.pop(app_name, None)
    else:
        _local_runtimes[app_name] = runtime


def ingress_of(app_name: str) -> str | None:
    """Name of the deployment that calls of an application enter; None: not known here.

    A replica knows it of every application, a script only of local ones.
    """
    runtime = _local_runtimes.get(app_name, _runtime)
    ingresses: dict[str, str] = getattr(runtime and runtime.router, "ingresses", {})
    return ingresses.get(app_name, "").partition("#")[2] or None


def _get_runtime(app_name: str) -> Runtime:
    if app_name in _local_runtimes:
        return _local_runtimes[app_name]
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

    def __init__(  # noqa: PLR0917 - as a handle is unpickled
        self,
        deployment_name: str,
        app_name: str,
        method_name: str = "__call__",
        stream: bool = False,  # noqa: FBT001, FBT002 - set by options(stream=...)
        extras: Extras = _NO_EXTRAS,
    ) -> None:
        self._deployment = deployment_name
        self._app = app_name
        self._method = method_name
        self._stream = stream
        self._extras = extras

    @property
    def deployment_name(self) -> str:
        """Name of the deployment."""
        return self._deployment

    @property
    def app_name(self) -> str:
        """Name of the application it belongs to."""
        return self._app

    def options(
        self,
        *,
        method_name: str | None = None,
        stream: bool | None = None,
        multiplexed_model_id: str | None = None,
        session_id: str | None = None,
        priority: int | None = None,
        timeout_s: float | None = None,
        **transport: object,
    ) -> "DeploymentHandle":
        """A handle with other options; this one stays as it is.

        Args:
            method_name: which method to call.
            stream: get the answer as a stream of items.
            multiplexed_model_id: go to a replica that has this model, if one has.
            session_id: calls of one session go to the same replica, where the
                deployment's routing policy knows sessions.
            priority: higher goes first where calls have to wait; 0 is usual.
            timeout_s: seconds after which a call is cancelled and fails with
                RequestTimeoutError; the request's own deadline holds in any case.
            transport: what Ray Serve lets one say of the way there; taken, since values
                arrive as what they were by any of them.

        Raises:
            TypeError: a value has the wrong type, or there is no such option.
            ValueError: `timeout_s` is not positive, or there is no such serialization.
        """
        if transport:
            _check_transport(transport)
        own = self._extras
        extras = Extras(
            _text("multiplexed_model_id", multiplexed_model_id, own.model_id),
            _text("session_id", session_id, own.session_id),
            own.priority if priority is None else _whole("priority", priority),
            own.timeout_s if timeout_s is None else _seconds("timeout_s", timeout_s),
        )
        return DeploymentHandle(
            self._deployment,
            self._app,
            self._method if method_name is None else method_name,
            self._stream if stream is None else stream,
            extras,
        )

    @property
    def is_initialized(self) -> bool:
        """Whether the handle can call; a program of Ray Serve's may ask."""
        return _local_runtimes.get(self._app, _runtime) is not None

    def shutdown(self) -> None:
        """Nothing: a handle holds nothing that must be let go."""

    async def shutdown_async(self) -> None:
        """Nothing, as `shutdown`."""

    def _init(self, **transport: object) -> None:
        """Check what Ray Serve lets one say before the first call."""
        _check_transport(transport)

    def remote(self, *args: object, **kwargs: object) -> Any:
        """Call; returns at once a response, or with `stream` a generator of items.

        Arguments that are responses of other calls are waited for first, without
        holding up this caller or a replica.
        """
        runtime = _get_runtime(self._app)
        request = current_request.get()
        call = Call(
            id=runtime.router.next_id(),
            method=self._method,
            # Outside of any request this begins one, to find it in the logs by.
            request_id=request.request_id or secrets.token_hex(_ID_BYTES),
            stream=self._stream,
            extras=request.inherited(self._extras),
        )
        made = DeploymentResponseGenerator if self._stream else DeploymentResponse
        response = made(runtime, call, f"{self._app}#{self._deployment}")
        if request.request_id:
            response.join(request.children)
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
            self._extras,
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


def _check_transport(given: dict[str, object]) -> None:
    for name, value in given.items():
        if name not in _TRANSPORT:
            msg = f"Handles have no option {name!r}."
            raise TypeError(msg)
        if name.endswith("serialization") and value not in _SERIALIZATIONS:
            there = ", ".join(sorted(_SERIALIZATIONS))
            msg = f"{name} is one of {there}; got {value!r}."
            raise ValueError(msg)


def _text(name: str, given: object, before: str) -> str:
    if given is None:
        return before
    if not isinstance(given, str):
        msg = f"{name} is text; got {given!r}."
        raise TypeError(msg)
    return given


def _whole(name: str, given: object) -> int:
    if isinstance(given, bool) or not isinstance(given, int):
        msg = f"{name} is a whole number; got {given!r}."
        raise TypeError(msg)
    return given


def _seconds(name: str, given: object) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float):
        msg = f"{name} is a time in seconds; got {given!r}."
        raise TypeError(msg)
    if not given > 0:
        msg = f"{name} must be more than 0 s; got {given!r}."
        raise ValueError(msg)
    return float(given)
