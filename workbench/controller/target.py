"""What should run: a value that only these functions change.

A deploy makes the new specification the target at once and remembers the last one
that was fully up. If the new one fails to come up the target goes back to that.
"""

from dataclasses import dataclass, field, replace

from workbench.errors import ScaleError, UnknownDeploymentError
from workbench.spec.application import ApplicationSpec, DeployRequest
from workbench.spec.capacity import Bounds, bounds_at, is_growing, share_of
from workbench.spec.deployment import DeploymentSpec
from workbench.spec.gate import Gate

__all__ = ["ApplicationTarget", "RouteTakenError", "Target"]


class RouteTakenError(ValueError):
    """Two applications want the same route."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationTarget:
    """One application as it should be."""

    spec: ApplicationSpec
    may_keep: bool = False
    gate: Gate = field(default_factory=Gate)
    """What `spec` must stand before it is live."""
    is_live: bool = False
    """The specification has been fully up once."""
    last_live: ApplicationSpec | None = None
    """What was fully up before `spec`; None if nothing was."""
    failure: str = ""
    """Why the last deploy failed; empty when it did not."""
    deployed_at: float = 0.0
    """Seconds since the epoch."""
    is_stopped: bool = False
    """Failed with nothing to go back to: runs nothing until deployed again."""
    wanted: dict[str, int] = field(default_factory=dict)
    """Replicas that autoscaling has decided on, by deployment."""
    is_growing: bool = False
    """Its `target_capacity` was raised last, not lowered."""

    @property
    def running(self) -> ApplicationSpec | None:
        """What runs of it, or is about to."""
        return None if self.is_stopped else self.spec

    @property
    def deployments(self) -> tuple[DeploymentSpec, ...]:
        """What should run of it now."""
        return () if self.is_stopped else self.spec.deployments

    def count(self, spec: DeploymentSpec) -> int:
        """How many replicas of a deployment there should be."""
        scaling, capacity = spec.options.autoscaling_config, self.spec.target_capacity
        bounds = self.bounds(spec)
        if scaling is None or bounds is None:
            return share_of(spec.options.num_replicas, capacity)
        first = share_of(scaling.first, capacity)
        return bounds.clamp(self.wanted.get(spec.name, first))

    def bounds(self, spec: DeploymentSpec) -> Bounds | None:
        """Between which numbers a deployment is autoscaled; None: it is not."""
        scaling, capacity = spec.options.autoscaling_config, self.spec.target_capacity
        if scaling is None:
            return None
        return bounds_at(scaling, capacity, is_growing=self.is_growing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """All applications as they should be."""

    applications: dict[str, ApplicationTarget] = field(default_factory=dict)

    def deploy(self, request: DeployRequest, now: float) -> "Target":
        """Make the request the target of its application.

        Raises:
            RouteTakenError: another application has the route.
        """
        spec = request.application
        self._check_route(spec)
        before = self.applications.get(spec.name)
        return self._with(
            ApplicationTarget(
                spec=spec,
                may_keep=request.may_keep,
                gate=request.gate,
                last_live=_last_live(before),
                deployed_at=now,
                wanted=_present(before),
                is_growing=is_growing(
                    before.spec.target_capacity if before else None,
                    spec.target_capacity,
                    is_new=before is None,
                    was_growing=before is not None and before.is_growing,
                ),
            )
        )

    def scale(self, name: str, deployment: str, num_replicas: int) -> "Target":
        """Another number of replicas, until a deploy declares one again.

        Raises:
            UnknownDeploymentError: there is none of that name; the message has those
                that there are.
            ScaleError: the number cannot be, or nothing runs that could be scaled.
        """
        app = self.applications.get(name)
        if app is None:
            there = ", ".join(sorted(self.applications)) or "none"
            msg = f"There is no application {name!r}; there is {there}."
            raise UnknownDeploymentError(msg)
        _check_scalable(app, deployment)
        if (spec := _autoscaled(app, deployment)) is not None:
            _check_bounds(app, spec, num_replicas)
            return self.rescale(name, deployment, num_replicas)
        return self._with(
            replace(
                app,
                spec=_scaled(app.spec, deployment, num_replicas),
                # A deploy that is under way may fail, and go back to this.
                last_live=app.last_live
                and _scaled(app.last_live, deployment, num_replicas),
            )
        )

    def rescale(self, name: str, deployment: str, wanted: int) -> "Target":
        """What autoscaling has decided, for one of its deployments."""
        app = self.applications[name]
        return self._with(replace(app, wanted={**app.wanted, deployment: wanted}))

    def settle(self, name: str) -> "Target":
        """The application's specification is fully up."""
        app = self.applications[name]
        return self._with(replace(app, is_live=True, last_live=None))

    def fail(self, name: str, reason: str) -> "Target":
        """The deploy failed: go back to what was up before, or stop."""
        app = self.applications[name]
        if app.last_live is None:
            return self._with(replace(app, failure=reason, is_stopped=True))
        return self._with(
            replace(
                app, spec=app.last_live, last_live=None, is_live=True, failure=reason
            )
        )

    def delete(self, name: str) -> "Target":
        """The application should not run; nothing happens if it is unknown."""
        left = {key: app for key, app in self.applications.items() if key != name}
        return Target(applications=left)

    def deployment(self, name: str, deployment: str) -> DeploymentSpec | None:
        """The specification of one deployment, if there is one."""
        app = self.applications.get(name)
        for spec in app.spec.deployments if app else ():
            if spec.name == deployment:
                return spec
        return None

    @property
    def capacity(self) -> float | None:
        """The `target_capacity` that was asked for last, of those that still hold."""
        newest = sorted(self.applications.values(), key=lambda app: -app.deployed_at)
        found = (app.spec.target_capacity for app in newest)
        return next((each for each in found if each is not None), None)

    def blob_ids(self) -> set[str]:
        """Every blob that something here needs."""
        specs = [
            spec
            for app in self.applications.values()
            for spec in (app.spec, app.last_live)
            if spec is not None
        ]
        checks = {app.gate.checks for app in self.applications.values()} - {""}
        return checks.union(*(spec.blob_ids() for spec in specs))

    def _with(self, app: ApplicationTarget) -> "Target":
        return Target(applications={**self.applications, app.spec.name: app})

    def _check_route(self, spec: ApplicationSpec) -> None:
        if spec.route_prefix is None:
            return
        for other in self.applications.values():
            if (
                other.spec.name != spec.name
                and other.spec.route_prefix == spec.route_prefix
            ):
                msg = (
                    f"Route {spec.route_prefix!r} belongs to application "
                    f"{other.spec.name!r}. Give {spec.name!r} another route_prefix, "
                    f"or delete {other.spec.name!r} first."
                )
                raise RouteTakenError(msg)


