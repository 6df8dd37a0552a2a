"""Keeps the HTTP proxy running: starts it, and again whenever it dies."""

import asyncio
import contextlib
import logging
import secrets
from dataclasses import replace

from workbench.controller.pool import Cluster, Process
from workbench.errors import StartError
from workbench.spec.proxy import ProxyConfig, ProxyDescription
from workbench.spec.status import ProxyStatus

__all__ = ["PROXY_PREFIX", "ProxyKeeper"]

PROXY_PREFIX = "proxy-"
"""Of the name of a proxy's process; its id follows."""

_log = logging.getLogger("workbench.controller")


class ProxyKeeper:
    """One proxy, on the head node."""

    def __init__(self, cluster: Cluster, body: type, template: ProxyConfig) -> None:
        self._cluster = cluster
        self._body = body
        self._config = template
        self._process: Process | None = None
        self.is_closing = False
        """Its end is wanted: no other proxy is to be started."""
        self.status = ProxyStatus.STARTING
        self.port = template.pinned_port
        self.grpc_port = template.pinned_grpc_port
        """Where gRPC is spoken; None if it is not."""
        self.pid = 0

    @property
    def name(self) -> str:
        """Name of the proxy's process."""
        return self._process.name if self._process else ""

    @property
    def router(self) -> str:
        """Name that its router subscribes by."""
        return self.name.removeprefix(PROXY_PREFIX)

    async def adopt(self, process: Process) -> None:
        """Take over a proxy that runs: ours, or one of an earlier controller.

        Raises:
            ProcessLookupError: it is gone.
            StartError: it has not opened its door, and nobody waits for it to do so.
        """
        about = await process.call("describe")
        assert isinstance(about, ProxyDescription)
        if not about.port:
            msg = f"The proxy {about.id} was only just starting."
            raise StartError(msg)
        self._process = process
        self.pid, self.port, self.grpc_port = about.pid, about.port, about.grpc_port
        self.status = ProxyStatus.HEALTHY

    @property
    def processes(self) -> tuple[Process, ...]:
        """Those that there are."""
        return () if self._process is None else (self._process,)

    async def start(self) -> None:
        """Start a proxy; `port` then says where it listens.

        Raises:
            PortBusyError: the port that was asked for by number is taken.
        """
        config = replace(
            self._config,
            id=secrets.token_hex(4),
            pinned_port=self.port,
            pinned_grpc_port=self.grpc_port,
        )
        process = await self._cluster.start(
            self._body, config, name=f"{PROXY_PREFIX}{config.id}"
        )
        try:
            await process.call("start")
            await self.adopt(process)
        except BaseException:
            with contextlib.suppress(Exception):
                await process.end()
            raise

    async def keep_running(self) -> None:
        """Start it again whenever it dies; run as a task."""
        while self._process is not None:
            cause = await self._process.wait_for_death()
            if self.is_closing:
                return
            self.status = ProxyStatus.STARTING
            _log.warning("The proxy died (%s); starting another", cause)
            await self._start_again()

    async def _start_again(self) -> None:
        while True:
            try:
                await self.start()
            except Exception:  # noqa: BLE001 - whatever it was, the door must open again
                _log.exception("The proxy did not start; trying again")
                self.status = ProxyStatus.UNHEALTHY
                await asyncio.sleep(0.5)
            else:
                return
