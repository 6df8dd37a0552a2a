"""What front ends call: find or start an instance, deploy to it, ask it.

`workbench.serve` gives these functions Ray Serve's names, the magics and the command
line parse and show; all of them end here.
"""

import atexit
import contextlib
import threading
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from workbench import errors
from workbench.build import Build, build, in_notebook, project_root
from workbench.client import Client
from workbench.cluster.attach import connected_address
from workbench.code.services import pack_services
from workbench.controller.restore import Saved, find_saved, read_saved
from workbench.deployed import Deployed, follow
from workbench.deployment import Application
from workbench.explanation import Explanation
from workbench.handle import DeploymentHandle
from workbench.instance import InstanceFile, find
from workbench.settings import Settings
from workbench.spec.application import Owner
from workbench.spec.events import Event
from workbench.spec.gate import Gate
from workbench.spec.grpc import GRPCOptions
from workbench.spec.http import HTTPOptions, not_applied
from workbench.spec.logging_config import LoggingSpec
from workbench.spec.logs import LogPage, LogQuery
from workbench.spec.status import DeployEvent, InstanceStatus, ServeStatus
from workbench.start import start_instance
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

NEWEST = "newest"
"""What to restore: the applications of the instance that has ended last."""

_ENDED_S = 30.0
# A cell asks for the status and deploys: to make sure in between takes 5 of its 50 ms.
_MOMENT_S = 0.5

_client: Client | None = None
_logging_config: LoggingSpec | None = None
"""Of the applications that this process deploys, unless they have one of their own."""
_lock = threading.RLock()


def connect(url: str, token: str | None = None) -> InstanceStatus:
    """Use the instance whose control API is at `url`.

    Raises:
        WrongTokenError: it refused the token.
        InstanceError: it does not answer, or its versions do not fit.
    """
    global _client  # noqa: PLW0603 - one connection per process, this module's only state
    with _lock:
        made = Client(url, token or Settings.from_environment().token or "")
        if _client is not None:
            _client.close()
        _client = made
    return _instance_status(made.status())


