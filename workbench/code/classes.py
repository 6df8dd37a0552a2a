"""Classes that travel by value keep their identity in whoever receives them.

A class is sent with its mark. The receiver looks for one that it has: of the same name
in the same module and of the same shape, or one that came under the same mark before.
Only if there is none does it build what was sent, and it never changes a class that it
has. So `except MyError` and `isinstance` hold for values that went there and back.
Called by the picklers, by unpickling, and by `load` to start afresh.
"""

import hashlib
import pickle
import sys
import uuid
import weakref
from collections.abc import Callable
from enum import Enum
from typing import Any

import cloudpickle

from workbench.code.closure import find_by_name

__all__ = ["adopt", "forget_classes", "mark_of", "reduce_class"]

# pydantic keeps the names around a model that is made in a function, all of them, in case
# an annotation means one. Most could not travel, and a finished model needs none.
_PARENT = "__pydantic_parent_namespace__"

Mark = tuple[str, str, str, str]
"""Id, module, qualified name, shape."""

_ids: "weakref.WeakKeyDictionary[type, str]" = weakref.WeakKeyDictionary()
_by_id: "weakref.WeakValueDictionary[str, type]" = weakref.WeakValueDictionary()
_shapes: "weakref.WeakKeyDictionary[type, str]" = weakref.WeakKeyDictionary()
# Built, but what is in them has not arrived yet.
_unfinished: "weakref.WeakSet[type]" = weakref.WeakSet()


def mark_of(cls: type) -> Mark:
    """By what a receiver knows the class again."""
    if cls not in _ids:
        _ids[cls] = uuid.uuid4().hex
        _by_id[_ids[cls]] = cls
    return _ids[cls], cls.__module__, cls.__qualname__, _shape_of(cls)


def reduce_class(cls: type, reduced: tuple[Any, ...]) -> tuple[Any, ...]:
    """Turn cloudpickle's way to take a class apart into ours."""
    make, arguments, state, _, _, set_state = reduced
    if _PARENT in state[0]:
        state[0][_PARENT] = None
    # The last but one is cloudpickle's own mark. Under it a receiver's class would be
    # found and then changed to what was sent.
    arguments = (*arguments[:-2], None, arguments[-1])
    made_from = (mark_of(cls), make, arguments)
    return _build, made_from, (set_state, state), None, None, _fill


def adopt(mark: Mark, pickled: bytes) -> type:
    """The receiver's own class, else the one that was sent."""
    known = _known(mark)
    # Read by peers only that have proved to know the instance's secret.
    return pickle.loads(pickled) if known is None else known  # noqa: S301


def forget_classes() -> None:
    """Build every class afresh that comes from now on, under whatever mark."""
    _by_id.clear()
    # Type variables go by cloudpickle's register; it is private, and may go away.
    inside = getattr(cloudpickle, "cloudpickle", None)
    register = getattr(inside, "_DYNAMIC_CLASS_TRACKER_BY_ID", None)
    if register is not None:
        register.clear()


def _build(mark: Mark, make: Callable[..., type], arguments: tuple[Any, ...]) -> type:
    known = _known(mark)
    if known is not None:
        return known
    cls = make(*arguments)
    cls.__qualname__ = mark[2]
    _ids[cls], _by_id[mark[0]] = mark[0], cls
    _unfinished.add(cls)
    return cls


def _fill(cls: type, state: tuple[Callable[[type, Any], None], Any]) -> None:
    if cls in _unfinished:
        set_state, content = state
        set_state(cls, content)
        _unfinished.discard(cls)


def _known(mark: Mark) -> type | None:
    class_id, module_name, qualname, shape = mark
    module = sys.modules.get(module_name)
    if module is not None and "<locals>" not in qualname:
        found = find_by_name(module, qualname)
        if isinstance(found, type) and found not in _unfinished:  # noqa: SIM102
            if _shape_of(found) == shape:
                return found
    known = _by_id.get(class_id)
    # An unfinished one is left from a load that failed: it is filled this time.
    return None if known in _unfinished else known


def _shape_of(cls: type) -> str:
    """What an instance's content depends on; methods may differ."""
    shape = _shapes.get(cls)
    if shape is None:
        parts = (
            [(base.__module__, base.__qualname__) for base in cls.__bases__],
            list(vars(cls).get("__annotations__", ())),
            repr(vars(cls).get("__slots__")),
            list(cls.__members__) if issubclass(cls, Enum) else None,
        )
        shape = hashlib.blake2b(repr(parts).encode(), digest_size=8).hexdigest()
        _shapes[cls] = shape
    return shape
