"""A call on its way, and the one who waits for its answer."""

from typing import Protocol

from workbench.wire.messages import Buffers, Failure, HttpReply, Result

__all__ = ["Receiver", "Ticket"]


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


class Ticket(Protocol):
    """The caller's hold on a call that was submitted."""

    def cancel(self) -> None:
        """Withdraw it: queued it never runs, running it is cancelled."""

    def credit(self, size: int) -> None:
        """Let the replica send `size` more bytes of the stream."""

    def send_body(self, data: bytes, *, last: bool) -> None:
        """More of a request body that was submitted with `more_body`."""
