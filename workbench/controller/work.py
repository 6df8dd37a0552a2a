"""Carries out one action on one replica, and says what happened to it.

Each method is run as a task. What happens goes to `tell`, never into shared state, so
the controller's loop stays the only place where replicas change.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import replace

from workbench.controller.checkpoint import CheckpointStore
from workbench.controller.commands import Commands
from workbench.controller.health import wait_until_stuck, wait_until_unwell
from workbench.controller.inquest import Inquest
from workbench.controller.observed import Observed
from workbench.controller.placing import Places, Placing, Tell
from workbench.controller.pool import Process, Shell, ShellPool, router_of
from workbench.controller.replica_life import Event, Replica
from workbench.controller.tasks import Background
from workbench.errors import ConstructorError, WorkbenchError
from workbench.spec.deployment import DeploymentSpec
from workbench.spec.placement import Inside
from workbench.spec.replica import CheckRequest, LoadRequest, Report, Seat, Trouble
from workbench.spec.status import Step

__all__ = ["ReplicaWork"]

# Past the time that running calls get to finish, the process is ended regardless.
_DRAIN_MARGIN_S = 5.0


class ReplicaWork:
    """Starts, updates and stops replicas."""

    def __init__(  # noqa: PLR0913 - all that it works with
        self,
        *,
        places: Places,
        pool: ShellPool,
        commands: Commands,
        store: CheckpointStore,
        tell: Tell,
        observed: Observed,
        inquest: Inquest,
    ) -> None:
        self._places = places
        self._pool = pool
        self._commands = commands
        self._store = store
        self._tell = tell
        self._observed = observed
        self._placing = Placing(places, tell, observed)
        self._inquest = inquest
        self._background = Background()
        # Who asks for the health of which replica.
        self._asking: dict[str, asyncio.Task[None]] = {}
        self.processes: dict[str, Process] = {}
        self.before_traffic: Callable[[Replica], Awaitable[None]] = _at_once
        """Waited for before a loaded replica takes calls; may raise why it must not."""

    async def start(self, replica: Replica) -> None:
        """Bring a replica up: place, take a shell, load the user's code."""
        try:
            node_id = await self._placing.hold(replica)
            self._tell(replica.id, Event.PLACED, node_id=node_id, message="")
            placed = replace(replica, node_id=node_id)
            shell = await self._sit_down(placed)
            report = await self._load(shell, placed)
            if not report.error:
                await self.before_traffic(replace(placed, address=shell.about.address))
        except WorkbenchError as error:
            self._tell(replica.id, Event.FAILED, message=_named(error))
        except ProcessLookupError as error:
            self._tell(replica.id, Event.FAILED, message=f"DeployError: {error}")
        else:
            if report.error:
                message = f"{ConstructorError.__name__}: {report.error}"
                self._tell(replica.id, Event.FAILED, message=message)
            else:
                self._tell(replica.id, Event.LOADED)
                self.look_after(replica)

    async def update(self, replica: Replica, spec: DeploymentSpec, step: Step) -> None:
        """Bring a running replica to `spec` without ending its process."""
        process = self.processes[replica.id]
        seat = self._seat(replica, spec)
        try:
            if step is Step.KEEP:
                request = LoadRequest(
                    seat=seat,
                    code=self._store.blob(spec.code),
                    args=self._store.blob(spec.args),
                )
                report = await self._commands.give(process, "keep", request)
            else:
                report = await self._commands.give(process, "reconfigure", seat)
        except ProcessLookupError:
            return  # its death is told by the watch
        if report.refused:
            self._tell(
                replica.id,
                Event.UPDATE_ENDED,
                spec=replica.spec,
                refused=spec.version.code,
                message=report.refused,
            )
        elif report.error:
            message = f"{ConstructorError.__name__}: {report.error}"
            self._tell(
                replica.id, Event.UPDATE_ENDED, spec=replica.spec, message=message
            )
        else:
            self._tell(replica.id, Event.UPDATE_ENDED, spec=spec, message="")
            self.look_after(replace(replica, spec=spec))

    async def stand(self, replica: Replica) -> None:
        """Tell a running replica its number; one that cannot take it is replaced."""
        process = self.processes.get(replica.id)
        if process is None:
            return
        try:
            report = await self._commands.give(process, "stand", replica.standing)
        except ProcessLookupError:
            return  # its death is told by the watch
        if report.error:
            message = f"{ConstructorError.__name__}: {report.error}"
            self._tell(replica.id, Event.SICK, message=message)

    async def check(self, replica: Replica, checks: str) -> str:
        """Have a user's tests of a replica run beside it; why one failed, or nothing."""
        assert replica.address is not None
        options = replica.spec.options
        runtime_env = options.ray_actor_options.runtime_env
        shell = await self._pool.take(replica.node_id, runtime_env)
        request = CheckRequest(
            checks=self._store.blob(checks),
            app=replica.app,
            deployment=replica.spec.name,
            max_ongoing_requests=options.max_ongoing_requests,
            replica_id=replica.id,
            address=replica.address,
        )
        try:
            return str(await shell.process.call("check", request))
        except ProcessLookupError as error:
            return f"tests ended their process: {error}"
        finally:
            await shell.process.end()

    async def stop(self, replica: Replica) -> None:
        """Let running calls finish, end the process."""
        process = self.processes.get(replica.id)
        if process is not None:
            patience = replica.spec.options.graceful_shutdown_timeout_s
            if replica.can_drain:
                with contextlib.suppress(ProcessLookupError, TimeoutError):
                    async with asyncio.timeout(patience + _DRAIN_MARGIN_S):
                        await process.call("drain", patience)
            await process.end()
        self._tell(replica.id, Event.STOPPED)

    async def release(self, reservation: str) -> None:
        """Give a place back that no replica uses any more."""
        await self._places.release(reservation)

    def adopt(self, replica_id: str, process: Process) -> None:
        """Notice when a replica's process dies, or user code hangs in it."""
        self.processes[replica_id] = process
        self._background.start(self._watch(replica_id, process))
        self._background.start(
            self._notice(replica_id, process, wait_until_stuck(process))
        )

    def look_after(self, replica: Replica) -> None:
        """Ask a replica that runs for its health, as its options now say."""
        process = self.processes.get(replica.id)
        if process is None:
            return
        if (earlier := self._asking.pop(replica.id, None)) is not None:
            earlier.cancel()
        options = replica.spec.options
        self._asking[replica.id] = self._background.start(
            self._notice(replica.id, process, wait_until_unwell(process, options))
        )

    async def _sit_down(self, replica: Replica) -> Shell:
        """A shell at the replica's place, watched from now on."""
        options = replica.spec.options
        actor, inside = options.ray_actor_options, None
        if options.placement_group_bundles:
            inside = Inside(reservation=replica.reservation, uses=actor.bundle())
        shell = await self._pool.take(replica.node_id, actor.runtime_env, inside)
        self.adopt(replica.id, shell.process)
        self._tell(
            replica.id,
            Event.SEATED,
            process=shell.process.name,
            address=shell.about.address,
            pid=shell.about.pid,
        )
        return shell

    async def _load(self, shell: Shell, replica: Replica) -> Report:
        spec = replica.spec
        seat = self._seat(replica, spec)
        gpus = spec.options.ray_actor_options.num_gpus
        if spec.options.placement_group_bundles:
            seat = replace(seat, gpu_ids=None)
        elif gpus:
            ids = await self._places.gpu_ids(replica.reservation, gpus)
            seat = replace(seat, gpu_ids=ids)
        request = LoadRequest(
            seat=seat,
            code=self._store.blob(spec.code),
            args=self._store.blob(spec.args),
        )
        return await self._commands.give(shell.process, "load", request)

    def _seat(self, replica: Replica, spec: DeploymentSpec) -> Seat:
        now = self._observed.get(replica.id) or replica
        return Seat(
            app=replica.app,
            deployment=spec.name,
            kind=spec.kind,
            options=spec.options,
            version=spec.version,
            replica_id=replica.id,
            reservation=replica.reservation,
            node_id=replica.node_id,
            standing=now.standing,
        )

    async def _watch(self, replica_id: str, process: Process) -> None:
        ray_says = await process.wait_for_death()
        cause = self._inquest.hold(router_of(process), ray_says)
        if (asking := self._asking.pop(replica_id, None)) is not None:
            asking.cancel()
        if self.processes.get(replica_id) is process:
            del self.processes[replica_id]
            self._tell(replica_id, Event.DIED, message=f"its process died: {cause}")

    async def _notice(
        self, replica_id: str, process: Process, wait: Awaitable[Trouble | None]
    ) -> None:
        trouble = await wait
        if trouble is not None and self.processes.get(replica_id) is process:
            self._tell(
                replica_id,
                Event.SICK,
                message=trouble.reason,
                can_drain=trouble.can_drain,
            )


async def _at_once(_replica: Replica) -> None:
    """Nothing is waited for."""


def _named(error: WorkbenchError) -> str:
    return f"{type(error).__name__}: {error.message}"
