"""What is measured of everything that runs, twice a second.

Percentiles come from histograms (`workbench.observe.histogram`) over the last seconds;
None where no request ended in them. All rates are per second.
"""

from dataclasses import dataclass, field

__all__ = ["ApplicationSample", "DeploymentSample", "ReplicaSample", "Sample"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationSample:
    """HTTP requests of one application as its clients see them, at the proxies."""

    requests_per_s: float = 0.0
    errors_per_s: float = 0.0
    """Answers with status 500 and above, and connections that were cut."""
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentSample:
    """Calls to one deployment, over HTTP or by handle, as its replicas see them."""

    requests_per_s: float = 0.0
    errors_per_s: float = 0.0
    """Calls in which user code raised."""
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    ongoing: int = 0
    """Calls that run now, in all replicas."""
    queued: int = 0
    """Calls that wait for a slot now, in all routers."""
    replicas: int = 0
    """Replicas that serve now."""
    target: int = 0
    """Replicas that should serve."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaSample:
    """One replica."""

    deployment: str
    """Key of its deployment: `application#deployment`."""
    requests_per_s: float = 0.0
    errors_per_s: float = 0.0
    p99_ms: float | None = None
    ongoing: int = 0
    cpu_cores: float = 0.0
    """CPU time used per second of time: 1.0 is one core kept busy."""
    memory_bytes: int = 0
    """Resident memory of its process; pages shared with others counted in full."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Everything measured at one moment. A sample of the past has no replicas."""

    at_s: float
    """Seconds since the epoch."""
    applications: dict[str, ApplicationSample] = field(default_factory=dict)
    deployments: dict[str, DeploymentSample] = field(default_factory=dict)
    """By key: `application#deployment`."""
    replicas: dict[str, ReplicaSample] = field(default_factory=dict)
    """By replica id."""
