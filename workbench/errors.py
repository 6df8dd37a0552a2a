"""Every error Workbench raises on purpose, and what to do about it.

    WorkbenchError
    ├── InstanceError              no instance, or it cannot be started or reached
    │   ├── NoInstanceError        nothing is running and nothing was asked to start
    │   ├── StartError             an instance did not come up
    │   ├── PortBusyError          a port asked for by number is taken
    │   ├── NoHttpError            it was started without a proxy
    │   ├── SavedStateError        what an instance saved cannot be used
    │   ├── WrongTokenError        the control API refused the token
    │   └── VersionMismatchError   it runs another Python or Workbench
    ├── DeployError (RuntimeError) an application could not be brought up
    │   ├── ConstructorError       the user's constructor or reconfigure raised
    │   ├── PlacementError         the cluster has no room for a replica
    │   ├── GateError              it came up, and failed the tests that it must pass
    │   └── ShippingError          something the code uses cannot travel
    ├── UnknownDeploymentError (LookupError)  nothing of that name runs
    ├── UnknownVersionError (LookupError)  no version of that name is kept
    ├── ScaleError (ValueError)    a number of replicas that cannot be
    ├── PolicyError                an autoscaling policy of the user's gave no number
    ├── LogQueryError (ValueError) records asked for that cannot be
    ├── ConfigError (ValueError)   a config file, or what it names, that cannot be
    ├── CallError                  one call to a deployment went wrong
    │   ├── RemoteError            the user's code raised (also is its own type)
    │   ├── NoSuchMethodError      the deployment has no method of that name
    │   ├── NotStreamingError (TypeError)  a stream asked of what is none, or the reverse
    │   ├── ReplicaUnavailableError  the replica ended with the call unanswered
    │   ├── DeploymentUnavailableError  nothing runs that could take the call
    │   ├── BackPressureError      the deployment's queue is full
    │   ├── RequestCancelledError  the caller withdrew the call
    │   ├── RequestTimeoutError (TimeoutError)  its time was over before it was answered
    │   └── BatchError             a batched function did not answer item by item
    └── ProtocolError              a peer broke the wire protocol

Each class carries a default hint: the sentence that says what to do next.
"""

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "BackPressureError",
    "BatchError",
    "CallError",
    "ConfigError",
    "ConstructorError",
    "DeployError",
    "DeploymentUnavailableError",
    "GateError",
    "InstanceError",
    "LogQueryError",
    "NoHttpError",
    "NoInstanceError",
    "NoSuchMethodError",
    "NotStreamingError",
    "PlacementError",
    "PolicyError",
    "PortBusyError",
    "ProtocolError",
    "RemoteError",
    "ReplicaUnavailableError",
    "RequestCancelledError",
    "RequestTimeoutError",
    "SavedStateError",
    "ScaleError",
    "ShippingError",
    "StartError",
    "UnknownDeploymentError",
    "UnknownVersionError",
    "VersionMismatchError",
    "WorkbenchError",
    "WrongTokenError",
]


class WorkbenchError(Exception):
    """Base of all errors of this package: what happened, and what to do next."""

    hint = "Run `workbench status` to see what is running."
    _drawn: ClassVar["Callable[[WorkbenchError], list[str]] | None"] = None

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if hint is not None:
            self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.message, self.hint)

    def __str__(self) -> str:
        return f"{self.message}\n  → {self.hint}" if self.hint else self.message

    def _render_traceback_(self) -> list[str]:
        """Show message and hint only: the reader's code is not at fault in our frames."""
        draw = WorkbenchError._drawn
        return self._plainly() if draw is None else draw(self)

    @staticmethod
    def draw_with(draw: "Callable[[WorkbenchError], list[str]] | None") -> None:
        """Have IPython show our errors as `draw` says; None: plainly again.

        A notebook sets it, since it knows the names of its cells.
        """
        WorkbenchError._drawn = draw

    def _plainly(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]


class InstanceError(WorkbenchError):
    """An instance is missing or cannot be reached."""


class NoInstanceError(InstanceError):
    """No instance is running."""

    hint = (
        "Start one: run a `%%serve` cell, call `serve.start()`, or run `workbench up`."
    )


class NoHttpError(InstanceError):
    """The instance was started without a proxy: nothing answers HTTP."""

    hint = (
        "Call it by handle: serve.get_app_handle(NAME).remote(...). For HTTP, end the "
        "instance (`serve.shutdown()`) and start it without proxy_location Disabled."
    )


class StartError(InstanceError):
    """An instance did not come up."""

    hint = "The text above says why; run `workbench up` to see it start."


