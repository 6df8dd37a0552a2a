"""Large values on one host: lent, not sent; never written over, never left behind."""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.unit.wire.conftest import SECRET, Recorder
from workbench.code.values import dump_value, load_value
from workbench.errors import ProtocolError
from workbench.wire import borrowing
from workbench.wire.arrays import memory
from workbench.wire.messages import Call, Chunk, Result

pytestmark = pytest.mark.anyio

CALL = Call(1, "__call__", "r", stream=False)
SIZE = 1_000_000


class Keeper(Recorder):
    """Keeps values instead of bytes, and notes which of them were lent."""

    def __init__(self, answer=None):
        super().__init__(answer)
        self.values = []
        self.were_lent = []

    def on_message(self, channel, message, buffers):
        owners = [each.obj for each in buffers if isinstance(each, memoryview)]
        self.were_lent.append(any(isinstance(each, ctypes.Array) for each in owners))
        del owners
        self.values.append(load_value(buffers) if buffers else None)
        super().on_message(channel, message, ())
        del buffers

    async def receive(self, channel, value):
        """Have a value sent on the channel, and return it as it came."""
        count = len(self.values)
        channel.send(CALL, dump_value(value))
        await self.until(lambda it: len(it.values) > count)
        return self.values.pop()


def filled(number, size=SIZE):
    return np.full(size, number, np.uint8)


async def eventually(claim):
    async with asyncio.timeout(10):
        while not claim():
            await asyncio.sleep(0)


async def warm(channel, server):
    """Have a segment of this size shown and mapped."""
    await eventually_lent(channel, server, 0)


async def eventually_lent(channel, server, number):
    while True:
        value = await server.receive(channel, filled(number))
        if server.were_lent[-1]:
            return value
        del value


async def test_what_was_sent_at_first_is_lent_from_then_on(ground):
    server = Keeper()
    channel = await ground.pair(Recorder(), server)

    first = await server.receive(channel, filled(1))
    assert not server.were_lent[0]
    del first
    second = await eventually_lent(channel, server, 2)

    assert (second == 2).all()


async def test_answers_are_lent_too(ground):
    client = Keeper()
    server = Recorder(
        lambda channel, *_: channel.send(Result(1), dump_value(filled(3)))
    )
    channel = await ground.pair(client, server)

    while not any(client.were_lent):
        channel.send(CALL)
        count = len(client.were_lent)
        await client.until(lambda it, count=count: len(it.were_lent) > count)
        assert (client.values.pop() == 3).all()


async def test_bytes_are_lent_where_the_peer_is_near(ground):
    came = []

    class Taker(Recorder):
        def on_message(self, channel, message, buffers):
            (piece,) = buffers
            owner = piece.obj if isinstance(piece, memoryview) else None
            came.append((isinstance(owner, ctypes.Array), bytes(piece)))
            super().on_message(channel, message, ())

    server = Taker()
    near = await ground.pair(Recorder(), server)
    data = memoryview(bytes(range(250)) * 4_000)
    while not (came and came[-1][0]):
        count = len(came)
        near.send(Chunk(1), near.lendable(data))
        await server.until(lambda _, count=count: len(came) > count)
    near.send(Chunk(1), near.lendable(data[:7]))
    await server.until(lambda _: len(came[-1][1]) == 7)

    assert {piece for _, piece in came} == {bytes(data), bytes(data[:7])}
    were_lent = [lent for lent, _ in came]
    assert (were_lent[0], were_lent[-2], were_lent[-1]) == (False, True, False)

    far = await ground.pair(Recorder(), Recorder(), by_tcp=True)
    assert far.lendable(data) == (data,)


async def test_over_tcp_all_bytes_are_sent(ground):
    server = Keeper()
    channel = await ground.pair(Recorder(), server, by_tcp=True)

    for number in range(5):
        assert (await server.receive(channel, filled(number)) == number).all()
    assert not any(server.were_lent)


async def test_whoever_cannot_map_memory_is_sent_the_bytes(ground, monkeypatch):
    def refuse(shown):
        raise PermissionError(shown.pid)

    monkeypatch.setattr(borrowing, "_map", refuse)
    server = Keeper()
    channel = await ground.pair(Recorder(), server)

    for number in range(5):
        assert (await server.receive(channel, filled(number)) == number).all()
    assert not any(server.were_lent)


async def test_an_array_that_is_kept_stays_as_it_is(ground):
    server = Keeper()
    channel = await ground.pair(Recorder(), server)
    await warm(channel, server)
    kept = [await server.receive(channel, filled(number)) for number in range(12)]

    assert [int(each.min()) for each in kept] == list(range(12))
    assert [int(each.max()) for each in kept] == list(range(12))


async def test_a_changed_array_does_not_show_in_the_next_one(ground):
    server = Keeper()
    channel = await ground.pair(Recorder(), server)
    value = await eventually_lent(channel, server, 1)
    value[::1000] = 99
    del value

    for number in (2, 3):
        assert (await eventually_lent(channel, server, number) == number).all()


