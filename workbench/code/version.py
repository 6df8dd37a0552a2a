"""What a deployment is, as a hash: equal in every process, as long as nothing changed.

Code counts by what it does: byte code, constants and names, but neither comments nor
line numbers. Values count by their content; what they are is asked of the same methods
that pickle asks, so that everything that travels counts. Memory addresses, hash seeds
and the identity of equal strings do not. Called by `ship`.
"""

import abc
import enum
import functools
import hashlib
import importlib.metadata
import marshal
import platform
import sys
import types
import typing
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from pickle import PickleBuffer
from typing import Any

import cloudpickle

from workbench.code.closure import (
    Use,
    constructor_members,
    imported_names,
    is_code,
    named_arguments,
    travels_by_value,
    uses_of,
)
from workbench.code.modules import Modules, normalised
from workbench.code.parts import PartNames, shown_as
from workbench.code.pickling import reduce_lock, reduce_specially
from workbench.code.routes import is_routing, made_of

__all__ = ["Hashed", "hash_code", "hash_init", "hash_value"]

Substitute = Callable[[object], object | None]


@dataclass(frozen=True, slots=True)
class Hashed:
    """A hash, and what went into it by name (see `workbench.spec.deployment.Parts`)."""

    hash: str
    parts: dict[str, str]


def hash_code(target: object, modules: Modules) -> Hashed:
    """Hash of all code that `target` reaches; what it imports is added to `modules`."""
    hasher = _Hasher(modules)
    hasher.add(target)
    return Hashed(hasher.finish(), hasher.parts.named)


def hash_init(
    target: object,
    args: tuple[object, ...],
    kwargs: dict[str, object],
    *,
    modules: Modules,
    substitute: Substitute,
) -> Hashed:
    """Hash of what makes an instance: the constructor, all it reaches, its arguments.

    An instance made under an equal hash would come out the same today.
    """
    hasher = _Hasher(modules, substitute)
    if isinstance(target, type):
        hasher.narrow(target)
        hasher.add(target)
    hasher.add(args)
    hasher.add(kwargs)
    for name, value in named_arguments(target, args, kwargs):
        hasher.parts.add(f"argument {name}", hasher.print_of(value))
    return Hashed(hasher.finish(), hasher.parts.named)


def hash_value(value: object) -> str:
    """Hash of a value's content."""
    hasher = _Hasher(Modules(Path()))
    hasher.add(value)
    return hasher.finish()


