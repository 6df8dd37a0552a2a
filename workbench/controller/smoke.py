"""Sends one request to one replica, past the routing table, and judges the answer.

It travels as a request from the proxy does, so that what is tried is what will serve.
"""

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from workbench.controller.replica_life import Replica
from workbench.routing.dispatch import Router
from workbench.spec.gate import Smoke
from workbench.spec.table import DeploymentEntry, ReplicaEntry, Table
from workbench.wire.host import host_id
from workbench.wire.messages import Buffers, Failure, HttpCall, HttpReply, Result

__all__ = ["Send", "sender"]

_PATIENCE_S = 30.0
_SHOWN_CHARACTERS = 300
_JSON = [(b"content-type", b"application/json"), (b"accept", b"*/*")]

Send = Callable[[Smoke, Replica, str], Awaitable[str]]
"""Sends a request below a route to a replica; why it did not pass, or nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    status: int
    text: str


def sender(secret: bytes) -> Send:
    """What sends, as any router that knows the secret of the instance's channels."""

    async def send(smoke: Smoke, replica: Replica, prefix: str) -> str:
        router = Router(
            name=f"smoke-{secrets.token_hex(4)}", secret=secret, host_id=host_id()
        )
        router.update(_only(replica))
        try:
            async with asyncio.timeout(_PATIENCE_S):
                return _judge(smoke, await _ask(router, smoke, replica, prefix))
        except TimeoutError:
            return f"{smoke} had no answer within {_PATIENCE_S:.0f} s."
        finally:
            await router.close()

    return send


async def _ask(router: Router, smoke: Smoke, replica: Replica, prefix: str) -> _Answer:
    receiver = _Receiver()
    body = smoke.body.encode()
    call = _call(router.next_id(), smoke, prefix, body)
    ticket = router.submit(
        f"{replica.app}#{replica.spec.name}", call, (body,) if body else (), receiver
    )
    receiver.credit = ticket.credit
    try:
        return await receiver.answer
    finally:
        if not receiver.is_complete:
            ticket.cancel()


def _call(number: int, smoke: Smoke, prefix: str, body: bytes) -> HttpCall:
    path, _, query = smoke.path.partition("?")
    root_path = prefix.rstrip("/")
    whole = root_path + path
    return HttpCall(
        id=number,
        method=smoke.method,
        path=whole,
        raw_path=whole.encode(),
        query=query.encode(),
        headers=[*_JSON, (b"content-length", b"%d" % len(body))] if body else _JSON[1:],
        root_path=root_path,
        http_version="1.1",
        scheme="http",
        client=None,
        server=None,
        request_id=f"smoke-{secrets.token_hex(8)}",
        more_body=False,
    )


class _Receiver:
    """Waits for the whole answer."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[_Answer] = asyncio.Future()
        self.is_complete = False
        self.credit: Callable[[int], None] = lambda _: None
        self._status = 0
        self._body = bytearray()

    def on_reply(self, message: Result | HttpReply, buffers: Buffers) -> None:
        assert isinstance(message, HttpReply)
        self._status = message.status
        self._take(buffers)
        if not message.more:
            self.on_end()

    def on_chunk(self, buffers: Buffers) -> None:
        self._take(buffers)

    def on_end(self) -> None:
        self.is_complete = True
        self._say(self._status, bytes(self._body).decode(errors="replace"))

    def on_failure(self, failure: Failure, _buffers: Buffers) -> None:
        self.is_complete = True
        text = failure.traceback or f"{failure.error_type}: {failure.message}"
        self._say(failure.status or 500, text)

    def on_credit(self, size: int) -> None:
        """The body went in one piece."""

    def _take(self, buffers: Buffers) -> None:
        for each in buffers:
            self._body += each
            self.credit(len(each))

    def _say(self, status: int, text: str) -> None:
        if not self.answer.done():
            self.answer.set_result(_Answer(status=status, text=text))


def _judge(smoke: Smoke, answer: _Answer) -> str:
    shown = answer.text.strip()
    if "\n" in shown:  # a traceback: what it ends with says most
        shown = shown.splitlines()[-1]
    shown = shown[:_SHOWN_CHARACTERS]
    said = f"{smoke} answered {answer.status}{f': {shown}' if shown else ''}"
    if answer.status != smoke.expect:
        return f"{said} (expected {smoke.expect})."
    if smoke.answer and not _is_json(answer.text, smoke.answer):
        return f"{said} (expected {smoke.answer})."
    return ""


def _is_json(text: str, wanted: str) -> bool:
    try:
        return bool(json.loads(text) == json.loads(wanted))
    except ValueError:
        return False


def _only(replica: Replica) -> Table:
    """A table in which there is this replica and no other."""
    assert replica.address is not None
    options = replica.spec.options
    entry = DeploymentEntry(
        app=replica.app,
        name=replica.spec.name,
        max_ongoing_requests=options.max_ongoing_requests,
        max_queued_requests=-1,
        replicas=(ReplicaEntry(id=replica.id, address=replica.address),),
    )
    return Table(version=1, deployments=(entry,))
