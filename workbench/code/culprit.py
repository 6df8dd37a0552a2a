"""Which part of what should travel cannot, or is large: found by trying the parts.

Asked by `ship` and `values`, and only after pickling has failed or has made something
big, so it may take its time. What it says names the variable, the place and the type.
"""

import dis
import io
import linecache
import re
import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.code.closure import Use, is_code, travels_by_value, uses_of, walk
from workbench.code.pickling import reduce_specially
from workbench.errors import ShippingError

__all__ = ["Culprit", "blame", "blame_argument", "find_culprit", "values_used"]

Dump = Callable[[object], object]

_IN_INIT = ShippingError.hint
_AS_ARGUMENT = (
    "Bind what it is made from (a path, a URL, numbers), and create it in __init__."
)
_HINTS: tuple[tuple[type, str], ...] = (
    (io.IOBase, "Open the file in __init__; its path can travel."),
    (types.GeneratorType, "Make the generator where it is used: it cannot be copied."),
    (types.CoroutineType, "Await it first, or call its function in the replica."),
)
_DEEPEST = 50


@dataclass(frozen=True, slots=True)
class Culprit:
    """The innermost part that cannot be pickled."""

    path: str
    value: object

    @property
    def text(self) -> str:
        """Path and type, to begin or go on with a sentence."""
        kind = type(self.value)
        module = "" if kind.__module__ == "builtins" else kind.__module__ + "."
        return f"`{self.path}` ({module}{kind.__qualname__})"


def blame(target: Callable[..., object], error: Exception, dump: Dump) -> ShippingError:
    """The error for a target whose code could not be pickled."""
    for use in values_used(target):
        found = find_culprit(use.value, use.name, dump)
        if found is not None:
            msg = (
                f"{use.owner.__qualname__} uses the {use.kind} `{use.name}`"
                f"{_place_of(use)}, but {found.text} cannot be sent to a replica: "
                f"{_first_line(error)}."
            )
            return ShippingError(msg, _hint(found.value, _IN_INIT))
    msg = f"{target.__qualname__} cannot be sent to a replica: {_first_line(error)}."
    return ShippingError(msg)


def blame_argument(owner: str, found: Culprit, error: Exception) -> ShippingError:
    """The error for a bind argument that could not be pickled."""
    msg = (
        f"{owner}.bind(...) was given {found.text}, which cannot be sent to a replica: "
        f"{_first_line(error)}."
    )
    return ShippingError(msg, _hint(found.value, _AS_ARGUMENT))


def find_culprit(value: object, path: str, dump: Dump) -> Culprit | None:
    """The innermost part that fails to be dumped, as far as it can be seen; or None.

    `path` is what the value is called.
    """
    if not _fails(value, dump):
        return None
    seen: set[int] = set()
    while len(seen) < _DEEPEST:
        seen.add(id(value))
        for inner_path, part in _parts(value, path):
            if id(part) not in seen and _fails(part, dump):
                value, path = part, inner_path
                break
        else:
            break
    return Culprit(path, value)


def values_used(target: object) -> Iterator[Use]:
    """Uses of data, each value once; code is followed instead."""
    seen: set[int] = set()
    for use in walk(target):
        value = use.value
        if id(value) in seen or (is_code(value) and travels_by_value(value)):
            continue
        seen.add(id(value))
        yield use


def _fails(value: object, dump: Dump) -> bool:
    try:
        dump(value)
    except Exception:  # noqa: BLE001 - any __reduce__ may fail in its own way
        return True
    return False


def _parts(value: Any, path: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        yield from ((f"{path}[{key!r}]", part) for key, part in value.items())
    elif isinstance(value, list | tuple):
        yield from ((f"{path}[{index}]", part) for index, part in enumerate(value))
    elif isinstance(value, set | frozenset):
        yield from ((f"an element of {path}", part) for part in value)
    elif is_code(value):
        if travels_by_value(value):
            yield from ((f"{path} → {use.name}", use.value) for use in uses_of(value))
    elif isinstance(value, types.MethodType):
        yield f"{path}.__self__", value.__self__
    else:
        yield from _pickled_parts(value, path)


def _pickled_parts(value: Any, path: str) -> Iterator[tuple[str, object]]:
    """What pickle takes of an object; nothing if it is the object that refuses."""
    try:
        reduced = reduce_specially(value) or value.__reduce_ex__(5)
    except Exception:  # noqa: BLE001 - any __reduce__ may fail in its own way
        return
    if isinstance(reduced, tuple):
        _, arguments, state = (*reduced, None)[:3]
        for each in state if isinstance(state, tuple) else [state]:
            if isinstance(each, dict):
                yield from ((f"{path}.{name}", part) for name, part in each.items())
        yield from ((f"the inside of {path}", part) for part in arguments)


def _place_of(use: Use) -> str:
    filename, line = _find_line(use)
    if not filename:
        return ""
    return f" ({_label(filename)}, line {line})" if line else f" ({_label(filename)})"


def _find_line(use: Use) -> tuple[str, int | None]:
    """File and line where the owner mentions the name."""
    if isinstance(use.owner, types.FunctionType):
        code = use.owner.__code__
        return code.co_filename, _line_of_name(code, use.name) or code.co_firstlineno
    for value in vars(use.owner).values():
        function = getattr(value, "__func__", value)
        if isinstance(function, types.FunctionType):
            filename = function.__code__.co_filename
            pattern = re.compile(rf"\s+{re.escape(use.name)}\s*[:=]")
            for number, text in enumerate(linecache.getlines(filename), 1):
                if pattern.match(text):
                    return filename, number
    return "", None


def _line_of_name(code: types.CodeType, name: str) -> int | None:
    for step in dis.get_instructions(code):
        if step.argval == name and step.positions is not None:
            return step.positions.lineno
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            line = _line_of_name(const, name)
            if line is not None:
                return line
    return None


def _label(filename: str) -> str:
    """What the author calls a file: a cell's number, or the file's name."""
    # IPython leaves this function in the notebook's namespace; no need to import it.
    get_shell: Any = getattr(sys.modules["__main__"], "get_ipython", None)
    shell = get_shell() if callable(get_shell) else None
    described = shell.compile.format_code_name(filename) if shell else None
    return " ".join(described) if described else Path(filename).name


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines() or [type(error).__name__]
    return lines[0].rstrip(".")


def _hint(value: object, default: str) -> str:
    return next((hint for kind, hint in _HINTS if isinstance(value, kind)), default)
