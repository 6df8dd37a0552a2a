"""How routers choose among the replicas of a deployment."""

import json
from dataclasses import dataclass, field

__all__ = ["POLICIES", "RoutingSpec"]

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
