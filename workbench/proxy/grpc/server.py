"""gRPC's server in the proxy: opens the port and hands each call to an exchange.

It runs on the proxy's loop, beside HTTP, and calls by the same router. Reflection and
health are gRPC's own services.
"""

from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from workbench.errors import PortBusyError
from workbench.observe.recorder import Recorders
from workbench.proxy.grpc.exchange import GrpcExchange
from workbench.proxy.grpc.instance_service import InstanceService
from workbench.proxy.grpc.seams import Context, Routes
from workbench.proxy.grpc.services import Rpc
from workbench.proxy.grpc.tls import credentials
from workbench.spec.grpc import GRPCOptions

if TYPE_CHECKING:
    from workbench.observe.spans import Spans

__all__ = ["GrpcServer"]

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class GrpcServer:
    """Serves from `open` to `close`; lives on the loop that opened it."""

    def __init__(
        self,
        options: GRPCOptions,
        rpcs: dict[str, Rpc],
        router: Routes,
        *,
        ended: Recorders,
        ids: Iterator[str],
    ) -> None:
        self.router = router
        self.ended = ended
        self.timeout_s = options.request_timeout_s
        self.has_tls = options.ssl_certfile is not None
        self.spans: Spans | None = None
        """None: nobody traces calls here."""
        self.port = 0
        self._options = options
        self._ids = ids
        self._rpcs = rpcs
        self._health = health.aio.HealthServicer()
        self._server: grpc.aio.Server | None = None

    async def open(self, port: int) -> None:
        """Take calls from now on.

        Raises:
            PortBusyError: the port cannot be had.
            StartError: a certificate cannot be read.
        """
        await self._tell_health(_NOT_SERVING)
        self._server = self._make_server()
        self.port = self._bind(self._server, port)
        await self._server.start()

    async def note_ready(self) -> None:
        """The first table is there: health may say so."""
        await self._tell_health(_SERVING)

    async def close(self, grace_s: float = 10) -> None:
        """Take no more calls and finish those that run; cut what takes longer."""
        if self._server is not None:
            await self._health.enter_graceful_shutdown()
            await self._server.stop(grace_s)

    def new_id(self) -> str:
        """An id for a request that brought none."""
        return next(self._ids)

    def find(self, path: str) -> Rpc | None:
        """The RPC of that path."""
        return self._rpcs.get(path)

    # -- inside ------------------------------------------------------------------------

    async def _tell_health(self, status: int) -> None:
        for name in ("", *self._service_names()):
            await self._health.set(name, status)

    def _bind(self, server: grpc.aio.Server, port: int) -> int:
        host = self._options.host
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        secrets = credentials(self._options)
        try:
            if secrets is None:
                return int(server.add_insecure_port(where))
            return int(server.add_secure_port(where, secrets))
        except RuntimeError:
            msg = f"gRPC cannot have port {port} of {host}."
            raise PortBusyError(msg) from None

    def _make_server(self) -> grpc.aio.Server:
        size = self._options.max_message_bytes
        server = grpc.aio.server(
            options=(
                ("grpc.max_receive_message_length", size),
                ("grpc.max_send_message_length", size),
                # Else two servers could have one port, and each a part of its calls.
                ("grpc.so_reuseport", 0),
            )
        )
        names = self._service_names()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        ours = InstanceService(self.router)
        server.add_generic_rpc_handlers((ours, _Handlers(self)))
        if self._options.enable_reflection:
            reflection.enable_server_reflection(
                (
                    *names,
                    health.SERVICE_NAME,
                    reflection.SERVICE_NAME,
                ),
                server,
            )
        return server

    def _service_names(self) -> list[str]:
        return sorted({rpc.service for rpc in self._rpcs.values()})


class _Handlers(grpc.GenericRpcHandler):  # type: ignore[misc]  # untyped library
    """Finds what answers a call, for gRPC."""

    def __init__(self, server: GrpcServer) -> None:
        self._server = server

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler | None:
        """How to answer calls of this path; None if it is none of ours."""
        rpc = self._server.find(handler_call_details.method)
        if rpc is None:
            return None
        make = _MAKERS[rpc.streams_in, rpc.streams_out]
        return make(self._answer_with(rpc))

    def _answer_with(
        self, rpc: Rpc
    ) -> Callable[[object, Context], Awaitable[bytes | None]]:
        async def answer(given: object, context: Context) -> bytes | None:
            message = given if isinstance(given, bytes) else None
            return await GrpcExchange(self._server, rpc, context).answer(message)

        return answer


_MAKERS: dict[tuple[bool, bool], Callable[..., grpc.RpcMethodHandler]] = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}
