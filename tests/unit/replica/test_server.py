"""Slots among several routers, each of them a channel that notes what it is told."""

import asyncio

import pytest

from workbench.code.values import dump_value
from workbench.replica.http_entry import entry_for
from workbench.replica.server import ReplicaServer
from workbench.replica.threads import Threads
from workbench.replica.user_code import UserCode
from workbench.spec.deployment import Kind
from workbench.wire.messages import (
    Call,
    Cancel,
    Drain,
    Drained,
    Failure,
    FailureKind,
    Free,
    Reject,
    Result,
)

pytestmark = pytest.mark.anyio


class FakeChannel:
    """Notes what the replica says."""

    is_open = True
    is_congested = False

    def __init__(self):
        self.heard = []

    def send(self, message, buffers=()):
        self.heard.append(message)

    def kinds(self):
        return [type(message) for message in self.heard]


class Gated:
    """Each call waits until the test opens its gate."""

    def __init__(self):
        self.gates = {}

    async def wait(self, name):
        gate = self.gates.setdefault(name, asyncio.Event())
        await gate.wait()
        return name


@pytest.fixture
async def server():
    threads = Threads("test")
    made = ReplicaServer(asyncio.get_running_loop(), threads)
    gated = Gated()
    code = UserCode(
        kind=Kind.CLASS, target=Gated, servable=gated, http=entry_for(gated, threads)
    )
    made.serve(code, "app")
    made.gates = gated.gates  # type: ignore[attr-defined]  # for the tests
    return made


def channels(server, count):
    made = [FakeChannel() for _ in range(count)]
    for channel in made:
        server.on_open(channel)
    return made


def send(server, channel, call_id):
    call = Call(id=call_id, method="wait", request_id="", stream=False)
    server.on_message(channel, call, dump_value(((call_id,), {})))


async def settle():
    for _ in range(5):
        await asyncio.sleep(0)


async def open_gate(server, call_id):
    await settle()
    server.gates[call_id].set()
    await settle()


async def test_who_was_rejected_is_told_of_the_free_slot(server):
    first, second = channels(server, 2)
    send(server, first, 1)
    send(server, second, 2)
    await open_gate(server, 1)

    assert first.kinds() == [Result]
    assert second.heard == [Reject(2, 1, draining=False), Free()]


async def test_a_free_slot_that_is_not_wanted_goes_to_the_next(server):
    busy, uninterested, eager = channels(server, 3)
    for call_id, channel in enumerate((busy, uninterested, eager)):
        send(server, channel, call_id)
    await open_gate(server, 0)
    assert eager.kinds() == [Reject]
    async with asyncio.timeout(10):
        while Free not in eager.kinds():
            await asyncio.sleep(0.001)

    assert uninterested.kinds() == [Reject, Free]


async def test_a_channel_that_closed_is_not_told(server):
    busy, gone, waiting = channels(server, 3)
    for call_id, channel in enumerate((busy, gone, waiting)):
        send(server, channel, call_id)
    await settle()
    server.on_closed(gone, None)
    await open_gate(server, 0)

    assert waiting.kinds() == [Reject, Free]


async def test_a_call_cancelled_before_its_first_step_gives_its_slot_back(server):
    (channel,) = channels(server, 1)
    send(server, channel, 1)
    server.on_message(channel, Cancel(1), ())
    await settle()

    assert server.ongoing == 0
    assert channel.heard == []


async def test_calls_of_a_channel_that_closed_end_with_it(server):
    (channel,) = channels(server, 1)
    send(server, channel, 1)
    await settle()
    server.on_closed(channel, ConnectionError())
    assert len(server.running_tasks()) == 1
    await settle()

    assert server.ongoing == 0
    assert server.running_tasks() == set()


async def test_messages_about_calls_that_are_over_are_ignored(server):
    (channel,) = channels(server, 1)
    server.on_message(channel, Cancel(9), ())
    server.on_message(channel, Drained(), ())
    server.on_message(channel, Free(), ())

    assert channel.heard == []


async def test_draining_waits_for_calls_and_for_every_router(server):
    first, second = channels(server, 2)
    send(server, first, 1)
    draining = asyncio.ensure_future(server.drain(10))
    await settle()
    send(server, second, 2)
    assert second.heard == [Drain(), Reject(2, 1, draining=True)]

    server.on_message(first, Drained(), ())
    await open_gate(server, 1)
    assert not draining.done()
    server.on_closed(second, None)
    await asyncio.wait_for(draining, 10)

    assert first.kinds() == [Drain, Result]


async def test_a_drain_without_patience_tells_callers_that_they_lost(server):
    (channel,) = channels(server, 1)
    send(server, channel, 1)
    await settle()
    await server.drain(0)

    failure = channel.heard[-1]
    assert isinstance(failure, Failure)
    assert failure.kind is FailureKind.REPLICA_LOST
    assert server.ongoing == 0


async def test_a_shell_turns_calls_away():
    server = ReplicaServer(asyncio.get_running_loop(), Threads("test"))
    (channel,) = channels(server, 1)
    send(server, channel, 1)

    assert channel.heard == [Reject(1, 0, draining=True)]
