"""What user code raised, on its way to the caller and raised again there.

A replica calls `dump_exception`, a handle `load_failure`. The caller catches an error
that is both a `RemoteError` and of the original type, even if the original could not be
pickled, as long as its type is known by name. Failures that are no user's fault become
the error of `workbench.errors` for them.
"""

import builtins
import functools
import importlib
import itertools
import sys
import types
from pathlib import Path
from traceback import StackSummary, TracebackException
from typing import Any

from workbench.code.closure import find_by_name
from workbench.code.pickling import (
    has_own_reduce,
    make_exception,
    parts_of_exception,
)
from workbench.code.values import dump_with_code, load_value
from workbench.errors import (
    BackPressureError,
    CallError,
    DeploymentUnavailableError,
    NoSuchMethodError,
    NotStreamingError,
    RemoteError,
    ReplicaUnavailableError,
    RequestCancelledError,
    RequestTimeoutError,
)
from workbench.wire.messages import Buffers, Failure, FailureKind

__all__ = [
    "RemoteTraceback",
    "dump_exception",
    "load_failure",
    "stack_text",
    "traceback_text",
]

_HEADER = "Traceback (most recent call last):\n"
# How a call gets to user code; such frames above the user's first one say nothing.
_CARRIERS = (
    "workbench",
    "anyio",
    "asyncio",
    "concurrent",
    "contextlib",
    "fastapi",
    "starlette",
    "threading",
    "uvicorn",
)
# Python gives these a meaning of their own when they pass through a coroutine.
_NEVER_AGAIN = (StopIteration, StopAsyncIteration)

_ERRORS: dict[FailureKind, type[CallError]] = {
    FailureKind.NO_SUCH_METHOD: NoSuchMethodError,
    FailureKind.NOT_STREAMING: NotStreamingError,
    FailureKind.CANCELLED: RequestCancelledError,
    FailureKind.REPLICA_LOST: ReplicaUnavailableError,
    FailureKind.UNAVAILABLE: DeploymentUnavailableError,
    FailureKind.QUEUE_FULL: BackPressureError,
    FailureKind.UNREADABLE: CallError,
    FailureKind.TIMED_OUT: RequestTimeoutError,
}


def dump_exception(
    error: BaseException, call_id: int = 0
) -> tuple[Failure, list[bytes | memoryview]]:
    """The message that a call failed in user code, and the exception where it pickles."""
    original = (error.cause or error) if isinstance(error, RemoteError) else error
    failure = Failure(
        call_id,
        FailureKind.USER,
        getattr(error, "error_type", None) or _name_of(type(original)),
        _message_of(original),
        traceback_text(error),
    )
    return failure, [] if isinstance(original, RemoteError) else _pickle(original)


def load_failure(failure: Failure, buffers: Buffers = ()) -> CallError:
    """The error to raise at the caller."""
    if failure.kind is not FailureKind.USER:
        error = _ERRORS[failure.kind](failure.message)
        if isinstance(error, BackPressureError):
            error.status_code = failure.status or error.status_code
            error.retry_after_s = failure.retry_after_s
        return error
    cause = _unpickle(buffers)
    return _remote_error(failure.error_type, failure.message, failure.traceback, cause)


def traceback_text(error: BaseException) -> str:
    """The traceback from the user's first frame on, with causes and notes.

    Where the error came from another replica, that one's frames follow on ours: one
    story, and the error told once.
    """
    report = TracebackException.from_exception(error)
    _drop_carriers(report)
    if isinstance(error, RemoteError) and _HEADER in error.remote_traceback:
        return _continued(report, error)
    return "".join(report.format())


def stack_text(frames: list[types.FrameType]) -> str:
    """Where running code is, outermost first, from the user's first frame on."""
    # The lines, too: a frame that runs on would tell of a later one.
    lines = StackSummary.extract((each, each.f_lineno) for each in frames)
    places = _carrier_places()
    users = itertools.dropwhile(lambda f: f.filename.startswith(places), lines)
    return "".join(StackSummary.from_list(list(users) or list(lines)).format())


