"""How many replicas a deployment may have and who decides; what is told of decisions.

Names, defaults and meaning of `AutoscalingConfig` and `AutoscalingPolicy` are Ray
Serve's; what it lacks is said to be ours. What policies are shown: `autoscaling_context`.
"""

import json
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum

__all__ = [
    "AUTO",
    "POLICIES",
    "AutoscalingConfig",
    "AutoscalingPolicy",
    "ScalingRecord",
    "ScalingRule",
    "parse_autoscaling",
    "parse_policy",
    "parse_replicas",
]


POLICIES = {
    "default": frozenset[str](),
    "latency": frozenset({"target_ms", "percentile"}),
    "schedule": frozenset({"times", "timezone"}),
}
"""The policies of ours, and the names of their arguments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoscalingPolicy:
    """Who proposes the number of replicas.

    A function is called with an `AutoscalingContext`, and returns a number and a dict
    that it finds in the next context's `policy_state`. A class is made once with
    `policy_kwargs`, and its instances are called. It runs in a process of its own:
    one that raises or takes too long leaves the number as it is, and hurts nobody else.

    An application's policy is called with a dict of the contexts of all its autoscaled
    deployments by `DeploymentID`, and returns a dict of numbers and one of states (or
    None) by the same keys. It takes the place of the deployments' own.
    """

    policy_function: object = "default"
    """A function, a class, `"module:name"` of one, or a policy of ours by name."""
    policy_kwargs: dict[str, object] = field(default_factory=dict)
    """JSON values: what a class is made with, or what a function is also given."""
    code: str = ""
    """Id of the blob that a policy of the user's own travels as."""

    def __post_init__(self) -> None:
        """Reject what cannot work, naming the value."""
        function = self.policy_function
        if not (isinstance(function, str) or callable(function)):
            msg = (
                "policy_function is a function, a class or 'module:name'; "
                f"got {function!r}."
            )
            raise TypeError(msg)
        if isinstance(function, str) and not self.code:
            self._check_name(function)
        try:
            json.dumps(self.policy_kwargs)
        except (TypeError, ValueError) as error:
            msg = f"policy_kwargs must be JSON: {error}."
            raise ValueError(msg) from None

    def _check_name(self, name: str) -> None:
        known = POLICIES.get(name)
        if known is None and "." not in name and ":" not in name:
            msg = (
                f"There is no autoscaling policy {name!r}; there are "
                f"{', '.join(POLICIES)}, or your own as 'module:name'."
            )
            raise ValueError(msg)
        if known is not None and (unknown := sorted(set(self.policy_kwargs) - known)):
            takes = ", ".join(sorted(known)) or "none"
            msg = f"{name} has no argument {unknown[0]!r}; it takes: {takes}."
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoscalingConfig:
    """Between which numbers, by what, and how soon a deployment is scaled."""

    min_replicas: int = 1
    """0: without calls nothing runs, and the first call waits for a replica."""
    initial_replicas: int | None = None
    """Of a first deploy; None: `min_replicas`. Later ones keep what there is."""
    max_replicas: int = 1
    target_ongoing_requests: float = 2.0
    """Calls for each replica, running and waiting."""
    look_back_period_s: float = 30.0
    """Time over which calls are averaged."""
    aggregation_function: str = "mean"
    """Of the calls in that time: mean, max or min."""
    upscale_delay_s: float = 30.0
    """Time for which more must have been wanted before there are more."""
    downscale_delay_s: float = 600.0
    downscale_to_zero_delay_s: float | None = None
    """The same for the last replica; None: `downscale_delay_s`."""
    upscaling_factor: float | None = None
    """Multiplies each change; None is 1."""
    downscaling_factor: float | None = None
    max_queue_age_s: float | None = 5.0
    """Ours: when a call has waited longer, one more replica is wanted, whatever the
    average. None: by the average alone."""
    policy: AutoscalingPolicy = field(default_factory=AutoscalingPolicy)
    metrics_interval_s: float = 10.0
    """Deprecated, without effect: all processes report twice a second."""
    smoothing_factor: float = 1.0
    """Deprecated: `upscaling_factor` and `downscaling_factor`."""
    upscale_smoothing_factor: float | None = None
    downscale_smoothing_factor: float | None = None

    def __post_init__(self) -> None:
        """Reject what cannot work, naming the value."""
        self._check_numbers()
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name in _COUNTS or not isinstance(value, (int, float)):
                continue
            least = "0 or more" if each.name in _MAY_BE_ZERO else "more than 0"
            if value < 0 or (value == 0 and each.name not in _MAY_BE_ZERO):
                msg = f"{each.name} must be {least}; got {value!r}."
                raise ValueError(msg)
        if self.aggregation_function not in _AGGREGATIONS:
            known = ", ".join(_AGGREGATIONS)
            msg = (
                f"aggregation_function is one of {known}; "
                f"got {self.aggregation_function!r}."
            )
            raise ValueError(msg)

    def _check_numbers(self) -> None:
        for name in _COUNTS:
            value: object = getattr(self, name)
            if value is None and name == "initial_replicas":
                continue
            if isinstance(value, bool) or not isinstance(value, int):
                msg = f"{name} must be a whole number; got {value!r}."
                raise TypeError(msg)
        if self.min_replicas < 0 or self.max_replicas < 1:
            msg = (
                "min_replicas is at least 0 and max_replicas at least 1; "
                f"got {self.min_replicas} and {self.max_replicas}."
            )
            raise ValueError(msg)
        if not self.min_replicas <= self.first <= self.max_replicas:
            msg = (
                "It must be that min_replicas ≤ initial_replicas ≤ max_replicas; "
                f"got {self.min_replicas}, {self.first} and {self.max_replicas}."
            )
            raise ValueError(msg)

    @property
    def first(self) -> int:
        """Replicas of a first deploy."""
        if self.initial_replicas is None:
            return self.min_replicas
        return self.initial_replicas

    def get_upscaling_factor(self) -> float:
        """What a change upwards is multiplied with."""
        return (
            self.upscaling_factor
            or self.upscale_smoothing_factor
            or self.smoothing_factor
        )

    def get_downscaling_factor(self) -> float:
        """What a change downwards is multiplied with."""
        return (
            self.downscaling_factor
            or self.downscale_smoothing_factor
            or self.smoothing_factor
        )

    def get_target_ongoing_requests(self) -> float:
        """Calls for each replica."""
        return self.target_ongoing_requests


