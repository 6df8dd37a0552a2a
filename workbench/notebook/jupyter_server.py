"""The Jupyter server that started this kernel, which may live in another environment.

Read from files and from the process table; the server itself is asked one question, if
it says where it listens. Used by `surroundings` only.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench.settings import Settings

__all__ = ["Package", "Place", "Server", "read_server"]

_LABEXTENSION = "serve-workbench"
_EXTENSION = "workbench"
_ANSWER_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A package, or the half of it that a page loads."""

    name: str
    distribution: str
    """What pip calls it."""
    version: str | None
    """None: not there."""
    fits: bool = True
    """Of a page's half: the kernel's half can talk to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An extension as the server finds it."""

    kind: str
    """The word after `jupyter` in the command that switches it on."""
    name: str
    path: Path | None = None
    """None: not installed."""
    version: str = ""
    switched_off: Path | None = None
    """The file that switches it off."""

    @property
    def is_enabled(self) -> bool:
        """Whether the server or its page loads it."""
        return self.path is not None and self.switched_off is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """What is known of the server."""

    prefix: str = ""
    jupyterlab: str | None = None
    labextension: Place = field(
        default_factory=lambda: Place(kind="labextension", name=_LABEXTENSION)
    )
    extension: Place = field(
        default_factory=lambda: Place(kind="server extension", name=_EXTENSION)
    )
    url: str = ""
    answers: bool | None = None
    """Its routes of ours work; None: it could not be asked."""
    data_dirs: tuple[Path, ...] = ()

    @property
    def pip(self) -> str:
        """How to install into its environment."""
        own = f"{self.prefix}/bin/pip"
        return "pip" if self.prefix == sys.prefix or not self.prefix else own

    def pages_for(self, widgets: tuple[Package, ...]) -> Iterator[Package]:
        """The page's halves of the widget packages that the kernel has."""
        for widget in widgets:
            if widget.version is not None and self.data_dirs:
                yield _page_of(widget, self.data_dirs)


def read_server(environ: Mapping[str, str], settings: Settings) -> Server:
    """The server that started this kernel."""
    pid = environ.get("JPY_PARENT_PID", "")
    prefix = _prefix_of(pid)
    data_dirs, config_dirs = _dirs(prefix)
    url, answers = _ask(settings.runtime_dir / f"jpserver-{pid}.json")
    return Server(
        prefix=str(prefix),
        jupyterlab=_installed(prefix, "jupyterlab"),
        labextension=_labextension(data_dirs, config_dirs, prefix),
        extension=_server_extension(config_dirs),
        url=url,
        answers=answers,
        data_dirs=data_dirs,
    )


def _prefix_of(pid: str) -> Path:
    """The environment of a process: that of the Python that it was started with."""
    try:
        words = Path("/proc", pid, "cmdline").read_bytes().decode().split("\0")
    except (OSError, ValueError):
        words = []
    for word in words[:2]:  # the interpreter, or a script beside it
        folder = Path(word).parent
        if Path(word).is_absolute() and folder.name == "bin":
            return folder.parent
    return Path(sys.prefix)


def _dirs(prefix: Path) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Where that server looks for data and for settings, first come first served."""
    from jupyter_core import paths  # noqa: PLC0415 - not there in every environment

    def moved(places: list[str]) -> tuple[Path, ...]:
        found = []
        for place in map(Path, places):
            inside = place.is_relative_to(sys.prefix) and str(prefix) != sys.prefix
            found.append(prefix / place.relative_to(sys.prefix) if inside else place)
        return tuple(found)

    return moved(paths.jupyter_path()), moved(paths.jupyter_config_path())


def _installed(prefix: Path, distribution: str) -> str | None:
    for folder in prefix.glob(f"lib/python3*/site-packages/{distribution}-*.dist-info"):
        return folder.name.removesuffix(".dist-info").partition("-")[2]
    return None


def _labextension(
    data_dirs: tuple[Path, ...], config_dirs: tuple[Path, ...], prefix: Path
) -> Place:
    place = Place(kind="labextension", name=_LABEXTENSION)
    package = _first(data_dirs, f"labextensions/{_LABEXTENSION}/package.json")
    if package is None:
        return place
    files = [folder / "labconfig" / "page_config.json" for folder in config_dirs]
    files.append(prefix / "share/jupyter/lab/settings/page_config.json")
    off = next((file for file in files if _names_disabled(_read(file))), None)
    return Place(
        kind=place.kind,
        name=place.name,
        path=package.parent,
        version=str(_read(package).get("version", "")),
        switched_off=off,
    )


def _names_disabled(config: dict[str, Any]) -> bool:
    disabled = config.get("disabledExtensions", {})
    if isinstance(disabled, dict):
        return bool(disabled.get(_LABEXTENSION))
    return _LABEXTENSION in disabled


def _server_extension(config_dirs: tuple[Path, ...]) -> Place:
    on: Path | None = None
    off: Path | None = None
    for folder in config_dirs:
        files = sorted(folder.glob("jupyter_server_config.d/*.json"))
        for file in (folder / "jupyter_server_config.json", *files):
            extensions = _read(file).get("ServerApp", {}).get("jpserver_extensions", {})
            if extensions.get(_EXTENSION) is True:
                on = on or file
            elif extensions.get(_EXTENSION) is False:
                # Only what comes before the file that switches it on has a say.
                off = off or (None if on else file)
    return Place(
        kind="server extension", name=_EXTENSION, path=on or off, switched_off=off
    )


def _page_of(widget: Package, data_dirs: tuple[Path, ...]) -> Package:
    folder, distribution = {
        "ipywidgets": ("@jupyter-widgets/jupyterlab-manager", "jupyterlab_widgets"),
    }.get(widget.name, (widget.name, widget.name))
    package = _first(data_dirs, f"labextensions/{folder}/package.json")
    if package is None:
        return Package(name=widget.name, distribution=distribution, version=None)
    version = str(_read(package).get("version", ""))
    return Package(
        name=widget.name,
        distribution=distribution,
        version=version,
        fits=_fits(widget, version),
    )


def _fits(widget: Package, page: str) -> bool:
    kernel = widget.version or ""
    if widget.name == "ipywidgets":
        # ipywidgets 8 speaks to version 5 of the manager, 7 to version 3.
        pairs = {"8": "5", "7": "3"}
        return pairs.get(kernel.partition(".")[0]) == page.partition(".")[0]
    # While a version begins with 0, its second number is the one that must agree.
    return kernel.split(".")[:2] == page.split(".")[:2]


def _ask(file: Path) -> tuple[str, bool | None]:
    """Where the server listens, and whether it knows our routes."""
    import httpx  # noqa: PLC0415 - takes 0.15 s, which only its users should pay

    about = _read(file)
    url = str(about.get("url", ""))
    if not url:
        return "", None
    try:
        answer = httpx.get(
            f"{url}workbench/instances",
            headers={"Authorization": f"token {about.get('token', '')}"},
            timeout=_ANSWER_S,
            trust_env=False,
            verify=False,  # noqa: S501 - a certificate of the user's own making, on loopback
        )
    except httpx.HTTPError:
        return url, None
    return url, {200: True, 404: False}.get(answer.status_code)


def _first(folders: tuple[Path, ...], name: str) -> Path | None:
    return next((path for each in folders if (path := each / name).is_file()), None)


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
