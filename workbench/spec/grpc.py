"""How the proxy listens for gRPC."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields

__all__ = ["DEFAULT_GRPC_PORT", "GRPCOptions", "GrpcSpec"]

DEFAULT_GRPC_PORT = 9000
# What one frame between processes can carry, with room for what goes with a message.
_MOST_BYTES = (1 << 30) - 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class GRPCOptions:
    """Options of the gRPC server in the proxy. Without servicer functions none runs."""

    host: str = "127.0.0.1"
    port: int | None = None
    """None: 9000, or the next free port above it."""
    grpc_servicer_functions: Iterable[str | Callable[..., None]] = ()
    """The `add_XServicer_to_server` functions of generated code, or their import paths:
    `module.add_XServicer_to_server`."""
    request_timeout_s: float | None = None
    """None: no limit but the client's own deadline. Past it a call is cancelled and
    answered with DEADLINE_EXCEEDED."""
    enable_reflection: bool = True
    """Whether clients may ask what services there are, as `grpcurl` does."""
    ssl_certfile: str | None = None
    """Certificate (with its chain), in PEM: TLS only, from then on. A file that is
    replaced by a newer one counts for the connections that come after."""
    ssl_keyfile: str | None = None
    """Its private key, in PEM."""
    ssl_ca_certs: str | None = None
    """Certificates, in PEM, one of which must have signed the client's; None: clients
    need none."""
    max_message_bytes: int = 256 * 1024 * 1024
    """A longer message, either way, fails with RESOURCE_EXHAUSTED; at most 1 GiB."""

    def __post_init__(self) -> None:
        """Reject what cannot be."""
        if self.port is not None and not 0 <= self.port <= 65535:
            msg = f"port must be between 0 and 65535; got {self.port}."
            raise ValueError(msg)
        given: object = self.grpc_servicer_functions
        if isinstance(given, str) or not isinstance(given, Iterable):
            msg = f"grpc_servicer_functions is a list; got {given!r}."
            raise TypeError(msg)
        object.__setattr__(self, "grpc_servicer_functions", tuple(given))
        if self.request_timeout_s is not None and not self.request_timeout_s > 0:
            msg = (
                f"request_timeout_s must be more than 0; got {self.request_timeout_s}."
            )
            raise ValueError(msg)
        if (self.ssl_certfile is None) != (self.ssl_keyfile is None):
            msg = "ssl_certfile and ssl_keyfile go together; one of them is missing."
            raise ValueError(msg)
        if self.ssl_certfile is None and self.ssl_ca_certs is not None:
            msg = "ssl_ca_certs needs ssl_certfile and ssl_keyfile beside it."
            raise ValueError(msg)
        if not 1 <= self.max_message_bytes <= _MOST_BYTES:
            msg = (
                f"max_message_bytes must be between 1 and {_MOST_BYTES}; "
                f"got {self.max_message_bytes}."
            )
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class GrpcSpec:
    """The options on their way to the proxy; values that JSON has, too."""

    options: GRPCOptions
    """Without the functions."""
    services: str
    """The functions as `workbench.code.services` packs them, in base 64."""

    @classmethod
    def load(cls, given: dict[str, object]) -> "GrpcSpec":
        """What `dataclasses.asdict` has taken apart."""
        options = given["options"]
        assert isinstance(options, dict)
        known = {each.name for each in fields(GRPCOptions)}
        named = {name: options[name] for name in known}
        return cls(options=GRPCOptions(**named), services=str(given["services"]))
