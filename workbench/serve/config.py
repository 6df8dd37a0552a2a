"""Import path `ray.serve.config`: how the proxy listens, callers choose, replicas scale."""

from dataclasses import fields, replace
from pathlib import Path
from typing import TypeVar

from workbench.spec.autoscaling import AutoscalingConfig, AutoscalingPolicy
from workbench.spec.autoscaling_context import AutoscalingContext, DeploymentID
from workbench.spec.grpc import GRPCOptions
from workbench.spec.http import HTTPOptions as HttpSpec
from workbench.spec.http import ProxyLocation
from workbench.spec.routing import BackpressureSpec, RoutingSpec, parse_routing

__all__ = [
    "AutoscalingConfig",
    "AutoscalingContext",
    "AutoscalingPolicy",
    "BackpressureConfig",
    "DeploymentID",
    "HTTPOptions",
    "ProxyLocation",
    "RequestRouterConfig",
    "gRPCOptions",
    "grpc_options",
    "http_options",
    "located",
]

BackpressureConfig = BackpressureSpec
gRPCOptions = GRPCOptions  # noqa: N816 - Ray Serve's name

Options = TypeVar("Options", HttpSpec, GRPCOptions)

_PATHS = ("ssl_certfile", "ssl_keyfile", "ssl_ca_certs")
_MOVED = {"http_host": "host", "http_port": "port"}
# Of Ray Serve: taken where they ask for nothing.
_ELSEWHERE = {
    "location": "proxy_location of serve.start says it",
    "middlewares": "put middleware into the FastAPI app, where it also runs",
    "num_cpus": "the proxy takes none",
    "proxy_location": "it stands beside http_options, not in it",
    "root_url": "URLs are made of the Host header of each request",
}


def HTTPOptions(**given: object) -> HttpSpec:  # noqa: N802 - Ray Serve's name
    """How the proxy listens: the fields of `workbench.spec.http.HTTPOptions`.

    Raises:
        ValueError: an option that there is not, or a value that cannot be.
    """
    return http_options(given) or HttpSpec()


def RequestRouterConfig(  # noqa: N802 - Ray Serve's name
    request_router_class: object = "least_loaded",
    request_router_kwargs: dict[str, object] | None = None,
    **of_probing: float,
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
            **of_probing,
        }
    )


def http_options(given: HttpSpec | dict[str, object] | None) -> HttpSpec | None:
    """Check what a user gave for HTTPOptions.

    Raises:
        ValueError: an unknown option, named with those that exist.
    """
    if given is None:
        return None
    if isinstance(given, HttpSpec):
        return _absolute(given)
    known = {field.name for field in fields(HttpSpec)} - _ELSEWHERE.keys()
    for name, value in given.items():
        if name in _ELSEWHERE and value not in (None, 0, "", [], ()):
            msg = f"HTTP option {name!r} is not offered: {_ELSEWHERE[name]}."
            raise ValueError(msg)
        if name not in known | _ELSEWHERE.keys():
            better = f"; use {_MOVED[name]!r}" if name in _MOVED else ""
            msg = f"Unknown HTTP option {name!r}{better}; known are {sorted(known)}."
            raise ValueError(msg)
    ours = {name: each for name, each in given.items() if name in known}
    return _absolute(HttpSpec(**ours))  # type: ignore[arg-type]  # checked by name


def located(options: HttpSpec | None, proxy_location: object) -> HttpSpec | None:
    """The options with what a user gave for `proxy_location`; None for both: as usual.

    Raises:
        ValueError: there is no such place.
    """
    if proxy_location is None:
        return options
    name = getattr(proxy_location, "value", proxy_location)
    place = HttpSpec(proxy_location=str(name))
    if options is None and place.has_proxy:
        return None
    # One proxy on the head node is all there is to choose from, besides none.
    wanted = ProxyLocation.EveryNode if place.has_proxy else ProxyLocation.Disabled
    return replace(options or HttpSpec(), proxy_location=wanted)


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