class PortBusyError(InstanceError):
    """A port asked for by number is in use."""

    hint = "Choose another port, or name none to get the next free one."


class SavedStateError(InstanceError):
    """What an instance saved is damaged, foreign or missing; it is left as it is."""

    hint = (
        "It is kept as it is. Restore another one, `workbench up --restore PATH`, or "
        "start without: `workbench up`."
    )


class WrongTokenError(InstanceError):
    """The control API refused the token."""

    hint = (
        "Give serve.connect(url, token=...) the token of the instance's own file; "
        "`workbench up` on its host says where that is."
    )


class VersionMismatchError(InstanceError):
    """The instance runs another version of Python or Workbench than this process."""

    hint = "End it with the Workbench that started it, or install its version here."


class DeployError(WorkbenchError, RuntimeError):
    """An application could not be brought up; what served before still serves."""

    hint = "Mend the cause and deploy again; what served before serves on."


class ConstructorError(DeployError):
    """The user's constructor or `reconfigure` raised; the message holds its traceback."""


class PlacementError(DeployError):
    """The cluster cannot hold a replica; the message says what it needs and has."""

    hint = "Ask for less in ray_actor_options, delete an application, or add a node."


class GateError(DeployError):
    """The new version came up, but did not pass its smoke requests or its guard."""

    hint = "What served before, if anything, serves again; mend the cause and redeploy."


class ShippingError(DeployError):
    """A value that the code uses cannot travel to a replica."""

    hint = "Create it in __init__, so that each replica makes its own."


class UnknownDeploymentError(WorkbenchError, LookupError):
    """No application, or no deployment in it, has that name."""

    hint = "See with `workbench status` what runs; names are as in the code."


class UnknownVersionError(WorkbenchError, LookupError):
    """No version of the application has that name, of those that are kept."""

    hint = "See with `serve.versions(app)` which there are."


class ScaleError(WorkbenchError, ValueError):
    """A deployment cannot have that number of replicas."""

    hint = "Give a whole number, 1 or more; delete an application to stop it."


class PolicyError(WorkbenchError):
    """An autoscaling policy of the user's did not say how many replicas to have."""

    hint = "Mend it and deploy again; the number of replicas stays until then."


class LogQueryError(WorkbenchError, ValueError):
    """Log records cannot be asked for like that."""

    hint = "The message names the value and what it may be."


class ConfigError(WorkbenchError, ValueError):
    """A config file, or what it names, cannot be deployed."""

    hint = "Mend the field that the message names; nothing of the file was deployed."


class CallError(WorkbenchError):
    """One call to a deployment went wrong."""

    hint = ""


class RemoteError(CallError):
    """User code raised in a replica.

    What a caller catches is a class that derives from both this and the original
    type, so `except ValueError` works; `cause` is the original where it travelled,
    and `remote_traceback` is the replica's traceback as text.
    """

    def __init__(
        self,
        message: str,
        hint: str | None = None,
        *,
        cause: BaseException | None = None,
        remote_traceback: str = "",
    ) -> None:
        super().__init__(message, hint)
        self.cause = cause
        self.remote_traceback = remote_traceback

    def _plainly(self) -> list[str]:
        return [self.remote_traceback or f"{type(self).__name__}: {self}"]


class NoSuchMethodError(CallError):
    """The deployment has no method of that name."""


class NotStreamingError(CallError, TypeError):
    """A generator was called without `stream=True`, or something else with it."""

    hint = "Use handle.options(stream=True) for generators, and only for them."


class ReplicaUnavailableError(CallError):
    """The replica ended before it answered; the call may or may not have run."""

    hint = "Call again if running twice does no harm; a new replica is being started."


class DeploymentUnavailableError(CallError):
    """Nothing runs that could take the call."""

    hint = "See serve.status() for why no replica of it runs."


class BackPressureError(CallError):
    """The deployment's queue is full."""

    hint = "Call again later, or raise max_queued_requests or num_replicas."
    status_code = 503
    """What an HTTP client is told: 503 or 429, as the deployment says."""
    retry_after_s: float | None = None
    """When to try again, if the deployment says so."""


class RequestCancelledError(CallError):
    """The call was cancelled before it was answered."""


class RequestTimeoutError(CallError, TimeoutError):
    """The request's time was over before the call was answered; it was cancelled."""

    hint = "Give it more time: request_timeout_s, or handle.options(timeout_s=...)."


class BatchError(CallError):
    """A function under `@serve.batch` got a batch and did not answer it item by item."""

    hint = "Return a list with one answer for each item, in the order of the items."


class ProtocolError(WorkbenchError):
    """A peer broke the wire protocol; its channel is closed."""

    hint = "Check that both ends run the same version of Workbench."
