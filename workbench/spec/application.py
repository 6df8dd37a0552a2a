"""What a user declares of one application, and the request that deploys it."""

from dataclasses import dataclass, field

from workbench.spec.autoscaling import AutoscalingPolicy
from workbench.spec.deployment import DeploymentSpec
from workbench.spec.gate import Gate

__all__ = ["ApplicationSpec", "DeployRequest", "Owner", "check_route_prefix"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Who deployed an application, so that front ends can lead back to the cell."""

    notebook: str = ""
    """Path of the notebook or script."""
    cell: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationSpec:
    """A graph of deployments under one name and route."""

    name: str
    route_prefix: str | None
    """None: reachable by handle only."""
    ingress: str
    """Name of the deployment that outside calls enter."""
    deployments: tuple[DeploymentSpec, ...]
    owner: Owner = field(default_factory=Owner)
    autoscaling_policy: AutoscalingPolicy | None = None
    """Proposes for all that are autoscaled; None: each deployment's own does."""

    def blob_ids(self) -> set[str]:
        """Every blob that it needs."""
        policy = self.autoscaling_policy
        own = {policy.code} - {""} if policy else set()
        return own.union(*(spec.blob_ids() for spec in self.deployments))


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployRequest:
    """Body of `PUT /api/applications/{name}` (MessagePack)."""

    application: ApplicationSpec
    blobs: dict[str, bytes]
    """Code and arguments by their hash."""
    may_keep: bool = False
    """Living instances may take over new methods (a notebook's default)."""
    gate: Gate = field(default_factory=Gate)
    """What it must stand before it counts as live."""


def check_route_prefix(prefix: str | None) -> None:
    """Refuse a prefix that could never match.

    Raises:
        ValueError: no leading slash, a trailing one, or braces.
    """
    if prefix is None or prefix == "/":
        return
    problem = (
        "must start with '/'"
        if not prefix.startswith("/")
        else "must not end with '/'"
        if prefix.endswith("/")
        else "must not have braces"
        if set("{}") & set(prefix)
        else ""
    )
    if problem:
        msg = f"route_prefix {prefix!r} {problem}."
        raise ValueError(msg)
