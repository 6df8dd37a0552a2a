"""Makes what `ship` packed into live objects, in a replica.

The author's `__main__` comes back as a module of that name, the author's own modules
as modules that are imported from memory, and the text of both stands in `linecache`: so
tracebacks show source lines, and pickle, inspect and multiprocessing find what they
look for. A load that fails leaves everything as it was before.
"""

import builtins
import contextlib
import importlib.abc
import io
import linecache
import pickle
import sys
import types
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

from workbench.code.blob import Blob, LocalModule, unpack
from workbench.code.classes import forget_classes

__all__ = ["load_args", "load_code", "main_names", "offer_modules"]

_MAIN_FILE = "<notebook>"
# Code of the process itself may go on in it: its names must not be cleared.
_own_main = sys.modules["__main__"]
# Names of the sources that came with the last two loads: calls may still run the code
# before the last. Each run of a cell has another name, so they would pile up.
_source_names: deque[set[str]] = deque([set(), set()])


def load_code(blob: bytes) -> object:
    """The class or function, with everything around it; replaces an earlier one.

    Raises:
        ShippingError: it comes from another Python.
        Exception: whatever the user's own modules raise when they are imported.
    """
    unpacked = unpack(blob)
    with _undone_on_failure():
        forget_classes()
        _forget_old_sources()
        sys.modules["__main__"] = _make_main(unpacked)
        return _load(unpacked)


def load_args(blob: bytes) -> tuple[tuple[object, ...], dict[str, object]]:
    """The bind arguments, for the code that was loaded before."""
    args, kwargs = _load(unpack(blob))
    return args, kwargs


def offer_modules(blob: bytes) -> None:
    """Let the modules in it be imported; the code itself is not loaded."""
    _offer(unpack(blob))


def main_names() -> dict[str, object]:
    """The namespace of the author's `__main__`; pickles refer to it by this."""
    return vars(sys.modules["__main__"])


def _load(blob: Blob) -> Any:
    for filename, text in blob.sources.items():
        _remember_source(filename, text)
    _offer(blob)
    file = io.BytesIO(blob.pickles)
    unpickler = pickle.Unpickler(file)  # noqa: S301
    loaded = unpickler.load()
    while file.tell() < len(blob.pickles):
        main_names().update(unpickler.load())
    return loaded


def _offer(blob: Blob) -> None:
    for module in blob.modules:
        _remember_source(module.filename, module.source)
    _local_modules.replace(blob.modules)


def _remember_source(filename: str, text: str) -> None:
    # Without a time, linecache does not look whether the file has changed since.
    if filename:
        # What somebody else put there, as an author in this process, is theirs.
        if filename not in linecache.cache or filename in set().union(*_source_names):
            _source_names[-1].add(filename)
        lines = text.splitlines(keepends=True)
        linecache.cache[filename] = (len(text), None, lines, filename)


def _forget_old_sources() -> None:
    """A load begins: the lines of the last but one are of no use to anybody."""
    old = _source_names.popleft()
    for filename in old.difference(*_source_names):
        linecache.cache.pop(filename, None)
    _source_names.append(set())


def _make_main(blob: Blob) -> types.ModuleType:
    main = types.ModuleType("__main__")
    main.__dict__["__builtins__"] = builtins
    main.__package__ = blob.main_package or None
    main.__file__ = blob.main_file or _MAIN_FILE
    if not blob.main_file:
        # inspect looks for a class in the one file of its module.
        _remember_source(_MAIN_FILE, "\n".join(blob.sources.values()))
    if not Path(main.__file__).exists():
        # So named, multiprocessing does not try to run the file in a child.
        main.__spec__ = ModuleSpec("__main__", None)
    return main


class _LocalModules(importlib.abc.MetaPathFinder, importlib.abc.ExecutionLoader):
    """Finds and loads the author's own modules, from memory."""

    def __init__(self) -> None:
        self._modules: dict[str, LocalModule] = {}

    def replace(self, modules: Iterable[LocalModule]) -> None:
        """Offer these; whatever was imported and has changed is imported anew."""
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)
        changed = {m.name for m in modules if self._modules.get(m.name) != m}
        self._modules.update({m.name: m for m in modules})
        for name in self._and_importers(changed):
            _forget_module(name)

    def snapshot(self) -> dict[str, LocalModule]:
        return dict(self._modules)

    def restore(self, modules: dict[str, LocalModule]) -> None:
        self._modules = modules

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - by name alone
        target: types.ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        module = self._modules.get(fullname)
        if module is None:
            return None
        spec = ModuleSpec(fullname, self, origin=module.filename or None)
        spec.has_location = bool(module.filename)
        if module.search is not None:
            spec.submodule_search_locations = list(module.search)
        return spec

    def get_filename(self, fullname: str) -> str:
        return self._modules[fullname].filename

    def get_source(self, fullname: str) -> str:
        return self._modules[fullname].source

    def is_package(self, fullname: str) -> bool:
        return self._modules[fullname].search is not None

    def _and_importers(self, names: set[str]) -> set[str]:
        """These modules and all that import them, directly or not."""
        found = set(names)
        while True:
            more = {
                module.name
                for module in self._modules.values()
                if found.intersection(module.imports)
            }
            if more <= found:
                return found
            found |= more


_local_modules = _LocalModules()


def _forget_module(name: str) -> None:
    sys.modules.pop(name, None)
    # `from package import module` would find the old one as an attribute.
    package, _, last = name.rpartition(".")
    if package in sys.modules:
        vars(sys.modules[package]).pop(last, None)


@contextlib.contextmanager
def _undone_on_failure() -> Iterator[None]:
    """Put modules back as they were if the body raises: old code serves on."""
    modules, offered = dict(sys.modules), _local_modules.snapshot()
    lines = dict(linecache.cache)
    try:
        yield
    except BaseException:
        sys.modules.update(modules)
        linecache.cache.update(lines)
        _local_modules.restore(offered)
        for name in offered:
            package, _, last = name.rpartition(".")
            if package in modules and name in modules:
                setattr(modules[package], last, modules[name])
        raise
