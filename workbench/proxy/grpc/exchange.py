"""One gRPC call on its way through the proxy, and its answer on the way back.

`GrpcServer` makes one for each call, in the task that gRPC runs for it. Messages pass
as bytes: only replicas read them. Whoever cancels the task, as gRPC does when the
client is gone or its deadline over, withdraws the call.
"""

import asyncio
from collections import deque
from time import perf_counter_ns
from typing import NoReturn

import grpc

from workbench.proxy.grpc.metadata import read_metadata
from workbench.proxy.grpc.seams import Context, Desk
from workbench.proxy.grpc.services import Rpc
from workbench.proxy.grpc.status import Ending, ending_of, failed
from workbench.proxy.request_span import RequestSpan, span_of_grpc
from workbench.routing.call import Ticket
from workbench.wire.grpc import MESSAGE_BYTES, Outcome, load_outcome
from workbench.wire.messages import (
    Buffers,
    Failure,
    FailureKind,
    GrpcCall,
    HttpReply,
    Result,
)

__all__ = ["GrpcExchange"]

# As for other streams: see `workbench.replica.flow`.
_WINDOW_BYTES = 256 * 1024
# Credit goes back in steps: a stream of small messages would else cause one for each.
_CREDIT_STEP_BYTES = 32 * 1024


