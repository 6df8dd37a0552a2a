"""The instance that this process uses: found, started, connected to, ended.

`api` asks here for a client; one connection per process is all that is remembered.
"""

import atexit
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from workbench import errors
from workbench.build import in_notebook, project_root
from workbench.client import Client
from workbench.cluster.attach import connected_address
from workbench.code.exporter import pack_exporter
from workbench.code.services import pack_services
from workbench.controller.restore import Saved, find_saved, read_saved
from workbench.instance import InstanceFile, find, find_by_id, path_of
from workbench.settings import Settings
from workbench.spec.grpc import GRPCOptions
from workbench.spec.http import HTTPOptions, not_applied
from workbench.spec.logging_config import LoggingSpec
from workbench.spec.status import InstanceStatus, ServeStatus
from workbench.spec.tracing import TracingConfig
from workbench.start import start_instance

__all__ = [
    "NEWEST",
    "connect",
    "get_or_start",
    "get_running",
    "in_use",
    "logging_default",
    "shutdown",
    "start",
]

NEWEST = "newest"
"""What to restore: the applications of the instance that has ended last."""

_ENDED_S = 30.0
# A controller that was killed is back within two seconds, or four beside much else.
_BACK_S = 30.0
_LOOK_AGAIN_S = 0.1
# A cell asks for the status and deploys: to make sure in between takes 5 of its 50 ms.
_MOMENT_S = 0.5

Answer = TypeVar("Answer")

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


def start(  # noqa: PLR0913 - one keyword per thing a front end may say
    *,
    http: HTTPOptions | None = None,
    grpc: GRPCOptions | None = None,
    logging_config: LoggingSpec | None = None,
    tracing: TracingConfig | None = None,
    keep: bool | None = None,
    restore: Path | str | None = None,
    on_progress: Callable[[str], None] = lambda _: None,
) -> InstanceStatus:
    """Find the instance to use, or start one.

    `logging_config` is for what this process deploys from now on, `tracing` for an
    instance that is started.

    With `keep` the instance outlives this process; by default it does so in a
    notebook, and ends with a script. With `restore`, `NEWEST` or a directory, it begins
    with what an earlier one has saved; `status` shows how that comes up. Its notes name
    options that it does not have since it runs already.

    Raises:
        StartError: it did not come up; or packages for gRPC or tracing are missing.
        PortBusyError: a port asked for by number is taken.
        SavedStateError: what is to be restored is damaged, foreign or missing.
        InstanceError: one runs already, and listens elsewhere or cannot restore.
    """
    global _logging_config  # noqa: PLW0603 - as `_client`
    client = get_or_start(
        http=http,
        grpc=grpc,
        tracing=tracing,
        keep=keep,
        restore=restore,
        on_progress=on_progress,
    )
    if logging_config is not None:
        _logging_config = logging_config
    found = _instance_status(client.status())
    return replace(found, notes=(*found.notes, *_missed(client, http, tracing)))


def shutdown() -> bool:
    """End the instance and wait until its control API is gone; False if none runs."""
    global _client  # noqa: PLW0603 - as above
    with _lock:
        try:
            client = get_running()
        except errors.NoInstanceError:
            return False
        client.shutdown()
        _wait_until_gone(client)
        client.close()
        _client = None
    return True


def logging_default() -> LoggingSpec | None:
    """What `start` was told of the logs of what this process deploys."""
    return _logging_config


def in_use() -> Client | None:
    """The client that this process has, whether its instance still answers or not."""
    return _client


def get_running() -> Client:
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


def get_or_start(
    *,
    http: HTTPOptions | None = None,
    grpc: GRPCOptions | None = None,
    tracing: TracingConfig | None = None,
    keep: bool | None = None,
    restore: Path | str | None = None,
    on_progress: Callable[[str], None] = lambda _: None,
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
            tracing=pack_exporter(tracing, project_root()),
            keep=in_notebook() if keep is None else keep,
            ray_address=ray_address or settings.ray_address,
            saved=saved,
            on_progress=on_progress,
        )
        _client = Client(started.url, started.token)
        on_progress("the instance is up")
        return _client


