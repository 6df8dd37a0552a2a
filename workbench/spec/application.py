"""What a user declares of one application, and the request that deploys it."""

from dataclasses import dataclass, field

from workbench.spec.autoscaling import AutoscalingPolicy
from workbench.spec.capacity import check_capacity
from workbench.spec.deployment import DeploymentOptions, DeploymentSpec
from workbench.spec.gate import Gate

__all__ = [
    "ApplicationSpec",
    "DeployRequest",
    "Owner",
    "check_external_scaler",
    "check_route_prefix",
]


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
    target_capacity: float | None = None
    """Percentage of every number of replicas that runs; None: all of it."""
    external_scaler_enabled: bool = False
    """Something outside decides on the numbers, so that nothing inside may."""

    def __post_init__(self) -> None:
        """Refuse what contradicts itself, naming the value."""
        check_capacity(self.target_capacity)
        if self.external_scaler_enabled:
            for spec in self.deployments:
                check_external_scaler(spec.name, spec.options)

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


def check_external_scaler(name: str, options: DeploymentOptions) -> None:
    """Refuse autoscaling where something outside decides on the number.

    Raises:
        ValueError: the deployment has both.
    """
    if options.autoscaling_config is not None:
        msg = (
            f"external_scaler_enabled and the autoscaling_config of {name!r} exclude "
            "each other; leave one away."
        )
        raise ValueError(msg)


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
