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

    def __post_init__(self) -> None:
        """Reject a port that cannot exist."""
        if self.port is not None and not 0 <= self.port <= 65535:
            msg = f"port must be between 0 and 65535; got {self.port}."
            raise ValueError(msg)
