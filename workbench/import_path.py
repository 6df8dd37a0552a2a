"""From an import path to an application, as config files and commands name it.

Imports the user's modules into this process, with `root` on the path; called by
`declared`, never by a replica.
"""

import importlib
import inspect
import sys
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from workbench.code.modules import is_installed
from workbench.deployment import Application, Deployment
from workbench.errors import ConfigError

__all__ = ["forget_local_modules", "load_application"]


def load_application(
    import_path: str, args: Mapping[str, object], root: Path
) -> Application:
    """Import what the path names; a builder function is called with `args`.

    A builder has one parameter: a dict, or the pydantic model that annotates it.

    Raises:
        ConfigError: the path leads nowhere, or to no application.
        Exception: whatever the user's modules or the builder raise.
    """
    found = _find(import_path, root)
    if isinstance(found, Application):
        if args:
            msg = f"{import_path} is an application, but args are given: {dict(args)}."
            raise ConfigError(
                msg, "Name a function that makes one from args, or give none."
            )
        return found
    if isinstance(found, Deployment):
        msg = f"{import_path} is a deployment, not an application."
        raise ConfigError(msg, f"Bind it in its module: `app = {found.name}.bind()`.")
    if not inspect.isfunction(found):
        msg = f"{import_path} is {found!r}, which is no application."
        raise ConfigError(msg, "Name what .bind() returned, or a function that does.")
    made = _call_builder(import_path, found, args)
    if not isinstance(made, Application):
        msg = f"The builder {import_path} returned {made!r}, which is no application."
        raise ConfigError(msg, "Return what .bind() makes.")
    return made


def forget_local_modules(root: Path) -> None:
    """Have the modules under `root` imported anew, as their files are then."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if not file or name == "__main__" or is_installed(file):
            continue
        if Path(file).is_relative_to(root):
            del sys.modules[name]
    importlib.invalidate_caches()


def _find(import_path: str, root: Path) -> object:
    module_name, attributes = _split(import_path)
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        # A module that is missing inside the user's own is their traceback to read.
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        msg = f"There is no module {error.name!r}, which {import_path} names."
        raise ConfigError(
            msg, f"It was looked for in {root} and on sys.path."
        ) from None
    for name in attributes.split("."):
        if not hasattr(found, name):
            msg = f"{module_name} has no {attributes!r}, which {import_path} names."
            raise ConfigError(msg, _close_names(found))
        found = getattr(found, name)
    return found


def _split(import_path: str) -> tuple[str, str]:
    mark = ":" if ":" in import_path else "."
    if mark == ":":
        module_name, _, attributes = import_path.partition(mark)
    else:
        module_name, _, attributes = import_path.rpartition(mark)
    if not module_name or not attributes:
        msg = f"{import_path!r} is no import path."
        raise ConfigError(msg, "Write it as module:attribute, for example main:app.")
    return module_name, attributes


def _close_names(module: object) -> str:
    names = [
        name for name, each in vars(module).items() if isinstance(each, Application)
    ]
    return f"Applications in it: {', '.join(names) or 'none'}."


def _call_builder(
    import_path: str, builder: Callable[..., object], args: Mapping[str, object]
) -> object:
    parameters = list(inspect.signature(builder).parameters.values())
    if len(parameters) != 1:
        msg = f"The builder {import_path} has {len(parameters)} parameters."
        raise ConfigError(
            msg, "Give it exactly one: a dict, or a pydantic model of the args."
        )
    kind = typing.get_type_hints(builder).get(parameters[0].name)
    validate = getattr(kind, "model_validate", None)
    if not inspect.isclass(kind) or validate is None:
        return builder(dict(args))
    try:
        model = validate(dict(args))
    except ValueError as error:  # pydantic's, which names each field
        msg = f"args do not fit {kind.__name__} of {import_path}: {error}"
        raise ConfigError(msg) from None
    return builder(model)
