"""The modules that code uses: the user's own files, and everything installed.

Local are all modules with Python source that is not installed: files beside the
notebook or script (under `root`), and others that only the author's `sys.path` knows.
Their source is shipped. Everything else is imported by the replica itself and counts
by its version. Used by `ship` and `version`; imports nothing of the user's.
"""

import ast
import functools
import importlib.util
import os
import site
import sys
import sysconfig
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from workbench.code.blob import LocalModule

__all__ = ["Modules", "is_installed", "loaded_submodules", "normalised"]

# Our own package is in every replica; __main__ travels by value, name by name.
_NOT_ASKED = sys.stdlib_module_names | {
    __name__.partition(".")[0],
    "__main__",
    "__mp_main__",
}


class Modules:
    """Modules reached, each local one with all that it imports in turn."""

    def __init__(self, root: Path) -> None:
        self.root = root
        """Directory of the notebook or script."""
        self._exists: dict[str, bool] = {}
        self._local_names: set[str] = set()
        self.local: dict[str, LocalModule] = {}
        self.others: set[str] = set()
        """Top-level names of what is installed."""

    def add(self, name: str) -> bool:
        """Take in a module by its full name; False if there is none of that name."""
        if name not in self._exists:
            self._exists[name] = True  # for modules that import each other
            self._exists[name] = self._add(name)
        return self._exists[name]

    def _add(self, name: str) -> bool:
        top = name.partition(".")[0]
        if top in _NOT_ASKED:
            return True
        spec = _find(name, self.root)
        if spec is None and name not in sys.modules:
            return False
        if not _is_local(spec, self.root):
            self.others.add(top)
        else:
            self._add_local(name, spec)
        return True

    def _add_local(self, name: str, spec: ModuleSpec | None) -> None:
        self._local_names.add(name)
        parent = name.rpartition(".")[0]
        if parent:
            self.add(parent)
        search = spec.submodule_search_locations if spec else []
        filename = spec.origin if spec and spec.has_location and spec.origin else ""
        source = _read(filename) if filename else ""
        asked = _imports(source, parent if search is None else name)
        found = [each for each in asked if self.add(each)]
        self.local[name] = LocalModule(
            name,
            filename,
            source,
            None if search is None else tuple(dict.fromkeys(search)),
            tuple(each for each in found if each in self._local_names - {name}),
        )


def is_installed(filename: str) -> bool:
    """Whether a replica has the file too, as part of Python or of a package."""
    parts = Path(filename).parts
    if "site-packages" in parts or "dist-packages" in parts:
        return True
    return filename.startswith(_installed_dirs())


@functools.lru_cache(maxsize=256)
def normalised(source: str) -> str:
    """The source without what does not count: comments, blank lines, formatting."""
    try:
        return ast.dump(ast.parse(source))
    except SyntaxError:
        return source


def _find(name: str, root: Path) -> ModuleSpec | None:
    """Where a module comes from; nothing is imported to find out."""
    if name in sys.modules:
        return getattr(sys.modules[name], "__spec__", None)
    parent = name.rpartition(".")[0]
    if not parent:
        return PathFinder.find_spec(name, [str(root), *sys.path])
    above = _find(parent, root)
    if above is None or above.submodule_search_locations is None:
        return None
    places = list(above.submodule_search_locations)
    try:
        return PathFinder.find_spec(name, places)
    except KeyError:
        return _directory(name, places)


def _directory(name: str, places: list[str]) -> ModuleSpec:
    """A directory without `__init__.py` within another.

    Python would ask the outer one where it lies; that is not imported here.
    """
    spec = ModuleSpec(name, None, is_package=True)
    inner = [Path(place) / name.rpartition(".")[2] for place in places]
    spec.submodule_search_locations = [str(each) for each in inner if each.is_dir()]
    return spec


def _is_local(spec: ModuleSpec | None, root: Path) -> bool:
    if spec is None:  # made by hand, as test runners make packages
        return True
    if not spec.has_location:
        places = list(spec.submodule_search_locations or [])
        return bool(places) and not any(_is_foreign(each, root) for each in places)
    origin = spec.origin or ""
    return origin.endswith(".py") and not _is_foreign(origin, root)


def _is_foreign(filename: str, root: Path) -> bool:
    if is_installed(filename):
        return True
    # Under the prefix lie scripts and data of packages; but a prefix like /usr may
    # hold the user's directory as well.
    prefix = sys.prefix + os.sep
    return filename.startswith(prefix) and not str(root).startswith(prefix)


@functools.cache
def _installed_dirs() -> tuple[str, ...]:
    keys = ("stdlib", "platstdlib", "purelib", "platlib")
    paths = [sysconfig.get_paths()[key] for key in keys]
    paths += [*site.getsitepackages(), site.getusersitepackages()]
    real = [os.path.realpath(path) for path in paths]
    return tuple({f"{path}{os.sep}" for path in paths + real})


def _read(filename: str) -> str:
    try:
        return importlib.util.decode_source(Path(filename).read_bytes())
    except (OSError, SyntaxError, UnicodeDecodeError):
        return ""


def _imports(source: str, package: str) -> list[str]:
    """Full names of what a module may import, wherever in it the statement stands."""
    names, attributes = _names_and_attributes(source, package)
    found = dict.fromkeys(names)
    for name in names:
        found.update(dict.fromkeys(loaded_submodules(name, attributes)))
    return list(found)


@functools.lru_cache(maxsize=256)
def _names_and_attributes(
    source: str, package: str
) -> tuple[tuple[str, ...], frozenset[str]]:
    try:
        tree = ast.parse(source)
    except SyntaxError:  # the replica will say so, with the line
        return (), frozenset()
    names: dict[str, None] = {}
    attributes: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            attributes.add(node.attr)
        elif isinstance(node, ast.Import):
            names.update(dict.fromkeys(alias.name for alias in node.names))
        elif isinstance(node, ast.ImportFrom):
            names.update(dict.fromkeys(_from_names(node, package)))
    return tuple(names), frozenset(attributes)


def _from_names(node: ast.ImportFrom, package: str) -> Iterator[str]:
    base = node.module or ""
    if node.level:
        kept = package.split(".")[: len(package.split(".")) - node.level + 1]
        base = ".".join([*kept, base] if base else kept)
    if base:
        yield base
        yield from (f"{base}.{alias.name}" for alias in node.names)


def loaded_submodules(package: str, attributes: AbstractSet[str]) -> Iterator[str]:
    """Submodules that `package.sub` may mean, imported by whoever it was."""
    prefix = package + "."
    for name in sorted(name for name in list(sys.modules) if name.startswith(prefix)):
        if attributes >= set(name.removeprefix(prefix).split(".")):
            yield name
