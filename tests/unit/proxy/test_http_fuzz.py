"""Any bytes in any pieces: no crash, no answer out of order, no call left behind."""

import asyncio
import itertools
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from workbench.proxy.door import Door
from workbench.proxy.http import make_protocol
from workbench.spec.http import HTTPOptions
from workbench.spec.table import RouteEntry
from workbench.wire.messages import (
    Failure,
    FailureKind,
    HttpReply,
    SocketAccept,
    SocketCall,
    SocketClose,
    SocketPart,
)

HANDSHAKE = (
    b"GET /s HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
)
PIECES = [
    b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n",
    b"HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n",
    b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"GET /-/healthz HTTP/1.1\r\nHost: h\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
    b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 70000\r\n\r\n" + bytes(70_000),
    b"POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"3\r\nabc\r\n",
    b"0\r\n\r\n",
    b"0\r\nTrailer: t\r\n\r\n",
    b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n",
    HANDSHAKE,
    b"\x81\x85\0\0\0\0hello",
    b"\x89\x80\0\0\0\0",
    b"\x88\x82\0\0\0\0\x03\xe8",
    b"\x01\x81\0\0\0\0a",
    b"\xc1\x87\0\0\0\0\xf2H\xcd\xc9\xc9\x07\0",
    b"\r\n",
    b"\0",
]


class Transport(asyncio.Transport):
    """Takes what is written; closes in the loop's next turn, as a real one."""

    def __init__(self, protocol):
        super().__init__()
        self.protocol = protocol
        self.written = bytearray()
        self._reads = True
        self._is_closing = False
        self._has_eof = False

    def write(self, data):
        assert not self._has_eof, "written after the end"
        if not self._is_closing:
            self.written += data

    def write_eof(self):
        self._has_eof = True

    def can_write_eof(self):
        return True

    def close(self):
        if not self._is_closing:
            self._is_closing = True
            asyncio.get_running_loop().call_soon(self.lose)

    abort = close

    def lose(self):
        protocol, self.protocol = self.protocol, None
        if protocol is not None:
            self._is_closing = True
            protocol.connection_lost(None)

    def is_closing(self):
        return self._is_closing

    def set_protocol(self, protocol):
        self.protocol = protocol

    def pause_reading(self):
        assert self._reads
        self._reads = False

    def resume_reading(self):
        assert not self._reads
        self._reads = True

    def get_write_buffer_size(self):
        return 0


class Call:
    """A call at a replica; the ticket as well. `is_over` once nobody waits for it."""

    def __init__(self, number, message, receiver):
        self.number = number
        self.receiver = receiver
        self.is_over = False
        self.has_begun = False
        self.is_socket = isinstance(message, SocketCall)
        self.id = message.id

    def cancel(self):
        self.is_over = True

    def credit(self, size):
        assert size > 0

    def send_body(self, data, *, last):
        assert not self.is_over
        self.receiver.on_credit(len(data))

    def tell(self, message, buffers=()):
        assert not self.is_over
        if isinstance(message, SocketClose):
            self.is_over = True
            self.receiver.on_end()
        else:
            size = len(buffers[0]) + 64
            asyncio.get_running_loop().call_soon(self.receiver.on_credit, size)

    def go_on(self, action):
        """Answer in one of a few ways, or go on with an answer that has begun."""
        if self.is_over:
            return
        text = b"answer %d." % self.number
        if self.is_socket and not self.has_begun and action != "fail":
            self.has_begun = True
            self.receiver.on_accept(SocketAccept(self.id, b""))
        elif action == "fail":
            self.is_over = True
            failure = Failure(self.id, FailureKind.REPLICA_LOST, "", "")
            self.receiver.on_failure(failure, ())
        elif self.is_socket and action == "stream":
            self.receiver.on_part(SocketPart(self.id, True, False), (text,))
        elif self.is_socket:
            self.is_over = True
            self.receiver.on_close(SocketClose(self.id, 1000, ""))
        elif self.has_begun:
            self.is_over = True
            self.receiver.on_end()
        elif action == "stream":
            self.has_begun = True
            reply = HttpReply(self.id, 200, b"", None, more=True)
            self.receiver.on_reply(reply, (text,))
        else:
            self.is_over = True
            reply = HttpReply(self.id, 200, b"", None, more=False)
            self.receiver.on_reply(reply, (text,))


class Router:
    """Every path but the proxy's own leads to one deployment."""

    is_ready = True

    def __init__(self):
        self.calls: list[Call] = []
        self._ids = itertools.count()

    def match(self, path):
        return RouteEntry(prefix="/", app="app", deployment="app#d")

    def routes(self):
        return {}

    def next_id(self):
        return next(self._ids)

    def submit(self, deployment, message, buffers, receiver):
        call = Call(len(self.calls), message, receiver)
        self.calls.append(call)
        return call

    @property
    def open(self):
        return [each for each in self.calls if not each.is_over]


class State:
    """What uvicorn shares."""

    def __init__(self):
        self.connections: set[Any] = set()


async def converse(data, cuts, actions):
    """Feed the pieces, let the replica act between them, and hang up."""
    router, state = Router(), State()
    door = Door(router, HTTPOptions(websocket_compression=True))
    options: Any = None
    shared: Any = state
    protocol = make_protocol(door)(options, shared, {})
    transport = Transport(protocol)
    protocol.connection_made(transport)
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    actions = itertools.cycle(actions or ["whole"])
    for start, end in itertools.pairwise(edges):
        if transport.protocol is not None:
            transport.protocol.data_received(data[start:end])
        for call in router.open:
            if (action := next(actions)) != "wait":
                call.go_on(action)
        await asyncio.sleep(0)
        assert len(router.open) <= 1, "two calls of one connection at a time"
    transport.lose()
    await asyncio.sleep(0)
    assert not router.open, "a call was left behind"
    assert not state.connections
    return bytes(transport.written)


some_data = st.lists(st.sampled_from(PIECES) | st.binary(max_size=20), max_size=8).map(
    b"".join
)
some_actions = st.lists(
    st.sampled_from(["whole", "stream", "fail", "wait"]), max_size=8
)


@given(some_data, st.lists(st.integers(0, 1 << 20), max_size=12), some_actions)
def test_any_bytes_in_any_pieces(data, cuts, actions):
    written = asyncio.run(converse(data, cuts, actions))

    numbers = [int(each) for each in re.findall(rb"answer (\d+)\.", written)]
    assert numbers == sorted(numbers)


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=12))
def test_noise(data, cuts):
    asyncio.run(converse(data, cuts, []))


@given(
    st.lists(st.sampled_from(PIECES) | st.binary(max_size=40), max_size=8).map(
        b"".join
    ),
    st.lists(st.integers(0, 1 << 20), max_size=12),
    some_actions,
)
def test_any_bytes_on_a_websocket(data, cuts, actions):
    asyncio.run(converse(HANDSHAKE + data, [len(HANDSHAKE), *cuts], actions))
