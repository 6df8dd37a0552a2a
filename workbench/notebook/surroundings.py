"""What `%serve doctor` looks at, read from this machine once.

Thin on purpose: it reads files, asks what runs, and judges nothing. What it cannot
read is None.
"""

import importlib.metadata
import shutil
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from IPython.core.interactiveshell import InteractiveShell

from workbench import __version__
from workbench.client import Client
from workbench.errors import InstanceError
from workbench.instance import list_instances
from workbench.notebook.front_end import FrontEnd, front_end
from workbench.notebook.jupyter_server import Package, Place, Server, read_server
from workbench.settings import Settings, process_environment
from workbench.spec.http import DEFAULT_PORT

__all__ = ["FoundInstance", "Package", "Place", "Server", "Surroundings", "collect"]

_HEALTH_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundInstance:
    """One instance that says it runs."""

    id: str
    http_url: str = ""
    """Empty, if it has no problem: it was started without a proxy."""
    version: str = ""
    answers_http: bool = False
    problem: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Everything that a check may ask for."""

    front_end: FrontEnd
    python: tuple[int, int, int]
    prefix: str
    workbench: str = __version__
    ray: str | None
    widgets: tuple[Package, ...] = ()
    """Beside the kernel."""
    widget_pages: tuple[Package, ...] = ()
    """Their other halves, which JupyterLab loads."""
    server: Server = field(default_factory=Server)
    instances: tuple[FoundInstance, ...] = ()
    orphans: tuple[str, ...] = ()
    """Instance files without a process, which were removed by looking."""
    port: int = DEFAULT_PORT
    port_is_fixed: bool = False
    port_is_free: bool = True
    memory_bytes: int | None = None
    shm_bytes: int | None = None
    object_store_bytes: int = 0


def collect(shell: InteractiveShell | None) -> Surroundings:
    """Read it all; takes as long as the instances take to answer."""
    environ = process_environment()
    settings = Settings.from_environment()
    kind = front_end(shell, environ)
    server = read_server(environ, settings) if kind is FrontEnd.JUPYTER else Server()
    widgets = tuple(
        Package(name=name, distribution=name, version=_version(name))
        for name in ("anywidget", "ipywidgets")
    )
    before = set(settings.runtime_dir.glob("workbench-*.json"))
    instances = tuple(_instances(settings))
    port = settings.http_port or DEFAULT_PORT
    return Surroundings(
        front_end=kind,
        python=sys.version_info[:3],
        prefix=sys.prefix,
        ray=_version("ray"),
        widgets=widgets,
        widget_pages=tuple(server.pages_for(widgets)),
        server=server,
        instances=instances,
        orphans=tuple(sorted(path.name for path in before if not path.exists())),
        port=port,
        port_is_fixed=settings.http_port is not None,
        port_is_free=_is_free(settings.http_host, port),
        memory_bytes=_free_memory(),
        shm_bytes=_free_space("/dev/shm"),  # noqa: S108 - looked at, not written
        object_store_bytes=settings.object_store_mb * 2**20,
    )


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _instances(settings: Settings) -> Iterator[FoundInstance]:
    if settings.url is not None:
        yield _ask("of WORKBENCH_URL", settings.url, settings.token or "")
        return
    for file in list_instances(settings.runtime_dir):
        yield _ask(file.id, file.url, file.token)


def _ask(id_: str, url: str, token: str) -> FoundInstance:
    try:
        client = Client(url, token)
    except InstanceError as error:
        return FoundInstance(id=id_, problem=error.message, remedy=error.hint)
    try:
        about = client.about
        return FoundInstance(
            id=id_,
            http_url=about.http_url,
            version=about.version,
            answers_http=bool(about.http_url) and _answers(about.http_url),
        )
    finally:
        client.close()


def _answers(http_url: str) -> bool:
    import httpx  # noqa: PLC0415 - takes 0.15 s, which only its users should pay

    try:
        answer = httpx.get(f"{http_url}/-/healthz", timeout=_HEALTH_S, trust_env=False)
    except httpx.HTTPError:
        return False
    return answer.is_success


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen()
        except OSError:
            return False
    return True


def _free_memory() -> int | None:
    """What this machine, or the container around us, has left."""
    free = [_meminfo(), _cgroup_room()]
    return min((each for each in free if each is not None), default=None)


def _meminfo() -> int | None:
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _cgroup_room() -> int | None:
    most, now = (
        _lines("/sys/fs/cgroup/memory.max"),
        _lines("/sys/fs/cgroup/memory.current"),
    )
    if not most or not now or not most[0].isdecimal():
        return None
    return int(most[0]) - int(now[0])


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def _free_space(path: str) -> int | None:
    try:
        return shutil.disk_usage(path).free
    except OSError:
        return None
