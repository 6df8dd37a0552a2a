"""How the proxy listens."""

from dataclasses import dataclass

__all__ = ["DEFAULT_PORT", "HTTPOptions"]

DEFAULT_PORT = 8000


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPOptions:
    """Options of the HTTP proxy."""

    host: str = "127.0.0.1"
    port: int | None = None
    """None: 8000, or the next free port above it."""
    root_path: str = ""
    keep_alive_timeout_s: float = 90.0
    request_timeout_s: float | None = None
    """None: no limit. Past it a request is cancelled and answered with 408."""

    def __post_init__(self) -> None:
        """Reject a port that cannot exist."""
        if self.port is not None and not 0 <= self.port <= 65535:
            msg = f"port must be between 0 and 65535; got {self.port}."
            raise ValueError(msg)
