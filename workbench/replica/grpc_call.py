"""One gRPC call: its messages as user code gets them, and the way its answer goes out.

As a call by handle, but for what is around the method: messages are read and written
here, by the classes that the proxy names, and `grpc_context` is given to methods that
have such a parameter.
"""

import asyncio
import inspect
import sys
import weakref
from collections.abc import Callable
from importlib import import_module
from typing import Any

from workbench.replica.failures import RefusedError, http_failure
from workbench.replica.grpc_context import RayServegRPCContext
from workbench.replica.grpc_stream import gRPCInputStream
from workbench.replica.method_call import MethodCall
from workbench.replica.threads import Threads
from workbench.wire.channel import Channel
from workbench.wire.grpc import dump_outcome
from workbench.wire.messages import (
    Body,
    Buffers,
    Chunk,
    Failure,
    FailureKind,
    GrpcCall,
)

__all__ = ["GrpcMethodCall"]


class GrpcMethodCall(MethodCall):
    """One call by gRPC."""

    __slots__ = ("_context", "_grpc", "_input")

    def __init__(
        self, channel: Channel, call: GrpcCall, buffers: Buffers, threads: Threads
    ) -> None:
        super().__init__(channel, call, buffers, threads)
        self._grpc = call
        self._context = RayServegRPCContext(call)
        self._input: gRPCInputStream | None = None
        if call.more:
            loop = asyncio.get_running_loop()
            self._input = gRPCInputStream(loop, self._give_credit, self._read)
            # The router holds the stream until it sees the call accepted.
            self._give_credit(0)

    def on_body(self, part: Body, buffers: Buffers) -> None:
        """The client sent one more message, or its last."""
        if self._input is None:
            return
        if part.last:
            self._input.end()
        else:
            self._input.put(bytes(buffers[0]))

    def on_abandoned(self) -> None:
        if self._input is not None:
            self._input.abandon()

    def fail_with(self, error: BaseException) -> None:
        if isinstance(error, RefusedError):
            name = type(error).__name__
            self.fail(Failure(self.id, error.kind, name, str(error)))
            return
        failure = http_failure(self.id, error, self.request_id)
        outcome = self._context.outcome(error)
        self.fail(failure, () if outcome is None else (dump_outcome(outcome),))

    def end(self) -> None:
        """Close the stream, after what user code has set."""
        outcome = self._context.outcome()
        if outcome is not None:
            self._send(Chunk(self.id), (b"", dump_outcome(outcome)))
        super().end()

    # -- around the method -------------------------------------------------------------

    def _invoke(self, method: Callable[..., Any]) -> Any:
        argument = self._input
        if argument is None:
            argument, self._buffers = self._read(bytes(self._buffers[0])), ()
        if _wants_context(method):
            return method(argument, grpc_context=self._context)
        return method(argument)

    def _encode(self, value: object) -> Buffers:
        message = self._write(value)
        outcome = None if self._call.stream else self._context.outcome()
        return (message,) if outcome is None else (message, dump_outcome(outcome))

    def _read(self, message: bytes) -> Any:
        try:
            return _found(self._grpc.request_type)(message)
        except Exception as error:
            msg = (
                f"A message of {self._grpc.path} cannot be read in the replica: "
                f"{type(error).__name__}: {error}"
            )
            raise RefusedError(FailureKind.UNREADABLE, msg) from error

    def _write(self, value: object) -> bytes:
        call = self._grpc
        try:
            if call.answer_type:
                written = _found(call.answer_type)(value)
            else:
                written = _serialised(value, call.answer_name)
            return bytes(written)
        except Exception as error:
            msg = (
                f"What {call.method} returned ({type(value).__name__}) is no answer to "
                f"{call.path}: {type(error).__name__}: {error}"
            )
            raise RefusedError(FailureKind.UNREADABLE, msg) from error

    def _refuse_stream(self) -> RefusedError:
        msg = (
            f"{self._call.method} is a generator, but {self._grpc.path} answers with one "
            "message; declare `returns (stream ...)` in the .proto file."
        )
        return RefusedError(FailureKind.NOT_STREAMING, msg)

    def _refuse_single(self, value: object) -> RefusedError:
        msg = (
            f"{self._call.method} returned {type(value).__name__}, no generator, but "
            f"{self._grpc.path} answers with a stream; use `yield`."
        )
        return RefusedError(FailureKind.NOT_STREAMING, msg)


def _serialised(value: Any, name: str) -> bytes:
    """Bytes of a protobuf message; of bytes, where no name is expected, themselves."""
    if not name:
        return bytes(memoryview(value))
    found = getattr(getattr(value, "DESCRIPTOR", None), "full_name", None)
    if found != name:
        msg = f"it must be a {name}."
        raise TypeError(msg)
    serialised: bytes = value.SerializeToString()
    return serialised


def _found(name: str) -> Callable[[Any], Any]:
    """What an import name stands for now; looked up anew, as modules are replaced."""
    if not name:
        return bytes
    module_name, _, path = name.partition(":")
    found: Any = sys.modules.get(module_name) or import_module(module_name)
    for part in path.split("."):
        found = getattr(found, part)
    function: Callable[[Any], Any] = found
    return function


_wanting: "weakref.WeakKeyDictionary[Callable[..., Any], bool]" = (
    weakref.WeakKeyDictionary()
)


def _wants_context(method: Callable[..., Any]) -> bool:
    """Whether it has a parameter for the context; of functions it is remembered."""
    function = method if inspect.isroutine(method) else type(method).__call__
    function = getattr(function, "__func__", function)
    if not inspect.isfunction(function):
        return _has_context(method)
    known = _wanting.get(function)
    if known is None:
        known = _wanting[function] = _has_context(method)
    return known


def _has_context(method: Callable[..., Any]) -> bool:
    try:
        return "grpc_context" in inspect.signature(method).parameters
    except ValueError:  # written in C, without a signature
        return False
