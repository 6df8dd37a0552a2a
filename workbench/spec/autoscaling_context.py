"""What an autoscaling policy is shown. Names and meaning are Ray Serve's.

Made by `workbench.controller.scaler`; what Ray Serve lacks is said to be ours.
"""

from dataclasses import dataclass, field

from workbench.spec.autoscaling import AutoscalingConfig

__all__ = ["AutoscalingContext", "DeploymentID"]


@dataclass(frozen=True)
class DeploymentID:
    """Which deployment, of which application."""

    name: str
    app_name: str = "default"

    def __str__(self) -> str:
        return f"{self.app_name}#{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoscalingContext:
    """What a policy may go by. Times are in seconds since the epoch."""

    deployment_id: DeploymentID
    deployment_name: str
    app_name: str
    config: AutoscalingConfig
    current_num_replicas: int
    """Replicas that serve."""
    target_num_replicas: int
    """Replicas that should, by the last decision."""
    running_replicas: list[str] = field(default_factory=list)
    """Their ids."""
    total_num_requests: float = 0.0
    """Calls that run and wait, aggregated over `look_back_period_s`."""
    total_queued_requests: float = 0.0
    """Calls that wait now."""
    total_running_requests: float = 0.0
    """Calls that replicas have now."""
    aggregated_metrics: dict[str, dict[str, float]] = field(default_factory=dict)
    """What replicas' `record_autoscaling_stats` said: name, then replica."""
    raw_metrics: dict[str, dict[str, list[tuple[float, float]]]] = field(
        default_factory=dict
    )
    """The same with the times."""
    capacity_adjusted_min_replicas: int = 0
    capacity_adjusted_max_replicas: int = 1
    policy_state: dict[str, object] = field(default_factory=dict)
    """What the policy returned last."""
    last_scale_up_time: float | None = None
    last_scale_down_time: float | None = None
    current_time: float = 0.0
    oldest_queued_s: float = 0.0
    """Ours: how long the call that has waited longest has waited."""
    latency_ms: dict[str, float] = field(default_factory=dict)
    """Ours: `p50`, `p95` and `p99` of the last seconds, as replicas see it."""
