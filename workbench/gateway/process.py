"""The process that holds the controller and the control API's server.

Body of one detached actor that Ray restarts when it dies. A restarted one reads the
checkpoint, finds the replicas, shells and proxy that live on, and continues.
"""

import asyncio
import logging
import os

from workbench.cluster.fence import die_with_parent
from workbench.cluster.ray_cluster import RayCluster
from workbench.errors import WorkbenchError
from workbench.gateway.control import Control
from workbench.loop import LoopThread
from workbench.spec.control import ControlConfig, Credentials

__all__ = ["ControlProcess"]

_log = logging.getLogger("workbench.controller")

_AGAIN_S = 1.0


class ControlProcess:
    """Actor body; its methods run on Ray's loop, everything else on our own."""

    def __init__(self, config: ControlConfig) -> None:
        # Ray starts another where its node is gone: there must not be two.
        die_with_parent()
        self._thread = LoopThread("workbench-control").start()
        self._control = Control(config)
        self._started = self._thread.submit(self._start())

    async def credentials(self) -> Credentials:
        """How to reach the control API, once it is up."""
        try:
            return await asyncio.wrap_future(self._started)
        except WorkbenchError as error:
            return Credentials(error=error.message, error_type=type(error).__name__)

    async def _start(self) -> Credentials:
        try:
            return await self._control.start()
        except Exception as error:
            # Nobody may be waiting: after a restart only the log can tell.
            _log.exception("The controller did not start")
            if not isinstance(error, WorkbenchError):
                await self._leave_for_another()
            raise

    async def _leave_for_another(self) -> None:
        """After a restart: what failed may pass, as a port that is taken for a moment.

        A first start is told to whoever waits for it.
        """
        if await RayCluster.is_restart():
            await asyncio.sleep(_AGAIN_S)
            os._exit(1)

    async def wait_for_shutdown(self) -> None:
        """Return when somebody asked the instance to end."""
        await self._thread.call(self._control.wait_for_shutdown())

    async def shutdown(self) -> None:
        """Take every process of the instance out of the cluster."""
        await self._thread.call(self._control.leave())

    async def tell_outage(self, text: str) -> None:
        """Show in the status what went wrong and was mended."""
        await self._thread.call(self._control.tell_outage(text))

    async def wait_forever(self) -> None:
        """Never return; a pending call tells its caller when this process dies."""
        await asyncio.Event().wait()
