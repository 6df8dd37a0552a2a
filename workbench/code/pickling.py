"""How code and odd objects are pickled; the base of `ship`'s and `values`' picklers.

cloudpickle does most of it. Added here: classes keep their identity (see `classes`),
what a decorator hides is found by name, and a few types that cloudpickle pickles wrongly
or not at all are taken apart by `reduce_specially`, which `version` asks too, so that
what is hashed is what travels.
"""

import collections
import copyreg
import functools
import importlib
import sys
import threading
import types
from collections.abc import Callable
from typing import Any, ClassVar

import cloudpickle

from workbench.code.classes import reduce_class
from workbench.code.closure import find_by_name, is_code, travels_by_value

__all__ = [
    "CodePickler",
    "Reduced",
    "has_own_reduce",
    "make_exception",
    "parts_of_exception",
    "reduce_lock",
    "reduce_specially",
]

Reduced = tuple[Any, ...]


def _reduce_code(code: types.CodeType) -> Reduced:
    """With the name of its file, by which tracebacks find a cell's lines.

    From 3.1.3 on, cloudpickle puts a word of its own in its place.
    """
    kind, args, *rest = cloudpickle.Pickler.dispatch_table[types.CodeType](code)
    named = (code.co_filename if each == _NO_FILE else each for each in args)
    return kind, tuple(named), *rest


_NO_FILE = "<dynamic-code>"


class CodePickler(cloudpickle.Pickler):  # type: ignore[misc]  # has no types
    """Pickles code by value with its identity; subclasses decide about the rest."""

    dispatch_table: ClassVar[Any] = collections.ChainMap(
        {types.CodeType: _reduce_code}, cloudpickle.Pickler.dispatch_table
    )

    def reducer_override(self, obj: Any) -> Any:
        """How to take `obj` apart; asked for everything that is not plain data."""
        if isinstance(obj, type) and travels_by_value(obj):
            return self.reduce_class(obj)
        special = reduce_specially(obj)
        return super().reducer_override(obj) if special is None else special

    def reduce_class(self, cls: type) -> Reduced:
        """A class that travels by value."""
        return reduce_class(cls, super().reducer_override(cls))


def reduce_specially(obj: Any) -> Reduced | None:
    """Take an object apart that neither pickle nor cloudpickle handles; else None."""
    kind = type(obj)
    if kind is functools.cached_property:
        return _cached_property, (obj.func, obj.attrname, obj.__doc__)
    if kind is _LRU_CACHE and travels_by_value(obj):
        parameters = obj.cache_parameters()
        return _lru_cache, (obj.__wrapped__, parameters["maxsize"], parameters["typed"])
    if is_code(obj):
        return _reduce_decorated(obj)
    if isinstance(obj, BaseException):
        return _reduce_exception(obj)
    if _answers_every_name(kind):
        reduced = obj.__reduce_ex__(5)
        if isinstance(reduced, tuple) and reduced[0] is copyreg.__newobj__:  # type: ignore[attr-defined]
            state = reduced[2] if len(reduced) > 2 else None
            return (*reduced[:2], state, *_two(reduced), _set_state)
    return None


def reduce_lock(obj: object) -> Reduced | None:
    """A lock travels as a new one, with the code that uses it; others get None.

    Not so in values: whoever sends a lock means that very lock.
    """
    make = _LOCKS.get(type(obj))
    return None if make is None else (make, ())


def _reduce_decorated(code: Any) -> Reduced | None:
    """By the name of the deployment that its module holds in its place."""
    module = sys.modules.get(code.__module__ or "")
    if module is None or travels_by_value(code):
        return None
    direct: object = module
    for part in code.__qualname__.split("."):
        direct = getattr(direct, part, None)
    if direct is code or direct is None:
        return None
    return _find_decorated, (code.__module__, code.__qualname__)


def _reduce_exception(error: BaseException) -> Reduced | None:
    if has_own_reduce(error):
        return None
    kind, args, *state = parts_of_exception(error)
    return make_exception, (kind, args), *state


def has_own_reduce(error: BaseException) -> bool:
    """Whether the author of the class says how it is pickled."""
    return getattr(type(error).__reduce__, "__objclass__", None) is None


def parts_of_exception(error: BaseException) -> Reduced:
    """Type, arguments and, if there is any, state of one without its own reduce."""
    parts: Any = error.__reduce__()
    return tuple(parts)


def make_exception(
    kind: type[BaseException], args: tuple[object, ...]
) -> BaseException:
    """An exception whose own constructor, which may need other arguments, is not run."""
    error = kind.__new__(kind, *args)
    builtin: Any = next(b for b in kind.__mro__ if b.__module__ == "builtins")
    builtin.__init__(error, *args)  # sets what only C code can, as OSError.errno
    return error


def _find_decorated(module: str, qualname: str) -> object:
    return find_by_name(importlib.import_module(module), qualname)


def _answers_every_name(kind: type) -> bool:
    # Such a class is asked for __setstate__ before it has its state, and then often
    # asks itself for the missing state for ever (Starlette's State does).
    return (
        hasattr(kind, "__getattr__")
        and not hasattr(kind, "__setstate__")
        and kind.__reduce_ex__ is _REDUCE_EX
    )


def _two(reduced: Reduced) -> Reduced:
    return (*reduced[3:5], None, None)[:2]


def _set_state(obj: Any, state: Any) -> None:
    attributes, slots = state if isinstance(state, tuple) else (state, None)
    obj.__dict__.update(attributes or {})
    for name, value in (slots or {}).items():
        object.__setattr__(obj, name, value)


def _cached_property(func: Any, name: str | None, doc: str | None) -> Any:
    made: Any = functools.cached_property(func)
    made.attrname, made.__doc__ = name, doc  # set by the class statement otherwise
    return made


def _lru_cache(
    function: Callable[..., Any],
    maxsize: int | None,
    typed: bool,  # noqa: FBT001
) -> Any:
    return functools.lru_cache(maxsize, typed)(function)


_LRU_CACHE = type(functools.lru_cache(int))
# By their functions: the types cannot be imported.
_LOCKS: dict[type, Callable[[], object]] = {
    type(make()): make for make in (threading.Lock, threading.RLock)
}
_REDUCE_EX: object = object.__reduce_ex__
