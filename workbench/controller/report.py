"""What users are told of target and observed. Pure."""

from collections import Counter
from collections.abc import Collection, Mapping
from types import MappingProxyType

from workbench.controller.observed import by_deployment
from workbench.controller.replica_life import ALIVE, Replica
from workbench.controller.target import ApplicationTarget
from workbench.spec.deployment import DeploymentSpec
from workbench.spec.status import (
    ApplicationStatus,
    ApplicationStatusOverview,
    DeploymentStatus,
    DeploymentStatusOverview,
    ReplicaState,
    ReplicaStatus,
)

__all__ = ["report_application", "url_of"]


_SCALING = (DeploymentStatus.UPSCALING, DeploymentStatus.DOWNSCALING)
_AS_SHOULD_BE = (DeploymentStatus.HEALTHY, *_SCALING)


def report_application(
    app: ApplicationTarget,
    replicas: Collection[Replica],
    http_url: str,
    reasons: Mapping[tuple[str, str], str] = MappingProxyType({}),
    *,
    scaling: Mapping[tuple[str, str], str] = MappingProxyType({}),
) -> ApplicationStatusOverview:
    """State of one application: the worst of its deployments.

    `reasons` says, for deployments that lack replicas, why the last one failed;
    `scaling` why autoscaled ones have as many as they have.
    """
    groups = by_deployment(replicas)
    deployments = {
        spec.name: _report_deployment(
            app,
            spec,
            groups.get((app.spec.name, spec.name), []),
            reasons.get((app.spec.name, spec.name), ""),
            scaling=scaling.get((app.spec.name, spec.name), ""),
        )
        for spec in app.spec.deployments
    }
    prefix = app.spec.route_prefix
    return ApplicationStatusOverview(
        status=_application_status(app, deployments),
        message=app.failure,
        last_deployed_time_s=app.deployed_at,
        deployments=deployments,
        route_prefix=prefix,
        url=url_of(http_url, prefix),
        ingress=app.spec.ingress,
        owner=app.spec.owner,
    )


def url_of(http_url: str, prefix: str | None) -> str | None:
    """Where an application answers; None if it has no route, or the instance no proxy."""
    return http_url + prefix if http_url and prefix is not None else None


def _application_status(
    app: ApplicationTarget, deployments: dict[str, DeploymentStatusOverview]
) -> ApplicationStatus:
    if app.failure:
        return ApplicationStatus.DEPLOY_FAILED
    if not app.is_live:
        return ApplicationStatus.DEPLOYING
    states = {each.status for each in deployments.values()}
    if DeploymentStatus.UNHEALTHY in states:
        return ApplicationStatus.UNHEALTHY
    return ApplicationStatus.RUNNING


def _report_deployment(
    app: ApplicationTarget,
    spec: DeploymentSpec,
    group: list[Replica],
    reason: str,
    *,
    scaling: str,
) -> DeploymentStatusOverview:
    running = [each for each in group if each.state is ReplicaState.RUNNING]
    status = _deployment_status(app, spec, running, reason)
    messages = [each.message for each in group if each.message]
    if status not in _AS_SHOULD_BE:
        messages.insert(0, reason)
    return DeploymentStatusOverview(
        status=status,
        status_trigger="AUTOSCALING" if status in _SCALING else _trigger(app),
        replica_states=dict(Counter(str(each.state) for each in group)),
        message=messages[-1] if messages else "",
        version=str(spec.version),
        target_num_replicas=0 if app.is_stopped else app.count(spec),
        scaling=scaling,
        replicas=tuple(_report_replica(each) for each in group),
    )


def _deployment_status(
    app: ApplicationTarget, spec: DeploymentSpec, running: list[Replica], reason: str
) -> DeploymentStatus:
    ready = sum(1 for each in running if each.version == spec.version)
    if app.is_stopped:
        return DeploymentStatus.DEPLOY_FAILED
    is_autoscaled = app.is_live and spec.options.autoscaling_config is not None
    if ready >= (count := app.count(spec)):
        is_more = is_autoscaled and ready > count
        return DeploymentStatus.DOWNSCALING if is_more else DeploymentStatus.HEALTHY
    if is_autoscaled and not reason:
        return DeploymentStatus.UPSCALING
    # Without a failure, what is missing was asked for by a deploy or by scaling up.
    is_failing = app.is_live and (reason or not running)
    return DeploymentStatus.UNHEALTHY if is_failing else DeploymentStatus.UPDATING


def _trigger(app: ApplicationTarget) -> str:
    if app.failure:
        return "REPLICA_STARTUP_FAILED"
    return "CONFIG_UPDATE_COMPLETED" if app.is_live else "CONFIG_UPDATE_STARTED"


def _report_replica(replica: Replica) -> ReplicaStatus:
    return ReplicaStatus(
        id=replica.id,
        state=replica.state,
        version=str(replica.version),
        pid=replica.pid,
        node=replica.node_id,
        message=replica.message if replica.state in ALIVE else "",
    )
