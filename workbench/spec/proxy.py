"""What the controller and a proxy process tell each other."""

from dataclasses import dataclass

from workbench.spec.grpc import GrpcSpec
from workbench.spec.http import HTTPOptions
from workbench.spec.table import Address
from workbench.spec.tracing import TracingSpec

__all__ = ["ProxyConfig", "ProxyDescription"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyConfig:
    """What a proxy must know to open its door."""

    id: str
    socket_dir: str
    """Directory (mode 0700) for Unix sockets on this host."""
    secret: bytes
    """Key that both ends of every channel prove to know."""
    controller: Address
    options: HTTPOptions
    pinned_port: int | None = None
    """For a proxy that replaces another: the port that clients already know."""
    grpc: GrpcSpec | None = None
    """None: it speaks HTTP alone."""
    pinned_grpc_port: int | None = None
    tracing: TracingSpec | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyDescription:
    """What a proxy says of itself."""

    id: str
    pid: int
    host: str
    port: int
    grpc_port: int | None = None
    """None: it does not speak gRPC."""
