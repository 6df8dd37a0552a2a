"""Import path `ray.serve.config`: how the proxy listens, how callers choose."""

from dataclasses import fields, replace
from pathlib import Path
from typing import TypeVar

from workbench.spec.grpc import GRPCOptions
from workbench.spec.http import HTTPOptions
from workbench.spec.routing import BackpressureSpec, RoutingSpec, parse_routing

__all__ = [
    "BackpressureConfig",
    "HTTPOptions",
    "RequestRouterConfig",
    "gRPCOptions",
    "grpc_options",
    "http_options",
]

BackpressureConfig = BackpressureSpec
gRPCOptions = GRPCOptions  # noqa: N816 - Ray Serve's name

Options = TypeVar("Options", HTTPOptions, GRPCOptions)

_PATHS = ("ssl_certfile", "ssl_keyfile", "ssl_ca_certs")
_MOVED = {"http_host": "host", "http_port": "port"}


def RequestRouterConfig(  # noqa: N802 - Ray Serve's name
    request_router_class: object = "least_loaded",
    request_router_kwargs: dict[str, object] | None = None,
) -> RoutingSpec:
    """How callers choose a replica: the name of a policy, or a class of one's own.

    A class is named by its import path and imported by every process that calls the
    deployment, so it must be installed or lie in a local module there.

    Raises:
        TypeError: no name and no class.
        ValueError: there is no such policy, or it has no such argument.
    """
    return parse_routing(
        {
            "request_router_class": request_router_class,
            "request_router_kwargs": request_router_kwargs,
        }
    )


def http_options(given: HTTPOptions | dict[str, object] | None) -> HTTPOptions | None:
    """Check what a user gave for HTTPOptions.

    Raises:
        ValueError: an unknown option, named with those that exist.
    """
    if given is None:
        return None
    if isinstance(given, HTTPOptions):
        return _absolute(given)
    known = {field.name for field in fields(HTTPOptions)}
    for name in given:
        if name not in known:
            better = f"; use {_MOVED[name]!r}" if name in _MOVED else ""
            msg = f"Unknown HTTP option {name!r}{better}; known are {sorted(known)}."
            raise ValueError(msg)
    return _absolute(HTTPOptions(**given))  # type: ignore[arg-type]  # checked by name


def grpc_options(given: GRPCOptions | dict[str, object] | None) -> GRPCOptions | None:
    """Check what a user gave for gRPCOptions.

    Raises:
        ValueError: an unknown option, named with those that exist.
    """
    if given is None:
        return None
    if isinstance(given, GRPCOptions):
        return _absolute(given)
    known = {field.name for field in fields(GRPCOptions)}
    for name in given:
        if name not in known:
            msg = f"Unknown gRPC option {name!r}; known are {sorted(known)}."
            raise ValueError(msg)
    return _absolute(GRPCOptions(**given))  # type: ignore[arg-type]  # checked by name


def _absolute(options: Options) -> Options:
    """With paths that mean the same in the proxy, which runs in another directory."""
    paths = {
        name: str(Path(path).expanduser().absolute())
        for name in _PATHS
        if (path := getattr(options, name)) is not None
    }
    return replace(options, **paths) if paths else options  # type: ignore[arg-type]  # str