async def test_changes_of_the_receiver_are_not_seen_by_the_sender(ground):
    server = Keeper()
    channel = await ground.pair(Recorder(), server)
    await warm(channel, server)
    buffers = dump_value(filled(5))
    channel.send(CALL, buffers)
    await server.until(lambda it: it.values)
    server.values[0][:] = 6

    assert set(bytes(buffers[1])) == {5}


async def test_arrays_outlive_the_channel(ground):
    server = Keeper()
    channel = await ground.pair(Recorder(), server)
    kept = await eventually_lent(channel, server, 1)
    channel.close()
    await channel.wait_closed()
    await server.until(lambda it: it.closed)
    for number in range(2, 6):
        dump_value(filled(number))

    assert (kept == 1).all()


async def test_few_segments_serve_many_calls(ground):
    server = Keeper()
    channel = await ground.pair(Recorder(), server)
    await warm(channel, server)
    before = memory.size_bytes

    for number in range(50):
        assert (await server.receive(channel, filled(number)) == number).all()
    assert memory.size_bytes - before <= 4 * 2**20
    assert all(server.were_lent[-20:])


async def test_what_is_kept_for_long_is_given_away(ground, monkeypatch):
    monkeypatch.setattr(borrowing, "_KEPT_S", 0.01)
    server = Keeper()
    channel = await ground.pair(Recorder(), server)
    kept = await eventually_lent(channel, server, 7)
    sharing = channel._sharing._lending
    number = next(each for each, count in sharing._loans.items() if count)

    await eventually(lambda: not sharing._loans[number])
    await eventually(lambda: not memory.has(number))
    assert (kept == 7).all()


async def test_order_and_contents_hold_whatever_is_large(ground):
    server = Keeper()
    channel = await ground.pair(Recorder(), server)
    await warm(channel, server)
    server.values.clear()
    sent = [
        (
            number,
            filled(number, 200_000 * (number % 4) + 1),
            bytes(150_000 * (number % 3)),
        )
        for number in range(40)
    ]

    for value in sent:
        channel.send(CALL, dump_value(value))
    await server.until(lambda it: len(it.values) == len(sent))

    for (number, array, content), (expected, same, other) in zip(
        server.values, sent, strict=True
    ):
        assert number == expected
        assert (array == same).all()
        assert content == other


async def test_a_message_that_cannot_go_leaves_no_loans_to_the_next(
    ground, monkeypatch
):
    server = Keeper()
    channel = await ground.pair(Recorder(), server)
    await warm(channel, server)
    unspeakable = Call(1, "\ud800", "r", stream=False)
    with pytest.raises(ProtocolError, match="Unicode"):
        channel.send(unspeakable, dump_value(filled(1)))

    assert await server.receive(channel, "whole") == "whole"
    await eventually(lambda: not channel._sharing._lending._loans.total())


# -- processes that end without notice ---------------------------------------------------

PEER = """
import asyncio, sys
from pathlib import Path
import numpy as np
from workbench.code.values import dump_value, load_value
from workbench.wire.channel import listen
from workbench.wire.messages import Result

kept = []

class Peer:
    def on_open(self, channel): pass
    def on_closed(self, channel, error): pass
    def on_message(self, channel, message, buffers):
        kept.append(load_value(buffers))
        channel.send(Result(message.id), dump_value(np.full(1_000_000, 8, np.uint8)))

async def main():
    secret = b"s" * 32
    listener = await listen(
        Peer(), path=Path(sys.argv[1]), host="127.0.0.1", secret=secret
    )
    print("ready", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@contextlib.asynccontextmanager
async def peer_process(ground, endpoint):
    """A channel to a process of its own, and its id."""
    from workbench.spec.table import Address

    path = str(ground.directory / "peer")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PEER, path, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        address = Address(host_id="here", path=path, host="", port=0)
        yield await ground.connect(endpoint, address, secret=SECRET), process.pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def answer(channel, client, number):
    count = len(client.values)
    channel.send(CALL, dump_value(filled(number)))
    await client.until(lambda it: len(it.values) > count)


async def test_nothing_is_left_of_a_peer_that_was_killed(ground):
    client = Keeper()
    async with peer_process(ground, client) as (channel, pid):
        while not any(client.were_lent):
            await answer(channel, client, 1)
        lent = [n for n, loans in channel._sharing._lending._loans.items() if loans]
        os.kill(pid, signal.SIGKILL)
        await client.until(lambda it: it.closed)

    assert lent
    assert not any(memory.has(number) for number in lent)
    assert (client.values[-1] == 8).all()
    client.values.clear()
    await eventually(lambda: "workbench-value (deleted)" not in private_mappings())


def private_mappings():
    lines = Path("/proc/self/maps").read_text().splitlines()
    return "\n".join(line for line in lines if " rw-p " in line)
