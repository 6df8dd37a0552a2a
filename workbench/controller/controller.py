"""The loop that makes what runs equal what should run.

Woken by events, never by polling: a deploy, a replica that came up or died, a time
after which a failing deployment may try again. Each turn plans from scratch, begins
the actions, and publishes the routing table if it changed.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from workbench.controller.checkpoint import Checkpoint, CheckpointStore
from workbench.controller.deploys import DeployFeeds
from workbench.controller.failures import Failures
from workbench.controller.history import History
from workbench.controller.measured import Population, population_of
from workbench.controller.observed import Observed
from workbench.controller.plan import (
    Action,
    Renumber,
    Start,
    Stop,
    Update,
    is_settled,
    plan,
)
from workbench.controller.publish import Publisher
from workbench.controller.ranks import standing_of_newcomer
from workbench.controller.replica_life import Event, Replica, advance
from workbench.controller.report import report_application, url_of
from workbench.controller.rollout import describe_deploy
from workbench.controller.scaler import Autoscaled, autoscaled
from workbench.controller.table import TableBuilder
from workbench.controller.target import Target
from workbench.controller.trials import Stage, Trials
from workbench.controller.versions import Versions
from workbench.errors import (
    ConstructorError,
    DeployError,
    GateError,
    PlacementError,
    ShippingError,
)
from workbench.spec.application import DeployRequest
from workbench.spec.deployment import DeploymentSpec
from workbench.spec.ranks import Standing
from workbench.spec.replica import reservation_of
from workbench.spec.status import (
    ApplicationStatusOverview,
    DeployEvent,
    EventKind,
    ReplicaState,
)
from workbench.spec.table import Table
from workbench.spec.versions import Outcome

if TYPE_CHECKING:
    from workbench.controller.work import ReplicaWork

__all__ = ["Controller"]

_log = logging.getLogger("workbench.controller")

# How long a deploy waits for routers to take the new table into use.
_SEEN_S = 2.0
_AFTER_ERROR_S = 1.0
# Errors that another try does not mend.
_HOPELESS = (PlacementError.__name__, ShippingError.__name__)

Key = tuple[str, str]


class Controller:
    """Holds target and observed; everything else is asked of or done by its parts."""

    def __init__(
        self, store: CheckpointStore, publisher: Publisher, checkpoint: Checkpoint
    ) -> None:
        self._store = store
        self._publisher = publisher
        self._checkpoint = checkpoint
        self._target = checkpoint.target
        self._table = Table(version=checkpoint.table_version)
        self._tables = TableBuilder()
        self._replicas = Observed()
        self._feeds = DeployFeeds()
        self._failures = Failures()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._background: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._quiet = asyncio.Condition()
        self.versions = Versions(store, lambda: self._target, self.deploy)
        """What was deployed before, and the way back to it."""
        self.trials = Trials(
            Stage(
                target=lambda: self._target,
                replicas=self._replicas.of,
                turned=self._turned,
                told=self._feeds.put,
                passed=self._wake.set,
                failed=lambda name, why: self._fail(name, why, GateError.__name__),
            )
        )
        """What new versions must stand; it needs `send` and `measured`."""
        self.work: ReplicaWork
        """Set once by whoever builds the controller; it needs `tell`."""
        self.http_url: Callable[[], str] = str
        self.note: Callable[[Key, str, str], None] = _ignore
        """Writes into the log of a deployment what one of its replicas cannot say."""
        self.on_turned: Callable[[], None] = lambda: None
        """Called when the status may have changed."""
        self.on_hand: Callable[[str, str, int], None] = lambda *_: None
        """Called before a number of replicas is set that somebody asked for."""
        self.scaling_reasons: Callable[[], Mapping[Key, str]] = dict
        """Why autoscaled deployments have as many replicas as they have."""

    # -- what front ends ask -----------------------------------------------------------

    async def deploy(
        self, request: DeployRequest, rollback_to: int | None = None
    ) -> AsyncIterator[DeployEvent]:
        """Take a deploy and tell how it goes, until it is live or has failed.

        Not reading on does not stop the deploy.

        Raises:
            RouteTakenError: another application has the route.
        """
        spec = request.application
        app = self._target.applications.get(spec.name)
        before = app.running if app else None
        target = self._target.deploy(request, time.time())
        self._feeds.end(spec.name, "A newer deploy of it took over.")
        self.trials.forget(spec.name)
        feed = self._feeds.open(spec.name)
        for dep in spec.deployments:
            self._failures.forget((spec.name, dep.name))
        steps = describe_deploy(before, request)
        history = self._store.history.begin(request, time.time(), steps, rollback_to)
        stored = self._set_target(target, request.blobs, history)
        feed.put_steps(steps)
        self._wake.set()
        # It goes on meanwhile; but what anybody is told of survives this process.
        await asyncio.shield(stored)
        async for event in feed:
            yield event

    async def delete(self, name: str) -> bool:
        """Stop an application and wait until it is gone; False if there is none."""
        if name not in self._target.applications:
            return False
        self._feeds.end(name, "The application was deleted.")
        self.trials.forget(name)
        history = self._store.history.forget(name)
        stored = self._set_target(self._target.delete(name), history=history)
        self._wake.set()
        async with self._quiet:
            await self._quiet.wait_for(lambda: not self._replicas.of(name))
        await asyncio.shield(stored)
        return True

    async def scale(self, app: str, deployment: str, num_replicas: int) -> None:
        """Change how many replicas there should be; does not wait for them.

        Raises:
            UnknownDeploymentError: there is none of that name.
            ScaleError: the number cannot be, or nothing runs that could be scaled.
        """
        target = self._target.scale(app, deployment, num_replicas)
        self.on_hand(app, deployment, num_replicas)
        self._failures.forget((app, deployment))
        stored = self._set_target(target)
        self._wake.set()
        await asyncio.shield(stored)

    def autoscaled(self) -> Collection[Autoscaled]:
        """Every deployment that is autoscaled, as it is now."""
        return autoscaled(self._target, self._replicas)

    def rescale(self, app: str, deployment: str, wanted: int) -> None:
        """Have so many replicas, as autoscaling has decided."""
        self._set_target(self._target.rescale(app, deployment, wanted))
        self._wake.set()

    def status(self) -> dict[str, ApplicationStatusOverview]:
        """State of every application."""
        url = self.http_url()
        reasons = self._failures.reasons()
        scaling = self.scaling_reasons()
        return {
            name: report_application(
                app, self._replicas.of(name), url, reasons, scaling=scaling
            )
            for name, app in self._target.applications.items()
        }

    @property
    def target_capacity(self) -> float | None:
        """Of the config file that was deployed last with one; None: there is none."""
        return self._target.capacity

    def population(self) -> Population:
        """What there is to measure."""
        return population_of(self._target, self._replicas.values())

    async def remember(self, **changes: object) -> None:
        """Change other fields of the checkpoint (ports, notes)."""
        self._checkpoint = replace(self._checkpoint, **changes)  # type: ignore[arg-type]
        await self._store.write(self._checkpoint, {})

    @property
    def checkpoint(self) -> Checkpoint:
        """What a successor would begin with."""
        return self._checkpoint

    # -- what happens to replicas ------------------------------------------------------

    def tell(self, replica_id: str, event: Event, **changes: object) -> None:
        """A replica's work reports; the only place where a replica's state changes."""
        before = self._replicas.get(replica_id)
        if before is None:
            return
        after = advance(before, event, **changes)
        if event is Event.PLACED:
            after = replace(after, standing=self._first_standing(after))
        self._replicas[replica_id] = after
        self._feeds.on_replica(before, after)
        if after.state in (ReplicaState.FAILED, ReplicaState.STOPPED):
            self._bury(after)
        if after.state is ReplicaState.FAILED:
            self._count_failure(after)
        if event is Event.SICK and before.state is not ReplicaState.STOPPING:
            self._add_failure(after)
            self._spawn(replica_id, self.work.stop(after))
        if event is Event.UPDATE_ENDED and after.message and not after.refused:
            self._fail_deploy(after)
        self._wake.set()

    def _first_standing(self, replica: Replica) -> Standing:
        app, spec = self._target.applications.get(replica.app), self.knows(*replica.key)
        world_size = app.count(spec) if app and spec else 1
        peers = self._replicas.of(replica.app)
        return standing_of_newcomer(replica, peers, world_size)

    def adopt(self, replica: Replica) -> None:
        """Take over a replica that an earlier controller started, or was stopping."""
        self._replicas[replica.id] = replica
        if replica.state is ReplicaState.STOPPING:
            self._spawn(replica.id, self.work.stop(replica))
        self._wake.set()

    def reservations(self) -> set[str]:
        """Names of all places that replicas hold or are about to."""
        return {each.reservation for each in self._replicas.values()}

    def knows(self, app: str, deployment: str) -> DeploymentSpec | None:
        """The specification the target has of a deployment."""
        return self._target.deployment(app, deployment)

    @property
    def observed(self) -> Observed:
        """What runs; only to be looked at."""
        return self._replicas

    # -- the loop ----------------------------------------------------------------------

    async def run(self) -> None:
        """Turn for ever; run as a task."""
        self._wake.set()
        planned = time.monotonic()
        while True:
            pause = self._failures.until_retry(time.monotonic(), planned)
            try:
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            planned = time.monotonic()
            try:
                await self._turn(planned)
            except Exception:  # noqa: BLE001 - one bad turn must not end all further ones
                _log.exception("A turn of the controller failed; taking another")
                await asyncio.sleep(_AFTER_ERROR_S)
                self._wake.set()

    async def _turn(self, now: float) -> None:
        actions = plan(
            self._target, list(self._replicas.values()), self._failures.retry_at(), now
        )
        for action in actions:
            self._begin(action)
        self.publish()
        for name, app in list(self._target.applications.items()):
            if app.is_live and not self._failures.has_reason(name):
                continue
            if is_settled(app, self._replicas.of(name)):
                self._failures.recovered(name, now)
                if not app.is_live and self.trials.has_passed(app):
                    self._settle(name)
        async with self._quiet:
            self._quiet.notify_all()
        self.on_turned()

    async def _turned(self) -> None:
        async with self._quiet:
            await self._quiet.wait()

    def _begin(self, action: Action) -> None:
        match action:
            case Start():
                self._begin_start(action)
            case Update(replica=replica_id, spec=spec, step=step):
                before = self._replicas[replica_id]
                self.tell(replica_id, Event.UPDATE_BEGUN, spec=spec)
                self._spawn(replica_id, self.work.update(before, spec, step))
            case Stop(replica=replica_id):
                self._begin_stop(replica_id)
            case Renumber(replica=replica_id, standing=standing):
                told = replace(self._replicas[replica_id], standing=standing)
                self._replicas[replica_id] = told
                self._spawn_background(self.work.stand(told))

    def _begin_start(self, action: Start) -> None:
        replica_id = secrets.token_hex(4)
        before = self._replicas.get(action.replaces)
        replica = Replica(
            id=replica_id,
            app=action.app,
            spec=action.spec,
            reservation=action.reservation or reservation_of(replica_id),
            replaces=action.replaces,
            node_id=before.node_id if before and action.reservation else "",
        )
        self._replicas[replica_id] = replica
        self._feeds.on_replica(None, replica)
        self._spawn(replica_id, self.work.start(replica))

    def _begin_stop(self, replica_id: str) -> None:
        if replica_id in self._tasks:
            self._tasks[replica_id].cancel()
        self.tell(replica_id, Event.STOP)
        self._spawn(replica_id, self.work.stop(self._replicas[replica_id]))

    def _spawn(self, replica_id: str, work: object) -> None:
        task = asyncio.ensure_future(work)  # type: ignore[call-overload]
        self._tasks[replica_id] = task

        def done(ended: asyncio.Task[None]) -> None:
            if self._tasks.get(replica_id) is ended:
                del self._tasks[replica_id]
            if not ended.cancelled() and (error := ended.exception()):
                _log.error("Work on replica %s failed", replica_id, exc_info=error)
                self._tell_broken(replica_id, error)

        task.add_done_callback(done)

    def _tell_broken(self, replica_id: str, error: BaseException) -> None:
        """Work that broke in a way nobody foresaw still ends a deploy with a reason."""
        replica = self._replicas.get(replica_id)
        message = f"DeployError: {type(error).__name__}: {error}"
        if replica and replica.state in (ReplicaState.PLACING, ReplicaState.STARTING):
            self.tell(replica_id, Event.FAILED, message=message)
        elif replica and replica.state is ReplicaState.UPDATING:
            self.tell(replica_id, Event.UPDATE_ENDED, message=message)
        elif replica and replica.state is ReplicaState.STOPPING:
            self.tell(replica_id, Event.STOPPED)

    def publish(self, *, anew: bool = False) -> None:
        """Publish the routing table if it changed, or `anew` in any case."""
        version = self._table.version
        table = self._tables.build(self._target, self._replicas, version)
        if anew or table != self._table:
            self._table = replace(table, version=version + 1)
            self._publisher.publish(self._table)

    def _settle(self, name: str) -> None:
        """Everything of the application is up: live once all routers know it.

        Whoever comes after us finds that out again, should it not be stored by then.
        """
        history = self._store.history.end(name, Outcome.LIVE)
        self._set_target(self._target.settle(name), history=history)
        deployed_at = self._target.applications[name].deployed_at
        self._spawn_background(
            self._announce_live(name, deployed_at, self._table.version)
        )

    async def _announce_live(
        self, name: str, deployed_at: float, table_version: int
    ) -> None:
        await self._publisher.wait_until_seen(table_version, _SEEN_S)
        app = self._target.applications.get(name)
        if app is None or app.deployed_at != deployed_at:
            return  # whoever deployed it anew waits for other news
        url = url_of(self.http_url(), app.spec.route_prefix)
        self._feeds.put_last(name, EventKind.LIVE, url=url)

    # -- failures ----------------------------------------------------------------------

    def _bury(self, replica: Replica) -> None:
        """Forget a replica, end its process, give its place back if nobody shares it."""
        del self._replicas[replica.id]
        process = self.work.processes.pop(replica.id, None)
        if process is not None:
            self._spawn_background(process.end())
        if not any(
            each.reservation == replica.reservation
            for each in self._replicas.of(replica.app)
        ):
            self._spawn_background(self.work.release(replica.reservation))

    def _spawn_background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task

    def _count_failure(self, replica: Replica) -> None:
        self._add_failure(replica)
        app = self._target.applications.get(replica.app)
        wanted = self.knows(*replica.key)
        if not app or app.is_live or not wanted or wanted.version != replica.version:
            return
        tries = wanted.options.max_constructor_retry_count
        is_hopeless = replica.message.startswith(_HOPELESS)
        if is_hopeless or self._failures.count(replica.key) >= tries:
            self._fail_deploy(replica)

    def _add_failure(self, replica: Replica) -> None:
        _log.warning(
            "Replica %s of %s failed: %s", replica.id, *replica.key, replica.message
        )
        name, _, text = replica.message.partition(": ")
        reason = text if name.endswith("Error") else replica.message
        self._failures.add(replica.key, time.monotonic(), reason)
        if name != ConstructorError.__name__:  # which it has told itself
            self.note(replica.key, replica.id, reason)

    def _fail_deploy(self, replica: Replica) -> None:
        """The new version does not come up: back to the last one that did."""
        name, _, text = replica.message.partition(": ")
        self._fail(
            replica.app,
            text or name,
            name if text else DeployError.__name__,
            deployment=replica.spec.name,
            replica=replica.id,
        )

    def _fail(self, name: str, reason: str, error: str, **where: str) -> None:
        """A deploy that is under way has failed: back to what was live."""
        app = self._target.applications.get(name)
        if app is None or app.is_live:
            return
        is_reverted = error == GateError.__name__ and app.last_live is not None
        outcome = Outcome.REVERTED if is_reverted else Outcome.FAILED
        history = self._store.history.end(name, outcome, reason)
        self._set_target(self._target.fail(name, reason), history=history)
        self._wake.set()
        self._feeds.put_last(
            name, EventKind.FAILED, message=reason, error=error, **where
        )

    # -- bookkeeping -------------------------------------------------------------------

    def _set_target(
        self,
        target: Target,
        blobs: Mapping[str, bytes] = MappingProxyType({}),
        history: History | None = None,
    ) -> asyncio.Task[None]:
        """Change the target, at once; the task has ended when that is stored."""
        self._target = target
        self._checkpoint = replace(
            self._checkpoint, target=target, table_version=self._table.version
        )
        return self._spawn_background(
            self._store.write(self._checkpoint, blobs, history)
        )


def _ignore(_key: Key, _replica: str, _text: str) -> None:
    """Nobody keeps a log."""
