"""The loop that makes what runs equal what should run.

Woken by events, never by polling: a deploy, a replica that came up or died, a time
after which a failing deployment may try again. Each turn plans from scratch, begins
the actions, and publishes the routing table if it changed.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from workbench.controller.checkpoint import Checkpoint, CheckpointStore
from workbench.controller.deploys import DeployFeeds
from workbench.controller.failures import Failures
from workbench.controller.history import History
from workbench.controller.live_table import LiveTable
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
from workbench.controller.ranks import first_standing
from workbench.controller.replica_life import IF_BROKEN, Event, Replica, advance
from workbench.controller.report import report_application, url_of
from workbench.controller.rollout import describe_deploy
from workbench.controller.scaler import Autoscaled, autoscaled
from workbench.controller.setback import Setback, ends_deploy
from workbench.controller.target import Target
from workbench.controller.tasks import Tasks
from workbench.controller.trials import Stage, Trials
from workbench.controller.turns import Turns
from workbench.controller.versions import Versions
from workbench.errors import DeployError, GateError
from workbench.spec.application import DeployRequest
from workbench.spec.deployment import DeploymentSpec
from workbench.spec.status import (
    ApplicationStatusOverview,
    DeployEvent,
    EventKind,
    ReplicaState,
)
from workbench.spec.versions import Outcome

if TYPE_CHECKING:
    from workbench.controller.work import ReplicaWork

__all__ = ["Controller"]

_log = logging.getLogger("workbench.controller")

Key = tuple[str, str]


class Controller:
    """Holds target and observed; everything else is asked of or done by its parts."""

    def __init__(
        self, store: CheckpointStore, publisher: Publisher, checkpoint: Checkpoint
    ) -> None:
        self._store = store
        self._checkpoint = checkpoint
        self._target = checkpoint.target
        self._table = LiveTable(publisher, checkpoint.table_version)
        self._replicas = Observed()
        self._feeds = DeployFeeds()
        self._failures = Failures()
        self._tasks = Tasks(self._tell_broken)
        self._turns = Turns(self._turn, self._failures.until_retry)
        self.versions = Versions(store, lambda: self._target, self.deploy)
        """What was deployed before, and the way back to it."""
        self.trials = Trials(
            Stage(
                target=lambda: self._target,
                replicas=self._replicas.of,
                turned=self._turns.next_end,
                told=self._feeds.put,
                passed=self._turns.wake,
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
        self._turns.wake()
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
        self._turns.wake()
        await self._turns.until(lambda: not self._replicas.of(name))
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
        self._turns.wake()
        await asyncio.shield(stored)

    def autoscaled(self) -> Collection[Autoscaled]:
        """Every deployment that is autoscaled, as it is now."""
        return autoscaled(self._target, self._replicas)

    def rescale(self, app: str, deployment: str, wanted: int) -> None:
        """Have so many replicas, as autoscaling has decided."""
        self._set_target(self._target.rescale(app, deployment, wanted))
        self._turns.wake()

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
            peers = self._replicas.of(after.app)
            standing = first_standing(after, peers, self._target)
            after = replace(after, standing=standing)
        self._replicas[replica_id] = after
        self._feeds.on_replica(before, after)
        if after.state in (ReplicaState.FAILED, ReplicaState.STOPPED):
            self._bury(after)
        if after.state is ReplicaState.FAILED:
            self._count_failure(after)
        if event is Event.SICK and before.state is not ReplicaState.STOPPING:
            self._add_failure(after)
            self._tasks.work_on(replica_id, self.work.stop(after))
        if event is Event.UPDATE_ENDED and after.message and not after.refused:
            self._fail_deploy(after)
        self._turns.wake()

    def adopt(self, replica: Replica) -> None:
        """Take over a replica that an earlier controller started, or was stopping."""
        self._replicas[replica.id] = replica
        if replica.state is ReplicaState.STOPPING:
            self._tasks.work_on(replica.id, self.work.stop(replica))
        self._turns.wake()

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
        await self._turns.run()

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
        self.on_turned()

    def _begin(self, action: Action) -> None:
        match action:
            case Start():
                self._begin_start(action)
            case Update(replica=replica_id, spec=spec, step=step):
                before = self._replicas[replica_id]
                self.tell(replica_id, Event.UPDATE_BEGUN, spec=spec)
                self._tasks.work_on(replica_id, self.work.update(before, spec, step))
            case Stop(replica=replica_id):
                self._begin_stop(replica_id)
            case Renumber(replica=replica_id, standing=standing):
                told = replace(self._replicas[replica_id], standing=standing)
                self._replicas[replica_id] = told
                self._tasks.start(self.work.stand(told))

    def _begin_start(self, action: Start) -> None:
        before = self._replicas.get(action.replaces)
        replica = action.begun(secrets.token_hex(4), before)
        self._replicas[replica.id] = replica
        self._feeds.on_replica(None, replica)
        self._tasks.work_on(replica.id, self.work.start(replica))

    def _begin_stop(self, replica_id: str) -> None:
        self._tasks.give_up(replica_id)
        self.tell(replica_id, Event.STOP)
        self._tasks.work_on(replica_id, self.work.stop(self._replicas[replica_id]))

    def _tell_broken(self, replica_id: str, error: BaseException) -> None:
        """Work that broke in a way nobody foresaw still ends a deploy with a reason."""
        replica = self._replicas.get(replica_id)
        if replica is None or (event := IF_BROKEN.get(replica.state)) is None:
            return
        if event is Event.STOPPED:  # as it should be, however it came about
            self.tell(replica_id, event)
            return
        message = f"{DeployError.__name__}: {type(error).__name__}: {error}"
        self.tell(replica_id, event, message=message)

    def publish(self, *, anew: bool = False) -> None:
        """Publish the routing table if it changed, or `anew` in any case."""
        self._table.publish(self._target, self._replicas, anew=anew)

    def _settle(self, name: str) -> None:
        """Everything of the application is up: live once all routers know it.

        Whoever comes after us finds that out again, should it not be stored by then.
        """
        history = self._store.history.end(name, Outcome.LIVE)
        self._set_target(self._target.settle(name), history=history)
        deployed_at = self._target.applications[name].deployed_at
        self._tasks.start(self._announce_live(name, deployed_at, self._table.version))

    async def _announce_live(
        self, name: str, deployed_at: float, table_version: int
    ) -> None:
        await self._table.wait_until_seen(table_version)
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
            self._tasks.start(process.end())
        if not any(
            each.reservation == replica.reservation
            for each in self._replicas.of(replica.app)
        ):
            self._tasks.start(self.work.release(replica.reservation))

    def _count_failure(self, replica: Replica) -> None:
        self._add_failure(replica)
        if ends_deploy(
            Setback(replica.message),
            replica.version,
            app=self._target.applications.get(replica.app),
            wanted=self.knows(*replica.key),
            failures=self._failures.count(replica.key),
        ):
            self._fail_deploy(replica)

    def _add_failure(self, replica: Replica) -> None:
        _log.warning(
            "Replica %s of %s failed: %s", replica.id, *replica.key, replica.message
        )
        setback = Setback(replica.message)
        self._failures.add(replica.key, time.monotonic(), setback.reason)
        if not setback.is_logged:
            self.note(replica.key, replica.id, setback.reason)

    def _fail_deploy(self, replica: Replica) -> None:
        """The new version does not come up: back to the last one that did."""
        reason, error = Setback(replica.message).of_deploy
        where = {"deployment": replica.spec.name, "replica": replica.id}
        self._fail(replica.app, reason, error, **where)

    def _fail(self, name: str, reason: str, error: str, **where: str) -> None:
        """A deploy that is under way has failed: back to what was live."""
        app = self._target.applications.get(name)
        if app is None or app.is_live:
            return
        is_reverted = error == GateError.__name__ and app.last_live is not None
        outcome = Outcome.REVERTED if is_reverted else Outcome.FAILED
        history = self._store.history.end(name, outcome, reason)
        self._set_target(self._target.fail(name, reason), history=history)
        self._turns.wake()
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
        return self._tasks.start(self._store.write(self._checkpoint, blobs, history))


def _ignore(_key: Key, _replica: str, _text: str) -> None:
    """Nobody keeps a log."""