class RemoteTraceback(Exception):  # noqa: N818 - it is shown, never raised
    """Shows the replica's traceback above the caller's own, as a cause."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._text = text

    def __str__(self) -> str:
        return f'\n"""\n{self._text}"""'


def _continued(report: TracebackException, error: RemoteError) -> str:
    ours = _carrier_places()[0]
    frames = itertools.takewhile(
        lambda f: not f.filename.startswith(ours), report.stack
    )
    above, header, below = error.remote_traceback.rpartition(_HEADER)
    notes = [f"{note}\n" for note in getattr(error, "__notes__", ())]
    here = "".join(StackSummary.from_list(list(frames)).format())
    return above + header + here + below + "".join(n for n in notes if n not in below)


def _name_of(kind: type) -> str:
    if kind.__module__ in {"builtins", "__main__"}:
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"


def _message_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as broken:  # noqa: BLE001 - the user's __str__
        return f"(its __str__ raised {type(broken).__name__}: {broken})"


def _drop_carriers(report: TracebackException) -> None:
    frames = list(report.stack)
    places = _carrier_places()
    first = next(
        (i for i, f in enumerate(frames) if not f.filename.startswith(places)),
        len(frames),
    )
    report.stack = StackSummary.from_list(frames[first:])
    for other in (report.__cause__, report.__context__, *(report.exceptions or ())):
        if other is not None:
            _drop_carriers(other)


def _carrier_places() -> tuple[str, ...]:
    files = (getattr(sys.modules.get(name), "__file__", None) for name in _CARRIERS)
    paths = [Path(file) for file in files if file]
    return tuple(
        f"{path.parent}/" if path.name == "__init__.py" else str(path) for path in paths
    )


def _pickle(error: BaseException) -> list[bytes | memoryview]:
    """The exception, if need be without those of its parts that cannot travel."""
    try:
        return dump_with_code(error)
    except TypeError:
        pass
    try:
        if has_own_reduce(error):
            return []
        kind, args, state = (*parts_of_exception(error), {})[:3]
        args = tuple(each if _can_travel(each) else repr(each) for each in args)
        rest = make_exception(kind, args)
        vars(rest).update({k: each for k, each in state.items() if _can_travel(each)})
        return dump_with_code(rest)
    except Exception:  # noqa: BLE001 - its name and text travel anyway
        return []


def _can_travel(value: object) -> bool:
    try:
        dump_with_code(value)
    except TypeError:
        return False
    return True


def _unpickle(buffers: Buffers) -> BaseException | None:
    try:
        loaded = load_value(buffers) if buffers else None
    except Exception:  # noqa: BLE001 - its name and text have travelled
        return None
    return loaded if isinstance(loaded, BaseException) else None


def _remote_error(
    error_type: str, message: str, text: str, cause: BaseException | None
) -> RemoteError:
    original: Any = _find_type(error_type) if cause is None else type(cause)
    args: tuple[object, ...] = (message,)
    if cause is not None:
        args = cause.args if has_own_reduce(cause) else parts_of_exception(cause)[1]
    try:
        error: Any = make_exception(_dual(original), args)
        vars(error).update(vars(cause) if cause is not None else {})
    except Exception:  # noqa: BLE001 - a type that insists on its own constructor
        error = RemoteError(message)
    vars(error).setdefault("message", message)
    error.original_message = message
    error.error_type = error_type
    error.cause = cause
    error.remote_traceback = text
    error.__cause__ = RemoteTraceback(text) if text else None
    return error  # type: ignore[no-any-return]


def _find_type(name: str) -> type[BaseException]:
    """The exception type of that name here; Exception if there is none."""
    parts = name.split(".")
    for size in range(len(parts)):
        module = _module(".".join(parts[: len(parts) - 1 - size]))
        found = find_by_name(module, ".".join(parts[len(parts) - 1 - size :]))
        if isinstance(found, type) and issubclass(found, BaseException):
            return found
    found = find_by_name(sys.modules["__main__"], name)
    if isinstance(found, type) and issubclass(found, BaseException):
        return found
    return Exception


def _module(name: str) -> types.ModuleType | None:
    if not name:
        return builtins
    try:
        return importlib.import_module(name)
    except Exception:  # noqa: BLE001 - whatever importing it runs
        return None


# Bounded, for a notebook makes a new type each time a cell is run again.
@functools.lru_cache(maxsize=256)
def _dual(original: Any) -> type[RemoteError]:
    """A type that is caught as either."""
    if issubclass(RemoteError, original) or not issubclass(original, Exception):
        return RemoteError
    if issubclass(original, _NEVER_AGAIN):
        return RemoteError
    name = f"RemoteError({original.__name__})"
    body: dict[str, object] = {
        "__str__": lambda self: self.original_message,
        "__reduce__": lambda self: (
            _remote_error,
            (self.error_type, self.original_message, self.remote_traceback, self.cause),
        ),
    }
    try:
        return types.new_class(
            name, (RemoteError, original), {}, lambda n: n.update(body)
        )
    except TypeError:  # a type that cannot be mixed with another
        return RemoteError
