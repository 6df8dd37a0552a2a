"""The routing table that follows from target and observed, and what changed in it. Pure.

Called at every turn of the controller, so what has not changed is not made again.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from operator import is_ as _is
from typing import TypeVar

from workbench.controller.observed import Observed, by_deployment
from workbench.controller.replica_life import ROUTED, Replica
from workbench.controller.target import ApplicationTarget, Target
from workbench.spec.deployment import DeploymentSpec
from workbench.spec.table import (
    DeploymentEntry,
    ReplicaEntry,
    RouteEntry,
    Table,
    TableChange,
)

__all__ = ["TableBuilder", "changed"]

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class _Part:
    """What an entry was made of."""

    spec: DeploymentSpec
    failure: str
    replicas: list[Replica]
    entry: DeploymentEntry

    def is_of(
        self, spec: DeploymentSpec, failure: str, replicas: list[Replica]
    ) -> bool:
        """Whether it would be made of the same again."""
        return (
            self.spec is spec
            and self.failure == failure
            and len(self.replicas) == len(replicas)
            and all(map(_is, self.replicas, replicas))
        )


class TableBuilder:
    """Makes each table with the entries of the last one that still hold."""

    def __init__(self) -> None:
        self._parts: dict[str, _Part] = {}

    def build(self, target: Target, observed: Observed, version: int) -> Table:
        """Everything that a router needs to know now."""
        applications = target.applications.items()
        parts = [
            part
            for name, app in applications
            for part in self._parts_of(app, observed.of(name))
        ]
        self._parts = {part.entry.key: part for part in parts}
        return Table(
            version=version,
            routes=tuple(
                RouteEntry(
                    prefix=app.spec.route_prefix,
                    app=name,
                    deployment=f"{name}#{app.spec.ingress}",
                )
                for name, app in applications
                if app.spec.route_prefix is not None
            ),
            deployments=tuple(part.entry for part in parts),
            ingresses={
                name: f"{name}#{app.spec.ingress}" for name, app in applications
            },
        )

    def _parts_of(
        self, app: ApplicationTarget, replicas: Collection[Replica]
    ) -> Iterator[_Part]:
        name, failure = app.spec.name, _failure(app)
        routed = by_deployment(
            each for each in replicas if each.state in ROUTED and each.address
        )
        for spec in app.spec.deployments:
            group = routed.get((name, spec.name), [])
            before = self._parts.get(f"{name}#{spec.name}")
            if before is not None and before.is_of(spec, failure, group):
                yield before
            else:
                entry = _entry(app, spec, group)
                if before is not None and before.entry == entry:
                    entry = before.entry
                yield _Part(spec, failure, group, entry)


def changed(before: Table, after: Table) -> TableChange:
    """What a router that has one table must be told to have the other."""
    deployments, deployments_gone = _differences(
        {each.key: each for each in before.deployments},
        {each.key: each for each in after.deployments},
    )
    routes, routes_gone = _differences(
        {each.prefix: each for each in before.routes},
        {each.prefix: each for each in after.routes},
    )
    ingresses, ingresses_gone = _differences(before.ingresses, after.ingresses)
    return TableChange(
        version=after.version,
        after=before.version,
        deployments=tuple(deployments.values()),
        deployments_gone=deployments_gone,
        routes=tuple(routes.values()),
        routes_gone=routes_gone,
        ingresses=ingresses,
        ingresses_gone=ingresses_gone,
    )


def _differences(
    before: Mapping[str, Value], after: Mapping[str, Value]
) -> tuple[dict[str, Value], tuple[str, ...]]:
    """Values that are new or others now, and keys that are gone."""
    others = {
        key: value
        for key, value in after.items()
        if (old := before.get(key)) is not value and old != value
    }
    return others, tuple(before.keys() - after.keys())


def _entry(
    app: ApplicationTarget, spec: DeploymentSpec, replicas: list[Replica]
) -> DeploymentEntry:
    return DeploymentEntry(
        app=app.spec.name,
        name=spec.name,
        max_ongoing_requests=spec.options.max_ongoing_requests,
        max_queued_requests=spec.options.max_queued_requests,
        replicas=tuple(
            ReplicaEntry(id=each.id, address=each.address)
            for each in replicas
            if each.address is not None
        ),
        routing=spec.options.request_router_config,
        backpressure=spec.options.backpressure_config,
        request_timeout_s=spec.options.request_timeout_s,
        failure=_failure(app),
    )


def _failure(app: ApplicationTarget) -> str:
    """What callers are told; the reason itself may hold a traceback and stays here."""
    if not app.is_stopped:
        return ""
    return f"Application {app.spec.name!r} failed to deploy; see serve.status()."