class GrpcExchange:
    """One call and its answer; a `Receiver`."""

    def __init__(self, desk: Desk, rpc: Rpc, context: Context) -> None:
        self._desk = desk
        self._rpc = rpc
        self._context = context
        self._left_s = context.time_remaining()
        times = [t for t in (desk.timeout_s, self._left_s) if t is not None]
        self._asked = read_metadata(
            context.invocation_metadata() or (), min(times, default=None)
        )
        self._id = self._asked.request_id or desk.new_id()
        self._extras = self._asked.extras
        self._ticket: Ticket | None = None
        self._answers: deque[Buffers] = deque()
        self._failure: tuple[Failure, Buffers] | None = None
        self._has_ended = False
        self._arrived: asyncio.Future[None] | None = None
        self._credit = _WINDOW_BYTES
        self._opened = asyncio.Event()
        self._owed_bytes = 0

    # -- the four cardinalities --------------------------------------------------------

    async def answer(self, message: bytes | None) -> bytes | None:
        """Answer the call; gives the one message, or None where a stream was written.

        `message` is the client's, None if it streams. Every other ending than OK is
        raised, as gRPC wants it.
        """
        app, deployment = await self._find_application()
        started_ns = perf_counter_ns()
        has_failed, code = True, grpc.StatusCode.CANCELLED
        timer, span = self._start_timer(), self._start_span(app)
        uploading = self._submit(deployment, message)
        try:
            if self._rpc.streams_out:
                ending, answer = await self._pass_stream(), None
            else:
                ending, answer = await self._take_single()
            has_failed, code = ending.is_failure, ending.code
            await self._end(ending)
        except asyncio.CancelledError:
            has_failed = False
            raise
        else:
            return answer
        finally:
            if self._ticket is not None:
                self._ticket.cancel()
            if timer is not None:
                timer.cancel()
            if uploading is not None:
                uploading.cancel()
            if span is not None:
                facts = {"rpc.grpc.status_code": code.value[0]}
                span.end(facts, has_failed=has_failed)
            recorder = self._desk.ended[app]
            recorder.add(perf_counter_ns() - started_ns)
            if has_failed:
                recorder.add_error()
            self._desk.ended.answers[app, self._rpc.path, code.name] += 1

    # -- what the router calls (`Receiver`) --------------------------------------------

    def on_reply(self, _message: Result | HttpReply, buffers: Buffers) -> None:
        """The one answer."""
        self._answers.append(buffers)
        self.on_end()

    def on_chunk(self, buffers: Buffers) -> None:
        """A message of the stream; or, with a second buffer, how it ends."""
        self._answers.append(buffers)
        self._wake()

    def on_end(self) -> None:
        """All has come."""
        self._ticket = None
        self._has_ended = True
        self._wake()

    def on_failure(self, failure: Failure, buffers: Buffers) -> None:
        """The call failed; what came before is passed on all the same."""
        self._failure = failure, buffers
        self.on_end()

    def on_credit(self, size: int) -> None:
        """The replica has used so much of the client's stream."""
        self._credit += size
        if self._credit > 0:
            self._opened.set()

    # -- steps of these ----------------------------------------------------------------

    async def _find_application(self) -> tuple[str, str]:
        """The application asked for, or the only one, and where its calls enter."""
        ingresses, name = self._desk.router.ingresses, self._asked.application
        if not name and len(ingresses) == 1:
            name = next(iter(ingresses))
        if name not in ingresses:
            code = grpc.StatusCode.NOT_FOUND
            details = _which_application(name, sorted(ingresses))
            if not self._desk.router.is_ready:
                code = grpc.StatusCode.UNAVAILABLE
                details = "This proxy has not received its routes yet."
            await self._abort(Ending(code=code, details=details))
        return name, ingresses[name]

    def _submit(
        self, deployment: str, message: bytes | None
    ) -> "asyncio.Task[None] | None":
        """Send the call, and have the client's stream follow it if it has one."""
        router = self._desk.router
        call = self._make_call(router.next_id())
        buffers = () if message is None else (message,)
        ticket = self._ticket = router.submit(deployment, call, buffers, self)
        if message is not None:
            return None
        return asyncio.create_task(self._upload(ticket), name=f"upload-{self._id}")

    def _start_span(self, app: str) -> RequestSpan | None:
        """Where calls are traced; the call goes along as a step of it."""
        spans, asked = self._desk.spans, self._asked
        if spans is None:
            return None
        about = {"serve.application": app, "serve.request_id": self._id}
        span = span_of_grpc(
            spans, self._rpc.path, asked.pairs, extras=asked.extras, about=about
        )
        self._extras = span.extras
        return span

    def _make_call(self, call_id: int) -> GrpcCall:
        rpc, context = self._rpc, self._context
        identities: list[bytes] | None = None
        auth: dict[str, list[bytes]] = {}
        if self._desk.has_tls:
            found = context.peer_identities()
            identities = None if found is None else list(found)
            auth = {key: list(values) for key, values in context.auth_context().items()}
        return GrpcCall(
            id=call_id,
            method=rpc.method,
            request_id=self._id,
            stream=rpc.streams_out,
            extras=self._extras,
            path=rpc.path,
            more=rpc.streams_in,
            request_type=rpc.request_type,
            answer_type=rpc.answer_type,
            answer_name=rpc.answer_name,
            metadata=self._asked.pairs,
            peer=context.peer(),
            identities=identities,
            auth=auth,
        )

    async def _take_single(self) -> tuple[Ending, bytes | None]:
        buffers = await self._next()
        if buffers is None:
            return self._failed(), None
        outcome = _outcome(buffers)
        self._compress(outcome)
        return ending_of(outcome), bytes(buffers[0])

    async def _pass_stream(self) -> Ending:
        outcome = None
        while (buffers := await self._next()) is not None:
            if (outcome := _outcome(buffers)) is not None:
                continue
            await self._context.write(bytes(buffers[0]))
            self._owed_bytes += len(buffers[0])
            if self._owed_bytes >= _CREDIT_STEP_BYTES and self._ticket is not None:
                self._ticket.credit(self._owed_bytes)
                self._owed_bytes = 0
        return ending_of(outcome) if self._failure is None else self._failed()

    async def _next(self) -> Buffers | None:
        while not self._answers:
            if self._has_ended:
                return None
            self._arrived = asyncio.get_running_loop().create_future()
            await self._arrived
        return self._answers.popleft()

    def _wake(self) -> None:
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)

    async def _upload(self, ticket: Ticket) -> None:
        """Pass the client's messages on, no further ahead than the window."""
        read = self._context.read
        while isinstance(message := await read(), bytes):
            while self._credit <= 0:
                self._opened.clear()
                await self._opened.wait()
            self._credit -= len(message) + MESSAGE_BYTES
            ticket.send_body(message, last=False)
        ticket.send_body(b"", last=True)

    def _start_timer(self) -> asyncio.TimerHandle | None:
        """Of our own limit; gRPC itself watches over the client's."""
        limit_s, left_s = self._desk.timeout_s, self._left_s
        if limit_s is None or (left_s is not None and left_s <= limit_s):
            return None
        return asyncio.get_running_loop().call_later(limit_s, self._time_out, limit_s)

    def _time_out(self, limit_s: float) -> None:
        if self._has_ended:
            return
        if self._ticket is not None:
            self._ticket.cancel()
        text = f"Request {self._id} timed out after {limit_s:g}s."
        self.on_failure(Failure(0, FailureKind.TIMED_OUT, "", text), ())

    def _failed(self) -> Ending:
        assert self._failure is not None
        failure, buffers = self._failure
        outcome = load_outcome(buffers[0]) if buffers else None
        return failed(failure, outcome, self._id)

    def _compress(self, outcome: Outcome | None) -> None:
        if outcome is not None and outcome.compression is not None:
            self._context.set_compression(grpc.Compression(outcome.compression))

    async def _end(self, ending: Ending) -> None:
        if ending.code is not grpc.StatusCode.OK:
            await self._abort(ending)
        self._context.set_trailing_metadata(self._trailing(ending))
        if ending.details:
            self._context.set_details(ending.details)

    async def _abort(self, ending: Ending) -> NoReturn:
        trailing = self._trailing(ending)
        await self._context.abort(ending.code, ending.details, trailing)

    def _trailing(self, ending: Ending) -> tuple[tuple[str, str | bytes], ...]:
        return (("request_id", self._id), *ending.trailing)


def _which_application(name: str, there_are: list[str]) -> str:
    if name:
        return f"There is no application {name!r}; there are {there_are}."
    if not there_are:
        return "No application is deployed."
    return (
        f"There are several applications, {there_are}: name one in the metadata "
        "'application'."
    )


def _outcome(buffers: Buffers) -> Outcome | None:
    return load_outcome(buffers[1]) if len(buffers) > 1 else None
