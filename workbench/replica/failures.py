"""What a caller is told of a call that failed.

Called by `exchange` (HTTP) and `method_call` (handles) with what user code raised. An
HTTP body never holds a traceback: it goes into the replica's log beside the request id,
and in the `Failure` to whoever may show it to the owner.
"""

import asyncio
import logging
from http import HTTPStatus

from starlette.exceptions import HTTPException

from workbench.code.exceptions import dump_exception, traceback_text
from workbench.errors import (
    BackPressureError,
    DeploymentUnavailableError,
    RequestTimeoutError,
)
from workbench.replica.json_text import encode_json
from workbench.replica.reply import Reply, check_status, head_of
from workbench.wire.messages import Buffers, Failure, FailureKind

__all__ = [
    "RefusedError",
    "http_exception_reply",
    "http_failure",
    "is_users_failure",
    "log_user_error",
    "method_failure",
]

logger = logging.getLogger("workbench.replica")


class RefusedError(Exception):
    """We cannot make, or answer, the call; the caller is told `kind` and message."""

    def __init__(self, kind: FailureKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def is_users_failure(error: BaseException) -> bool:
    """Whether user code failed, rather than refused the caller or was not reached."""
    if isinstance(error, HTTPException):
        return error.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR
    return not isinstance(error, RefusedError)


def log_user_error(error: BaseException, request_id: str) -> str:
    """Put the traceback into the replica's log, and return it."""
    text = traceback_text(error)
    _log_failure(request_id, text)
    return text


def http_exception_reply(error: BaseException) -> Reply | None:
    """The answer that Starlette's or FastAPI's HTTPException stands for."""
    if not isinstance(error, HTTPException):
        return None
    headers = [
        (name.lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in (error.headers or {}).items()
    ]
    detail: object = error.detail
    if isinstance(detail, str):
        headers.append((b"content-type", b"text/plain; charset=utf-8"))
        body = detail.encode()
    else:
        headers.append((b"content-type", b"application/json"))
        body = encode_json({"detail": detail})
    if error.status_code in {204, 304}:
        body = b""
    return Reply(check_status(error.status_code), head_of(headers)[0], body, None)


def http_failure(call_id: int, error: BaseException, request_id: str) -> Failure:
    """What the proxy is told, which makes the page."""
    kind = _kind_of(error)
    text = log_user_error(error, request_id) if kind is FailureKind.USER else ""
    status, retry_after_s = 0, None
    if isinstance(error, BackPressureError):
        status, retry_after_s = error.status_code, error.retry_after_s
    name, message = type(error).__name__, str(error)
    return Failure(call_id, kind, name, message, text, status, retry_after_s)


def method_failure(
    call_id: int, error: BaseException, request_id: str
) -> tuple[Failure, Buffers]:
    """What a handle is told, which raises it again."""
    if isinstance(error, RefusedError):
        return Failure(call_id, error.kind, type(error).__name__, str(error)), ()
    failure, buffers = dump_exception(error, call_id)
    if _kind_of(error) is FailureKind.USER:
        _log_failure(request_id, failure.traceback)
    return failure, buffers


def _log_failure(request_id: str, traceback: str) -> None:
    logger.error("Request %s failed.\n%s", request_id, traceback.rstrip())


def _kind_of(error: BaseException) -> FailureKind:
    """What a downstream call could not do, this one cannot either."""
    if isinstance(error, BackPressureError):
        return FailureKind.QUEUE_FULL
    if isinstance(error, DeploymentUnavailableError):
        return FailureKind.UNAVAILABLE
    if isinstance(error, RequestTimeoutError):
        return FailureKind.TIMED_OUT
    if isinstance(error, asyncio.CancelledError):
        return FailureKind.CANCELLED
    return FailureKind.USER
