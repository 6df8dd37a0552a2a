"""How the proxy listens, and whether there is one."""

from dataclasses import dataclass, fields
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network

__all__ = [
    "DEFAULT_PORT",
    "NO_HTTP",
    "HTTPOptions",
    "ProxyLocation",
    "check_networks",
    "not_applied",
]

DEFAULT_PORT = 8000
NO_HTTP = "no HTTP: handles only"
"""What front ends say in the place of an address where there is no proxy."""


class ProxyLocation(StrEnum):
    """On which nodes there are proxies (Ray Serve's names)."""

    Disabled = "Disabled"
    HeadOnly = "HeadOnly"
    EveryNode = "EveryNode"


def check_networks(given: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """The networks that a list of addresses names; `*` is all.

    Raises:
        ValueError: an entry is none.
    """
    if given.strip() == "*":
        return ip_network("0.0.0.0/0"), ip_network("::/0")
    names = [each.strip() for each in given.split(",")]
    try:
        return tuple(ip_network(each) for each in names if each)
    except ValueError as error:
        msg = f"forwarded_allow_ips has an entry that is no address: {error}."
        raise ValueError(msg) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPOptions:
    """Options of the HTTP proxy."""

    host: str = "127.0.0.1"
    proxy_location: str = ProxyLocation.EveryNode
    """Disabled: no proxy at all, and applications are called by handles only. The
    others mean the same: one proxy, on the head node."""
    port: int | None = None
    """None: 8000, or the next free port above it."""
    root_path: str = ""
    """Path under which a proxy in front of this one serves it, and which it takes off:
    applications see it before their own prefix."""
    forwarded_allow_ips: str = "127.0.0.1,::1"
    """Proxies in front of this one whose X-Forwarded-For and X-Forwarded-Proto are
    believed: addresses and networks, separated by commas; `*` is everybody."""
    ssl_certfile: str | None = None
    """Certificate (with its chain), in PEM: HTTPS only, from then on."""
    ssl_keyfile: str | None = None
    """Its private key, in PEM."""
    ssl_keyfile_password: str | None = None
    ssl_ca_certs: str | None = None
    """Certificates, in PEM, one of which must have signed the client's; None: clients
    need none."""
    request_timeout_s: float | None = None
    """None: no limit. Past it a request is cancelled and answered with 408."""
    server_timing: bool = False
    """Whether every answer says in `Server-Timing` what took how long; else those do
    whose request has the header `x-server-timing: 1`."""
    keep_alive_timeout_s: float = 90.0
    """How long a connection may wait for its next request."""
    header_timeout_s: float = 30.0
    """How long a client may take to send a request's head; then 408."""
    body_timeout_s: float = 60.0
    """How long a client may pause within a request's body; then 408."""
    max_url_bytes: int = 16 * 1024
    """A longer path and query is answered with 414."""
    max_header_bytes: int = 64 * 1024
    """A longer head, with the request's line, is answered with 431."""
    max_headers: int = 256
    """More headers than that are answered with 431."""
    max_body_bytes: int | None = None
    """A longer body is answered with 413; None: no limit. Bodies are passed on as they
    come and never held whole."""
    max_websocket_message_bytes: int = 16 * 1024 * 1024
    """A longer message from a client closes its WebSocket with 1009."""
    websocket_ping_interval_s: float | None = 20.0
    """How long a WebSocket may be silent before the client is asked whether it is still
    there; None: it is never asked."""
    websocket_ping_timeout_s: float | None = 20.0
    """How long the client may take to answer that; then the connection is closed."""
    websocket_compression: bool = False
    """Whether to compress messages for clients that offer it. It takes some 100 KB a
    connection, and time on the one loop that serves all of them."""

    @property
    def has_proxy(self) -> bool:
        """Whether anything listens at all."""
        return self.proxy_location != ProxyLocation.Disabled

    @property
    def scheme(self) -> str:
        """How URLs begin."""
        return "http" if self.ssl_certfile is None else "https"

    def __post_init__(self) -> None:
        """Reject what cannot be."""
        if self.proxy_location not in set(ProxyLocation):
            there = ", ".join(ProxyLocation)
            msg = f"proxy_location is one of {there}; got {self.proxy_location!r}."
            raise ValueError(msg)
        if self.port is not None and not 0 <= self.port <= 65535:
            msg = f"port must be between 0 and 65535; got {self.port}."
            raise ValueError(msg)
        if (self.ssl_certfile is None) != (self.ssl_keyfile is None):
            msg = "ssl_certfile and ssl_keyfile go together; one of them is missing."
            raise ValueError(msg)
        if self.ssl_certfile is None and self.ssl_ca_certs is not None:
            msg = "ssl_ca_certs needs ssl_certfile and ssl_keyfile beside it."
            raise ValueError(msg)
        check_networks(self.forwarded_allow_ips)
        if self.root_path and not self.root_path.startswith("/"):
            msg = f"root_path must begin with a slash; got {self.root_path!r}."
            raise ValueError(msg)
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name.startswith("max_") and value is not None and value < 1:
                msg = f"{field.name} must be at least 1; got {value}."
                raise ValueError(msg)
            if field.name.endswith("_s") and value is not None and value < 0:
                msg = f"{field.name} must not be negative; got {value}."
                raise ValueError(msg)


def not_applied(asked: HTTPOptions, running: HTTPOptions) -> list[str]:
    """Names of options that were asked for and that a running proxy does not have."""
    default = HTTPOptions()
    return [
        field.name
        for field in fields(HTTPOptions)
        if field.name not in {"port", "ssl_keyfile_password"}
        and getattr(asked, field.name) != getattr(default, field.name)
        and getattr(asked, field.name) != getattr(running, field.name)
    ]
