"""What an exchange needs of those around it: gRPC, the server, the router."""

from collections.abc import Iterable, Mapping
from typing import NoReturn, Protocol, TypeAlias

import grpc

from workbench.observe.recorder import Recorders
from workbench.observe.spans import Spans
from workbench.routing.call import Receiver, Ticket
from workbench.wire.messages import Buffers, GrpcCall

__all__ = ["Context", "Desk", "Metadata", "Routes"]

Metadata: TypeAlias = Iterable[tuple[str, str | bytes]]


class Context(Protocol):
    """The part of a `grpc.aio.ServicerContext` that is used here."""

    def time_remaining(self) -> float | None:
        """Until the client's deadline; None if it set none."""

    def invocation_metadata(self) -> Metadata | None:
        """What the client sent beside its message."""

    def peer(self) -> str:
        """Where the client is."""

    def peer_identities(self) -> Iterable[bytes] | None:
        """Who it is, by its certificate."""

    def auth_context(self) -> Mapping[str, Iterable[bytes]]:
        """How that is known."""

    def set_compression(self, compression: grpc.Compression) -> None:
        """Compress what is written."""

    def set_trailing_metadata(self, trailing_metadata: Metadata) -> None:
        """Send this at the end."""

    def set_details(self, details: str) -> None:
        """Send this text at the end."""

    async def read(self) -> object:
        """The client's next message, or `grpc.aio.EOF`."""

    async def write(self, message: bytes) -> None:
        """Send a message; waits while the client takes none."""

    async def abort(
        self, code: grpc.StatusCode, details: str, trailing_metadata: Metadata = ()
    ) -> NoReturn:
        """End the call with this status: raises."""


class Routes(Protocol):
    """What is asked of a `Router` here."""

    ingresses: dict[str, str]

    @property
    def is_ready(self) -> bool:
        """Whether a first table has come."""

    def next_id(self) -> int:
        """A number for a call."""

    def submit(
        self, deployment: str, message: GrpcCall, buffers: Buffers, receiver: Receiver
    ) -> Ticket:
        """Send a call on its way; the receiver is never called before this returns."""


class Desk(Protocol):
    """What all exchanges of a server share."""

    router: Routes
    ended: Recorders
    timeout_s: float | None
    has_tls: bool
    spans: Spans | None

    def new_id(self) -> str:
        """An id for a request that brought none."""