def _check_scalable(app: ApplicationTarget, deployment: str) -> None:
    names = [spec.name for spec in app.spec.deployments]
    if deployment not in names:
        msg = (
            f"Application {app.spec.name!r} has no deployment {deployment!r}; "
            f"it has {', '.join(names)}."
        )
        raise UnknownDeploymentError(msg)
    if app.is_stopped:
        msg = f"Application {app.spec.name!r} did not come up and runs nothing."
        raise ScaleError(msg, "Mend and deploy it, with the num_replicas you want.")
    capacity = app.spec.target_capacity
    if capacity not in {None, 100} and _autoscaled(app, deployment) is None:
        msg = (
            f"{deployment!r} runs {capacity:g} % of its num_replicas, "
            "by the target_capacity of its config file."
        )
        raise ScaleError(msg, "Deploy the file with other numbers, or without it.")


def _autoscaled(app: ApplicationTarget, deployment: str) -> DeploymentSpec | None:
    for spec in app.deployments:
        if spec.name == deployment and spec.options.autoscaling_config is not None:
            return spec
    return None


def _check_bounds(app: ApplicationTarget, spec: DeploymentSpec, wanted: int) -> None:
    """A hand may lead autoscaling only where it could go by itself."""
    bounds = app.bounds(spec)
    if bounds is None or bounds.clamp(wanted) == wanted:
        return
    msg = (
        f"{spec.name!r} is autoscaled between {bounds.least} and "
        f"{bounds.most} replicas; {wanted!r} is not."
    )
    hint = "Deploy it with other bounds, or with num_replicas to end autoscaling."
    raise ScaleError(msg, hint)


def _present(before: ApplicationTarget | None) -> dict[str, int]:
    """What a deploy that brings autoscaling begins with: as many as there are."""
    if before is None:
        return {}
    return {spec.name: before.count(spec) for spec in before.deployments}


def _scaled(
    app: ApplicationSpec, deployment: str, num_replicas: int
) -> ApplicationSpec:
    def scaled(spec: DeploymentSpec) -> DeploymentSpec:
        if spec.name != deployment:
            return spec
        try:
            options = replace(spec.options, num_replicas=num_replicas)
        except (TypeError, ValueError) as error:
            raise ScaleError(str(error)) from None
        return replace(spec, options=options)

    return replace(app, deployments=tuple(map(scaled, app.deployments)))


def _last_live(before: ApplicationTarget | None) -> ApplicationSpec | None:
    if before is None or before.is_stopped:
        return None
    return before.spec if before.is_live else before.last_live
