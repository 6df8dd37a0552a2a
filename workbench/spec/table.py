"""The routing table that the controller publishes to every router."""

from dataclasses import dataclass, field

from workbench.spec.routing import BackpressureSpec, RoutingSpec

__all__ = [
    "Address",
    "DeploymentEntry",
    "ReplicaEntry",
    "RouteEntry",
    "Table",
    "TableChange",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a process listens: by Unix socket on its own host, by TCP elsewhere."""

    host_id: str
    """Equal for processes that can share a Unix socket."""
    path: str
    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaEntry:
    """One replica that takes calls."""

    id: str
    address: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentEntry:
    """One deployment and the replicas that serve it now."""

    app: str
    name: str
    max_ongoing_requests: int
    max_queued_requests: int
    replicas: tuple[ReplicaEntry, ...]
    routing: RoutingSpec = field(default_factory=RoutingSpec)
    backpressure: BackpressureSpec = field(default_factory=BackpressureSpec)
    request_timeout_s: float | None = None
    """Of the ingress: how long an HTTP request may take; None: as the proxy has it."""
    failure: str = ""
    """Why it can serve nobody, when it has failed for good; else empty."""

    @property
    def key(self) -> str:
        """Name that is unique in the instance."""
        return f"{self.app}#{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteEntry:
    """URL prefix of one application."""

    prefix: str
    app: str
    deployment: str
    """Key of the deployment that calls enter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Everything a router needs, numbered so that an older one is never taken."""

    version: int = 0
    routes: tuple[RouteEntry, ...] = ()
    deployments: tuple[DeploymentEntry, ...] = field(default=())
    ingresses: dict[str, str] = field(default_factory=dict)
    """Of each application, with or without a route: key of the deployment that calls
    enter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableChange:
    """What a table has that the one before it had not."""

    version: int
    """Of the table that it leads to."""
    after: int
    """Of the table that it is to be applied to; it is of no use with another."""
    deployments: tuple[DeploymentEntry, ...] = ()
    """Those that are new or another than before, whole."""
    deployments_gone: tuple[str, ...] = ()
    """By key."""
    routes: tuple[RouteEntry, ...] = ()
    routes_gone: tuple[str, ...] = ()
    """By prefix."""
    ingresses: dict[str, str] = field(default_factory=dict)
    ingresses_gone: tuple[str, ...] = ()
    """By application."""