_COUNTS = ("min_replicas", "initial_replicas", "max_replicas")
_AGGREGATIONS = ("mean", "max", "min")
_MAY_BE_ZERO = frozenset(
    {
        "upscale_delay_s",
        "downscale_delay_s",
        "downscale_to_zero_delay_s",
        "max_queue_age_s",
    }
)
AUTO = AutoscalingConfig(max_replicas=100)
"""What `num_replicas="auto"` means (Ray Serve's numbers)."""


class ScalingRule(StrEnum):
    """Why a decision came out as it did."""

    FITS = "fits"
    """The number is right."""
    WAITS_UP = "waits to grow"
    """More are wanted, but not for long enough yet."""
    WAITS_DOWN = "waits to shrink"
    UP = "grew"
    DOWN = "shrank"
    WAKE = "woke"
    """From zero, at once."""
    BUSY = "is busy"
    """The last replica has calls."""
    POLICY_FAILED = "policy failed"
    """The user's policy raised or took too long: the number stays."""
    BY_HAND = "by hand"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingRecord:
    """One decision: what it was made from, and what came out."""

    deployment: str
    at_s: float
    """Seconds since the epoch."""
    until_s: float
    """When the same was decided last."""
    rule: ScalingRule
    why: str
    """A sentence with the figures."""
    before: int
    """Replicas that should have been."""
    running: int
    """Replicas that were."""
    wanted: int
    """Replicas that should be."""
    policy: str = ""
    """Who is asked: a policy's name; of the application's, that it is."""
    proposed: float | None = None
    """What the policy said; None: it was not asked or did not say."""
    ongoing: float = 0.0
    """Calls that ran and waited, aggregated."""
    queued: int = 0
    oldest_queued_s: float = 0.0


def parse_autoscaling(given: object) -> AutoscalingConfig | None:
    """An `AutoscalingConfig`, or a dict with its fields.

    Raises:
        TypeError: anything else.
        ValueError: an unknown field, or a value that cannot be.
    """
    if given is None or isinstance(given, AutoscalingConfig):
        return given
    if not isinstance(given, dict):
        msg = f"autoscaling_config is an AutoscalingConfig or a dict; got {given!r}."
        raise TypeError(msg)
    known = {each.name for each in fields(AutoscalingConfig)}
    if unknown := sorted(set(given) - known):
        msg = f"autoscaling_config has no {unknown[0]!r}; known are {sorted(known)}."
        raise ValueError(msg)
    values = {key: val for key, val in given.items() if val is not None}
    if "policy" in values:
        values["policy"] = parse_policy(values["policy"])
    return replace(AutoscalingConfig(), **values)


def parse_policy(given: object) -> AutoscalingPolicy | None:
    """An `AutoscalingPolicy`, or a dict with its fields.

    Raises:
        TypeError: anything else.
        ValueError: an unknown field, or a value that cannot be.
    """
    if given is None or isinstance(given, AutoscalingPolicy):
        return given
    if not isinstance(given, dict):
        msg = f"A policy is an AutoscalingPolicy or a dict; got {given!r}."
        raise TypeError(msg)
    if unknown := sorted(set(given) - {"policy_function", "policy_kwargs"}):
        msg = (
            f"A policy has policy_function and policy_kwargs; it has no {unknown[0]!r}."
        )
        raise ValueError(msg)
    return AutoscalingPolicy(**{key: val for key, val in given.items() if val})


def parse_replicas(options: dict[str, object]) -> dict[str, object]:
    """The options a user gave, with what `num_replicas` says of autoscaling.

    `"auto"` becomes the usual autoscaling, with what the user declares of it.

    Raises:
        ValueError: both a number and autoscaling.
    """
    if "num_replicas" not in options:
        return options
    others = {key: val for key, val in options.items() if key != "num_replicas"}
    count, scaling = options["num_replicas"], options.get("autoscaling_config")
    if count is None:
        return others
    if count != "auto":
        if scaling is not None:
            msg = (
                f"num_replicas={count!r} and autoscaling_config exclude each other; "
                'leave one away, or say num_replicas="auto".'
            )
            raise ValueError(msg)
        # A number given later, in `.options`, ends autoscaling.
        return {**options, "autoscaling_config": None}
    if isinstance(scaling, AutoscalingConfig):
        if scaling.max_replicas == AutoscalingConfig().max_replicas:
            scaling = replace(scaling, max_replicas=AUTO.max_replicas)
    elif isinstance(scaling, dict):
        scaling = {"max_replicas": AUTO.max_replicas, **scaling}
    elif scaling is None:
        scaling = AUTO
    return {**others, "autoscaling_config": scaling}
