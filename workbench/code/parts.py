"""What code is made of, by name: the record of it that `version` makes while it hashes.

A part is told from its earlier self by a short hash; numbers and the like stand there
themselves, so that "5 → 7" can be said. Text never does: it may be a secret.
"""

import hashlib
import types
from collections.abc import Callable, Iterable

from workbench.code.closure import Code, Use, is_code

__all__ = ["PartNames", "shown_as"]

_SHOWN_CHARACTERS = 24
_VARIABLES = {"global": "global", "closure variable": "variable"}


def shown_as(value: object) -> str | None:
    """What stands for a value itself; None if only its hash may."""
    if value is not None and type(value) not in {bool, int, float}:
        return None
    shown = repr(value)
    return f"={shown}" if len(shown) <= _SHOWN_CHARACTERS else None


class PartNames:
    """Collects the parts of one deployment."""

    def __init__(self) -> None:
        self.named: dict[str, str] = {}
        """Kind and name of each, and what stands for it."""
        self._current = ""

    def add(self, name: str, stands_for: bytes | str) -> None:
        """Add a part, or more of one."""
        before = self.named.get(name, "")
        if isinstance(stands_for, str) and before in {"", stands_for}:
            self.named[name] = stands_for
            return
        data = stands_for if isinstance(stands_for, bytes) else stands_for.encode()
        self.named[name] = hashlib.sha256(before.encode() + data).hexdigest()[:6]

    def add_packages(self, installed: Iterable[str]) -> None:
        """Add packages, given as `name==version`."""
        for each in installed:
            name, _, version = each.partition("==")
            self.add(f"package {name}", f"={version}")

    def begin(self, code: Code, own: Iterable[bytes]) -> None:
        """Begin with a function or class, known by its own byte code."""
        name = _short(code.__qualname__)
        if isinstance(code, types.FunctionType):
            self._current = f"{'method' if '.' in name else 'function'} {name}"
        else:
            self._current = f"class {name}"
        for each in own:
            self.add(self._current, each)

    def add_use(self, use: Use, print_of: Callable[[object], bytes | str]) -> None:
        """Add what the function or class refers to, but for code and modules.

        Those are parts in their own right.
        """
        if isinstance(use.value, types.ModuleType):
            return
        if use.kind in _VARIABLES:
            if not is_code(use.value):
                self.named[f"{_VARIABLES[use.kind]} {use.name}"] = _short_print(
                    print_of(use.value)
                )
        elif use.kind == "class attribute":
            if not is_code(use.value):
                self._add_attribute(use, print_of(use.value))
        else:
            self.add(self._current, print_of(use.value))

    def _add_attribute(self, use: Use, stands_for: bytes | str) -> None:
        cls = _short(use.owner.__qualname__)
        # What a decorator has made of a method is part of the method.
        is_method = callable(use.value) or hasattr(use.value, "__get__")
        if use.name in {"__annotations__", "__doc__"}:
            self.add(f"class {cls}", stands_for)
        else:
            kind = "method" if is_method else "attribute"
            self.add(f"{kind} {cls}.{use.name}", stands_for)


def _short(qualname: str) -> str:
    """As it is written where it is defined."""
    return qualname.rpartition("<locals>.")[2]


def _short_print(stands_for: bytes | str) -> str:
    if isinstance(stands_for, str):
        return stands_for
    return hashlib.sha256(stands_for).hexdigest()[:6]
