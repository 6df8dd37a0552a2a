"""The answer to come of one call made through a handle.

A response is made for a call before it is sent, and is the call's receiver: the router
calls it back on its own loop, the caller waits for it wherever they are.
"""

import asyncio
import concurrent.futures
from collections.abc import Generator

from workbench.code.exceptions import load_failure
from workbench.code.values import load_value
from workbench.errors import RequestCancelledError
from workbench.sent_call import Runtime, SentCall
from workbench.stream_argument import Source
from workbench.wire.messages import Buffers, Call, Failure, HttpReply, Result

__all__ = ["DeploymentResponse"]

Future = asyncio.Future[object] | concurrent.futures.Future[object]


class DeploymentResponse(SentCall):
    """The answer to come of one call: `await` it, or `.result()` in sync code."""

    def __init__(self, runtime: Runtime, call: Call, deployment: str) -> None:
        super().__init__(runtime, call, deployment)
        self._future: Future
        if self._is_local:
            self._future = runtime.loop.create_future()
        else:
            self._future = concurrent.futures.Future()
        self._future.add_done_callback(self._on_future_done)

    def result(self, timeout_s: float | None = None) -> object:
        """Wait for the answer in synchronous code, notebook cells included.

        Raises:
            TimeoutError: not answered in time; the call goes on.
            RuntimeError: called on the router's own loop, which would wait for itself.
        """
        runtime = self._runtime
        if runtime.is_here():
            msg = (
                ".result() in async code of a deployment would block the replica; "
                "use `await response`."
            )
            raise RuntimeError(msg)
        future = self._future
        if isinstance(future, asyncio.Future):
            future = asyncio.run_coroutine_threadsafe(_wait_for(future), runtime.loop)
        try:
            return future.result(timeout_s)
        except concurrent.futures.CancelledError:
            raise self._cancelled_error() from None

    def __await__(self) -> Generator[object, None, object]:
        future = self._future
        if isinstance(future, asyncio.Future):
            if self._runtime.is_here():
                return future.__await__()
            future = asyncio.run_coroutine_threadsafe(
                _wait_for(future), self._runtime.loop
            )
        return asyncio.wrap_future(future).__await__()

    async def as_argument(self, streams: list[Source]) -> object:  # noqa: ARG002
        """Its answer."""
        return await self

    # Receiver

    def on_reply(self, _message: Result | HttpReply, buffers: Buffers) -> None:
        """The answer came."""
        self._is_answered()
        if self._future.done():
            return
        try:
            value = load_value(buffers)
        except Exception as error:  # noqa: BLE001 - it is this call's answer
            self._fail(error)
        else:
            self._future.set_result(value)

    def on_failure(self, failure: Failure, buffers: Buffers) -> None:
        """The call failed."""
        self._is_answered()
        self._fail(load_failure(failure, buffers))

    def _is_answered(self) -> None:
        super()._is_answered()
        # It knows us, and all buffers: they go with us, not when the collector runs.
        self._ticket = None

    def _fail(self, error: BaseException) -> None:
        if self._future.done():
            return
        if isinstance(error, RequestCancelledError):
            self._future.cancel()
            return
        self._future.set_exception(error)

    def _on_future_done(self, future: Future) -> None:
        """A task that awaited us was cancelled: so is the call it waited for."""
        if future.cancelled():
            if not self._is_cancelled:
                self.cancel()
        else:
            future.exception()  # looked at: a dropped response must not complain

    def _cancelled_error(self) -> RequestCancelledError:
        return RequestCancelledError(f"The call to {self._deployment} was cancelled.")


async def _wait_for(future: "asyncio.Future[object]") -> object:
    return await asyncio.shield(future)
