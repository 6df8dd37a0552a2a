"""The gRPC services that a user names, on their way into proxy and replicas.

A front end packs the generated `add_XServicer_to_server` functions, with the modules
they need where those are the user's own. The proxy loads them; replicas get the modules,
so that they can read messages whatever else their code brings along.
"""

import base64
import importlib.util
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import cast

from workbench.code.load import load_code, offer_modules
from workbench.code.named import find_callable, split_path
from workbench.code.ship import ship_functions
from workbench.errors import StartError
from workbench.spec.grpc import GRPCOptions, GrpcSpec

__all__ = [
    "Servicer",
    "load_services",
    "offer_services",
    "pack_services",
]

Servicer = Callable[..., None]
"""`add_XServicer_to_server(servicer, server)`."""

_NEEDED = {
    "grpc": "grpcio",
    "grpc_health": "grpcio-health-checking",
    "grpc_reflection": "grpcio-reflection",
}


def pack_services(options: GRPCOptions | None, root: Path) -> GrpcSpec | None:
    """What the proxy is told; None where no service is named, hence none is served.

    Raises:
        StartError: the packages for gRPC are not installed.
        ModuleNotFoundError: an import path names a module that is not there.
        ValueError: an import path names no function.
        ShippingError: a function cannot travel.
    """
    if options is None or not options.grpc_servicer_functions:
        return None
    _check_installed()
    functions = [_find(each, root) for each in options.grpc_servicer_functions]
    services = ship_functions(functions, root=root)
    return GrpcSpec(
        options=replace(options, grpc_servicer_functions=()),
        services=base64.b64encode(services).decode(),
    )


def load_services(spec: GrpcSpec) -> list[Servicer]:
    """The functions, in the proxy.

    Raises:
        StartError: they cannot be imported there.
    """
    try:
        loaded = load_code(base64.b64decode(spec.services))
    except Exception as error:
        msg = f"The gRPC services cannot be loaded: {type(error).__name__}: {error}"
        hint = "The proxy imports the generated modules; install what they need."
        raise StartError(msg, hint) from error
    assert isinstance(loaded, list)
    return loaded


def offer_services(services: str) -> None:
    """Let the modules of these services be imported in this process."""
    if services:
        offer_modules(base64.b64decode(services))


def _check_installed() -> None:
    missing = [
        package
        for module, package in _NEEDED.items()
        if importlib.util.find_spec(module) is None
    ]
    if missing:
        msg = f"gRPC needs packages that are not installed: {', '.join(missing)}."
        raise StartError(msg, "pip install 'serve-workbench[grpc]'")


def _find(given: object, root: Path) -> Servicer:
    """The function that was given, or that an import path leads to."""
    if not isinstance(given, str):
        if callable(given):
            return given
        msg = (
            "grpc_servicer_functions holds functions add_XServicer_to_server or their "
            f"import paths; got {given!r}."
        )
        raise TypeError(msg)
    module_name, _ = split_path(given)
    if not module_name:
        msg = (
            f"{given!r} is no import path of a function; write "
            "'module.add_XServicer_to_server'."
        )
        raise ValueError(msg)
    return cast("Servicer", find_callable(given, root, _missing))


def _missing(module: ModuleType, name: str) -> str:
    has = [each for each in dir(module) if each.endswith("Servicer_to_server")]
    return f"{module.__name__} has no function {name!r}; it has {has}."