def start(
    *,
    http: HTTPOptions | None = None,
    grpc: GRPCOptions | None = None,
    logging_config: LoggingSpec | None = None,
    keep: bool | None = None,
    restore: Path | str | None = None,
    on_progress: Callable[[str], None] = lambda _: None,
) -> InstanceStatus:
    """Find the instance to use, or start one.

    `logging_config` is for what this process deploys from now on.

    With `keep` the instance outlives this process; by default it does so in a
    notebook, and ends with a script. With `restore`, `NEWEST` or a directory, it begins
    with what an earlier one has saved; `status` shows how that comes up. Its notes name
    options that it does not have since it runs already.

    Raises:
        StartError: it did not come up; or packages for gRPC are missing.
        PortBusyError: a port asked for by number is taken.
        SavedStateError: what is to be restored is damaged, foreign or missing.
        InstanceError: one runs already, and listens elsewhere or cannot restore.
    """
    global _logging_config  # noqa: PLW0603 - as `_client`
    client = _get_client(http, keep, on_progress, grpc, restore=restore)
    if logging_config is not None:
        _logging_config = logging_config
    found = _instance_status(client.status())
    running = client.about.http
    if http is None or running is None or not (names := not_applied(http, running)):
        return found
    note = f"It runs already, without these HTTP options: {', '.join(names)}."
    return replace(found, notes=(*found.notes, note))


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
    began = time.monotonic()
    made = build(
        target,
        name=name,
        route_prefix=route_prefix,
        may_keep=may_keep,
        owner=owner,
        gate=gate,
        checks=checks,
        root=project_root(),
        logging_config=logging_config or _logging_config,
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
    client = _get_client(None, keep_instance, on_progress)
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
    return Versions(_get_running().versions(app))


def diff(app: str, a: str | int | None = None, b: str | int | None = None) -> Diff:
    """What changed from version `a` (that before) to `b` (what should run now).

    Raises:
        NoInstanceError: nothing runs.
        UnknownDeploymentError: there is no such application.
        UnknownVersionError: there is no such version, or its code is gone.
    """
    return Diff(_get_running().diff(app, a, b))


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
    client = _get_running()
    events = client.rollback(app, version, on_event)
    return follow(client, events, name=app, wait=wait, began_s=began)


def status() -> ServeStatus:
    """Everything that runs; an empty status when nothing does."""
    if (client := _client) is not None:
        with contextlib.suppress(errors.InstanceError):
            return client.status()
    try:
        return _get_running().status()
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
    return _get_running().events()


def metrics() -> str:
    """What is counted, as Prometheus reads it (`GET /api/metrics` with the token).

    Raises:
        NoInstanceError: nothing runs.
    """
    return _get_running().metrics()


def delete(name: str) -> bool:
    """Delete an application and wait until it is gone; False if there is none."""
    try:
        return _get_running().delete(name)
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
    _get_running().scale(app, deployment, num_replicas)


def explain(app: str = "default") -> Explanation:
    """What autoscaling decided for an application, and why, oldest first.

    It remembers some hundred decisions; nothing of before the controller's last start.

    Raises:
        NoInstanceError: nothing runs.
    """
    return Explanation(app, _get_running().explain(app))


def logs(query: LogQuery | None = None) -> LogPage:
    """What replicas printed, logged and raised; without a query the newest of it.

    To follow, ask again with the page's `next` as `after`, and with `wait_s`.

    Raises:
        NoInstanceError: nothing runs.
    """
    return _get_running().logs(query or LogQuery())


def shutdown() -> bool:
    """End the instance and wait until its control API is gone; False if none runs."""
    global _client  # noqa: PLW0603 - as above
    with _lock:
        try:
            client = _get_running()
        except errors.NoInstanceError:
            return False
        client.shutdown()
        _wait_until_gone(client)
        client.close()
        _client = None
    return True


def get_app_handle(name: str) -> DeploymentHandle:
    """A handle to an application's ingress.

    Raises:
        NoInstanceError: nothing runs.
        DeploymentUnavailableError: there is no application of that name.
    """
    client = _get_running()
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
    client = _get_running()
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
    """Send one HTTP request to the proxy: POST with a JSON body, else GET."""
    import httpx  # noqa: PLC0415 - takes 0.15 s, which only its users should pay

    url = _get_running().about.http_url + "/" + path.lstrip("/")
    # Reading the certificates costs 65 ms, which http:// does not need. Nobody signs
    # one for this machine's own door.
    place = urlsplit(url)
    verify = place.scheme == "https" and place.hostname not in {"127.0.0.1", "::1"}
    with httpx.Client(timeout=timeout_s, trust_env=False, verify=verify) as client:
        return client.get(url) if body is None else client.post(url, json=body)


def _get_running() -> Client:
    """The instance that this process uses, or one that it finds; starts none."""
    global _client  # noqa: PLW0603 - as above
    with _lock:
        if _client is not None and _answers(_client):
            return _client
        settings = Settings.from_environment()
        found = _existing(settings, only_kept=False)
        if found is None:
            msg = "No instance is running."
            raise errors.NoInstanceError(msg)
        _client = found
        return found


def _get_client(
    http: HTTPOptions | None,
    keep: bool | None,  # noqa: FBT001 - private
    on_progress: Callable[[str], None],
    grpc: GRPCOptions | None = None,
    *,
    restore: Path | str | None = None,
) -> Client:
    """The instance that this process uses, one that it finds, or a new one."""
    global _client  # noqa: PLW0603 - as above
    with _lock:
        if _client is not None and _answers(_client):
            _check_as_asked(_client, http, grpc, restore)
            return _client
        settings = Settings.from_environment()
        ray_address = connected_address()
        found = None if ray_address else _existing(settings, only_kept=True)
        if found is not None:
            _check_as_asked(found, http, grpc, restore)
            _client = found
            return found
        saved = _saved(settings, restore, on_progress)
        usual = HTTPOptions(host=settings.http_host, port=settings.http_port)
        services = pack_services(grpc, project_root())
        if saved is not None:
            http, services = http or saved.http, services or saved.grpc
        started = start_instance(
            settings,
            http=http or usual,
            grpc=services,
            keep=in_notebook() if keep is None else keep,
            ray_address=ray_address or settings.ray_address,
            saved=saved,
            on_progress=on_progress,
        )
        _client = Client(started.url, started.token)
        on_progress("the instance is up")
        return _client


def _answers(client: Client) -> bool:
    """Whether its instance answers; one that did so a moment ago is not asked again."""
    return time.monotonic() - client.answered_s < _MOMENT_S or client.is_alive()


def _existing(settings: Settings, *, only_kept: bool) -> Client | None:
    if settings.url is not None:
        return Client(settings.url, settings.token or "")
    file = find(settings.runtime_dir, only_kept=only_kept)
    if file is None:
        return None
    try:
        return Client(file.url, file.token)
    except errors.VersionMismatchError:
        raise  # it runs: to start another beside it would help nobody
    except errors.InstanceError:
        _check_trouble(file, settings.runtime_dir)
        return None


def _check_trouble(file: InstanceFile, runtime_dir: Path) -> None:
    """An instance that is being started again is named, rather than one put beside it."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        file = InstanceFile.read(file.path(runtime_dir))
    if file.trouble:
        msg = (
            f"{file.trouble}. The instance is being started again, with all it served."
        )
        raise errors.InstanceError(msg, "Try again in a few seconds.")


def _saved(
    settings: Settings, restore: Path | str | None, on_progress: Callable[[str], None]
) -> Saved | None:
    if restore is None:
        return None
    path = find_saved(settings.state_dir) if restore == NEWEST else Path(restore)
    saved = read_saved(path)
    on_progress(f"restoring {saved.gist}, from {saved.directory}")
    return saved


def _check_as_asked(
    client: Client,
    http: HTTPOptions | None,
    grpc: GRPCOptions | None,
    restore: Path | str | None,
) -> None:
    """A running instance stays as it is: say so rather than ignore what was asked."""
    hint = "Use it as it is, or call serve.shutdown() first."
    if restore is not None:
        msg = "An instance runs already; only one that starts can restore."
        raise errors.InstanceError(msg, "End it first: workbench down.")
    running = urlsplit(client.about.http_url)
    if http is not None and http.port not in {None, running.port}:
        msg = (
            f"An instance runs already and listens on port {running.port}, "
            f"not {http.port}."
        )
        raise errors.InstanceError(msg, hint)
    if grpc is None or not grpc.grpc_servicer_functions:
        return
    address = _instance_status(client.status()).grpc_address
    port = urlsplit(f"//{address}").port
    if grpc.port not in {None, port} or not address:
        where = f"speaks gRPC at {address}" if address else "speaks no gRPC"
        msg = f"An instance runs already and {where}."
        raise errors.InstanceError(msg, hint)


def _no_application(name: str, found: ServeStatus) -> errors.WorkbenchError:
    return errors.DeploymentUnavailableError(
        f"There is no application {name!r}; running are {list(found.applications)}."
    )


def _instance_status(found: ServeStatus) -> InstanceStatus:
    if found.instance is None:
        msg = "The control API answered without saying which instance it is."
        raise errors.InstanceError(msg)
    return found.instance


def _wait_until_gone(client: Client) -> None:
    """Return when the launcher has ended, or the API stopped answering."""
    deadline = time.monotonic() + _ENDED_S
    runtime_dir = Settings.from_environment().runtime_dir
    file = runtime_dir / f"workbench-{client.about.id}.json"
    pause = threading.Event()
    while time.monotonic() < deadline:
        if not file.exists() and not client.is_alive():
            return
        pause.wait(0.05)


@atexit.register
def _close() -> None:
    if _client is not None:
        _client.close()
