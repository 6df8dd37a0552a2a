"""Header lines that tell a client of its own request, where it asks for them. Pure.

`Server-Timing` says where the time went until the answer began; its parts add up to its
`total`. `traceparent` says which step of the client's trace the answer is.
"""

import msgspec

from workbench.wire.messages import HttpReply, Spent

__all__ = ["Told"]

_NS_PER_MS = 1e6


class Told(msgspec.Struct, frozen=True):
    """What a request asks to be told of it."""

    is_timed: bool
    traceparent: str

    def lines(
        self, answer: HttpReply, began_ns: int, sent_ns: int, now_ns: int
    ) -> bytes:
        """The header lines to add to the answer's own.

        `sent_ns`: when it went to a replica after having waited; 0: it did not wait.
        """
        lines = b""
        if self.traceparent and b"traceparent:" not in answer.head:
            lines = b"traceparent: %b\r\n" % self.traceparent.encode("ascii")
        if self.is_timed:
            queue_ns = sent_ns - began_ns if sent_ns else 0
            lines += _server_timing(now_ns - began_ns, queue_ns, answer.spent)
        return lines


def _server_timing(total_ns: int, queue_ns: int, spent: Spent | None) -> bytes:
    parts = {"queue": queue_ns}
    if spent is not None:
        left_ns = total_ns - queue_ns - spent.batch_ns - spent.code_ns
        parts["transfer"] = max(left_ns, 0)
        parts["batch"] = spent.batch_ns
        parts["code"] = spent.code_ns
    parts["total"] = total_ns
    text = ", ".join(f"{name};dur={ns / _NS_PER_MS:.3f}" for name, ns in parts.items())
    return f"server-timing: {text}\r\n".encode("ascii")
