"""Channels over real sockets: what arrives, who is let in, and how they end."""

import asyncio
import socket

import pytest

from tests.unit.wire.conftest import SECRET, Recorder, frame
from workbench.errors import ProtocolError
from workbench.wire import channel as channel_module
from workbench.wire.channel import Channel, listen
from workbench.wire.framing import Decoder
from workbench.wire.handshake import PROTOCOL_VERSION, Handshake, client_side
from workbench.wire.messages import (
    Body,
    Call,
    Cancel,
    Hello,
    Ping,
    Pong,
    Result,
)

pytestmark = pytest.mark.anyio

CALL = Call(1, "__call__", "r", stream=False)


def reply(channel, message, buffers):
    channel.send(Result(message.id), buffers)


class RawPeer:
    """A peer that says what it likes."""

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer

    @classmethod
    async def reach(cls, ground):
        path = ground.directory / "s"
        return cls(*await asyncio.open_unix_connection(path))

    async def shake_hands(self):
        handshake = Handshake(client_side(SECRET))
        self.writer.write(handshake.start())
        while not handshake.is_done:
            self.writer.write(handshake.feed(await self.reader.read(1000)))

    async def until_closed(self):
        """Return what the other end said before it hung up."""
        try:
            async with asyncio.timeout(10):
                return await self.reader.read()
        except ConnectionResetError:
            return b""
        finally:
            self.writer.close()


@pytest.mark.parametrize("by_tcp", [False, True], ids=["unix", "tcp"])
async def test_what_is_sent_arrives_and_is_answered(ground, by_tcp):
    client, server = Recorder(), Recorder(reply)
    channel = await ground.pair(client, server, by_tcp=by_tcp)

    channel.send(CALL, [b"arguments", b"", b"buffer"])
    await client.until(lambda it: it.messages)

    assert server.messages == [(CALL, [b"arguments", b"", b"buffer"])]
    assert client.messages == [(Result(1), [b"arguments", b"", b"buffer"])]


async def test_order_is_kept_whatever_the_sizes(ground):
    client, server = Recorder(), Recorder(reply)
    channel = await ground.pair(client, server)
    bodies = [bytes([n]) * (1 if n % 3 else 300_000) for n in range(30)]

    for number, body in enumerate(bodies):
        channel.send(Body(number, last=False), [body])
    await client.until(lambda it: len(it.messages) == 30)

    assert server.messages == [
        (Body(number, last=False), [body]) for number, body in enumerate(bodies)
    ]
    assert [each[1] for each in client.messages] == [[body] for body in bodies]


async def test_what_is_sent_on_opening_arrives_first(ground):
    class Greeter(Recorder):
        def on_open(self, channel):
            super().on_open(channel)
            channel.send(Cancel(5))

    client = Recorder()
    await ground.pair(client, Greeter())
    await client.until(lambda it: it.messages)

    assert client.messages == [(Cancel(5), [])]


# -- who is let in -----------------------------------------------------------------


async def test_a_client_with_another_secret_is_refused_and_told_so(ground):
    client, server = Recorder(), Recorder()
    listener = await ground.listen(server)

    with pytest.raises(ProtocolError, match="secret"):
        await ground.connect(client, listener.address("here"), secret=b"other")

    assert (client.channels, server.channels) == ([], [])


@pytest.mark.parametrize(
    "data",
    [
        frame(CALL, b"pickle"),
        frame(Hello(PROTOCOL_VERSION, b"n" * 32)) + frame(CALL, b"pickle"),
        b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"\0" * 4096,
    ],
    ids=["call", "hello, then call", "http", "zeros"],
)
async def test_nothing_of_an_unknown_peer_gets_through(ground, data):
    server = Recorder()
    await ground.listen(server)
    peer = await RawPeer.reach(ground)

    peer.writer.write(data)
    await peer.until_closed()

    assert (server.channels, server.messages, server.closed) == ([], [], [])


