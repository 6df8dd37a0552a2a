"""What `ProxyProcess` calls to speak gRPC."""

from collections.abc import Iterator

from workbench.code.services import load_services
from workbench.observe.recorder import Recorders
from workbench.proxy.grpc.seams import Routes
from workbench.proxy.grpc.server import GrpcServer
from workbench.proxy.grpc.services import read_services
from workbench.spec.grpc import GrpcSpec

__all__ = ["make_server"]


def make_server(
    spec: GrpcSpec, router: Routes, *, ended: Recorders, ids: Iterator[str]
) -> GrpcServer:
    """A server of the user's services, not opened yet.

    Raises:
        StartError: the services cannot be loaded.
    """
    rpcs = read_services(load_services(spec))
    return GrpcServer(spec.options, rpcs, router, ended=ended, ids=ids)
