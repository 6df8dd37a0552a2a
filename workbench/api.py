"""What front ends call: deploy to an instance, ask it, and (see `connection`) have one.

`workbench.serve` gives these functions Ray Serve's names, the magics and the command
line parse and show; all of them end here.
"""

import contextlib
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from workbench import errors
from workbench.build import Build, build, project_root
from workbench.code.policies import ship_application_policy
from workbench.connection import (
    NEWEST,
    connect,
    get_or_start,
    get_running,
    in_use,
    logging_default,
    shutdown,
    start,
)
from workbench.deployed import Deployed, follow
from workbench.deployment import Application
from workbench.explanation import Explanation
from workbench.handle import DeploymentHandle
from workbench.spec.application import Owner
from workbench.spec.autoscaling import AutoscalingPolicy
from workbench.spec.events import Event
from workbench.spec.gate import Gate
from workbench.spec.logging_config import LoggingSpec
from workbench.spec.logs import LogPage, LogQuery
from workbench.spec.status import DeployEvent, ServeStatus
from workbench.versions import Diff, Versions

if TYPE_CHECKING:
    import httpx

__all__ = [
    "NEWEST",
    "Deployed",
    "connect",
    "delete",
    "deploy",
    "diff",
    "events",
    "explain",
    "get_app_handle",
    "get_deployment_handle",
    "logs",
    "metrics",
    "query",
    "rollback",
    "scale",
    "send",
    "shutdown",
    "start",
    "status",
    "versions",
]


def deploy(  # noqa: PLR0913 - one keyword per thing a front end may say
    target: Application,
    *,
    name: str = "default",
    route_prefix: str | None = "/",
    may_keep: bool = False,
    wait: bool = True,
    keep_instance: bool | None = None,
    owner: Owner | None = None,
    gate: Gate | None = None,
    checks: Sequence[Callable[..., object]] = (),
    logging_config: LoggingSpec | None = None,
    autoscaling_policy: AutoscalingPolicy | None = None,
    external_scaler_enabled: bool = False,
    on_event: Callable[[DeployEvent], None] = lambda _: None,
    on_progress: Callable[[str], None] = lambda _: None,
) -> Deployed:
    """Deploy an application; starts an instance if none runs.

    Raises:
        ConstructorError: the user's constructor raised; its traceback is the message.
        PlacementError: the cluster has no room.
        ShippingError: something the code uses cannot travel.
        GateError: it did not stand what `gate` asks; what served before serves again.
        DeployError: anything else that kept it from coming up.
    """
    began, root = time.monotonic(), project_root()
    made = build(
        target,
        name=name,
        route_prefix=route_prefix,
        may_keep=may_keep,
        owner=owner,
        gate=gate,
        checks=checks,
        root=root,
        logging_config=logging_config or logging_default(),
        autoscaling_policy=ship_application_policy(autoscaling_policy, root),
        external_scaler_enabled=external_scaler_enabled,
    )
    deployed = send(
        made,
        wait=wait,
        keep_instance=keep_instance,
        on_event=on_event,
        on_progress=on_progress,
    )
    return replace(deployed, took_s=time.monotonic() - began)


def send(
    made: Build,
    *,
    wait: bool = True,
    keep_instance: bool | None = None,
    on_event: Callable[[DeployEvent], None] = lambda _: None,
    on_progress: Callable[[str], None] = lambda _: None,
) -> Deployed:
    """Deploy what was built; else as `deploy`."""
    began = time.monotonic()
    client = get_or_start(keep=keep_instance, on_progress=on_progress)
    spec = made.request.application
    return follow(
        client,
        client.deploy(made.request, on_event),
        name=spec.name,
        ingress=spec.ingress,
        wait=wait,
        began_s=began,
        warnings=made.warnings,
    )


def versions(app: str) -> Versions:
    """What was deployed of an application, newest first.

    Raises:
        NoInstanceError: nothing runs.
        UnknownDeploymentError: there is no such application.
    """
    return Versions(get_running().versions(app))


def diff(app: str, a: str | int | None = None, b: str | int | None = None) -> Diff:
    """What changed from version `a` (that before) to `b` (what should run now).

    Raises:
        NoInstanceError: nothing runs.
        UnknownDeploymentError: there is no such application.
        UnknownVersionError: there is no such version, or its code is gone.
    """
    return Diff(get_running().diff(app, a, b))


