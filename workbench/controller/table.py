"""The routing table that follows from target and observed. Pure."""

from collections.abc import Collection

from workbench.controller.replica_life import ROUTED, Replica
from workbench.controller.target import ApplicationTarget, Target
from workbench.spec.deployment import DeploymentSpec
from workbench.spec.table import DeploymentEntry, ReplicaEntry, RouteEntry, Table

__all__ = ["build_table"]


def build_table(target: Target, replicas: Collection[Replica], version: int) -> Table:
    """Everything that a router needs to know now."""
    routed: dict[tuple[str, str], list[Replica]] = {}
    for replica in replicas:
        if replica.state in ROUTED and replica.address is not None:
            routed.setdefault(replica.key, []).append(replica)
    return Table(
        version=version,
        routes=tuple(
            RouteEntry(
                prefix=app.spec.route_prefix,
                app=name,
                deployment=f"{name}#{app.spec.ingress}",
            )
            for name, app in target.applications.items()
            if app.spec.route_prefix is not None
        ),
        deployments=tuple(
            _entry(app, spec, routed.get((name, spec.name), []))
            for name, app in target.applications.items()
            for spec in app.spec.deployments
        ),
        ingresses={
            name: f"{name}#{app.spec.ingress}"
            for name, app in target.applications.items()
        },
    )


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
