"""What user code raised, on its way from a replica to the caller.

The traceback travels as text, the exception itself as a pickle where it has one. The
caller catches an object that is both a `RemoteError` and of the original type.
"""

import asyncio
import builtins
from functools import cache
from pathlib import Path
from traceback import StackSummary, TracebackException

from workbench import errors
from workbench.code.values import dump_value, load_value
from workbench.errors import CallError, RemoteError, WorkbenchError
from workbench.wire.messages import Buffers, Failure, FailureKind

__all__ = ["dump_exception", "load_failure", "user_traceback"]

_OURS = str(Path(errors.__file__).parent)

_KINDS: dict[FailureKind, type[CallError]] = {
    FailureKind.NO_SUCH_METHOD: errors.NoSuchMethodError,
    FailureKind.CANCELLED: errors.RequestCancelledError,
    FailureKind.REPLICA_LOST: errors.ReplicaUnavailableError,
    FailureKind.UNAVAILABLE: errors.DeploymentUnavailableError,
    FailureKind.QUEUE_FULL: errors.BackPressureError,
}


def user_traceback(error: BaseException) -> str:
    """The traceback without frames of ours: the reader's code is what matters."""
    report = TracebackException.from_exception(error)
    _drop_our_frames(report)
    return "".join(report.format())


def dump_exception(call_id: int, error: BaseException) -> tuple[Failure, Buffers]:
    """A failure that tells of `error`, and its pickle if it has one."""
    if isinstance(error, asyncio.CancelledError):
        msg = "The call was cancelled in the replica."
        return Failure(call_id, FailureKind.CANCELLED, "CancelledError", msg), ()
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - a broken __str__ must not hide the failure
        text = f"<{type(error).__name__} whose str() fails>"
    failure = Failure(
        call_id, FailureKind.USER, type(error).__name__, text, user_traceback(error)
    )
    return failure, _pickled(error)


def load_failure(failure: Failure, buffers: Buffers) -> Exception:
    """The exception that the caller of a failed call gets."""
    if failure.kind is FailureKind.NOT_STREAMING:
        return TypeError(failure.message)
    if (kind := _KINDS.get(failure.kind)) is not None:
        return kind(failure.message)
    cause = _unpickled(buffers)
    if isinstance(cause, WorkbenchError):
        return cause  # ours already, raised by a call further down
    return _remote_error(failure, cause)


def _remote_error(failure: Failure, cause: BaseException | None) -> Exception:
    original = type(cause) if cause is not None else _named(failure.error_type)
    made = _both(original)(failure.message, "")
    made.cause = cause
    made.remote_traceback = failure.traceback
    if cause is not None:
        # Attributes of the original read as if it were it: `error.code`.
        for name, value in vars(cause).items():
            made.__dict__.setdefault(name, value)
    if failure.traceback:
        made.add_note(f"\nIn the replica:\n{failure.traceback}")
    return made


def _pickled(error: BaseException) -> Buffers:
    """The pickle, if it can be read again: many exceptions cannot."""
    try:
        buffers = dump_value(error)
        load_value(buffers)
    except Exception:  # noqa: BLE001 - then the text has to do
        return ()
    return buffers


def _unpickled(buffers: Buffers) -> BaseException | None:
    try:
        found = load_value(buffers) if buffers else None
    except Exception:  # noqa: BLE001 - as above, on this end
        return None
    return found if isinstance(found, BaseException) else None


def _named(name: str) -> type[BaseException]:
    """The built-in exception of that name, for one that did not travel."""
    found = getattr(builtins, name, None)
    if isinstance(found, type) and issubclass(found, Exception):
        return found
    return Exception


@cache
def _both(original: type[BaseException]) -> type[RemoteError]:
    """A class that `except RemoteError` and `except original` both catch."""
    if original in (Exception, BaseException) or not issubclass(original, Exception):
        return RemoteError
    try:
        return type(
            original.__name__,
            (RemoteError, original),
            {
                "__init__": _init_remote,
                "__str__": _message_of,
                "__module__": original.__module__,
                "__qualname__": original.__qualname__,
                "__reduce__": _reduce_remote,
            },
        )
    except TypeError:  # layouts that do not mix, or a class that cannot be derived from
        return RemoteError


def _init_remote(self: RemoteError, message: str, hint: str | None = None) -> None:
    """Skip the original's constructor: it may need arguments we do not have."""
    RemoteError.__init__(self, message, hint)


def _message_of(self: RemoteError) -> str:
    return self.message


def _reduce_remote(self: RemoteError) -> tuple[object, ...]:
    """Pickle as the original where there is one, so that it can travel on."""
    if self.cause is not None:
        return _as_remote, (self.cause, self.message, self.remote_traceback)
    return RemoteError, (self.message, self.hint)


def _as_remote(cause: BaseException, message: str, traceback: str) -> Exception:
    failure = Failure(0, FailureKind.USER, type(cause).__name__, message, traceback)
    return _remote_error(failure, cause)


def _drop_our_frames(report: TracebackException) -> None:
    frames = [each for each in report.stack if not each.filename.startswith(_OURS)]
    report.stack = StackSummary.from_list(frames)
    for other in (report.__cause__, report.__context__, *(report.exceptions or ())):
        if other is not None:
            _drop_our_frames(other)
