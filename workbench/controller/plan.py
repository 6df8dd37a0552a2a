"""From what should run and what does, the next actions. Pure: no clock, no Ray.

Called after every event. Each call looks at everything anew, so an action that was
lost (a process that died, a controller that restarted) is simply planned again.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from workbench.controller.observed import by_deployment
from workbench.controller.ranks import renumbered
from workbench.controller.replica_life import ALIVE, ROUTED, Replica
from workbench.controller.rollout import IN_PLACE, choose_step
from workbench.controller.target import ApplicationTarget, Target
from workbench.spec.deployment import DeploymentSpec
from workbench.spec.ranks import Standing
from workbench.spec.replica import reservation_of
from workbench.spec.status import ReplicaState, Step

__all__ = ["Action", "Renumber", "Start", "Stop", "Update", "is_settled", "plan"]

Key = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Start a replica, in a reservation of its own or in that of the one it replaces."""

    app: str
    spec: DeploymentSpec
    replaces: str = ""
    reservation: str = ""

    def begun(self, replica_id: str, before: Replica | None) -> Replica:
        """The replica that this starts; `before` is the one it replaces, if it lives."""
        return Replica(
            id=replica_id,
            app=self.app,
            spec=self.spec,
            reservation=self.reservation or reservation_of(replica_id),
            replaces=self.replaces,
            node_id=before.node_id if before and self.reservation else "",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """Bring a running replica to a new version in place."""

    replica: str
    spec: DeploymentSpec
    step: Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Drain a replica and end its process."""

    replica: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Renumber:
    """Tell a running replica that it is another of how many."""

    replica: str
    standing: Standing


Action = Start | Update | Stop | Renumber


def plan(
    target: Target,
    replicas: Collection[Replica],
    retry_at: Mapping[Key, float],
    now: float,
) -> list[Action]:
    """The actions that bring `replicas` nearer to `target`.

    `retry_at` holds, for deployments whose replicas keep failing, the time before
    which no new one is started.
    """
    groups = by_deployment(each for each in replicas if each.state in ALIVE)
    actions: list[Action] = []
    for name, app in target.applications.items():
        for spec in app.deployments:
            key = (name, spec.name)
            may_start = retry_at.get(key, now) <= now
            actions += _plan_deployment(app, spec, groups.pop(key, []), may_start)
    unwanted = [replica for group in groups.values() for replica in group]
    return actions + [Stop(replica=each.id) for each in unwanted]


def _plan_deployment(
    app: ApplicationTarget,
    spec: DeploymentSpec,
    group: list[Replica],
    may_start: bool,  # noqa: FBT001 - private
) -> list[Action]:
    want = app.count(spec)
    if _is_up(spec, group, want):  # which is so for nearly all, at nearly every turn
        return [
            Renumber(replica=replica_id, standing=standing)
            for replica_id, standing in renumbered(group).items()
        ]
    new = [each for each in group if each.version == spec.version]
    old = [each for each in group if each.version != spec.version]
    updates = _updates(app, spec, old)
    updated = {action.replica for action in updates}
    # One that is changing already is looked at again when it has finished.
    updated |= {each.id for each in old if each.state is ReplicaState.UPDATING}
    to_replace = [
        each for each in old if each.state in ROUTED and each.id not in updated
    ]
    too_late = [each for each in old if each.state not in ROUTED]
    heading = len(new) + len(updated)
    actions: list[Action] = [*updates, *(Stop(replica=r.id) for r in too_late)]
    if may_start:
        actions += _starts(
            app, spec, new=new, to_replace=to_replace, missing=want - heading
        )
    actions += _stops(new, to_replace, want, len(updated))
    return actions


def _updates(
    app: ApplicationTarget, spec: DeploymentSpec, old: list[Replica]
) -> list[Update]:
    found = []
    for replica in old:
        may_keep = app.may_keep and replica.refused != spec.version.code
        step, _ = choose_step(replica.version, spec.version, may_keep=may_keep)
        if replica.state is ReplicaState.RUNNING and step in IN_PLACE:
            found.append(Update(replica=replica.id, spec=spec, step=step))
    return found


def _starts(
    app: ApplicationTarget,
    spec: DeploymentSpec,
    *,
    new: list[Replica],
    to_replace: list[Replica],
    missing: int,
) -> list[Start]:
    """Missing replicas; those that replace an old one come in waves."""
    on_the_way = {each.replaces for each in new}
    waiting = [each for each in to_replace if each.id not in on_the_way]
    starting = sum(1 for each in new if each.state not in ROUTED)
    wave = _wave(spec, app.count(spec)) - starting
    found = []
    for index in range(missing):
        predecessor = waiting[index] if index < len(waiting) else None
        if predecessor is None:
            found.append(Start(app=app.spec.name, spec=spec))
        elif index < wave:
            found.append(_replacement(app.spec.name, spec, predecessor))
    return found


def _wave(spec: DeploymentSpec, count: int) -> int:
    """How many replicas are replaced at the same time."""
    options = spec.options
    share = max(options.rolling_update_percentage, options.max_surge_percent / 100)
    return max(1, math.ceil(share * count))


def _replacement(app: str, spec: DeploymentSpec, old: Replica) -> Start:
    """A swap sits down in the old replica's reservation; a roll needs its own.

    So does a replica with workers beside it, whose places the old ones still hold.
    """
    same_place = (
        old.version.placement == spec.version.placement
        and not spec.options.placement_group_bundles
    )
    return Start(
        app=app,
        spec=spec,
        replaces=old.id,
        reservation=old.reservation if same_place else "",
    )


def _stops(
    new: list[Replica], to_replace: list[Replica], want: int, updated: int
) -> list[Stop]:
    """Old replicas that are no longer needed, and new ones that are too many."""
    ready = [each for each in new if each.state in ROUTED]
    taken_over = {each.replaces for each in ready}
    spare = len(ready) + updated + len(to_replace) - want
    order = sorted(to_replace, key=lambda each: each.id not in taken_over)
    leaving = order[: max(0, spare)]
    too_many = len(new) + updated - want
    # Not yet running first, then the youngest.
    youngest = new[::-1]
    youngest.sort(key=lambda each: each.state in ROUTED)
    leaving += youngest[: max(0, too_many)]
    return [Stop(replica=each.id) for each in leaving]


def is_settled(app: ApplicationTarget, replicas: Collection[Replica]) -> bool:
    """Whether every deployment serves the target's version, and nothing else does."""
    groups = by_deployment(each for each in replicas if each.state in ALIVE)
    for spec in app.deployments:
        group = groups.get((app.spec.name, spec.name), [])
        if not _is_up(spec, group, app.count(spec)):
            return False
    return not app.is_stopped


def _is_up(spec: DeploymentSpec, group: list[Replica], want: int) -> bool:
    """Whether as many as wanted serve the version that is wanted, and no others."""
    return len(group) == want and all(
        each.state is ReplicaState.RUNNING
        and (each.spec is spec or each.version == spec.version)
        for each in group
    )
