"""Whether a new version does well enough under real traffic. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median

from workbench.observe.histogram import Histogram
from workbench.spec.gate import Guard
from workbench.spec.metrics import ApplicationSample, DeploymentSample, Sample

__all__ = ["Count", "Figures", "figures_before", "figures_between", "judge"]

# How long before a deploy its predecessor is looked at.
_BEFORE_S = 10.0
_NS_PER_MS = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """Requests that ended up to some moment."""

    buckets: Mapping[int, int]
    """How long they took (`workbench.observe.histogram`, of nanoseconds)."""
    errors: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How a version did over some time."""

    requests: float = 0
    errors: float = 0
    p99_ms: float | None = None

    @property
    def error_rate(self) -> float:
        """Share of requests that failed."""
        return self.errors / self.requests if self.requests else 0.0


def figures_between(begin: Count, end: Count) -> Figures:
    """What ended between two moments."""
    took = Histogram()
    took.merge(end.buckets)
    took.take_off(begin.buckets)
    found = took.percentiles(0.99)
    return Figures(
        requests=took.count,
        errors=end.errors - begin.errors,
        p99_ms=found[0] / _NS_PER_MS if found else None,
    )


def figures_before(
    samples: Iterable[Sample], app: str, ingress: str, at_s: float
) -> Figures:
    """How the version before did in the last seconds before `at_s`."""
    last = [each for each in samples if at_s - _BEFORE_S <= each.at_s < at_s]
    seen: list[ApplicationSample | DeploymentSample] = [
        each.applications[app]
        for each in last
        if app in each.applications and each.applications[app].requests_per_s
    ] or [
        each.deployments[ingress]
        for each in last
        if ingress in each.deployments and each.deployments[ingress].requests_per_s
    ]
    p99s = [each.p99_ms for each in seen if each.p99_ms is not None]
    return Figures(
        requests=sum(each.requests_per_s for each in seen),
        errors=sum(each.errors_per_s for each in seen),
        p99_ms=median(p99s) if p99s else None,
    )


def judge(guard: Guard, before: Figures, now: Figures, *, is_over: bool) -> str:
    """Why the new version cannot stay; empty while it can.

    A few requests say little: they are judged when the time `is_over`, and then only by
    whether they failed.
    """
    is_enough = now.requests >= guard.min_requests
    if is_enough or (is_over and now.requests):
        rate = now.error_rate
        if rate > guard.max_error_rate and rate > before.error_rate:
            return (
                f"{now.errors:.0f} of {now.requests:.0f} requests failed "
                f"({rate:.0%}); the guard allows {guard.max_error_rate:.0%}"
                f"{_was(f'{before.error_rate:.0%}') if before.requests else ''}."
            )
    if is_enough and now.p99_ms is not None:
        return _slow(guard, before.p99_ms, now.p99_ms)
    return ""


def _slow(guard: Guard, before_ms: float | None, now_ms: float) -> str:
    said = f"p99 is {now_ms:.1f} ms; the guard allows"
    if guard.max_p99_ms is not None and now_ms > guard.max_p99_ms:
        return f"{said} {guard.max_p99_ms:g} ms."
    ratio = guard.max_p99_ratio
    if ratio is not None and before_ms and now_ms > ratio * before_ms:
        return f"{said} {ratio:g} × what it was, {before_ms:.1f} ms."
    return ""


def _was(value: str) -> str:
    return f", and before it was {value}"
