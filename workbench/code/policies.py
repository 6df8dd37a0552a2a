"""A user's autoscaling policy, on its way to the controller.

Called by `build`. It travels as the code of deployments does: by value where it was
written in a notebook or script, with the user's own modules that it needs.
"""

import hashlib
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from workbench.code.named import find_callable, split_path
from workbench.code.ship import ship_functions
from workbench.spec.autoscaling import POLICIES, AutoscalingPolicy

__all__ = ["ship_application_policy", "ship_policy"]

# Ray Serve's paths, ours, and the functions behind the names: by the last part.
_OURS = {
    "default_autoscaling_policy": "default",
    "replica_queue_length_autoscaling_policy": "default",
    "latency_autoscaling_policy": "latency",
    "schedule_autoscaling_policy": "schedule",
}
_FUNCTIONS = {"queue_length": "default", "latency": "latency", "schedule": "schedule"}
_HOME = "workbench.controller.scaling_policies"
_OUR_MODULES = ("ray.serve.autoscaling_policy", "workbench.serve.autoscaling_policy")


def ship_policy(
    policy: AutoscalingPolicy, root: Path
) -> tuple[AutoscalingPolicy, bytes]:
    """The policy as the controller keeps it, and its code; empty for one of ours.

    Raises:
        ModuleNotFoundError: an import path names a module that is not there.
        ValueError: an import path leads to nothing that can be called.
        ShippingError: it cannot travel.
    """
    if policy.code:
        return policy, b""
    if (name := _name_of_ours(policy.policy_function)) is not None:
        return replace(policy, policy_function=name), b""
    function = policy.policy_function
    if isinstance(function, str):
        function = find_callable(function, root, _missing)
    assert callable(function)
    code = ship_functions([function], root=root)
    shown = getattr(function, "__qualname__", type(function).__name__)
    blob_id = hashlib.sha256(code).hexdigest()[:32]
    return replace(policy, policy_function=shown, code=blob_id), code


def ship_application_policy(
    policy: AutoscalingPolicy | None, root: Path
) -> tuple[AutoscalingPolicy, bytes] | None:
    """The same for one that proposes for a whole application, if there is one.

    Raises:
        ValueError: it is one of ours, which propose for one deployment.
    """
    if policy is None:
        return None
    shipped, code = ship_policy(policy, root)
    if not shipped.code:
        msg = (
            f"{shipped.policy_function!r} proposes for one deployment, not for an "
            "application: name it in each deployment's autoscaling_config, as policy."
        )
        raise ValueError(msg)
    return shipped, code


def _name_of_ours(function: object) -> str | None:
    if isinstance(function, str) and function in POLICIES:
        return function
    if isinstance(function, str):
        module, name = split_path(function)
        return _OURS.get(name) if module in _OUR_MODULES else None
    if getattr(function, "__module__", "") == _HOME:
        return _FUNCTIONS.get(getattr(function, "__name__", ""))
    return None


def _missing(module: ModuleType, name: str) -> str:
    return f"{module.__name__} has no function or class {name!r} for a policy."
