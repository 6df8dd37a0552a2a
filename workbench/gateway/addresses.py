"""Where clients find the proxy, and what to say if that is not where it usually is.

An instance without a proxy has no address: its URL is empty.

Pure; asked by the controller's process.
"""

from workbench.spec.control import ControlConfig
from workbench.spec.grpc import DEFAULT_GRPC_PORT
from workbench.spec.http import DEFAULT_PORT

__all__ = ["grpc_address", "http_url", "no_proxy_notes", "port_notes"]

_LOOPBACK = "127.0.0.1"
_ANY_OR_LOCAL = frozenset({"0.0.0.0", "::", "localhost"})  # noqa: S104 - compared, not bound


def http_url(config: ControlConfig, port: int | None) -> str:
    """How URLs begin; empty where there is no proxy."""
    if not config.http.has_proxy:
        return ""
    return f"{config.http.scheme}://{_shown(config.http.host)}:{port}"


def grpc_address(config: ControlConfig, port: int | None) -> str:
    """What gRPC clients are given; empty where gRPC is not spoken."""
    if config.grpc is None or port is None:
        return ""
    host = _shown(config.grpc.options.host)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def port_notes(
    config: ControlConfig, http_port: int | None, grpc_port: int | None
) -> tuple[str, ...]:
    """Says which port is another than the usual one, unless it was asked for."""
    doors = [("HTTP", config.http.port, DEFAULT_PORT, http_port)]
    if config.grpc is not None:
        wish = config.grpc.options.port
        doors.append(("gRPC", wish, DEFAULT_GRPC_PORT, grpc_port))
    return tuple(
        f"Port {usual} is busy; {what} is on port {port} instead."
        for what, wish, usual, port in doors
        if wish is None and port != usual
    )


def no_proxy_notes(config: ControlConfig) -> tuple[str, ...]:
    """What an instance without a proxy was asked for and cannot do."""
    if config.grpc is None:
        return ()
    return ("gRPC services were named, but without a proxy nothing speaks gRPC.",)


def _shown(host: str) -> str:
    return _LOOPBACK if host in _ANY_OR_LOCAL else host
