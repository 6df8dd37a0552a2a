"""Turns what a user declared into bytes that a replica can load.

Called by front ends, for each deployment of an application. The code travels by value
where it was written in a notebook or script, with its source; the user's own modules
travel as source; everything installed is named, for the replica to import.
"""

import io
import linecache
import sys
import threading
import types
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.code.blob import pack
from workbench.code.closure import (
    Code,
    find_by_name,
    global_names,
    is_code,
    named_arguments,
    named_in_annotations,
    travels_by_value,
)
from workbench.code.culprit import blame, blame_argument, find_culprit, values_used
from workbench.code.load import main_names
from workbench.code.modules import Modules, is_installed
from workbench.code.pickling import CodePickler, reduce_lock
from workbench.code.version import Substitute, hash_code, hash_init
from workbench.errors import ShippingError
from workbench.spec.deployment import Parts

__all__ = ["Shipment", "ship", "ship_functions"]

_LARGE_BYTES = 1_000_000
_MOST_PARTS = 300
# Pickling runs the code of many libraries, not all of it made for several threads.
_lock = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipment:
    """One deployment, ready to be sent."""

    code: bytes
    args: bytes
    code_hash: str
    """Of all code that is reached."""
    init_hash: str
    """Of what makes the instance: the constructor's part of the code, and `args`."""
    parts: Parts
    warnings: tuple[str, ...]


def ship(
    target: Callable[..., object],
    args: tuple[object, ...],
    kwargs: dict[str, object],
    *,
    root: Path,
    substitute: Substitute,
) -> Shipment:
    """Pack a class or function with its bind arguments.

    `root` is the directory of the notebook or script. `substitute` is shown every
    object in the arguments, at any depth; what it returns, if not None, goes instead.

    Raises:
        ShippingError: something cannot travel; names it, where it is used, and why.
    """
    root = root.absolute()
    with _lock:
        code = _pickle_code(target)
        code_modules = Modules(root)
        hashed = hash_code(target, code_modules)
        arguments = _pickle_arguments(target, args, kwargs, substitute)
        init_modules = Modules(root)
        hashed_init = hash_init(
            target, args, kwargs, modules=init_modules, substitute=substitute
        )
        return Shipment(
            code=_pack(code, code_modules),
            args=_pack(arguments, init_modules, already=code_modules),
            code_hash=hashed.hash,
            init_hash=hashed_init.hash,
            parts=Parts(code=_few(hashed.parts), init=_few(hashed_init.parts)),
            warnings=(
                *_large_globals(target, code),
                *_large_arguments(target, args, kwargs, arguments),
            ),
        )


def ship_functions(functions: Sequence[Callable[..., object]], *, root: Path) -> bytes:
    """Pack functions, with the user's own modules that they need; loaded as code.

    Raises:
        ShippingError: one of them cannot travel.
    """
    with _lock:
        pickles = _Pickles()
        try:
            pickles.dump_with_names(list(functions))
        except ShippingError:
            raise
        except Exception as error:  # noqa: BLE001 - any __reduce__ fails in its own way
            msg = f"{_names(functions)} cannot travel: {error}"
            raise ShippingError(msg, "Define them in a module.") from None
        return _pack(pickles, Modules(root.absolute()))


class _Pickles(CodePickler):
    """Pickles one object, with everything that it must find in `__main__`."""

    def __init__(self, substitute: Substitute = lambda _: None) -> None:
        self._file = io.BytesIO()
        super().__init__(self._file, protocol=5)
        self.substitute = substitute
        self._main = sys.modules["__main__"]
        self.code: dict[int, Any] = {}
        """Functions and classes that travel by value."""
        self.modules: set[str] = set()
        """What is referred to by name."""
        # Functions of __main__ share its namespace, in the replica too.
        self.globals_ref[id(vars(self._main))] = _MainNames(__name__="__main__")

    def dump_with_names(self, value: object) -> None:
        """Dump the object, then what code finds in `__main__` by other ways than it."""
        self.dump(value)
        sent: set[str] = set()
        while names := self._names_to_find(sent):
            self.dump(names)
            sent.update(names)

    def data(self) -> bytes:
        return self._file.getvalue()

    def reducer_override(self, obj: Any) -> Any:
        """How to take `obj` apart; notes what is met."""
        other = self.substitute(obj)
        if other is not None and other is not obj:
            return _same, (other,)
        if isinstance(obj, types.ModuleType):
            self.modules.add(obj.__name__)
        elif is_code(obj):
            if travels_by_value(obj):
                self.code[id(obj)] = obj
            else:
                self.modules.add(obj.__module__)
        return reduce_lock(obj) or super().reducer_override(obj)

    def _names_to_find(self, sent: set[str]) -> dict[str, object]:
        space = vars(self._main)
        found: dict[str, object] = {}
        for code in self.code.values():
            name = code.__name__
            if name in space and find_by_name(self._main, code.__qualname__) is code:
                found[name] = code
            for other in _names_read(code, space):
                found.setdefault(other, space[other])
        return {name: value for name, value in found.items() if name not in sent}