async def test_a_peer_that_says_nothing_is_cut_off(ground, monkeypatch):
    monkeypatch.setattr(channel_module, "_HANDSHAKE_S", 0.01)
    server = Recorder()
    await ground.listen(server)
    peer = await RawPeer.reach(ground)

    assert await peer.until_closed() == b""
    assert server.channels == []


async def test_a_server_that_says_nothing_is_given_up(ground):
    async def say_nothing(reader, writer):
        await reader.read()
        writer.close()

    path = ground.directory / "mute"
    mute = await asyncio.start_unix_server(say_nothing, path)
    address = (await ground.listen(Recorder())).address("here")
    address = type(address)(host_id="here", path=str(path), host="", port=0)

    with pytest.raises(ProtocolError, match="did not prove"):
        await ground.connect(Recorder(), address, timeout_s=0.01)
    mute.close()


@pytest.mark.parametrize("turns", range(8))
async def test_connecting_can_be_cancelled_at_any_moment(ground, turns, caplog):
    client = Recorder()
    address = (await ground.listen(Recorder())).address("here")
    connecting = asyncio.ensure_future(ground.connect(client, address))

    for _ in range(turns):
        await asyncio.sleep(0)
    connecting.cancel()
    await asyncio.wait([connecting])
    for channel in client.channels:
        channel.close()
        await channel.wait_closed()

    assert connecting.cancelled() or client.channels
    assert caplog.text == ""


async def test_connecting_can_be_cancelled_while_the_peer_thinks(ground):
    reached = asyncio.Event()
    hung_up = asyncio.Event()

    async def say_nothing(reader, writer):
        await reader.readexactly(10)
        reached.set()
        await reader.read()
        writer.close()
        hung_up.set()

    path = ground.directory / "mute"
    mute = await asyncio.start_unix_server(say_nothing, path)
    address = (await ground.listen(Recorder())).address("here")
    address = type(address)(host_id="here", path=str(path), host="", port=0)
    connecting = asyncio.ensure_future(ground.connect(Recorder(), address))

    await reached.wait()
    connecting.cancel()
    async with asyncio.timeout(10):
        await hung_up.wait()

    assert connecting.cancelled()
    mute.close()


# -- how it ends -------------------------------------------------------------------


async def test_closing_writes_what_was_sent_and_tells_both_ends(ground):
    client, server = Recorder(), Recorder()
    channel = await ground.pair(client, server)

    channel.send(CALL, [b"x" * 500_000])
    channel.close()
    await server.until(lambda it: it.closed)
    await channel.wait_closed()
    channel.send(CALL)

    assert len(server.messages) == 1
    assert (client.closed, server.closed) == ([None], [None])
    assert not channel.is_open


async def test_garbage_ends_a_channel_with_an_error(ground):
    server = Recorder()
    await ground.listen(server)
    peer = await RawPeer.reach(ground)
    await peer.shake_hands()

    peer.writer.write(frame(CALL) + b"\xff" * 100)
    await peer.until_closed()
    await server.until(lambda it: it.closed)

    assert isinstance(server.closed[0], ProtocolError)


async def test_an_endpoint_that_closes_hears_no_more(ground):
    server = Recorder(lambda channel, *_: channel.close())
    channel = await ground.pair(Recorder(), server)

    channel.send(CALL)
    channel.send(CALL)
    await channel.wait_closed()

    assert len(server.messages) == 1


# -- what a channel does by itself -------------------------------------------------


async def test_pings_are_answered_without_asking_the_endpoint(ground):
    server = Recorder()
    await ground.listen(server)
    peer = await RawPeer.reach(ground)
    await peer.shake_hands()

    peer.writer.write(frame(Ping()) + frame(Pong()))
    frames = Decoder().feed(await peer.reader.read(1000))
    peer.writer.close()
    await server.until(lambda it: it.closed)

    assert frames == [(Pong(), ())]
    assert server.messages == []


async def test_tcp_channels_ping(ground, monkeypatch):
    monkeypatch.setattr(channel_module, "_PING_S", 0.001)
    heard = asyncio.Event()
    client, server = Recorder(), Recorder()
    channel = await ground.pair(client, server, by_tcp=True)
    feed = channel._decoder.feed

    class Listening:
        def feed(self, data):
            frames = feed(data)
            if (Pong(), ()) in frames:
                heard.set()
            return frames

    channel._decoder = Listening()
    async with asyncio.timeout(10):
        await heard.wait()

    assert (client.messages, server.messages) == ([], [])


