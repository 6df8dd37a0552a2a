"""What Prometheus is told: totals since the controller began, and user code's metrics.

Pure. Counts are added up from what processes say each beat; a controller that starts
again begins at zero, which Prometheus takes for what it is.
"""

import bisect
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from workbench.controller.answers import answer_families
from workbench.controller.judge import Count
from workbench.observe.exposition import Family, render
from workbench.observe.histogram import Histogram
from workbench.spec.metrics import Sample
from workbench.wire.messages import Ended, Measured, MetricPoint, UserMetrics

__all__ = ["BOUNDS_MS", "Totals"]

BOUNDS_MS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 60_000)
"""Boundaries of the latency histograms."""

_NS_PER_MS = 1e6


class _Total:
    """Calls that ended: how long they took, and how many failed."""

    def __init__(self) -> None:
        self.took = Histogram()
        self.errors = 0

    def add(self, ended: Ended) -> None:
        self.took.merge(ended.buckets)
        self.errors += ended.errors

    def latency(self) -> tuple[list[float], float]:
        """Counts between the boundaries, and the sum of all in ms."""
        counts = [0.0] * (len(BOUNDS_MS) + 1)
        total = 0.0
        for value_ns, count in self.took.values():
            value = value_ns / _NS_PER_MS
            counts[bisect.bisect_left(BOUNDS_MS, value)] += count
            total += value * count
        return counts, total


class Totals:
    """Everything counted, by application and deployment."""

    def __init__(self) -> None:
        self._applications: dict[str, _Total] = defaultdict(_Total)
        self._deployments: dict[str, _Total] = defaultdict(_Total)
        self._answers: Counter[tuple[str, str, str]] = Counter()
        self._points: dict[str, list[MetricPoint]] = {}

    def take(self, measured: Measured) -> None:
        """Take in what a process measured."""
        for app, ended in measured.applications.items():
            self._applications[app].add(ended)
            for method, status, count in ended.answers:
                self._answers[app, method, status] += count
        if (state := measured.replica) is not None:
            self._deployments[state.deployment].add(state.calls)

    def take_users(self, source: str, told: UserMetrics) -> None:
        """Take in what the metrics of user code in a process are now."""
        self._points[source] = told.points

    def forget(self, source: str) -> None:
        """A process is gone."""
        self._points.pop(source, None)

    def counts(self, app: str, ingress: str) -> tuple[Count, Count]:
        """Requests to an application, and calls of its ingress, that ended so far."""
        return _count(self._applications.get(app)), _count(
            self._deployments.get(ingress)
        )

    def text(self, sample: Sample | None, routes: Mapping[str, str]) -> str:
        """All of it in Prometheus' text format.

        `sample` is how things are now, `routes` where applications answer.
        """
        now = [] if sample is None else list(_now(sample))
        answers = answer_families(self._answers, routes)
        return render([*answers, *self._counted(), *now, *self._users()])

    def _counted(self) -> Iterable[Family]:
        yield _latency(
            self._applications, "serve_http_request_latency_ms", "requests took"
        )
        yield _latency(
            self._deployments, "serve_deployment_processing_latency_ms", "calls took"
        )
        ended = Family(
            "serve_deployment_request_counter", "counter", "Calls that ended."
        )
        failed = Family(
            "serve_deployment_error_counter", "counter", "Calls that failed."
        )
        for key, total in self._deployments.items():
            ended.add(_labels_of(key), total.took.count)
            failed.add(_labels_of(key), total.errors)
        yield from (ended, failed)

    def _users(self) -> Iterable[Family]:
        families: dict[str, Family] = {}
        for points in self._points.values():
            for point in points:
                family = families.setdefault(
                    point.name, Family(point.name, point.kind, point.description)
                )
                if family.kind != point.kind:
                    continue
                if point.kind == "histogram":
                    total, *counts = point.numbers
                    family.add_histogram(point.tags, point.bounds, counts, total)
                else:
                    family.add(point.tags, point.numbers[0])
        return families.values()


def _count(total: _Total | None) -> Count:
    if total is None:
        return Count(buckets={})
    return Count(buckets=dict(total.took.buckets), errors=total.errors)


def _latency(totals: Mapping[str, _Total], name: str, what: str) -> Family:
    family = Family(name, "histogram", f"How long {what}, in ms within 1 %.")
    for key, total in totals.items():
        family.add_histogram(_labels_of(key), BOUNDS_MS, *total.latency())
    return family


def _now(sample: Sample) -> Iterable[Family]:
    ongoing = Family(
        "serve_replica_processing_queries", "gauge", "Calls that run in a replica now."
    )
    healthy = Family(
        "serve_deployment_replica_healthy", "gauge", "1 for each replica that serves."
    )
    cpu = Family("serve_replica_cpu_cores", "gauge", "CPU time used per second.")
    memory = Family("serve_replica_memory_bytes", "gauge", "Resident memory.")
    for replica_id, replica in sample.replicas.items():
        labels = {**_labels_of(replica.deployment), "replica": replica_id}
        ongoing.add(labels, replica.ongoing)
        healthy.add(labels, 1)
        cpu.add(labels, replica.cpu_cores)
        memory.add(labels, replica.memory_bytes)
    queued = Family(
        "serve_deployment_queued_queries", "gauge", "Calls that wait for a slot now."
    )
    running = Family("serve_deployment_replicas", "gauge", "Replicas that serve.")
    target = Family("serve_deployment_target_replicas", "gauge", "Replicas wanted.")
    for key, deployment in sample.deployments.items():
        labels = _labels_of(key)
        queued.add(labels, deployment.queued)
        running.add(labels, deployment.replicas)
        target.add(labels, deployment.target)
    return ongoing, healthy, cpu, memory, queued, running, target


def _labels_of(key: str) -> dict[str, str]:
    app, hash_sign, deployment = key.partition("#")
    if not hash_sign:
        return {"application": app}
    return {"application": app, "deployment": deployment}
