"""A function or class of the user's, found by its import path.

Called where something is named that travels afterwards: gRPC services, exporters of
spans, autoscaling policies.
"""

import contextlib
import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

__all__ = ["find_callable", "split_path"]


def split_path(path: str) -> tuple[str, str]:
    """Module and name of `module:name` or `module.name`; "" for a module that is missing."""
    module, _, name = path.replace(":", ".").rpartition(".")
    return module, name


def find_callable(
    path: str, root: Path, missing: Callable[[ModuleType, str], str]
) -> Callable[..., object]:
    """What the path leads to, in a module that is installed or below `root`.

    Raises:
        ModuleNotFoundError: there is no such module.
        ValueError: it has nothing of that name that can be called; `missing` says so.
    """
    module_name, name = split_path(path)
    with _importable(root):
        module = importlib.import_module(module_name)
    found: Callable[..., object] | None = getattr(module, name, None)
    if not callable(found):
        msg = missing(module, name)
        raise ValueError(msg)  # noqa: TRY004 - the text is wrong, as Ray Serve has it
    return found


@contextlib.contextmanager
def _importable(root: Path) -> Iterator[None]:
    """Let modules beside the script or notebook be found, as its replicas find them."""
    path = str(root)
    if path in sys.path:
        yield
        return
    sys.path.append(path)
    try:
        yield
    finally:
        sys.path.remove(path)
