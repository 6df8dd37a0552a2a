"""From a bound application to what is sent to an instance."""

import hashlib
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from workbench.code.directories import contents, located
from workbench.code.policies import ship_policy
from workbench.code.ship import Shipment, ship, ship_functions
from workbench.deployment import Application, Deployment
from workbench.handle import DeploymentHandle
from workbench.spec.application import (
    ApplicationSpec,
    DeployRequest,
    Owner,
    check_route_prefix,
)
from workbench.spec.autoscaling import AutoscalingPolicy
from workbench.spec.deployment import DeploymentOptions, DeploymentSpec, Kind, Version
from workbench.spec.gate import Gate
from workbench.spec.logging_config import LoggingSpec

__all__ = ["Adjust", "Build", "build", "in_notebook", "project_root"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """What to send, and what the user should know before."""

    request: DeployRequest
    bound: dict[str, Application]
    """What each deployment of the request was made from, by its name there."""
    warnings: tuple[str, ...]


_DEFAULT = DeploymentOptions()

Adjust = Callable[[str, Deployment], Deployment]
"""Another form of a deployment, which has this name in its application."""


def build(  # noqa: PLR0913 - one keyword per thing a front end may say
    app: Application,
    *,
    name: str,
    route_prefix: str | None,
    may_keep: bool = False,
    owner: Owner | None = None,
    gate: Gate | None = None,
    checks: Sequence[Callable[..., object]] = (),
    root: Path,
    adjust: Adjust = lambda _, made: made,
    logging_config: LoggingSpec | None = None,
    autoscaling_policy: tuple[AutoscalingPolicy, bytes] | None = None,
    external_scaler_enabled: bool = False,
    target_capacity: float | None = None,
) -> Build:
    """Ship every deployment that `app` reaches; `root` holds its local modules.

    `adjust` is shown each deployment with its name and may change its options;
    `logging_config` is for those that have none of their own, and `autoscaling_policy`,
    as `code.policies` has shipped it, takes the place of those that they have.

    Raises:
        TypeError: `app` is no application.
        ValueError: a name or route that cannot be, or options that exclude each other.
        ShippingError: something that a deployment uses cannot travel.
    """
    given: object = app
    if not isinstance(given, Application):
        msg = f"Give an application, made by .bind(); got {given!r}."
        raise TypeError(msg)
    if not name:
        msg = "An application needs a name that is not empty."
        raise ValueError(msg)
    check_route_prefix(route_prefix)
    graph = _Graph(name, root, adjust, logging_config)
    graph.add(app)
    graph.ship_all()
    gate = gate or Gate()
    if checks:
        blob_id = graph.keep(ship_functions(checks, root=root))
        gate = replace(gate, checks=blob_id, count_of_checks=len(checks))
    spec = ApplicationSpec(
        name=name,
        route_prefix=route_prefix,
        ingress=graph.names[id(app)],
        deployments=tuple(graph.specs),
        owner=owner or Owner(),
        autoscaling_policy=graph.keep_policy(autoscaling_policy),
        external_scaler_enabled=external_scaler_enabled,
        target_capacity=target_capacity,
    )
    return Build(
        request=DeployRequest(
            application=spec,
            blobs=graph.blobs,
            may_keep=may_keep,
            gate=gate,
        ),
        bound=graph.bound,
        warnings=tuple(graph.warnings),
    )


def in_notebook() -> bool:
    """Whether this process is a notebook's kernel."""
    return "ipykernel" in sys.modules


def project_root() -> Path:
    """Directory whose modules are the user's own: the script's, else the current one."""
    main = sys.modules.get("__main__")
    file = getattr(main, "__file__", None)
    if file and not in_notebook():
        here = Path(file).resolve().parent
        # A tool such as pytest is the script: then the user's code is where they are.
        if not here.is_relative_to(Path(sys.prefix).resolve()):
            return here
    return Path.cwd()


class _Graph:
    """The deployments of one application, found while their arguments are pickled."""

    def __init__(
        self,
        app_name: str,
        root: Path,
        adjust: Adjust,
        logging_config: LoggingSpec | None,
    ) -> None:
        self._app_name = app_name
        self._root = root
        self._adjust = adjust
        self._logging_config = logging_config
        self._waiting: list[Application] = []
        self.names: dict[int, str] = {}
        self.bound: dict[str, Application] = {}
        self.specs: list[DeploymentSpec] = []
        self.blobs: dict[str, bytes] = {}
        self.warnings: list[str] = []

    def add(self, app: Application) -> str:
        """Name of the application's deployment; the same object keeps its name."""
        if id(app) not in self.names:
            self.names[id(app)] = name = self._free_name(app.deployment.name)
            self.bound[name] = app
            self._waiting.append(app)
        return self.names[id(app)]

    def ship_all(self) -> None:
        """Ship what was added, and what is found in its arguments."""
        while self._waiting:
            app = self._waiting.pop(0)
            made = ship(
                app.deployment.func_or_class,
                app.args,
                app.kwargs,
                root=self._root,
                substitute=self._handle_for,
            )
            self.warnings += made.warnings
            name = self.names[id(app)]
            adjusted = self._adjust(name, app.deployment)
            self.warnings += _without_effect(name, adjusted.deployment_options)
            self.specs.append(self._spec(name, adjusted, made))
        self._check_one_ingress()

    def _handle_for(self, value: object) -> object | None:
        if isinstance(value, Application):
            return DeploymentHandle(self.add(value), self._app_name)
        return None

    def _free_name(self, wish: str) -> str:
        taken = set(self.names.values())
        if wish not in taken:
            return wish
        number = next(n for n in range(1, len(taken) + 2) if f"{wish}_{n}" not in taken)
        self.warnings.append(
            f"Two deployments are named {wish!r}; the second is {wish}_{number}."
        )
        return f"{wish}_{number}"

    def _spec(
        self, name: str, made_from: Deployment, shipment: Shipment
    ) -> DeploymentSpec:
        options = self._with_policy(made_from.deployment_options)
        actor = options.ray_actor_options
        if actor.runtime_env:
            actor = replace(actor, runtime_env=located(actor.runtime_env))
            options = replace(options, ray_actor_options=actor)
        if options.logging_config is None:
            options = replace(options, logging_config=self._logging_config)
        return DeploymentSpec(
            name=name,
            kind=made_from.kind,
            options=options,
            version=_version(made_from.kind, options, shipment),
            code=self.keep(shipment.code),
            args=self.keep(shipment.args),
            parts=shipment.parts,
        )

    def _with_policy(self, options: DeploymentOptions) -> DeploymentOptions:
        """The options with an autoscaling policy of the user's as it travels."""
        scaling = options.autoscaling_config
        if scaling is None:
            return options
        policy, code = ship_policy(scaling.policy, self._root)
        if code:
            self.keep(code)
        return replace(options, autoscaling_config=replace(scaling, policy=policy))

    def keep_policy(
        self, shipped: tuple[AutoscalingPolicy, bytes] | None
    ) -> AutoscalingPolicy | None:
        """Have the code of the application's own autoscaling policy sent along."""
        if shipped is None:
            return None
        policy, code = shipped
        self.keep(code)
        self.warnings += _outvoted(self.specs)
        return policy

    def keep(self, blob: bytes) -> str:
        """Have a blob sent along; gives its id."""
        blob_id = hashlib.sha256(blob).hexdigest()[:32]
        self.blobs[blob_id] = blob
        return blob_id

    def _check_one_ingress(self) -> None:
        found = [spec.name for spec in self.specs if spec.kind is Kind.ASGI]
        if len(found) > 1:
            msg = (
                f"An application has one @serve.ingress class; this one has {found}. "
                "Call the others through handles, or deploy them as applications."
            )
            raise ValueError(msg)


def _outvoted(specs: Sequence[DeploymentSpec]) -> Iterator[str]:
    """What an application's autoscaling policy leaves without effect, or lacks."""
    configs = {spec.name: spec.options.autoscaling_config for spec in specs}
    scaled = {name: config for name, config in configs.items() if config is not None}
    if not scaled:
        yield (
            "autoscaling_policy has no effect: no deployment of the application has an "
            "autoscaling_config."
        )
    for name, config in scaled.items():
        if config.policy != AutoscalingPolicy():
            yield f"{name!r} has a policy of its own; the application's takes its place."


def _without_effect(name: str, options: DeploymentOptions) -> Iterator[str]:
    if options.graceful_shutdown_wait_loop_s != _DEFAULT.graceful_shutdown_wait_loop_s:
        yield (
            f"graceful_shutdown_wait_loop_s of {name!r} has no effect: "
            "a replica stops as soon as its last call has ended."
        )


def _version(kind: Kind, options: DeploymentOptions, shipment: Shipment) -> Version:
    """Hashes of the parts that need different amounts of work when they change."""
    in_place = (
        options.user_config,
        options.max_ongoing_requests,
        options.graceful_shutdown_timeout_s,
        options.health_check_period_s,
        options.health_check_timeout_s,
        options.max_queued_requests,
        options.backpressure_config,
        options.request_router_config,
        options.request_timeout_s,
        options.logging_config,
    )
    return Version(
        code=_digest(kind, shipment.code_hash),
        init=_digest(kind, shipment.init_hash),
        placement=_digest(
            options.ray_actor_options,
            options.placement_group_bundles,
            options.placement_group_strategy,
            options.placement_group_bundle_label_selector,
            options.max_replicas_per_node,
            contents(options.ray_actor_options.runtime_env),
        ),
        config=_digest(in_place),
    )


def _digest(*parts: object) -> str:
    data = msgspec.json.encode(parts, order="deterministic")
    return hashlib.sha256(data).hexdigest()[:16]