class Written(asyncio.Transport):
    """A transport that keeps what is written to it."""

    def __init__(self):
        super().__init__()
        self.writes: list[bytes] = []

    def write(self, data):
        self.writes.append(bytes(data))


async def test_frames_of_one_turn_are_written_together():
    transport = Written()
    channel = Channel(transport, Recorder(), asyncio.get_running_loop())

    for number in range(5):
        channel.send(Cancel(number))
    before = list(transport.writes)
    await asyncio.sleep(0)

    assert before == []
    assert len(transport.writes) == 1
    assert len(Decoder().feed(transport.writes[0])) == 5


async def test_much_is_written_before_the_turn_ends():
    transport = Written()
    channel = Channel(transport, Recorder(), asyncio.get_running_loop())

    for number in range(100):
        channel.send(Body(number, last=False), [bytes(10_000)])

    assert sum(map(len, transport.writes)) > 700_000


async def test_a_producer_can_wait_for_a_slow_reader(ground):
    client, server = Recorder(), Recorder()
    channel = await ground.pair(client, server)
    await server.until(lambda it: it.channels)
    server.channels[0]._transport.pause_reading()

    sent = 0
    while not channel.is_congested:
        channel.send(Body(sent, last=False), [bytes(100_000)])
        sent += 1
        await asyncio.sleep(0)
    waiting = asyncio.ensure_future(channel.wait_writable())
    await asyncio.sleep(0)
    waited = not waiting.done()
    server.channels[0]._transport.resume_reading()
    await waiting
    await server.until(lambda it: len(it.messages) == sent)

    assert waited
    assert not channel.is_congested


async def test_closing_ends_the_wait_for_a_slow_reader(ground):
    client, server = Recorder(), Recorder()
    channel = await ground.pair(client, server)
    await server.until(lambda it: it.channels)
    server.channels[0]._transport.pause_reading()
    while not channel.is_congested:
        channel.send(Body(1, last=False), [bytes(100_000)])
        await asyncio.sleep(0)

    waiting = asyncio.ensure_future(channel.wait_writable())
    server.channels[0]._transport.abort()

    async with asyncio.timeout(10):
        await waiting


# -- where it listens --------------------------------------------------------------


async def test_sockets_are_only_made_where_nobody_else_can_reach_them(tmp_path):
    tmp_path.chmod(0o755)

    with pytest.raises(PermissionError, match="chmod 700"):
        await listen(Recorder(), path=tmp_path / "s", host="127.0.0.1", secret=SECRET)


async def test_closing_removes_the_socket_file_and_frees_the_port(ground):
    first = await ground.listen(Recorder())
    await first.close()
    gone = not (ground.directory / "s").exists()
    second = await ground.listen(Recorder(), port=first.port)

    assert gone
    assert second.port == first.port


async def test_a_file_left_by_a_dead_process_is_replaced(ground):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(ground.directory / "s"))

    channel = await ground.pair(Recorder(), Recorder())

    assert channel.is_open


async def test_a_port_in_use_leaves_no_socket_file(ground):
    taken = await ground.listen(Recorder())

    with pytest.raises(OSError, match="address already in use"):
        await ground.listen(Recorder(), name="other", port=taken.port)

    assert not (ground.directory / "other").exists()


async def test_without_a_socket_file_tcp_is_used(ground):
    client, server = Recorder(), Recorder()
    listener = await ground.listen(server)
    (ground.directory / "s").unlink()

    channel = await ground.connect(client, listener.address("here"))

    assert channel.is_open


async def test_nobody_listening_is_an_oserror(ground):
    listener = await ground.listen(Recorder())
    address = listener.address("here")
    await listener.close()

    with pytest.raises(OSError, match=r"Connect|connect|refused"):
        await ground.connect(Recorder(), address)
