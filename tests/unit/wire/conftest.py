"""Endpoints to talk between, on both kinds of event loop."""

import asyncio
from pathlib import Path

import pytest

from workbench.spec.table import Address
from workbench.wire.channel import Channel, Listener, connect, listen
from workbench.wire.framing import Piece, encode, join
from workbench.wire.messages import Message

SECRET = b"s" * 32


def frame(message: Message, *buffers: bytes) -> bytes:
    """One message as it goes over the wire."""
    pieces: list[Piece] = []
    encode(message, buffers, pieces)
    return b"".join(join(pieces))


@pytest.fixture(
    params=[
        pytest.param(("asyncio", {"use_uvloop": False}), id="asyncio"),
        pytest.param(("asyncio", {"use_uvloop": True}), id="uvloop"),
    ]
)
def anyio_backend(request):
    return request.param


class Recorder:
    """An endpoint that keeps what it is told, and can be waited for."""

    def __init__(self, answer=None):
        self.channels = []
        self.messages = []
        self.closed = []
        self._answer = answer
        self._changed = asyncio.Event()

    def on_open(self, channel):
        self.channels.append(channel)
        self._changed.set()

    def on_message(self, channel, message, buffers):
        self.messages.append((message, [bytes(each) for each in buffers]))
        if self._answer is not None:
            self._answer(channel, message, buffers)
        self._changed.set()

    def on_closed(self, channel, error):
        self.closed.append(error)
        self._changed.set()

    async def until(self, is_true):
        """Wait until something holds of this endpoint."""
        async with asyncio.timeout(10):
            while not is_true(self):
                self._changed.clear()
                await self._changed.wait()


class Ground:
    """A directory for sockets, and everything opened in a test, to be closed after."""

    def __init__(self, directory: Path):
        self.directory = directory
        self._listeners: list[Listener] = []
        self._channels: list[Channel] = []
        self._endpoints: list[Recorder] = []

    async def listen(self, endpoint, *, secret=SECRET, name="s", port=0):
        listener = await listen(
            endpoint,
            path=self.directory / name,
            host="127.0.0.1",
            secret=secret,
            port=port,
        )
        self._listeners.append(listener)
        self._endpoints.append(endpoint)
        return listener

    async def connect(self, endpoint, address: Address, *, secret=SECRET, **options):
        channel = await connect(
            endpoint, address, host_id="here", secret=secret, **options
        )
        self._channels.append(channel)
        return channel

    async def pair(self, left, right, *, by_tcp=False):
        """Connect two endpoints; returns the first one's channel."""
        listener = await self.listen(right)
        address = listener.address("elsewhere" if by_tcp else "here")
        return await self.connect(left, address)

    async def close(self):
        accepted = [each for end in self._endpoints for each in end.channels]
        for channel in self._channels + accepted:
            channel.close()
            await channel.wait_closed()
        for listener in self._listeners:
            await listener.close()


@pytest.fixture
async def ground(tmp_path):
    tmp_path.chmod(0o700)
    made = Ground(tmp_path)
    yield made
    await made.close()
