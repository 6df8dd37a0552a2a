"""Finds what an earlier controller started, and takes it over.

Called once by `control`, before anything else happens: replicas and proxies that serve
go on, those that leave may finish, spare shells are ready again, and all else is ended.
"""

import asyncio
import logging
from dataclasses import dataclass, replace

from workbench.cluster.ray_cluster import RayCluster
from workbench.controller.controller import Controller
from workbench.controller.pool import SHELL_PREFIX, Process, Shell, ShellPool
from workbench.controller.proxies import PROXY_PREFIX, ProxyKeeper
from workbench.controller.replica_life import Replica
from workbench.spec.deployment import DeploymentSpec
from workbench.spec.replica import Description, Seat
from workbench.spec.status import ReplicaState

__all__ = ["ADOPT_S", "Adoption"]

_log = logging.getLogger("workbench.controller")

ADOPT_S = 5.0
"""How long a process may take to say what it is to a controller that starts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """Who takes over what."""

    cluster: RayCluster
    controller: Controller
    pool: ShellPool
    proxies: ProxyKeeper

    async def take_over(self) -> None:
        """Ask every process of ours what it is."""
        names = await self.cluster.list_names()
        await asyncio.gather(*map(self._take_over_one, names))

    async def _take_over_one(self, name: str) -> None:
        process = await self.cluster.find(name)
        if process is None:
            return
        try:
            async with asyncio.timeout(ADOPT_S):
                if name.startswith(PROXY_PREFIX):
                    await self.proxies.adopt(process)
                elif name.startswith(SHELL_PREFIX):
                    await self._take_over_shell(process)
        except ProcessLookupError:
            return
        except Exception:  # noqa: BLE001 - half started or stuck: of no use to anybody
            _log.exception("Process %s could not be taken over", name)
            await process.end()

    async def _take_over_shell(self, process: Process) -> None:
        about = await process.call("describe")
        assert isinstance(about, Description)
        if about.seat is None and about.is_spare:
            shell = Shell(process=process, about=about, node_id=about.node_id)
            self.pool.adopt(shell)
        elif about.seat is not None and about.is_draining:
            # Its calls go on to their end.
            replica = self._as_replica(about, about.seat, process)
            self.controller.work.adopt(replica.id, process)
            self.controller.adopt(replace(replica, state=ReplicaState.STOPPING))
        elif about.seat is not None and about.is_serving:
            replica = self._as_replica(about, about.seat, process)
            self.controller.work.adopt(replica.id, process)
            self.controller.adopt(replica)
            self.controller.work.look_after(replica)
        else:
            # It was coming up: nobody waits for it any more.
            await process.end()

    def _as_replica(self, about: Description, seat: Seat, process: Process) -> Replica:
        spec = self.controller.knows(seat.app, seat.deployment)
        if spec is None or spec.version != seat.version:
            spec = DeploymentSpec(
                name=seat.deployment,
                kind=seat.kind,
                options=seat.options,
                version=seat.version,
                code="",
                args="",
            )
        return Replica(
            id=seat.replica_id,
            app=seat.app,
            spec=replace(spec, options=seat.options) if not spec.code else spec,
            state=ReplicaState.RUNNING,
            reservation=seat.reservation,
            address=about.address,
            process=process.name,
            node_id=seat.node_id,
            pid=about.pid,
            standing=seat.standing,
        )
