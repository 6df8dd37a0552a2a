"""What runs and how a deploy goes: the values front ends show."""

from dataclasses import dataclass, field
from enum import StrEnum

from workbench.spec.application import Owner

__all__ = [
    "ApplicationStatus",
    "ApplicationStatusOverview",
    "DeployEvent",
    "DeploymentStatus",
    "DeploymentStatusOverview",
    "EventKind",
    "InstanceStatus",
    "ProxyStatus",
    "ReplicaState",
    "ReplicaStatus",
    "ServeStatus",
    "Step",
]


class ApplicationStatus(StrEnum):
    """State of an application: the worst of its deployments."""

    NOT_STARTED = "NOT_STARTED"
    DEPLOYING = "DEPLOYING"
    DEPLOY_FAILED = "DEPLOY_FAILED"
    RUNNING = "RUNNING"
    UNHEALTHY = "UNHEALTHY"
    DELETING = "DELETING"


class DeploymentStatus(StrEnum):
    """State of a deployment."""

    UPDATING = "UPDATING"
    UPSCALING = "UPSCALING"
    """Autoscaling wants more replicas than there are."""
    DOWNSCALING = "DOWNSCALING"
    HEALTHY = "HEALTHY"
    UNHEALTHY = "UNHEALTHY"
    DEPLOY_FAILED = "DEPLOY_FAILED"


class ReplicaState(StrEnum):
    """State of one replica (transitions: `workbench.controller.replica_life`)."""

    PLACING = "PLACING"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    UPDATING = "UPDATING"
    STOPPING = "STOPPING"
    STOPPED = "STOPPED"
    FAILED = "FAILED"


class ProxyStatus(StrEnum):
    """State of a proxy."""

    STARTING = "STARTING"
    HEALTHY = "HEALTHY"
    UNHEALTHY = "UNHEALTHY"


class Step(StrEnum):
    """The least work that brings a deployment to its new version, cheapest first."""

    NOTHING = "nothing"
    RECONFIGURE = "reconfigure"
    KEEP = "keep"
    SWAP = "swap"
    ROLL = "roll"
    START = "start"


class EventKind(StrEnum):
    """What a deploy reports while it goes on."""

    STEP = "step"
    """A deployment's step was chosen: `step` and its `reason`."""
    REPLICA = "replica"
    """A replica changed state."""
    GATE = "gate"
    """What the deploy must stand has come so far: `message`."""
    LIVE = "live"
    """Every deployment serves the new version. The last event of a success."""
    FAILED = "failed"
    """The new version did not come up: `message` has the user's traceback or what is
    missing. The last event of a failure; what served before still serves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployEvent:
    """One thing that happened during a deploy."""

    kind: EventKind
    at_s: float
    """Seconds since the controller took the deploy."""
    deployment: str = ""
    step: Step | None = None
    reason: str = ""
    replica: str = ""
    state: ReplicaState | None = None
    message: str = ""
    error: str = ""
    """Name of the error class in `workbench.errors` that a failure becomes."""
    url: str | None = None
    """With LIVE: where the application answers; None without a route or a proxy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaStatus:
    """One replica."""

    id: str
    state: ReplicaState
    version: str
    pid: int
    node: str
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentStatusOverview:
    """One deployment (Ray Serve's fields, and more)."""

    status: DeploymentStatus
    status_trigger: str
    replica_states: dict[str, int]
    message: str = ""
    version: str = ""
    target_num_replicas: int = 1
    scaling: str = ""
    """Why autoscaling wants so many; empty where it does not, or has not decided."""
    replicas: tuple[ReplicaStatus, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationStatusOverview:
    """One application."""

    status: ApplicationStatus
    message: str
    last_deployed_time_s: float
    deployments: dict[str, DeploymentStatusOverview]
    route_prefix: str | None = None
    url: str | None = None
    ingress: str = ""
    owner: Owner = field(default_factory=Owner)


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceStatus:
    """The instance itself."""

    id: str
    version: str
    ray_version: str
    http_url: str
    """Empty: it has no proxy, and applications are called by handles only."""
    notes: tuple[str, ...] = ()
    """What the user should know, for example that port 8000 was busy."""
    pids: dict[str, int] = field(default_factory=dict)
    """Process ids of launcher, controller and (where there is one) proxy on the
    instance's own host."""
    grpc_address: str = ""
    """`host:port` where gRPC is spoken; empty if it is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeStatus:
    """Answer of `serve.status()`."""

    proxies: dict[str, ProxyStatus] = field(default_factory=dict)
    applications: dict[str, ApplicationStatusOverview] = field(default_factory=dict)
    target_capacity: float | None = None
    instance: InstanceStatus | None = None
    """None when nothing runs."""