class _Hasher:
    """Digests values recursively; functions and classes once each, in order of find."""

    def __init__(
        self, modules: Modules, substitute: Substitute = lambda _: None
    ) -> None:
        self._modules = modules
        self._substitute = substitute
        self._is_shallow = False
        self._whole = hashlib.blake2b(digest_size=16)
        self._members: dict[type, dict[str, None]] = {}
        self._code: deque[Any] = deque()
        self._numbers: dict[int, int] = {}
        self.parts = PartNames()
        self._known: dict[int, bytes] = {}
        # What refers to code has other numbers in its digest when other code is met.
        self._with_code: set[int] = set()
        self._references = 0
        self._open: dict[int, int] = {}
        self._lowest = sys.maxsize
        # Keeps alive what `_known` and `_numbers` know by address.
        self._alive: list[object] = []

    def narrow(self, cls: type) -> None:
        """Let only those parts of a class count that make an instance."""
        if type(cls) in {type, abc.ABCMeta}:  # another metaclass may do anything
            members = constructor_members(cls)
            self._members = dict.fromkeys(cls.__mro__, members)

    def add(self, value: object) -> None:
        self._whole.update(_join(b"item", [self.digest(value)]))

    def finish(self) -> str:
        while self._code:
            self._whole.update(self._definition(self._code.popleft()))
        for module in sorted(self._modules.local.values(), key=lambda each: each.name):
            text = f"{module.name}\n{normalised(module.source)}"
            digest = _join(b"local module", [text.encode()])
            self._whole.update(digest)
            self.parts.add(f"module {module.name}", digest)
        installed = [_distribution(top) for top in sorted(self._modules.others)]
        self.parts.add_packages(installed)
        python = ".".join(platform.python_version_tuple()[:2])
        self._whole.update("\n".join([python, *installed]).encode())
        return self._whole.hexdigest()

    def digest(self, value: Any) -> bytes:
        kind = type(value)
        if kind in _ATOMS:
            return _atom(value)
        key = id(value)
        if key in self._known:
            self._references += key in self._with_code
            return self._known[key]
        if key in self._open:  # it contains itself
            self._lowest = min(self._lowest, self._open[key])
            return b"up%d" % (len(self._open) - self._open[key])
        depth = self._open[key] = len(self._open)
        outer, self._lowest = self._lowest, sys.maxsize
        self._alive.append(value)
        references = self._references
        found = self._compound(kind, value)
        if self._references != references:
            self._with_code.add(key)
        del self._open[key]
        if self._lowest >= depth:  # means the same wherever it occurs
            self._known[key] = found
            self._lowest = sys.maxsize
        self._lowest = min(outer, self._lowest)
        return found

    def _compound(self, kind: type, value: Any) -> bytes:
        if kind in {list, tuple}:
            return self._sequence(kind.__name__, value)
        if kind is dict:
            # In order: code may depend on it, and it is the same in every process.
            parts = (
                self._sequence("keys", list(value)),
                self._sequence("values", list(value.values())),
            )
            return _join(b"dict", parts)
        if kind in {set, frozenset}:
            return self._sequence(kind.__name__, sorted(value, key=self._lone_digest))
        other = self._substitute(value)
        if other is not None and other is not value:
            return self.digest(other)
        return self._object(value)

    def _object(self, value: Any) -> bytes:
        if is_code(value):
            return self._refer(value)
        if isinstance(value, types.ModuleType):
            self._modules.add(value.__name__)
        for kind, take_apart in _KINDS.items():
            if isinstance(value, kind):
                return self._sequence(kind.__name__, take_apart(value))
        if is_routing(value):
            return self._sequence("routing", [type(value), made_of(value)])
        if _is_array(value):
            return self._sequence("array", _array_parts(value))
        return self._reduced(value)

    def _sequence(self, name: str, values: Any) -> bytes:
        if _PLAIN.issuperset(map(type, values)):
            # A hundred times faster than one by one; 2 is the last version of the
            # format that does not depend on which equal strings are one object.
            return _join(b"plain " + name.encode(), [marshal.dumps(values, 2)])
        return _join(name.encode(), map(self.digest, values))

    def _lone_digest(self, value: object) -> bytes:
        """Digest that depends on nothing seen before, to sort a set by."""
        if type(value) in _ATOMS:
            return _atom(value)
        alone = _Hasher(Modules(self._modules.root), self._substitute)
        alone._open = dict.fromkeys(self._open, 0)
        alone.add(value)
        return alone.finish().encode()

    def _refer(self, code: Any) -> bytes:
        """A function or class: by number if it travels, to be digested in its turn."""
        if not travels_by_value(code):
            self._modules.add(code.__module__)
            name = f"{code.__module__}:{code.__qualname__}"
            return _join(b"name", [name.encode()])
        self._references += 1
        if self._is_shallow:
            return _join(b"name", [f"{code.__module__}:{code.__qualname__}".encode()])
        if id(code) not in self._numbers:
            self._numbers[id(code)] = len(self._numbers)
            self._alive.append(code)
            self._code.append(code)
        return b"code%d" % self._numbers[id(code)]

    def _definition(self, code: Any) -> bytes:
        parts = [f"{code.__module__}:{code.__qualname__}".encode()]
        if isinstance(code, types.FunctionType):
            parts.append(self.digest(code.__code__))
            self._add_imports(code)
        self.parts.begin(code, parts[1:])
        for use in uses_of(code):
            if self._counts(use):
                parts += use.kind.encode(), use.name.encode(), self.digest(use.value)
                self.parts.add_use(use, self.print_of)
        return _join(b"definition", parts)

    def print_of(self, value: object) -> bytes | str:
        """What stands for a value among the parts; the same whatever is beside it."""
        shown = shown_as(value)
        if shown is not None:
            return shown
        references = self._references
        digest = self.digest(value)
        if self._references == references:
            return digest
        alone = _Hasher(Modules(self._modules.root), self._substitute)
        alone._is_shallow = True
        return alone.digest(value)

    def _counts(self, use: Use) -> bool:
        if not isinstance(use.owner, type) or use.kind != "class attribute":
            return True
        members = self._members.get(use.owner)
        return members is None or use.name in members

    def _add_imports(self, function: types.FunctionType) -> None:
        space = function.__globals__
        package = space.get("__package__") or ""
        for level, name, taken in imported_names(function.__code__):
            parts = package.split(".")[: len(package.split(".")) - level + 1]
            base = ".".join(filter(None, [*parts, name])) if level else name
            self._modules.add(base)
            for each in taken:
                self._modules.add(f"{base}.{each}")

    def _reduced(self, value: Any) -> bytes:
        try:
            reduced = _reduce(value)
        except Exception:  # noqa: BLE001 - any user's __reduce__ may fail in its way
            # Not canonical, but it travels: then cloudpickle knows how.
            return _join(b"pickle", [cloudpickle.dumps(value)])
        if isinstance(reduced, str):
            self._modules.add(getattr(value, "__module__", None) or "builtins")
            return _join(b"global", [f"{type(value).__name__}:{reduced}".encode()])
        make, arguments, state, items, pairs = (*reduced, None, None, None)[:5]
        states = map(_without_addresses, state if type(state) is tuple else [state])
        parts = [make, arguments, *states, list(items or ()), list(pairs or ())]
        return self._sequence("reduced", parts)


