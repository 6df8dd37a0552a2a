"""What a function or a class refers to, one step at a time.

`uses_of` is that step; `version` follows it to hash code, `culprit` to name what cannot
travel. Pure: looks at objects and changes none. What travels by value is decided here,
by the rule of cloudpickle, which pickles it.
"""

import ast
import dis
import functools
import inspect
import sys
import types
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeGuard

from workbench.code.modules import loaded_submodules

__all__ = [
    "Code",
    "Use",
    "constructor_members",
    "find_by_name",
    "global_names",
    "imported_names",
    "is_code",
    "named_arguments",
    "named_in_annotations",
    "travels_by_value",
    "uses_of",
    "walk",
]

Code = types.FunctionType | type

ASGI_APP = "__serve_asgi_app__"

# What Python and libraries work out themselves from the rest of a class, some of it
# with memory addresses in it.
_DERIVED = frozenset(
    {
        "__annotate__",
        "__annotate_func__",
        "__dict__",
        "__firstlineno__",
        "__module__",
        "__qualname__",
        "__signature__",
        "__static_attributes__",
        "__weakref__",
        "_abc_impl",
    }
)
_PYDANTIC = "__pydantic_"
_PYDANTIC_DECLARED = frozenset({"__pydantic_fields__", "__pydantic_decorators__"})
_CONSTRUCTORS = (
    "__getattr__",
    "__getattribute__",
    "__init__",
    "__new__",
    "__post_init__",
    "__setattr__",
    "__slots__",
)


@dataclass(frozen=True, slots=True)
class Use:
    """That `owner` refers to `value`, and how."""

    owner: Code
    kind: str
    """Reads as "the {kind} `{name}` of {owner}"."""
    name: str
    value: object


def is_code(value: object) -> TypeGuard[Code]:
    """Whether it is a function or class: what `uses_of` takes apart."""
    # By its own type: some proxies claim to be of the class that they stand for.
    return issubclass(type(value), types.FunctionType | type)


def travels_by_value(code: Code) -> bool:
    """Whether it goes along itself, rather than its name to be imported."""
    name = getattr(code, "__module__", None)
    if name == "__main__" or name is None:
        return True
    if name == "builtins":
        return False
    module = sys.modules.get(name)
    return module is None or find_by_name(module, code.__qualname__) is not code


def find_by_name(module: object, qualname: str) -> object:
    """What a module holds under a qualified name; a deployment counts as its target."""
    found = module
    for part in qualname.split("."):
        found = getattr(found, part, None)
    return getattr(found, "func_or_class", found)


def uses_of(code: Code) -> Iterator[Use]:
    """Everything that it refers to, in an order that is the same in every process."""
    if isinstance(code, types.FunctionType):
        return _uses_of_function(code)
    return _uses_of_class(code)


def walk(target: object) -> Iterator[Use]:
    """Every use within what travels by value with `target`, nearest first."""
    seen: set[int] = set()
    queue = deque([target])
    while queue:
        value = queue.popleft()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if not is_code(value):
            queue.extend(part for part in _parts(value) if not _is_plain(part))
        elif travels_by_value(value):
            for use in uses_of(value):
                yield use
                queue.append(use.value)


def named_arguments(
    target: object, args: tuple[object, ...], kwargs: dict[str, object]
) -> Iterator[tuple[str, object]]:
    """Bind arguments by the names of their parameters, as far as those are known."""
    try:
        names = list(inspect.signature(target).parameters)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        names = []
    for index, value in enumerate(args):
        yield names[index] if index < len(names) else f"argument {index + 1}", value
    yield from kwargs.items()


def constructor_members(cls: type) -> dict[str, None]:
    """Names of the members that making an instance may touch.

    Followed by name: whatever function the constructor reaches, an attribute that it
    mentions and that the class has counts as touched.
    """
    members = {name for base in cls.__mro__ for name in vars(base)} - {ASGI_APP}
    own = [base for base in cls.__mro__ if travels_by_value(base)]
    touched = dict.fromkeys(name for name in _CONSTRUCTORS if _defines(own, name))
    queue: deque[object] = deque(_definitions(own, touched))
    seen = {id(base) for base in own}
    while queue:
        value = queue.popleft()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if not isinstance(value, types.FunctionType):
            queue.extend(_functions_in(value))
        elif travels_by_value(value):
            named = members.intersection(_all_names(value.__code__)) - touched.keys()
            touched.update(dict.fromkeys(sorted(named)))
            queue.extend(_definitions(own, named))
            queue.extend(use.value for use in _uses_of_function(value))
    return touched


@functools.lru_cache(maxsize=4096)
def global_names(code: types.CodeType) -> tuple[str, ...]:
    """Globals that the code may read, in nested functions and class bodies too."""
    names: dict[str, None] = {}
    for each in _nested(code):
        for step in dis.get_instructions(each):
            if step.opname in _GLOBAL_STEPS:
                names[step.argval] = None
    return tuple(names)