def _missed(
    client: Client, http: HTTPOptions | None, tracing: TracingConfig | None
) -> Iterator[str]:
    """What an instance does not have of what was asked for, since it ran already."""
    running = client.about.http
    if (
        http is not None
        and running is not None
        and (names := not_applied(http, running))
    ):
        yield f"It runs already, without these HTTP options: {', '.join(names)}."
    if tracing is not None and not client.about.is_traced:
        yield "It runs already, without a tracing_config: no spans are exported."


def _answers(client: Client) -> bool:
    """Whether its instance answers; one that did so a moment ago is not asked again."""
    if time.monotonic() - client.answered_s < _MOMENT_S:
        return True
    return bool(_wait_for(client.about.id, client.is_alive))


def _existing(settings: Settings, *, only_kept: bool) -> Client | None:
    if settings.url is not None:
        return Client(settings.url, settings.token or "")
    file = find(settings.runtime_dir, only_kept=only_kept)
    if file is None:
        return None
    return _wait_for(file.id, lambda: _try_client(file))


def _try_client(file: InstanceFile) -> Client | None:
    try:
        return Client(file.url, file.token)
    except errors.VersionMismatchError:
        raise  # it runs: to start another beside it would help nobody
    except errors.InstanceError:
        return None


def _wait_for(instance_id: str, ask: Callable[[], Answer | None]) -> Answer | None:
    """What an instance answers, once its controller is back; None if it has ended.

    Another one beside it would serve nothing of what this one does.

    Raises:
        InstanceError: it is being started again, or its controller stays away.
    """
    deadline = time.monotonic() + _BACK_S
    pause = threading.Event()
    while not (answer := ask()):
        file = find_by_id(Settings.from_environment().runtime_dir, instance_id)
        if file is None:
            return None
        if file.trouble:
            msg = f"{file.trouble}. The instance is being started again, "
            msg += "with all it served."
            raise errors.InstanceError(msg, "Try again in a few seconds.")
        if time.monotonic() > deadline:
            msg = f"Instance {file.id} runs (process {file.pid}), but has not "
            msg += f"answered at {file.url} for {_BACK_S:.0f} s."
            hint = f"See {file.home}/launcher.log; `kill {file.pid}` ends all of it."
            raise errors.InstanceError(msg, hint)
        pause.wait(_LOOK_AGAIN_S)
    return answer


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
    _check_door(http, client.about.http_url, hint)
    if grpc is None or not grpc.grpc_servicer_functions:
        return
    address = _instance_status(client.status()).grpc_address
    port = urlsplit(f"//{address}").port
    if grpc.port not in {None, port} or not address:
        where = f"speaks gRPC at {address}" if address else "speaks no gRPC"
        msg = f"An instance runs already and {where}."
        raise errors.InstanceError(msg, hint)


def _check_door(http: HTTPOptions | None, http_url: str, hint: str) -> None:
    if http is None or not http.has_proxy:
        return
    port = urlsplit(http_url).port
    if not http_url:
        msg = "An instance runs already and has no HTTP (proxy_location Disabled)."
    elif http.port not in {None, port}:
        msg = f"An instance runs already and listens on port {port}, not {http.port}."
    else:
        return
    raise errors.InstanceError(msg, hint)


def _instance_status(found: ServeStatus) -> InstanceStatus:
    if found.instance is None:
        msg = "The control API answered without saying which instance it is."
        raise errors.InstanceError(msg)
    return found.instance


def _wait_until_gone(client: Client) -> None:
    """Return when the launcher has ended, or the API stopped answering."""
    deadline = time.monotonic() + _ENDED_S
    file = path_of(Settings.from_environment().runtime_dir, client.about.id)
    pause = threading.Event()
    while time.monotonic() < deadline:
        if not file.exists() and not client.is_alive():
            return
        pause.wait(0.05)


@atexit.register
def _close() -> None:
    if _client is not None:
        _client.close()
