"""Import path `ray.serve.grpc_util`: what a gRPC call gives to user code."""

from workbench.replica.grpc_context import RayServegRPCContext
from workbench.replica.grpc_stream import gRPCInputStream

__all__ = ["RayServegRPCContext", "gRPCInputStream"]
