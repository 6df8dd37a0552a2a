"""New code takes over a living instance: what it holds stays, its methods change.

The new instance shares the old one's `__dict__`, so a model that took minutes to load
is there at once, and calls that still run old methods see the same attributes. Called
by `process` for the step "keep". `reason_not_to_keep` decides; nothing here does I/O.
"""

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

from workbench.replica.multiplex import Multiplexed
from workbench.spec.deployment import Kind

__all__ = ["reason_not_to_keep", "take_over"]


def reason_not_to_keep(
    old: tuple[Kind, object], new: tuple[Kind, object], servable: object
) -> str:
    """Why the instance cannot go on under the new class; empty if it can."""
    (old_kind, old_target), (new_kind, new_target) = old, new
    if old_kind is not new_kind:
        return f"it was a {old_kind} and is a {new_kind} now"
    if not (isinstance(old_target, type) and isinstance(new_target, type)):
        return ""
    for cls in (old_target, new_target):
        if reason := _reason_of_class(cls):
            return reason
    return _changed_cache(old_target, new_target) or _own_methods(servable)


def take_over(servable: object, new: type) -> object:
    """An instance of `new` that shares everything `servable` holds."""
    instance: Any = object.__new__(new)
    instance.__dict__ = servable.__dict__
    return instance


def _reason_of_class(cls: type) -> str:
    for base in cls.__mro__[:-1]:
        members = vars(base)
        slots = members.get("__slots__", ())
        names = {slots} if isinstance(slots, str) else set(slots)
        if names - {"__dict__", "__weakref__"}:
            return f"{base.__name__} has __slots__"
        if "__del__" in members:
            return f"{base.__name__}.__del__ would end what the new instance still uses"
        if inspect.isfunction(getattr(members.get("__new__"), "__func__", None)):
            return f"{base.__name__} has a __new__ of its own"
    try:
        object.__new__(cls)
    except TypeError as error:  # abstract, or with state that is not in __dict__
        return f"{cls.__name__} cannot be made without its constructor: {error}"
    return ""


def _changed_cache(old: type, new: type) -> str:
    """A cached property keeps what its old code worked out: it must not have changed."""
    for name, member in inspect.getmembers_static(new):
        before = inspect.getattr_static(old, name, None)
        if isinstance(member, functools.cached_property) and (
            not isinstance(before, functools.cached_property)
            or _meaning(before.func) != _meaning(member.func)
        ):
            return f"the cached property {name} changed"
        if isinstance(member, Multiplexed) and (
            not isinstance(before, Multiplexed)
            or _meaning(before.__wrapped__) != _meaning(member.__wrapped__)  # type: ignore[attr-defined]
        ):
            return f"the loader {name} changed, so models must be loaded anew"
    return ""


def _meaning(function: Callable[..., Any]) -> object:
    """What a function does, wherever it stands in its file."""
    code = getattr(function, "__code__", None)
    return code and (code.co_code, code.co_consts, code.co_names)


def _own_methods(servable: object) -> str:
    """Bound methods among the attributes would go on running the old code."""
    for name, value in vars(servable).items():
        parts: Iterable[object] = (value,)
        if isinstance(value, list | tuple | set | frozenset):
            parts = value
        elif isinstance(value, dict):
            parts = value.values()
        if any(getattr(part, "__self__", None) is servable for part in parts):
            return f"its attribute {name} holds methods of the old code"
    return ""
