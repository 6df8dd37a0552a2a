"""The answers that the proxy gives by itself: what they say and with which status.

Pure: `Exchange` and `RequestReader` choose among them, `reply` turns them into bytes.
"""

import json
import math

from workbench.proxy.reply import Page
from workbench.wire.messages import Failure, FailureKind

__all__ = [
    "NOT_READY",
    "SLOW_BODY",
    "SLOW_HEAD",
    "body_too_large",
    "failed",
    "head_too_large",
    "healthz",
    "malformed",
    "not_found",
    "not_implemented",
    "routes",
    "timed_out",
    "too_many_headers",
    "url_too_long",
]

SLOW_HEAD = Page(408, "The request's head did not come in time.")
SLOW_BODY = Page(408, "The request's body did not come on in time.")
NOT_READY = Page(
    503, "This proxy has not received its routes yet. Try again in a moment."
)
_DRAINING = Page(503, "This proxy is draining. Send new requests to another one.")
_HEALTHY = Page(200, "success")
_BROKEN = Page(500, "Internal Server Error")


def healthz(*, is_ready: bool, is_draining: bool) -> Page:
    """Whether to send this proxy traffic."""
    if is_draining:
        return _DRAINING
    return _HEALTHY if is_ready else NOT_READY


def routes(table: dict[str, str], *, is_ready: bool, is_draining: bool) -> Page:
    """Which application answers under which prefix."""
    if is_draining or not is_ready:
        return healthz(is_ready=is_ready, is_draining=is_draining)
    return Page(200, json.dumps(table), "application/json")


def not_found(path: str, base_url: str) -> Page:
    """No application answers here."""
    return Page(
        404,
        f"Path '{path}' not found. Ping {base_url}/-/routes for available routes.",
    )


def malformed(what: str) -> Page:
    """The bytes are not a request."""
    return Page(400, f"Malformed request: {what}.")


def url_too_long(limit: int) -> Page:
    """More path and query than `max_url_bytes`."""
    return Page(414, f"The path and query exceed {limit} bytes.")


def head_too_large(limit: int) -> Page:
    """More than `max_header_bytes`."""
    return Page(431, f"The request line and headers exceed {limit} bytes.")


def too_many_headers(limit: int) -> Page:
    """More than `max_headers`."""
    return Page(431, f"There are more than {limit} headers.")


def body_too_large(limit: int) -> Page:
    """More than `max_body_bytes`."""
    return Page(413, f"The body exceeds {limit} bytes.")


def not_implemented(what: str, status: int = 501) -> Page:
    """The client asks for something that is not spoken here."""
    return Page(status, f"{what} is not supported. Use plain HTTP/1.1.")


def timed_out(request_id: str, timeout_s: float) -> Page:
    """The answer did not begin in time."""
    return Page(408, f"Request {request_id} timed out after {timeout_s:g}s.")


def failed(failure: Failure) -> Page:
    """What the client may know of a failure: never a traceback, nor user code's text.

    Messages of UNAVAILABLE, QUEUE_FULL and CANCELLED are ours and say what to do.
    """
    if failure.kind in {FailureKind.UNAVAILABLE, FailureKind.QUEUE_FULL}:
        head = b""
        if failure.retry_after_s is not None:
            head = b"retry-after: %d\r\n" % math.ceil(failure.retry_after_s)
        return Page(failure.status or 503, failure.message, head=head)
    if failure.kind is FailureKind.TIMED_OUT:
        return Page(408, failure.message)
    if failure.kind is FailureKind.CANCELLED:
        return Page(499, failure.message or "The request was cancelled.")
    if failure.kind is FailureKind.REPLICA_LOST:
        return Page(
            500,
            "Internal Server Error: the replica ended before it answered; "
            "the request may or may not have run.",
        )
    return _BROKEN
