"""What Ray Serve takes and Workbench does not: each by its name, with what to do instead.

Nothing that a ported program asks for is passed over in silence. Values under which an
option asks for nothing are taken.
"""

from collections.abc import Mapping

from workbench.errors import WorkbenchError

__all__ = ["NotOfferedError", "check_options", "missing_name"]

_OPTIONS = {
    "controller_options": "the controller takes no options",
    "http_host": "use http_options={'host': ...}",
    "http_middlewares": "put middleware into the FastAPI app, where it also runs",
    "http_port": "use http_options={'port': ...}",
}

_ASKS_ITSELF = (
    "a policy of your own may ask for it: it runs in a process of its own, where it "
    "may wait"
)
_NAMES = {
    "AsyncInferenceAutoscalingPolicy": _ASKS_ITSELF,
    "ControllerOptions": _OPTIONS["controller_options"],
    "PrometheusQueryMixin": _ASKS_ITSELF,
    "async_inference_autoscaling_policy": _ASKS_ITSELF,
    "get_deployment_actor": "start a Ray actor by name in __init__, get_if_exists=True",
    "get_deployment_actor_context": "give your actor what it needs as arguments",
    "llm": "write a deployment around the engine",
    "task_consumer": "let a deployment read the queue in a task of its own",
}


class NotOfferedError(WorkbenchError, TypeError, ValueError):
    """Ray Serve has it and Workbench does not."""

    hint = "Leave it away; the message says what to do instead."


def check_options(given: Mapping[str, object]) -> None:
    """Refuse options that would have an effect in Ray Serve and have none here.

    Raises:
        NotOfferedError: one is set; says what to do instead.
        TypeError: Ray Serve has none of that name either.
    """
    for name, value in given.items():
        if name not in _OPTIONS:
            msg = f"There is no option {name!r}."
            raise TypeError(msg)
        if value not in (None, False, [], ()):
            msg = f"{name} of Ray Serve is not offered: {_OPTIONS[name]}."
            raise NotOfferedError(msg)


def missing_name(name: str) -> AttributeError:
    """The error for a name that the module does not have."""
    if name in _NAMES:
        msg = f"serve.{name} of Ray Serve is not offered: {_NAMES[name]}."
    else:
        msg = f"workbench.serve has no {name!r}."
    return AttributeError(msg)
