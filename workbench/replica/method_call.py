"""One call through a handle: a method, its arguments, and its answer.

`server` makes a `MethodCall` for each call it accepts. `async def` runs on the I/O
loop; `def` in a thread, where its arguments and its answer are (un)pickled too.
"""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import msgspec

from workbench.code.values import dump_value, load_value
from workbench.replica.failures import RefusedError, method_failure
from workbench.replica.running import Running
from workbench.replica.shape import Shape, shape_of
from workbench.replica.streams import pump
from workbench.replica.threads import Threads
from workbench.replica.user_code import UserCode
from workbench.stream_argument import IncomingStream, StreamArgument, read_part
from workbench.wire.channel import Channel
from workbench.wire.messages import Body, Buffers, Call, Credit, FailureKind, Result

__all__ = ["MethodCall"]


class _Ready(msgspec.Struct, frozen=True):
    """An answer that is ready to be sent."""

    buffers: Buffers


class MethodCall(Running):
    """One call through a handle."""

    __slots__ = ("_buffers", "_call", "_streams", "_threads")

    def __init__(
        self, channel: Channel, call: Call, buffers: Buffers, threads: Threads
    ) -> None:
        super().__init__(channel, call.id, call.request_id)
        self._call = call
        self._buffers = buffers
        self._threads = threads
        self._streams: list[IncomingStream] = []
        if call.streams:
            loop = asyncio.get_running_loop()
            self._streams = [
                IncomingStream(loop, self._give_credit) for _ in range(call.streams)
            ]
            # The router holds the streams until it sees the call accepted.
            self._give_credit(0)

    def on_body(self, _part: Body, buffers: Buffers) -> None:
        """More of the streams among the arguments arrived."""
        data = bytes(buffers[0])
        part = read_part(data)
        self._streams[part.number].put(part, len(data))

    def on_abandoned(self) -> None:
        for stream in self._streams:
            stream.end()

    def _give_credit(self, size: int) -> None:
        self._send(Credit(self.id, size), ())

    async def answer(self, code: UserCode) -> None:
        method = self._find(code)
        shape = shape_of(method)
        if shape.is_stream and not self._call.stream:
            raise self._refuse_stream()
        if shape is Shape.FUNCTION:
            self.job = job = self._threads.start(lambda: self._run(method))
            value = await job.wait()
            if inspect.isawaitable(value):
                value = await value
        else:
            value = self._invoke(method)
            if shape is Shape.COROUTINE:
                value = await value
        await self._send_answer(value)

    def describe(self) -> tuple[str, str, str]:
        ending = "ERROR" if self.status else "OK"
        if self.is_abandoned and not self.is_answered:
            ending = "CANCELLED"
        return "CALL", self._call.method, ending

    def fail_with(self, error: BaseException) -> None:
        failure, buffers = method_failure(self.id, error, self.request_id)
        self.fail(failure, buffers)

    def _find(self, code: UserCode) -> Callable[..., Any]:
        name = self._call.method
        method = code.find(name)
        if method is None:
            has = ", ".join(code.method_names()) or "none"
            msg = (
                f"{code.target.__name__} has no method {name!r} to call; it has {has}."
            )
            raise RefusedError(FailureKind.NO_SUCH_METHOD, msg)
        return method

    def _run(self, method: Callable[..., Any]) -> object:
        """Call a `def` method, in its thread."""
        value = self._invoke(method)
        if self._call.stream or inspect.isawaitable(value) or _is_generator(value):
            return value
        return _Ready(self._encode(value))

    def _invoke(self, method: Callable[..., Any]) -> Any:
        try:
            loaded: Any = load_value(self._buffers)
        except Exception as error:
            msg = (
                f"The arguments of {self._call.method} cannot be read in the replica: "
                f"{type(error).__name__}: {error}"
            )
            raise RefusedError(FailureKind.UNREADABLE, msg) from error
        self._buffers = ()
        args, kwargs = loaded
        if self._streams:
            args = map(self._stream_for, args)
            kwargs = {name: self._stream_for(each) for name, each in kwargs.items()}
        return method(*args, **kwargs)

    def _stream_for(self, value: object) -> object:
        return self._streams[value.number] if type(value) is StreamArgument else value

    async def _send_answer(self, value: object) -> None:
        if self._call.stream:
            if not isinstance(value, AsyncIterator | Iterator):
                raise self._refuse_single(value)
            self.begin(None, ())
            await pump(self, value, self._encode, self.chunk, threads=self._threads)
            self.end()
            return
        if _is_generator(value):
            raise self._refuse_stream()
        ready = value if isinstance(value, _Ready) else _Ready(self._encode(value))
        self._send(Result(self.id), ready.buffers)
        self.is_answered = True

    def _encode(self, value: object) -> Buffers:
        try:
            return dump_value(value)
        except Exception as error:
            msg = (
                f"What {self._call.method} returned ({type(value).__name__}) cannot be "
                f"sent: {type(error).__name__}: {error}"
            )
            raise RefusedError(FailureKind.UNREADABLE, msg) from error

    def _refuse_stream(self) -> RefusedError:
        msg = (
            f"{self._call.method} is a generator; call it with "
            f"handle.options(stream=True).{self._call.method}.remote(...)."
        )
        return RefusedError(FailureKind.NOT_STREAMING, msg)

    def _refuse_single(self, value: object) -> RefusedError:
        msg = (
            f"{self._call.method} returned {type(value).__name__}, no generator; call "
            "it without stream=True."
        )
        return RefusedError(FailureKind.NOT_STREAMING, msg)


def _is_generator(value: object) -> bool:
    return inspect.isgenerator(value) or inspect.isasyncgen(value)
