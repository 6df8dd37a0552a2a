"""How a call ends, as gRPC says it. Pure."""

import math
from dataclasses import dataclass

import grpc

from workbench.wire.grpc import Outcome, to_metadata
from workbench.wire.messages import Failure, FailureKind

__all__ = ["Ending", "ending_of", "failed", "status_of"]

# As much of a text as Ray Serve sends; headers of any size would be refused by clients.
_MOST_DETAILS = 4096

_STATUS = {
    FailureKind.USER: grpc.StatusCode.INTERNAL,
    FailureKind.NO_SUCH_METHOD: grpc.StatusCode.UNIMPLEMENTED,
    FailureKind.NOT_STREAMING: grpc.StatusCode.INTERNAL,
    FailureKind.CANCELLED: grpc.StatusCode.CANCELLED,
    FailureKind.REPLICA_LOST: grpc.StatusCode.UNAVAILABLE,
    FailureKind.UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    FailureKind.QUEUE_FULL: grpc.StatusCode.RESOURCE_EXHAUSTED,
    FailureKind.UNREADABLE: grpc.StatusCode.INTERNAL,
    FailureKind.TIMED_OUT: grpc.StatusCode.DEADLINE_EXCEEDED,
}
_CODES = {code.value[0]: code for code in grpc.StatusCode}

Metadata = tuple[tuple[str, str | bytes], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """A status with what goes along."""

    code: grpc.StatusCode = grpc.StatusCode.OK
    details: str = ""
    trailing: Metadata = ()

    @property
    def is_failure(self) -> bool:
        """Whether the application failed, rather than refused the caller."""
        return self.code in {
            grpc.StatusCode.INTERNAL,
            grpc.StatusCode.UNKNOWN,
            grpc.StatusCode.DATA_LOSS,
            grpc.StatusCode.UNAVAILABLE,
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            grpc.StatusCode.DEADLINE_EXCEEDED,
        }


def status_of(number: int) -> grpc.StatusCode:
    """The status of this number."""
    return _CODES.get(number, grpc.StatusCode.UNKNOWN)


def ending_of(outcome: Outcome | None) -> Ending:
    """How a call ends that was answered."""
    if outcome is None:
        return Ending()
    return Ending(
        code=status_of(outcome.code or 0),
        details=(outcome.details or "")[:_MOST_DETAILS],
        trailing=to_metadata(outcome.trailing),
    )


def failed(failure: Failure, outcome: Outcome | None, request_id: str) -> Ending:
    """How a call ends that failed: as user code has said, else by the kind of failure.

    Never with a traceback. Nor with what user code raised, unless it chose a status:
    the text may be about anything, and stands in the replica's log.
    """
    code, details = _STATUS[failure.kind], failure.message
    if failure.kind is FailureKind.USER:
        details = f"Internal error; see the log of request {request_id}."
    trailing: Metadata = ()
    if failure.retry_after_s is not None:
        pushback_ms = math.ceil(failure.retry_after_s * 1000)
        trailing = (("grpc-retry-pushback-ms", str(pushback_ms)),)
    if outcome is not None:
        trailing += to_metadata(outcome.trailing)
        if outcome.code:
            code, details = status_of(outcome.code), outcome.details or ""
        elif outcome.details is not None:
            details = outcome.details
    return Ending(code=code, details=details[:_MOST_DETAILS], trailing=trailing)