def _join(tag: bytes, parts: Iterable[bytes]) -> bytes:
    """One digest of several byte strings, which cannot run into each other."""
    made = hashlib.blake2b(tag, digest_size=16)
    for part in parts:
        made.update(len(part).to_bytes(8, "little"))
        made.update(part)
    return made.digest()


def _atom(value: object) -> bytes:
    name = type(value).__name__.encode()
    if isinstance(value, str):
        return name + value.encode("utf-8", "surrogatepass")
    if isinstance(value, bytes | bytearray):
        return _join(name, [bytes(value)])
    return name + repr(value).encode()


def _reduce(value: Any) -> Any:
    special = reduce_specially(value) or reduce_lock(value)
    if special is not None:
        return special
    reducer = cloudpickle.Pickler.dispatch_table.get(type(value))
    return value.__reduce_ex__(5) if reducer is None else reducer(value)


def _byte_code_parts(code: types.CodeType) -> list[Any]:
    """What the code does; not where it stands."""
    return [
        code.co_name,
        code.co_qualname,
        (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount),
        code.co_flags,
        code.co_code,
        code.co_names,
        code.co_varnames,
        code.co_freevars,
        code.co_cellvars,
        code.co_exceptiontable,
        code.co_consts,
    ]


def _without_addresses(state: object) -> object:
    if not isinstance(state, dict):
        return state
    return {key: value for key, value in state.items() if key not in _ADDRESSES}


def _is_array(value: object) -> bool:
    numpy: Any = sys.modules.get("numpy")
    return numpy is not None and type(value) is numpy.ndarray


def _array_parts(array: Any) -> list[Any]:
    kind = array.dtype
    if kind.names:  # the gaps between fields hold anything
        fields = [array[name] for name in kind.names]
        return [kind.descr, array.shape, *fields]
    if kind.hasobject:
        return [kind.str, array.shape, array.ravel().tolist()]
    return [kind.str, array.shape, array.tobytes()]


@functools.cache
def _distribution(top: str) -> str:
    """A package and the version that is installed of it."""
    try:
        version = importlib.metadata.version(top)
    except importlib.metadata.PackageNotFoundError:
        # Asking which distribution holds a package reads all of them: 200 ms.
        version = getattr(sys.modules.get(top), "__version__", None) or ",".join(
            importlib.metadata.version(name)
            for name in sorted(set(_by_package().get(top, ())))
        )
    return f"{top}=={version}"


@functools.cache
def _by_package() -> Any:
    return importlib.metadata.packages_distributions()


_PLAIN = frozenset({type(None), bool, int, float, str, bytes})
_ATOMS = _PLAIN | {complex, bytearray, type(...), type(NotImplemented)}
# Attributes in which libraries keep the address of an object (pydantic's decorators).
_ADDRESSES = frozenset({"cls_ref"})
_KINDS: dict[type, Callable[[Any], list[Any]]] = {
    types.CodeType: _byte_code_parts,
    types.ModuleType: lambda module: [module.__name__],
    enum.Enum: lambda member: [type(member), member.name, member.value],
    # cloudpickle's way has a random id in it.
    typing.TypeVar: lambda each: [each.__name__, each.__bound__, each.__constraints__],
    memoryview: lambda view: [view.tobytes()],
    PickleBuffer: lambda buffer: [buffer.raw().tobytes()],
}
