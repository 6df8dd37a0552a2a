"""Directories that a `runtime_env` names, as they are on the author's machine.

Called by `build`: paths become absolute, since processes run elsewhere, and what lies
in them counts towards the version, so that changed files reach the replicas.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType

from workbench.errors import ShippingError

__all__ = ["contents", "located"]


def located(runtime_env: Mapping[str, object]) -> dict[str, object]:
    """The same with absolute paths; a package in `py_modules` becomes its directory.

    Raises:
        ShippingError: a directory is not there.
    """
    found = dict(runtime_env)
    if "working_dir" in found:
        found["working_dir"] = _located(found["working_dir"], "working_dir")
    if isinstance(modules := found.get("py_modules"), list):
        found["py_modules"] = [_located(each, "py_modules") for each in modules]
    return found


def contents(runtime_env: Mapping[str, object]) -> list[tuple[str, int, int]]:
    """Path, size and time of change of every file in its directories."""
    modules = runtime_env.get("py_modules")
    named = [
        runtime_env.get("working_dir"),
        *(modules if isinstance(modules, list) else []),
    ]
    return [
        entry
        for each in named
        if isinstance(each, str) and Path(each).is_dir()
        for entry in _files(Path(each))
    ]


def _located(given: object, name: str) -> object:
    if isinstance(given, ModuleType):
        given = next(iter(getattr(given, "__path__", [])), given.__file__)
    if not isinstance(given, str | Path) or "://" in str(given):
        return given
    path = Path(given).expanduser().absolute()
    if not path.exists():
        msg = f"runtime_env names {given} as {name}, which is not on this machine."
        raise ShippingError(msg, "Name a directory that is, or a URI of an archive.")
    return str(path)


def _files(directory: Path) -> Iterator[tuple[str, int, int]]:
    for path in sorted(directory.rglob("*")):
        parts = path.relative_to(directory).parts
        # What running code leaves behind is no change of it.
        if any(each.startswith((".", "__pycache__")) for each in parts):
            continue
        if path.is_file():
            stat = path.stat()
            yield str(path), stat.st_size, stat.st_mtime_ns
