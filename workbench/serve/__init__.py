"""The public API, with the names and meaning of `ray.serve`.

    from workbench import serve

    @serve.deployment
    class Echo:
        async def __call__(self, request):
            return await request.json()

    serve.run(Echo.bind())

A Ray Serve program ports by changing the import line.
"""

import logging
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from workbench import api
from workbench.api import connect, diff, explain, shutdown, status, versions
from workbench.deployment import Application, Deployment, deployment, ingress
from workbench.errors import DeploymentUnavailableError, WorkbenchError
from workbench.handle import DeploymentHandle, ingress_of
from workbench.local import delete_local, local_applications, run_local
from workbench.observe.spans import get_trace_context
from workbench.replica.batching import batch
from workbench.replica.context import ReplicaContext, get_replica_context
from workbench.replica.multiplex import get_multiplexed_model_id, multiplexed
from workbench.request import trace_headers
from workbench.serve.config import HTTPOptions, located
from workbench.serve.config import grpc_options as as_grpc_options
from workbench.serve.config import http_options as as_http_options
from workbench.serve.frame import metrics_frame
from workbench.serve.many import RunTarget, run_all, shutdown_async
from workbench.serve.refused import check_options, missing_name
from workbench.spec.autoscaling import AutoscalingPolicy, parse_policy
from workbench.spec.gate import Gate, Guard, checks_in
from workbench.spec.grpc import GRPCOptions
from workbench.spec.http import HTTPOptions as HttpSpec
from workbench.spec.logging_config import LoggingSpec, parse_logging
from workbench.spec.status import ServeStatus
from workbench.spec.tracing import TracingConfig, parse_tracing

if TYPE_CHECKING:
    from workbench.notebook.panel import Panel

_log = logging.getLogger("workbench.serve")
if not _log.handlers:
    # Scripts should see where their application answers without setting up logging.
    _log.addHandler(logging.StreamHandler())
    _log.setLevel(logging.INFO)
    _log.propagate = False

__all__ = [
    "Application",
    "Deployment",
    "Guard",
    "HTTPOptions",
    "ReplicaContext",
    "RunTarget",
    "ServeStatus",
    "TracingConfig",
    "batch",
    "connect",
    "delete",
    "deployment",
    "diff",
    "explain",
    "get_app_handle",
    "get_deployment_handle",
    "get_multiplexed_model_id",
    "get_replica_context",
    "get_trace_context",
    "ingress",
    "metrics_frame",
    "multiplexed",
    "panel",
    "rollback",
    "run",
    "run_many",
    "shutdown",
    "shutdown_async",
    "start",
    "status",
    "trace_headers",
    "versions",
]


def start(  # noqa: PLR0917 - Ray Serve's order
    proxy_location: object = None,
    http_options: HttpSpec | dict[str, object] | None = None,
    grpc_options: GRPCOptions | dict[str, object] | None = None,
    logging_config: LoggingSpec | dict[str, object] | None = None,
    tracing_config: TracingConfig | dict[str, object] | None = None,
    *,
    keep: bool | None = None,
    **others: object,
) -> None:
    """Start an instance, or use the one that runs.

    With `keep` it outlives this process (a notebook's default); a script's ends with
    it. Options of a running proxy cannot change: asking for another port is an error.
    With `grpc_options` that name services it speaks gRPC, too. `logging_config` holds
    for what this process deploys, where an application or deployment has none itself.
    With `tracing_config` (`workbench.serve.TracingConfig`) an instance that is started
    exports spans of each request and each call, through OpenTelemetry.
    The proxy is on the head node; `proxy_location` EveryNode is taken to mean that.
    With Disabled there is none: no HTTP, no gRPC, and applications are called by handles.

    Raises:
        NotOfferedError: an option that Ray Serve has and this has not.
        PortBusyError: a port asked for by number is taken.
        StartError: the instance did not come up.
        ModuleNotFoundError, ValueError: an import path of a service leads nowhere, or
            there is no such place for a proxy.
    """
    check_options(others)
    found = api.start(
        http=located(as_http_options(http_options), proxy_location),
        grpc=as_grpc_options(grpc_options),
        logging_config=parse_logging(logging_config),
        tracing=parse_tracing(tracing_config),
        keep=keep,
        on_progress=_log.info,
    )
    for note in found.notes:
        _log.warning(note)