class _MainNames(dict[str, object]):
    """In the pickle, the namespace of whatever `__main__` reads it."""

    def __reduce_ex__(self, _protocol: object) -> tuple[Any, ...]:
        return main_names, ()


def _names_read(code: Code, space: dict[str, Any]) -> Iterator[str]:
    """Names that cloudpickle does not see: in class bodies, and in annotations."""
    if isinstance(code, types.FunctionType) and code.__globals__ is space:
        yield from (name for name in global_names(code.__code__) if name in space)
    if code.__module__ == "__main__":
        for name in named_in_annotations(code):
            if is_code(space.get(name)) or isinstance(
                space.get(name), types.ModuleType
            ):
                yield name


def _names(functions: Sequence[Callable[..., object]]) -> str:
    return ", ".join(getattr(each, "__name__", repr(each)) for each in functions)


def _same(value: object) -> object:
    return value


def _pickle_code(target: Callable[..., object]) -> _Pickles:
    pickles = _Pickles()
    try:
        pickles.dump_with_names(target)
    except ShippingError:  # of an object that knows better why not
        raise
    except Exception as error:  # noqa: BLE001 - any __reduce__ fails in its own way
        raise blame(target, error, _dump_alone) from None
    return pickles


def _pickle_arguments(
    target: Callable[..., object],
    args: tuple[object, ...],
    kwargs: dict[str, object],
    substitute: Substitute,
) -> _Pickles:
    pickles = _Pickles(substitute)
    try:
        pickles.dump_with_names((args, kwargs))
    except ShippingError:
        raise
    except Exception as error:
        for name, value in named_arguments(target, args, kwargs):
            found = find_culprit(
                value, name, lambda each: _dump_alone(each, substitute)
            )
            if found is not None:
                raise blame_argument(target.__qualname__, found, error) from None
        raise
    return pickles


def _dump_alone(value: object, substitute: Substitute = lambda _: None) -> bytes:
    pickles = _Pickles(substitute)
    pickles.dump(value)
    return pickles.data()


def _pack(pickles: _Pickles, modules: Modules, already: Modules | None = None) -> bytes:
    for name in sorted(pickles.modules):
        modules.add(name)
    known = already.local if already else {}
    local = tuple(m for name, m in modules.local.items() if name not in known)
    return pack(
        pickles.data(),
        sources=_sources(pickles.code.values()),
        modules=local,
        main=sys.modules["__main__"],
    )


def _sources(met: Iterable[Code]) -> dict[str, str]:
    """Text of the files in which the code was written, nearest to the target first."""
    sources: dict[str, str] = {}
    for code in met:
        if isinstance(code, types.FunctionType):
            filename = code.__code__.co_filename
            if filename not in sources and not is_installed(filename):
                sources[filename] = "".join(linecache.getlines(filename))
    return {filename: text for filename, text in sources.items() if text}


def _large_globals(target: Callable[..., object], pickles: _Pickles) -> Iterator[str]:
    """What is big, if anything can be."""
    if len(pickles.data()) <= _LARGE_BYTES:
        return
    for use in values_used(target):
        size = len(_dump_alone(use.value))
        if size > _LARGE_BYTES:
            yield (
                f"The {use.kind} `{use.name}` of {use.owner.__qualname__} is "
                f"{_megabytes(size)} and travels with every deploy; load it in "
                "__init__ instead."
            )


def _large_arguments(
    target: Callable[..., object],
    args: tuple[object, ...],
    kwargs: dict[str, object],
    pickles: _Pickles,
) -> Iterator[str]:
    if len(pickles.data()) <= _LARGE_BYTES:
        return
    for name, value in named_arguments(target, args, kwargs):
        size = len(_dump_alone(value, pickles.substitute))
        if size > _LARGE_BYTES:
            yield (
                f"The bind argument `{name}` of {target.__qualname__} is "
                f"{_megabytes(size)} and travels with every deploy; bind a path and "
                "load it in __init__ instead."
            )


def _few(parts: dict[str, str]) -> dict[str, str]:
    """Nothing, where they are so many that nobody would read what changed of them."""
    return parts if len(parts) <= _MOST_PARTS else {}


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB" if size >= 10e6 else f"{size / 1e6:.1f} MB"
