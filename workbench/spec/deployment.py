"""What a user declares of one deployment, and the version that follows from it."""

import json
from dataclasses import dataclass, field, fields
from typing import Self

from workbench.spec.autoscaling import AutoscalingConfig
from workbench.spec.logging_config import LoggingSpec
from workbench.spec.placement import check_group
from workbench.spec.routing import BackpressureSpec, RoutingSpec

__all__ = [
    "ActorOptions",
    "DeploymentOptions",
    "DeploymentSpec",
    "Kind",
    "Parts",
    "Version",
]

from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorOptions:
    """Resources and environment of one replica (Ray's names and units)."""

    num_cpus: float = 1.0
    num_gpus: float = 0.0
    memory: float = 0.0
    """Bytes."""
    resources: dict[str, float] = field(default_factory=dict)
    accelerator_type: str | None = None
    runtime_env: dict[str, object] = field(default_factory=dict)
    label_selector: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, options: dict[str, object] | None) -> Self:
        """Check a user's `ray_actor_options`.

        Raises:
            ValueError: an unknown key, or a negative amount.
        """
        given = dict(options or {})
        known = {f.name for f in fields(cls)}
        if unknown := sorted(set(given) - known):
            msg = (
                f"ray_actor_options has unknown keys {unknown}; "
                f"known are {sorted(known)}."
            )
            raise ValueError(msg)
        given = {key: value for key, value in given.items() if value is not None}
        made = cls(**given)  # type: ignore[arg-type]  # checked below
        amounts: dict[str, object] = {**made.bundle()}
        for name, amount in amounts.items():
            if not isinstance(amount, int | float) or amount < 0:
                msg = f"ray_actor_options asks for {amount!r} {name}; give 0 or more."
                raise ValueError(msg)
        return made

    def given(self) -> dict[str, object]:
        """As a user writes them: `num_cpus`, and what is not at its default."""
        default = type(self)()
        named = {f.name: getattr(self, f.name) for f in fields(self)}
        return {
            name: value
            for name, value in named.items()
            if name == "num_cpus" or value != getattr(default, name)
        }

    def bundle(self) -> dict[str, float]:
        """The reservation one replica needs, as Ray resource amounts."""
        amounts = {
            "CPU": self.num_cpus,
            "GPU": self.num_gpus,
            "memory": self.memory,
            **self.resources,
        }
        if self.accelerator_type:
            amounts[f"accelerator_type:{self.accelerator_type}"] = 0.001
        return {name: amount for name, amount in amounts.items() if amount}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentOptions:
    """Every option of a deployment: default, unit and check stand here only."""

    num_replicas: int = 1
    """Without effect beside `autoscaling_config`."""
    autoscaling_config: AutoscalingConfig | None = None
    """None: always `num_replicas`."""
    max_ongoing_requests: int = 5
    """Calls one replica runs at the same time; never more."""
    max_queued_requests: int = -1
    """Calls that may wait, in all callers together; -1 is no limit."""
    backpressure_config: BackpressureSpec = field(default_factory=BackpressureSpec)
    """What HTTP clients are told when no more calls may wait."""
    request_timeout_s: float | None = None
    """A call's time, waiting and running; past it it is cancelled. None: no limit."""
    user_config: object = None
    """JSON value handed to `reconfigure`; changing only this restarts nothing."""
    ray_actor_options: ActorOptions = field(default_factory=ActorOptions)
    max_replicas_per_node: int | None = None
    """None: as many as there is room for. Old ones that an update is about to replace
    do not count. Not beside placement_group_bundles."""
    placement_group_bundles: tuple[dict[str, float], ...] = ()
    """Reserved together for each replica, which sits in the first one; Ray tasks and
    actors that it starts find room in the others. Empty: ray_actor_options alone."""
    placement_group_strategy: str = ""
    """How bundles lie on nodes: PACK (which empty means), SPREAD, STRICT_PACK or
    STRICT_SPREAD."""
    placement_group_bundle_label_selector: tuple[dict[str, str], ...] = ()
    """Labels of the nodes for each bundle, or one entry for all."""
    max_constructor_retry_count: int = 1
    """Times that a replica may fail to come up before a deploy has failed."""
    rolling_update_percentage: float = 0.2
    """Share of the replicas that an update replaces at the same time; at least one."""
    max_surge_percent: float = 0.0
    """Per cent of replicas that an update may start beside the old ones; a greater
    share than rolling_update_percentage counts in its place."""
    request_router_config: RoutingSpec = field(default_factory=RoutingSpec)
    """How callers choose a replica."""
    logging_config: LoggingSpec | None = None
    """How replicas log; None: as the application has it, else `serve.start`."""
    graceful_shutdown_timeout_s: float = 20.0
    """Time that running calls get to finish when a replica stops."""
    graceful_shutdown_wait_loop_s: float = 2.0
    """Taken and not needed: a replica stops as soon as its last call has ended."""
    health_check_period_s: float = 10.0
    health_check_timeout_s: float = 30.0

    def __post_init__(self) -> None:
        """Reject what cannot work, naming the value."""
        _require_int("num_replicas", self.num_replicas, 1)
        _require_int("max_ongoing_requests", self.max_ongoing_requests, 1)
        if self.max_queued_requests != -1:
            _require_int("max_queued_requests", self.max_queued_requests, 1)
        _require_int("max_constructor_retry_count", self.max_constructor_retry_count, 1)
        _require_share("rolling_update_percentage", self.rolling_update_percentage, 1)
        if self.max_surge_percent:
            _require_share("max_surge_percent", self.max_surge_percent, 100)
        check_group(self)
        for name in (
            "graceful_shutdown_timeout_s",
            "graceful_shutdown_wait_loop_s",
            "health_check_period_s",
            "health_check_timeout_s",
        ):
            value = getattr(self, name)
            if not isinstance(value, (int, float)) or value < 0:
                msg = f"{name} is a time in seconds, 0 or more; got {value!r}."
                raise ValueError(msg)
        timeout: object = self.request_timeout_s
        if timeout is not None and (
            not isinstance(timeout, (int, float)) or timeout <= 0
        ):
            msg = f"request_timeout_s is more than 0 seconds, or None; got {timeout!r}."
            raise ValueError(msg)
        try:
            json.dumps(self.user_config)
        except (TypeError, ValueError) as error:
            msg = f"user_config must be JSON: {error}."
            raise ValueError(msg) from None


