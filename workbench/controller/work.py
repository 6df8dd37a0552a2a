"""Carries out one action on one replica, and says what happened to it.

Each method is run as a task. What happens goes to `tell`, never into shared state, so
the controller's loop stays the only place where replicas change.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Protocol

from workbench.controller.checkpoint import CheckpointStore
from workbench.controller.health import wait_until_stuck, wait_until_unwell
from workbench.controller.inquest import Inquest
from workbench.controller.placement import explain
from workbench.controller.pool import SHELL_PREFIX, Process, Shell, ShellPool
from workbench.controller.replica_life import Event, Replica
from workbench.errors import ConstructorError, PlacementError, WorkbenchError
from workbench.spec.deployment import DeploymentSpec
from workbench.spec.placement import GroupSpec, Inside, group_of
from workbench.spec.replica import CheckRequest, LoadRequest, Report, Seat, Trouble
from workbench.spec.status import Step

__all__ = ["Holders", "Places", "ReplicaWork", "Tell"]

# How long a replica may wait for a place that others hold, before the deploy fails.
_WAIT_FOR_PLACE_S = 10.0
# Past the time that running calls get to finish, the process is ended regardless.
_DRAIN_MARGIN_S = 5.0


class Tell(Protocol):
    """Receives what happened to a replica."""

    def __call__(self, replica_id: str, event: Event, **changes: object) -> None: ...


class Places(Protocol):
    """What this needs of the cluster: reservations and nodes."""

    async def reserve(self, name: str, group: GroupSpec) -> "_Reservation": ...
    async def release(self, name: str) -> None: ...
    async def nodes(self) -> Sequence["_Node"]: ...
    async def gpu_ids(self, reservation: str, amount: float) -> tuple[str, ...]: ...


class _Reservation(Protocol):
    @property
    def node_id(self) -> str: ...
    @property
    def problem(self) -> str: ...


class _Node(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def host(self) -> str: ...
    @property
    def total(self) -> dict[str, float]: ...


class ReplicaWork:
    """Starts, updates and stops replicas."""

    def __init__(
        self,
        *,
        places: Places,
        pool: ShellPool,
        store: CheckpointStore,
        tell: Tell,
        holders: "Holders",
        inquest: Inquest,
    ) -> None:
        self._places = places
        self._pool = pool
        self._store = store
        self._tell = tell
        self._holders = holders
        self._inquest = inquest
        self._tasks: set[asyncio.Task[None]] = set()
        # Who asks for the health of which replica.
        self._asking: dict[str, asyncio.Task[None]] = {}
        self.processes: dict[str, Process] = {}
        self.before_traffic: Callable[[Replica], Awaitable[None]] = _at_once
        """Waited for before a loaded replica takes calls; may raise why it must not."""

    async def start(self, replica: Replica) -> None:
        """Bring a replica up: place, take a shell, load the user's code."""
        try:
            node_id = await self._place(replica)
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
        seat = _seat(replica, spec)
        try:
            if step is Step.KEEP:
                request = LoadRequest(
                    seat=seat,
                    code=self._store.blob(spec.code),
                    args=self._store.blob(spec.args),
                )
                report = await process.call("keep", request)
            else:
                report = await process.call("reconfigure", seat)
        except ProcessLookupError:
            return  # its death is told by the watch
        assert isinstance(report, Report)
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
        self._spawn(self._watch(replica_id, process))
        self._spawn(self._notice(replica_id, process, wait_until_stuck(process)))

    def look_after(self, replica: Replica) -> None:
        """Ask a replica that runs for its health, as its options now say."""
        process = self.processes.get(replica.id)
        if process is None:
            return
        if (earlier := self._asking.pop(replica.id, None)) is not None:
            earlier.cancel()
        options = replica.spec.options
        self._asking[replica.id] = self._spawn(
            self._notice(replica.id, process, wait_until_unwell(process, options))
        )

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _place(self, replica: Replica) -> str:
        """Hold the replica's resources; returns the node they are on."""
        if replica.node_id:
            return replica.node_id  # sits down where its predecessor sat
        group = group_of(replica.spec.options)
        waited = 0.0
        started = asyncio.get_running_loop().time()
        while True:
            held = await self._places.reserve(replica.reservation, group)
            if not held.problem:
                return held.node_id
            waited = asyncio.get_running_loop().time() - started
            nodes = [node.total for node in await self._places.nodes()]
            why = explain(
                replica.spec.name,
                bundle=group.total(),
                labels=group.labels[0] if group.labels else {},
                nodes=nodes,
                holders=self._holders(replica),
            )
            if held.problem == "infeasible" or waited >= _WAIT_FOR_PLACE_S:
                raise PlacementError(why)
            self._tell(replica.id, Event.WAITING, message=why)

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
        seat = _seat(replica, spec)
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
        report = await shell.process.call("load", request)
        assert isinstance(report, Report)
        return report

    async def _watch(self, replica_id: str, process: Process) -> None:
        ray_says = await process.wait_for_death()
        cause = self._inquest.hold(process.name.removeprefix(SHELL_PREFIX), ray_says)
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


class Holders(Protocol):
    """Names what other deployments hold, for the sentence on a missing place."""

    def __call__(self, replica: Replica) -> list[tuple[str, dict[str, float]]]: ...


async def _at_once(_replica: Replica) -> None:
    """Nothing is waited for."""


def _seat(replica: Replica, spec: DeploymentSpec) -> Seat:
    return Seat(
        app=replica.app,
        deployment=spec.name,
        kind=spec.kind,
        options=spec.options,
        version=spec.version,
        replica_id=replica.id,
        reservation=replica.reservation,
        node_id=replica.node_id,
    )


def _named(error: WorkbenchError) -> str:
    return f"{type(error).__name__}: {error.message}"
