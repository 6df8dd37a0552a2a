"""A small world for plans: specs, replicas, and a cluster that does what it is told."""

from dataclasses import replace

from workbench.controller.plan import Renumber, Start, Stop, Update, plan
from workbench.controller.ranks import first_standing
from workbench.controller.replica_life import ALIVE, ROUTED, Replica
from workbench.controller.target import Target
from workbench.spec.application import ApplicationSpec, DeployRequest
from workbench.spec.deployment import (
    DeploymentOptions,
    DeploymentSpec,
    Kind,
    Version,
)
from workbench.spec.status import ReplicaState


def make_spec(
    name="Model", *, code="c1", init="i1", placement="p1", config="o1", **options
):
    return DeploymentSpec(
        name=name,
        kind=Kind.CLASS,
        options=DeploymentOptions(**options),
        version=Version(code=code, init=init, placement=placement, config=config),
        code=f"blob-{code}",
        args=f"args-{init}",
    )


def make_request(*specs, name="default", route="/", may_keep=False):
    app = ApplicationSpec(
        name=name, route_prefix=route, ingress=specs[0].name, deployments=specs
    )
    return DeployRequest(application=app, blobs={}, may_keep=may_keep)


def deployed(*specs, may_keep=False, before=None):
    """A target with one application, live as `before` if that is given."""
    target = Target()
    if before is not None:
        target = target.deploy(make_request(*before), now=0.0).settle("default")
    return target.deploy(make_request(*specs, may_keep=may_keep), now=1.0)


def running(spec, number=1, app="default"):
    """A replica that serves `spec`."""
    return Replica(
        id=f"{spec.name}-{spec.version.code}-{number}",
        app=app,
        spec=spec,
        state=ReplicaState.RUNNING,
        reservation=f"place-{number}",
        node_id="node",
    )


class World:
    """Carries out plans one turn at a time; every process does as it is told."""

    def __init__(self, target, replicas=()):
        self.target = target
        self.replicas = {each.id: each for each in replicas}
        self.fewest_routed = self.count(ROUTED)
        self._made = 0

    def count(self, states):
        return sum(1 for each in self.replicas.values() if each.state in states)

    def turn(self):
        """Plan, begin every action, then let everything begun finish."""
        actions = plan(self.target, list(self.replicas.values()), {}, now=0.0)
        for action in actions:
            self._begin(action)
        self.fewest_routed = min(self.fewest_routed, self.count(ROUTED))
        for each in list(self.replicas.values()):
            self._finish(each)
        return actions

    def run(self):
        """Turn until nothing is left to do; returns all actions but new numbers."""
        done: list[Start | Stop | Update] = []
        for _ in range(100):
            actions = self.turn()
            if not actions:
                return done
            done += [each for each in actions if not isinstance(each, Renumber)]
        msg = "the plan never settles"
        raise AssertionError(msg)

    def alive(self):
        return [each for each in self.replicas.values() if each.state in ALIVE]

    def _begin(self, action):
        match action:
            case Start():
                self._made += 1
                new = Replica(
                    id=f"new-{self._made}",
                    app=action.app,
                    spec=action.spec,
                    reservation=action.reservation or f"own-{self._made}",
                    replaces=action.replaces,
                )
                self.replicas[new.id] = new
            case Update():
                self._set(action.replica, ReplicaState.UPDATING, spec=action.spec)
            case Stop():
                self._set(action.replica, ReplicaState.STOPPING)
            case Renumber():
                state = self.replicas[action.replica].state
                self._set(action.replica, state, standing=action.standing)

    def _finish(self, replica):
        if replica.state is ReplicaState.PLACING:
            others = self.replicas.values()
            standing = first_standing(replica, others, self.target)
            self._set(replica.id, ReplicaState.RUNNING, standing=standing)
        elif replica.state is ReplicaState.UPDATING:
            self._set(replica.id, ReplicaState.RUNNING)
        elif replica.state is ReplicaState.STOPPING:
            del self.replicas[replica.id]

    def _set(self, replica_id, state, **changes):
        self.replicas[replica_id] = replace(
            self.replicas[replica_id], state=state, **changes
        )