def _require_int(name: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        msg = f"{name} must be a whole number; got {value!r}."
        raise TypeError(msg)
    if value < least:
        msg = f"{name} must be at least {least}; got {value}."
        raise ValueError(msg)


def _require_share(name: str, value: object, most: float) -> None:
    if not isinstance(value, int | float) or not 0 < value <= most:
        msg = f"{name} is more than 0 and at most {most:g}; got {value!r}."
        raise ValueError(msg)


class Kind(StrEnum):
    """What the user's target is, hence how a call enters it."""

    CLASS = "class"
    FUNCTION = "function"
    ASGI = "asgi"


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """Content hashes of a deployment: equal parts need no work.

    `code` covers all code the target reaches, `init` the constructor's part of it and
    the bind arguments, `placement` resources and environment, `config` the rest.
    """

    code: str
    init: str
    placement: str
    config: str

    def __str__(self) -> str:
        return self.code[:7]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a deployment's code is made of, to say what of it changed.

    Each part by its kind and name, for example `method Model.predict`, with a short
    hash of it; numbers and the like by themselves, after an equals sign.
    """

    code: dict[str, str] = field(default_factory=dict)
    init: dict[str, str] = field(default_factory=dict)
    """Those that make an instance, and the bind arguments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentSpec:
    """One deployment as the controller keeps it; blobs are named by their hash."""

    name: str
    kind: Kind
    options: DeploymentOptions
    version: Version
    code: str
    """Id of the code blob (see `workbench.code`)."""
    args: str
    """Id of the blob with the bind arguments."""
    parts: Parts = field(default_factory=Parts)
    """Empty where they are unknown or too many."""

    def blob_ids(self) -> set[str]:
        """Every blob that it needs."""
        scaling = self.options.autoscaling_config
        policy = "" if scaling is None else scaling.policy.code
        return {self.code, self.args} | ({policy} if policy else set())
