"""What the controller's process is told, and what it tells."""

from dataclasses import dataclass

from workbench.spec.grpc import GrpcSpec
from workbench.spec.http import HTTPOptions
from workbench.spec.table import Address
from workbench.spec.tracing import TracingSpec

__all__ = ["CONTROLLER_NAME", "ControlConfig", "Credentials", "Introduction"]

CONTROLLER_NAME = "controller"


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlConfig:
    """Everything the controller needs before it reads its checkpoint."""

    id: str
    token: str
    home: str
    """Directory for sockets on each host."""
    http: HTTPOptions
    spare_shells: int
    kept_versions: int
    ray_version: str
    launcher_pid: int
    is_embedded: bool
    """Ray is ours and on this host alone: everything listens on loopback."""
    saved_dir: str
    """Where what is deployed is saved as files."""
    grpc: GrpcSpec | None = None
    """None: no gRPC is spoken."""
    tracing: TracingSpec | None = None
    """None: no spans are made."""
    outages: tuple[str, ...] = ()
    """What ended everything before this start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """How to reach the control API; or why there is none."""

    url: str = ""
    token: str = ""
    error: str = ""
    error_type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Introduction:
    """Answer of `GET /api/instance`: what a handle's process must know."""

    id: str
    version: str
    ray_version: str
    python_version: str
    http_url: str
    """Empty: it has no proxy."""
    controller: Address
    launcher_pid: int
    http: HTTPOptions | None = None
    """How the proxy listens, without the password of its key."""
    is_traced: bool = False
    """Whether it was started with a `tracing_config`."""