@functools.lru_cache(maxsize=4096)
def imported_names(
    code: types.CodeType,
) -> tuple[tuple[int, str, tuple[str, ...]], ...]:
    """Its `import` statements: level, module, and names taken from it."""
    found: list[tuple[int, str, tuple[str, ...]]] = []
    for each in _nested(code):
        steps = [s for s in dis.get_instructions(each) if s.opname != "EXTENDED_ARG"]
        for level, names, step in zip(steps, steps[1:], steps[2:], strict=False):
            if step.opname == "IMPORT_NAME":
                found.append((level.argval or 0, step.argval, names.argval or ()))
    return tuple(found)


def named_in_annotations(code: Code) -> Iterator[str]:
    """Names inside annotations that are text, which whoever reads them looks up."""
    if isinstance(code, type):
        # Not cls.__annotations__: asking for it adds an empty one to the class.
        annotations = vars(code).get("__annotations__", {})
    else:
        annotations = code.__annotations__
    for text in annotations.values():
        if isinstance(text, str):
            try:
                tree = ast.parse(text, mode="eval")
            except SyntaxError:
                continue
            yield from (n.id for n in ast.walk(tree) if isinstance(n, ast.Name))


def _uses_of_function(function: types.FunctionType) -> Iterator[Use]:
    code, space = function.__code__, function.__globals__
    names = [name for name in global_names(code) if name in space]
    yield from (Use(function, "global", name, space[name]) for name in names)
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield Use(function, "closure variable", name, cell.cell_contents)
        except ValueError:  # not assigned yet
            continue
    yield from _uses_of_signature(function)
    in_text = set(named_in_annotations(function)).intersection(space).difference(names)
    yield from (Use(function, "global", name, space[name]) for name in sorted(in_text))
    for name, value in sorted(vars(function).items()):
        yield Use(function, "attribute", name, value)
    for name in names:
        if isinstance(space[name], types.ModuleType):
            attributes = set(_all_names(code))
            for submodule in loaded_submodules(space[name].__name__, attributes):
                yield Use(function, "module", submodule, sys.modules[submodule])


def _uses_of_signature(function: types.FunctionType) -> Iterator[Use]:
    code = function.__code__
    arguments = code.co_varnames[: code.co_argcount]
    defaults = function.__defaults__ or ()
    for name, value in zip(arguments[::-1], defaults[::-1], strict=False):
        yield Use(function, "default of argument", name, value)
    for name, value in (function.__kwdefaults__ or {}).items():
        yield Use(function, "default of argument", name, value)
    for name, value in function.__annotations__.items():
        yield Use(function, "annotation of", name, value)


def _uses_of_class(cls: type) -> Iterator[Use]:
    for base in cls.__dict__.get("__orig_bases__", cls.__bases__):
        yield Use(cls, "base class", getattr(base, "__name__", repr(base)), base)
    if type(cls) is not type:
        yield Use(cls, "metaclass", type(cls).__name__, type(cls))
    if issubclass(cls, Enum):
        for name, member in cls.__members__.items():
            yield Use(cls, "member", name, member.value)
    for name, value in sorted(vars(cls).items()):
        if not _is_derived(cls, name, value):
            yield Use(cls, "class attribute", name, value)


def _is_derived(cls: type, name: str, value: object) -> bool:
    if name in _DERIVED or isinstance(value, _SLOT_TYPES):
        return True
    if name == "__annotations__" and not value:  # as asking for it leaves behind
        return True
    if issubclass(cls, Enum):
        is_internal = name.startswith("_") and not isinstance(value, types.FunctionType)
        return is_internal or name in cls.__members__
    return name.startswith(_PYDANTIC) and name not in _PYDANTIC_DECLARED


def _definitions(own: list[type], names: Any) -> Iterator[object]:
    for base in own:
        yield from (vars(base)[name] for name in names if name in vars(base))


def _defines(own: list[type], name: str) -> bool:
    return any(name in vars(base) for base in own)


def _functions_in(value: object) -> Iterator[object]:
    """Functions inside a property, static method, partial and the like."""
    for name in ("__func__", "fget", "fset", "fdel", "func", "__wrapped__"):
        inner = getattr(value, name, None)
        if isinstance(inner, types.FunctionType):
            yield inner


def _parts(value: object) -> Iterator[object]:
    """What lies one level inside a value that is no code."""
    yield type(value)
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list | tuple | set | frozenset):
        yield from value
    elif isinstance(value, types.ModuleType):
        return
    else:
        yield from _functions_in(value)
        yield from getattr(value, "__dict__", {}).values()


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, bool | int | float | str | bytes)


def _nested(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            yield from _nested(const)


def _all_names(code: types.CodeType) -> Iterator[str]:
    for each in _nested(code):
        yield from each.co_names


_GLOBAL_STEPS = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})
_SLOT_TYPES = (types.MemberDescriptorType, types.GetSetDescriptorType)