def run(  # noqa: PLR0913 - Ray Serve's keywords, and the gate's
    target: Application,
    blocking: bool = False,  # noqa: FBT001, FBT002 - as above
    name: str = "default",
    route_prefix: str | None = "/",
    *,
    smoke: object = (),
    guard: object = None,
    logging_config: LoggingSpec | dict[str, object] | None = None,
    autoscaling_policy: AutoscalingPolicy | dict[str, object] | None = None,
    external_scaler_enabled: bool = False,
    local_testing_mode: bool = False,
    _local_testing_mode: bool = False,
    **others: object,
) -> DeploymentHandle:
    """Deploy an application, wait until it serves, and return a handle to it.

    The same name again is an update in place: only what changed moves, and no request
    is lost. With `blocking` it then waits for Ctrl-C. Starts an instance if none runs.
    `logging_config` says how its replicas log (`workbench.serve.schema.LoggingConfig`).
    `autoscaling_policy` proposes for all its autoscaled deployments together, in place
    of their own (`workbench.serve.config.AutoscalingPolicy`); `external_scaler_enabled`
    says that none may be autoscaled, since `workbench scale` is called from outside.
    With `local_testing_mode` it runs in this process instead, without Ray and HTTP.

    A new version must stand its gate, or what served before serves again and a GateError
    says why. `smoke` holds requests that it must answer, before it takes traffic where
    that can be: each a path, (path, json), or a dict with path, method, json, expect (a
    status; 200 by default) and answer (the JSON that must come); or functions that get a
    handle to the new replica, and fail by raising or returning False. `guard` is for how many
    seconds real traffic is watched, or a `serve.Guard` with other limits than 5 % failed
    requests; this then waits until they are over. Both are off by default.

    Raises:
        TypeError: `target` is not an application.
        ValueError: the route, or something in the gate, cannot be.
        NotOfferedError: an option that Ray Serve has and this has not.
        RuntimeError: it did not come up (a DeployError); what served before still does.
    """
    check_options(others)
    if local_testing_mode or _local_testing_mode:  # the latter is Ray Serve's name
        return run_local(target, name)
    deployed = api.deploy(
        target,
        name=name,
        route_prefix=route_prefix,
        gate=Gate.parse(smoke, guard),
        checks=checks_in(smoke),
        logging_config=parse_logging(logging_config),
        autoscaling_policy=parse_policy(autoscaling_policy),
        external_scaler_enabled=external_scaler_enabled,
        on_progress=_log.info,
    )
    for warning in deployed.warnings:
        _log.warning(warning)
    where = f" at {deployed.url}" if deployed.url else ", reached by its handle"
    _log.info("%s is live%s (%.2f s)", name, where, deployed.took_s)
    if blocking:
        _block()
    return deployed.handle


def rollback(app: str, version: str | int | None = None) -> DeploymentHandle:
    """Deploy what was live before, or a version by its number or hash; wait for it.

    Needs neither the notebook nor the script that made it. It is a deploy like any
    other: the least step that suffices, the gate that it had, and no request is lost.

    Raises:
        UnknownDeploymentError: there is no such application.
        UnknownVersionError: there is no such version, or its code is no longer kept.
        RuntimeError: it did not come up (a DeployError); what served before still does.
    """
    deployed = api.rollback(app, version)
    where = f" at {deployed.url}" if deployed.url else ", reached by its handle"
    _log.info("%s is live%s (%.2f s)", app, where, deployed.took_s)
    return deployed.handle


def run_many(
    targets: Sequence[RunTarget],
    blocking: bool = False,  # noqa: FBT001, FBT002 - as in Ray Serve
    *,
    wait_for_ingress_deployment_creation: bool = True,  # noqa: ARG001 - handles need none
    wait_for_applications_running: bool = True,
    _local_testing_mode: bool = False,
    **others: object,
) -> list[DeploymentHandle]:
    """Deploy several applications side by side, and return a handle to each.

    None is deployed if one of them cannot be packed.

    Raises:
        ValueError: no target, or two of one name.
        RuntimeError: one did not come up (a DeployError).
    """
    check_options(others)
    handles = run_all(
        targets, wait=wait_for_applications_running, is_local=_local_testing_mode
    )
    if blocking:
        _block()
    return handles


def delete(name: str, _blocking: bool = True) -> None:  # noqa: FBT001, FBT002 - as in Ray Serve
    """Stop an application and wait until it is gone; an unknown name is ignored."""
    if delete_local(name):
        return
    if _blocking:
        api.delete(name)
    else:
        threading.Thread(target=api.delete, args=(name,), daemon=True).start()


def get_app_handle(name: str) -> DeploymentHandle:
    """A handle to the deployment that calls of an application enter.

    Raises:
        NoInstanceError: nothing runs.
        DeploymentUnavailableError: there is no application of that name.
    """
    try:
        get_replica_context()
    except WorkbenchError:
        if name not in local_applications():
            return api.get_app_handle(name)
    if (ingress := ingress_of(name)) is None:
        msg = f"There is no application {name!r}."
        raise DeploymentUnavailableError(msg)
    return DeploymentHandle(ingress, name)


def get_deployment_handle(
    deployment_name: str, app_name: str | None = None
) -> DeploymentHandle:
    """A handle to any deployment; in a replica, by default one of its own application.

    Raises:
        WorkbenchError: no `app_name` outside a replica.
        KeyError: there is no such deployment.
    """
    try:
        here = get_replica_context()
    except WorkbenchError:
        if app_name is None:
            msg = "Outside a replica, get_deployment_handle needs app_name."
            raise WorkbenchError(msg, 'For example app_name="default".') from None
        return api.get_deployment_handle(deployment_name, app_name)
    return DeploymentHandle(deployment_name, app_name or here.app_name)


def __getattr__(name: str) -> object:
    raise missing_name(name)


def _block() -> None:
    """Wait for Ctrl-C."""
    while True:
        threading.Event().wait(1.0)


def panel(app: str = "default") -> "Panel":
    """Live plots of one application, for the last line of a notebook's cell.

    Latency (p50, p95, p99), requests and errors per second, calls, replicas against
    their target, CPU and memory of each replica; buttons scale and delete. Percentiles
    come from histograms that merge without loss over replicas and seconds; each is
    within 1 % of the true value. `.figure()` gives the same as a plotly figure.

    Live where a front end shows Jupyter widgets; elsewhere a table of the figures now.
    """
    from workbench.notebook.panel import Panel  # noqa: PLC0415 - only notebooks pay for it

    return Panel(app)
