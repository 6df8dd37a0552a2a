"""What the controller and a replica process tell each other."""

import re
from dataclasses import dataclass, field

from workbench.spec.deployment import DeploymentOptions, Kind, Version
from workbench.spec.ranks import Standing
from workbench.spec.table import Address
from workbench.spec.tracing import TracingSpec

__all__ = [
    "CheckRequest",
    "Description",
    "LoadRequest",
    "Report",
    "Seat",
    "ShellConfig",
    "Trouble",
    "is_reservation",
    "reservation_of",
]

_RESERVATION = re.compile(r"workbench-[0-9a-f]{8}")


def reservation_of(replica_id: str) -> str:
    """Name of the place in the cluster that a new replica holds."""
    return f"workbench-{replica_id}"


def is_reservation(name: str) -> bool:
    """Whether that is one of ours; a user's own places are none of our business."""
    return _RESERVATION.fullmatch(name) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShellConfig:
    """What a shell must know before it belongs to anybody."""

    id: str
    socket_dir: str
    """Directory (mode 0700) for Unix sockets on this host."""
    host: str
    """Address to listen on by TCP."""
    secret: bytes
    """Key that both ends of every channel prove to know."""
    controller: Address
    node_id: str = ""
    is_spare: bool = True
    """Fit for any replica; not if it was started into an environment of its own."""
    services: str = ""
    """Of gRPC, as `workbench.spec.grpc.GrpcSpec` has them: their modules hold messages
    that calls may bring to any replica."""
    tracing: TracingSpec | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """The place of a replica: what it is, and what it may use of its node."""

    app: str
    deployment: str
    kind: Kind
    options: DeploymentOptions
    version: Version
    replica_id: str = ""
    reservation: str = ""
    """Where it sits; told back to a controller that has to find out."""
    node_id: str = ""
    gpu_ids: tuple[str, ...] | None = ()
    """None: Ray has said it to the process itself."""
    standing: Standing = field(default_factory=Standing)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRequest:
    """Become a replica, or (to a running one) take over new code or options."""

    seat: Seat
    code: bytes
    args: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRequest:
    """Run a user's tests of a replica in another process than its own."""

    checks: bytes
    """Functions of a handle, as `workbench.code.ship.ship_functions` packs them."""
    app: str
    deployment: str
    max_ongoing_requests: int
    replica_id: str
    address: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How a `load`, `keep`, `reconfigure` or `stand` went.

    `error` is empty on success, else the user's traceback without our frames (or a
    sentence of ours). `refused` says why the living instance could not be kept; the
    old code then still serves.
    """

    error: str = ""
    refused: str = ""
    took_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """A replica is beyond help, and has to be replaced."""

    reason: str
    """Ends with the place in user code where it hangs."""
    can_drain: bool
    """Its other calls can still end in good order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What a process says of itself, for a controller that has to find out."""

    id: str
    pid: int
    host_id: str
    address: Address
    node_id: str = ""
    is_spare: bool = True
    seat: Seat | None = None
    """None while it is a warm shell."""
    is_serving: bool = False
    is_draining: bool = False
    ongoing: int = 0
    log_path: str = ""