def rollback(
    app: str,
    version: str | int | None = None,
    *,
    wait: bool = True,
    on_event: Callable[[DeployEvent], None] = lambda _: None,
) -> Deployed:
    """Deploy a version again, by number or hash; else what was live before.

    Raises:
        NoInstanceError: nothing runs.
        UnknownDeploymentError: there is no such application.
        UnknownVersionError: there is no such version, or its code is gone.
        DeployError: it did not come up.
    """
    began = time.monotonic()
    client = get_running()
    events = client.rollback(app, version, on_event)
    return follow(client, events, name=app, wait=wait, began_s=began)


def status() -> ServeStatus:
    """Everything that runs; an empty status when nothing does."""
    if (client := in_use()) is not None:
        with contextlib.suppress(errors.InstanceError):
            return client.status()
    try:
        return get_running().status()
    except errors.NoInstanceError:
        return ServeStatus()


def events() -> Generator[Event, None, None]:
    """What runs and what is measured, from now on: blocks until the next event.

    First the status, then the history of the last five minutes, then a sample twice a
    second and the status whenever it changed. `close()` ends it.

    Raises:
        NoInstanceError: nothing runs.
        InstanceError: the instance went away; after a restart of its controller,
            asking anew goes on.
    """
    return get_running().events()


def metrics() -> str:
    """What is counted, as Prometheus reads it (`GET /api/metrics` with the token).

    Raises:
        NoInstanceError: nothing runs.
    """
    return get_running().metrics()


def delete(name: str) -> bool:
    """Delete an application and wait until it is gone; False if there is none."""
    try:
        return get_running().delete(name)
    except errors.NoInstanceError:
        return False


def scale(app: str, deployment: str, num_replicas: int) -> None:
    """Change how many replicas a deployment should have, until it is deployed again.

    Returns once that is the target; `status` shows how the replicas come and go.

    Raises:
        NoInstanceError: nothing runs.
        UnknownDeploymentError: there is none of that name.
        ScaleError: the number cannot be.
    """
    get_running().scale(app, deployment, num_replicas)


def explain(app: str = "default") -> Explanation:
    """What autoscaling decided for an application, and why, oldest first.

    It remembers some hundred decisions; nothing of before the controller's last start.

    Raises:
        NoInstanceError: nothing runs.
    """
    return Explanation(app, get_running().explain(app))


def logs(query: LogQuery | None = None) -> LogPage:
    """What replicas printed, logged and raised; without a query the newest of it.

    To follow, ask again with the page's `next` as `after`, and with `wait_s`.

    Raises:
        NoInstanceError: nothing runs.
    """
    return get_running().logs(query or LogQuery())


def get_app_handle(name: str) -> DeploymentHandle:
    """A handle to an application's ingress.

    Raises:
        NoInstanceError: nothing runs.
        DeploymentUnavailableError: there is no application of that name.
    """
    client = get_running()
    found = client.status().applications.get(name)
    if found is None:
        raise _no_application(name, client.status())
    client.open_handles()
    return DeploymentHandle(found.ingress, name)


def get_deployment_handle(deployment: str, app: str) -> DeploymentHandle:
    """A handle to any deployment of an application.

    Raises:
        NoInstanceError: nothing runs.
        DeploymentUnavailableError: there is no application of that name.
        KeyError: the application has no such deployment.
    """
    client = get_running()
    found = client.status().applications.get(app)
    if found is None:
        raise _no_application(app, client.status())
    if deployment not in found.deployments:
        msg = (
            f"{app!r} has no deployment {deployment!r}, only {list(found.deployments)}"
        )
        raise KeyError(msg)
    client.open_handles()
    return DeploymentHandle(deployment, app)


def query(
    path: str, body: object = None, *, timeout_s: float = 60.0
) -> "httpx.Response":
    """Send one HTTP request to the proxy: POST with a JSON body, else GET.

    Raises:
        NoInstanceError: nothing runs.
        NoHttpError: the instance has no proxy.
    """
    import httpx  # noqa: PLC0415 - takes 0.15 s, which only its users should pay

    http_url = get_running().about.http_url
    if not http_url:
        msg = "This instance has no HTTP: it was started with proxy_location Disabled."
        raise errors.NoHttpError(msg)
    url = http_url + "/" + path.lstrip("/")
    # Reading the certificates costs 65 ms, which http:// does not need. Nobody signs
    # one for this machine's own door.
    place = urlsplit(url)
    verify = place.scheme == "https" and place.hostname not in {"127.0.0.1", "::1"}
    with httpx.Client(timeout=timeout_s, trust_env=False, verify=verify) as client:
        return client.get(url) if body is None else client.post(url, json=body)


def _no_application(name: str, found: ServeStatus) -> errors.WorkbenchError:
    return errors.DeploymentUnavailableError(
        f"There is no application {name!r}; running are {list(found.applications)}."
    )
