"""A call on its way, and the one who waits for its answer."""

from typing import Protocol

from workbench.wire.messages import (
    Buffers,
    Failure,
    HttpReply,
    Result,
    SocketAccept,
    SocketClose,
    SocketPart,
)

__all__ = ["Receiver", "SocketReceiver", "Ticket"]


class Receiver(Protocol):
    """Whoever waits for a call's answer; called on the router's loop.

    Order: one `on_reply`, or any number of `on_chunk` closed by `on_end`; an HTTP
    stream has both (`on_reply` with `more`, chunks, end). `on_failure` may come at
    any point in place of the rest. Nothing comes after `Ticket.cancel`.
    """

    def on_reply(self, message: Result | HttpReply, buffers: Buffers, /) -> None:
        """The answer, or with `HttpReply.more` its beginning."""

    def on_chunk(self, buffers: Buffers) -> None:
        """One item of a stream; give its bytes back with `Ticket.credit` once used."""

    def on_end(self) -> None:
        """The stream is complete."""

    def on_failure(self, failure: Failure, buffers: Buffers) -> None:
        """The call failed; a stream that had begun is cut here."""

    def on_credit(self, size: int) -> None:
        """The replica has room for `size` more bytes of the uploaded body."""


class SocketReceiver(Receiver, Protocol):
    """Whoever has asked for a WebSocket.

    Order: one `on_accept`, parts, and as the last `on_close`; or `on_end`, once told
    that the client has closed. Before `on_accept` it may be answered as a request.
    """

    def on_accept(self, message: SocketAccept) -> None:
        """The WebSocket is open."""

    def on_part(self, message: SocketPart, buffers: Buffers) -> None:
        """A message, or part of one; give its bytes back with `Ticket.credit`."""

    def on_close(self, message: SocketClose) -> None:
        """The application has closed it."""


class Ticket(Protocol):
    """The caller's hold on a call that was submitted."""

    sent_ns: int
    """When it was sent after having waited, by `time.perf_counter_ns`; 0: at once."""

    def cancel(self) -> None:
        """Withdraw it: queued it never runs, running it is cancelled."""

    def credit(self, size: int) -> None:
        """Let the replica send `size` more bytes of the stream."""

    def send_body(self, data: bytes, *, last: bool) -> None:
        """More of a request body that was submitted with `more_body`."""

    def tell(self, message: SocketPart | SocketClose, buffers: Buffers = ()) -> None:
        """Say something on a WebSocket that is open."""
