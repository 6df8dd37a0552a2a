"""The proxy as a process: becomes a Ray actor, but knows nothing of Ray.

`cluster` starts it and the controller calls its methods, on the loop of whoever runs
the actor. Sockets, router and connections live on an I/O loop of their own, so that a
burst of traffic never makes the proxy look dead.
"""

import asyncio
import contextlib
import gc
import os
import socket
from typing import TYPE_CHECKING, NoReturn

from workbench.cluster.fence import die_with_parent
from workbench.cluster.heap import keep_freed_memory
from workbench.errors import PortBusyError
from workbench.loop import LoopThread
from workbench.observe.spans import Spans, start_tracing
from workbench.proxy.door import Door
from workbench.proxy.port import open_port
from workbench.proxy.server import HttpServer
from workbench.routing.dispatch import Router
from workbench.routing.report import report
from workbench.spec.grpc import DEFAULT_GRPC_PORT, GRPCOptions, GrpcSpec
from workbench.spec.http import DEFAULT_PORT, HTTPOptions
from workbench.spec.proxy import ProxyConfig, ProxyDescription
from workbench.spec.tracing import TracingSpec
from workbench.wire.host import host_id
from workbench.wire.messages import Ended

if TYPE_CHECKING:
    from workbench.proxy.grpc.server import GrpcServer

__all__ = ["ProxyProcess"]

_HEALTH_S = 5.0
# How long the door stays shut for want of a table: a controller that has died, too, is
# back sooner. Past it, whoever comes is told.
_TABLE_S = 15.0
# The port of a proxy that this one replaces may be held by the dying one for a moment.
_PINNED_RETRIES = 100
_PINNED_RETRY_S = 0.05


class ProxyProcess:
    """One proxy: an HTTP server and its router."""

    def __init__(self, config: ProxyConfig) -> None:
        self._config = config
        self._port = 0
        self._io: LoopThread | None = None
        self._interior: _Interior | None = None

    async def start(self) -> int:
        """Open the door; returns the port.

        Raises:
            PortBusyError: the port asked for is in use.
            StartError: this host cannot listen at that address.
        """
        die_with_parent()
        keep_freed_memory()
        config = self._config
        sock = await _open_port(config.options, config.pinned_port, DEFAULT_PORT)
        self._port = sock.getsockname()[1]
        self._io = LoopThread("proxy-io").start()
        self._interior = await self._io.call(_open(config, sock))
        # What exists now stays: no collection needs to look at it again.
        gc.collect()
        gc.freeze()
        return self._port

    async def describe(self) -> ProxyDescription:
        """Say who and where it is."""
        return ProxyDescription(
            id=self._config.id,
            pid=os.getpid(),
            host=self._config.options.host,
            port=self._port,
            grpc_port=None if self._interior is None else self._interior.grpc_port,
        )

    async def check_health(self) -> str:
        """Why it is not well; empty if it is."""
        if self._io is None or self._interior is None:
            return "It has not started."
        try:
            async with asyncio.timeout(_HEALTH_S):
                is_serving = await self._io.call(self._interior.is_serving())
        except TimeoutError:
            return f"Its I/O loop has not answered for {_HEALTH_S:g} s."
        return "" if is_serving else "Its HTTP server has ended."

    async def export_spans(self) -> None:
        """Let those leave that have ended; this process is about to."""
        if self._interior is not None:
            await asyncio.to_thread(self._interior.export_spans)

    async def stop(self) -> None:
        """Take no more connections, finish what is being answered, cut what is slow."""
        if self._io is not None and self._interior is not None:
            await self._io.call(self._interior.close())
            await asyncio.to_thread(self._io.stop)
            self._io = self._interior = None

    async def wait_forever(self) -> NoReturn:
        """Never return: whoever awaits it learns of this process's death."""
        while True:
            await asyncio.Event().wait()


async def _open_port(
    options: HTTPOptions | GRPCOptions, pinned: int | None, first: int
) -> socket.socket:
    if pinned is None:
        return open_port(options.host, options.port, first=first)
    for _ in range(_PINNED_RETRIES):
        try:
            return open_port(options.host, pinned)
        except PortBusyError:
            await asyncio.sleep(_PINNED_RETRY_S)
    return open_port(options.host, pinned)


async def _open(config: ProxyConfig, sock: socket.socket) -> "_Interior":
    interior = _Interior(config, sock)
    await interior.open()
    if config.grpc is not None:
        await interior.open_grpc(config.grpc, config.pinned_grpc_port)
    return interior


def _start_tracing(spec: TracingSpec, proxy_id: str) -> Spans:
    # What packs and loads code is no part of a proxy that does not trace.
    from workbench.code.exporter import load_processors  # noqa: PLC0415

    processors = load_processors(spec, f"proxy_{proxy_id}")
    return start_tracing(processors, spec.sampling_ratio)


class _Interior:
    """What lives on the I/O loop."""

    def __init__(self, config: ProxyConfig, sock: socket.socket) -> None:
        self._controller = config.controller
        self._router = Router(name=config.id, secret=config.secret, host_id=host_id())
        self._door = Door(self._router, config.options)
        self._server = HttpServer(self._door, sock)
        self._grpc: GrpcServer | None = None
        if config.tracing is not None:
            self._door.spans = _start_tracing(config.tracing, config.id)
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def grpc_port(self) -> int | None:
        """Where it speaks gRPC, if it does."""
        return None if self._grpc is None else self._grpc.port

    async def open(self) -> None:
        following = self._router.follow(self._controller)
        reporting = report(self._router, applications=self._take_ended)
        self._tasks = [
            asyncio.create_task(following, name="follow-controller"),
            asyncio.create_task(reporting, name="report"),
        ]
        # Connections wait at the socket meanwhile: a request that came to the proxy
        # before this one is not sent away for want of a table.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_TABLE_S):
                await self._router.wait_until_ready()
        await self._server.open()

    async def open_grpc(self, spec: GrpcSpec, pinned_port: int | None) -> None:
        # Takes 0.15 s and 20 MB, which only those should pay who use it.
        from workbench.proxy.grpc.open import make_server  # noqa: PLC0415

        door = self._door
        server = make_server(spec, self._router, ended=door.ended, ids=door.ids)
        server.spans = door.spans
        # gRPC opens its port by itself; ours finds a free one, and says what is wrong.
        sock = await _open_port(spec.options, pinned_port, DEFAULT_GRPC_PORT)
        port = sock.getsockname()[1]
        sock.close()
        await server.open(port)
        self._grpc = server
        self._tasks.append(asyncio.create_task(self._note_ready(server)))

    async def _note_ready(self, server: "GrpcServer") -> None:
        await self._router.wait_until_ready()
        await server.note_ready()

    def export_spans(self) -> None:
        if self._door.spans is not None:
            self._door.spans.close()

    async def is_serving(self) -> bool:
        return self._server.is_serving

    async def close(self) -> None:
        closing = [self._server.close()]
        if self._grpc is not None:
            closing.append(self._grpc.close())
        await asyncio.gather(*closing)
        for task in self._tasks:
            task.cancel()
        await self._router.close()
        await asyncio.to_thread(self.export_spans)

    def _take_ended(self) -> dict[str, Ended]:
        taken = self._door.ended.take()
        answers = self._door.ended.take_answers()
        return {
            app: Ended(dict(buckets), errors, answers.get(app, []))
            for app, (buckets, errors) in taken.items()
        }
