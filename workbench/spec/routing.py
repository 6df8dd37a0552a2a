"""How routers choose among the replicas of a deployment."""

import json
from dataclasses import dataclass, field

__all__ = [
    "POLICIES",
    "BackpressureSpec",
    "RoutingSpec",
    "parse_backpressure",
    "parse_routing",
]

POLICIES = {
    "least_loaded": frozenset[str](),
    "power_of_two": frozenset[str](),
    "round_robin": frozenset[str](),
    "consistent_hash": frozenset({"num_virtual_nodes", "num_fallback_replicas"}),
}
"""The policies there are, and the names of their arguments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingSpec:
    """A policy by name; or one of the user's own by import path, `module:Class`."""

    policy: str = "least_loaded"
    arguments: dict[str, object] = field(default_factory=dict)
    """Given to the policy's constructor; JSON values."""

    def __post_init__(self) -> None:
        """Reject what cannot work, naming the value."""
        known = POLICIES.get(self.policy)
        if known is None and ":" not in self.policy:
            msg = (
                f"There is no routing policy {self.policy!r}; there are "
                f"{', '.join(POLICIES)}, or your own as 'module:Class'."
            )
            raise ValueError(msg)
        if known is not None and (unknown := sorted(set(self.arguments) - known)):
            takes = ", ".join(sorted(known)) or "none"
            msg = f"{self.policy} has no argument {unknown[0]!r}; it takes: {takes}."
            raise ValueError(msg)
        try:
            json.dumps(self.arguments)
        except (TypeError, ValueError) as error:
            msg = f"Arguments of a routing policy must be JSON: {error}."
            raise ValueError(msg) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class BackpressureSpec:
    """What HTTP clients are told when a deployment's queue is full."""

    status_code: int = 503
    """503 or 429."""
    retry_after_s: float | None = None
    """For the header Retry-After, rounded up to whole seconds; None: no header."""

    def __post_init__(self) -> None:
        """Reject what cannot work, naming the value."""
        if self.status_code not in {429, 503}:
            msg = f"status_code of back-pressure is 503 or 429; got {self.status_code}."
            raise ValueError(msg)
        wait: object = self.retry_after_s
        if wait is not None and (not isinstance(wait, int | float) or wait < 0):
            msg = f"retry_after_s is a time in seconds, 0 or more; got {wait!r}."
            raise ValueError(msg)


# Ray Serve's classes, by the last part of their import path.
_RAY_SERVE = {
    "PowerOfTwoChoicesRequestRouter": "power_of_two",
    "RoundRobinRouter": "round_robin",
    "ConsistentHashRouter": "consistent_hash",
}

# How often Ray Serve's routers ask replicas for their queues, and how patiently.
_OF_PROBING = frozenset(
    {
        "backoff_multiplier",
        "initial_backoff_s",
        "max_backoff_s",
        "request_routing_stats_period_s",
        "request_routing_stats_timeout_s",
    }
)


def parse_routing(given: object) -> RoutingSpec:
    """A policy's name, a `RequestRouterConfig`, or a dict with its fields.

    Raises:
        TypeError: anything else.
        ValueError: there is no such policy, or it has no such argument.
    """
    if given is None:
        return RoutingSpec()
    if isinstance(given, RoutingSpec):
        return given
    if isinstance(given, str):
        return RoutingSpec(policy=_policy_name(given))
    if isinstance(given, dict):
        fields = dict(given)
        policy = fields.pop("request_router_class", "least_loaded")
        arguments = fields.pop("request_router_kwargs", None) or {}
        if probing := sorted(set(fields) & _OF_PROBING):
            msg = (
                f"{probing[0]} of Ray Serve has nothing to set here: replicas are "
                "not asked how long their queues are, they tell. Leave it away."
            )
            raise ValueError(msg)
        if not fields:
            return RoutingSpec(policy=_policy_name(policy), arguments=arguments)
    msg = (
        "request_router_config is the name of a policy or a RequestRouterConfig; "
        f"got {given!r}."
    )
    raise TypeError(msg)


def parse_backpressure(given: object) -> BackpressureSpec:
    """A `BackpressureConfig`, or a dict with its fields.

    Raises:
        TypeError: anything else, or unknown fields.
        ValueError: a value that cannot be.
    """
    if given is None:
        return BackpressureSpec()
    if isinstance(given, BackpressureSpec):
        return given
    if isinstance(given, dict) and given.keys() <= {"status_code", "retry_after_s"}:
        return BackpressureSpec(**given)
    msg = (
        "backpressure_config is a BackpressureConfig, or a dict with status_code and "
        f"retry_after_s; got {given!r}."
    )
    raise TypeError(msg)


def _policy_name(given: object) -> str:
    if isinstance(given, type):
        given = f"{given.__module__}:{given.__qualname__}"
    if not isinstance(given, str):
        msg = f"A routing policy is named by text or a class; got {given!r}."
        raise TypeError(msg)
    last = given.replace(":", ".").rpartition(".")[2]
    return _RAY_SERVE.get(last, given)
