"""A real uvicorn with our protocol on a real port, and a router that tests can drive.

The server runs on a loop of its own; tests talk to it over plain blocking sockets and
answer calls themselves, from their own thread.
"""

import contextlib
import itertools
import json
import queue
import socket
import threading

from workbench.loop import LoopThread
from workbench.proxy.door import Door
from workbench.proxy.port import open_port
from workbench.proxy.server import HttpServer
from workbench.routing.table import RouteIndex
from workbench.spec.http import HTTPOptions
from workbench.spec.table import RouteEntry, Table
from workbench.wire.messages import (
    SOCKET_PART_BYTES,
    Failure,
    HttpReply,
    SocketAccept,
    SocketClose,
    SocketPart,
)

PATIENCE_S = 60.0
GET = b"GET /held HTTP/1.1\r\nHost: h\r\n\r\n"
ECHO = b"GET /echo HTTP/1.1\r\nHost: h\r\n\r\n"
MIB = 1024 * 1024


def post(body, *lines, path=b"/held"):
    """A POST with a content-length and further header lines."""
    size = b"Content-Length: %d" % len(body)
    head = b"\r\n".join((b"POST %b HTTP/1.1" % path, b"Host: h", size, *lines))
    return head + b"\r\n\r\n" + body


def send_what_fits(client, router, data):
    """Send until the server reads no more, however often it is given the time to."""
    client.socket.setblocking(False)
    sent = refusals = 0
    while sent < len(data) and refusals < 100:
        try:
            sent += client.socket.send(data[sent : sent + MIB])
        except BlockingIOError:
            refusals += 1
            router.settle()
    client.socket.settimeout(PATIENCE_S)
    return sent


class FakeCall:
    """A call as a replica has it: what came, and ways to answer. A `Ticket` as well."""

    def __init__(self, router, message, buffers, receiver):
        self.message = message
        self.body = bytearray(b"".join(buffers))
        self.is_complete = not message.more_body
        self.is_cancelled = False
        self.credited = 0
        self.sent_ns = 0
        self.parts = []
        self.closed = None
        self._router = router
        self._receiver = receiver
        self._changed = threading.Condition()

    # What the proxy calls, on its loop.

    def cancel(self):
        with self._changed:
            self.is_cancelled = True
            self._changed.notify_all()

    def credit(self, size):
        with self._changed:
            self.credited += size
            self._changed.notify_all()

    def send_body(self, data, *, last):
        with self._changed:
            self.body += data
            self.is_complete = last
            self._changed.notify_all()
        self._router.on_body(self, len(data))

    def tell(self, message, buffers=()):
        with self._changed:
            if isinstance(message, SocketClose):
                self.closed = (message.code, message.reason)
            else:
                self.parts.append((message, b"".join(buffers)))
            self._changed.notify_all()

    # What tests call, on their own thread.

    def accept(self, head=b""):
        self._tell("on_accept", SocketAccept(self.message.id, head))

    def part(self, data, *, more=False):
        """Send a message, or part of one, on a WebSocket."""
        is_text = isinstance(data, str)
        message = SocketPart(self.message.id, is_text, more)
        self._tell("on_part", message, (data.encode() if is_text else data,))

    def close(self, code=1000, reason=""):
        self._tell("on_close", SocketClose(self.message.id, code, reason))

    def next_message(self):
        """The next message that came on the WebSocket, whole; its room is given back."""
        data = b""
        while True:
            self.wait_until(lambda self: self.parts)
            part, piece = self.parts.pop(0)
            self.use_body(len(piece) + SOCKET_PART_BYTES)
            data += piece
            if not part.more:
                return data.decode() if part.is_text else data

    def wait_until(self, claim):
        """Wait until a claim about this call holds."""
        with self._changed:
            assert self._changed.wait_for(lambda: claim(self), PATIENCE_S)

    def reply(
        self, status=200, body=b"", *, head=b"", length=None, more=False, spent=None
    ):
        message = HttpReply(self.message.id, status, head, length, more, spent)
        self._tell("on_reply", message, (body,) if body else ())

    def chunk(self, data):
        self._tell("on_chunk", (data,))

    def end(self):
        self._tell("on_end")

    def fail(self, kind, message="why"):
        failure = Failure(self.message.id, kind, "SomeError", message, "secret trace")
        self._tell("on_failure", failure, ())

    def use_body(self, size):
        """Give credit, as a replica does whose code has read some of the body."""
        self._tell("on_credit", size)

    def _tell(self, method, *args):
        def tell():
            if not self.is_cancelled:  # as a router promises
                getattr(self._receiver, method)(*args)

        self._router.loop.call_soon_threadsafe(tell)


class FakeRouter:
    """Two applications: `/echo` answers by itself, `/held` is for the test to answer.

    `/echo` says what it was sent; calls to `/held` come out of `next_call`.
    """

    def __init__(self, loop):
        self.loop = loop
        self.is_ready = True
        self.calls: queue.Queue[FakeCall] = queue.Queue()
        self._ids = itertools.count(1)
        self._index = RouteIndex(
            Table(
                routes=(
                    RouteEntry(prefix="/held", app="held", deployment="held#d"),
                    RouteEntry(prefix="/echo", app="echo", deployment="echo#d"),
                )
            )
        )

    def match(self, path):
        return self._index.match(path) if self.is_ready else None

    def routes(self):
        return self._index.apps()

    def next_id(self):
        return next(self._ids)

    def submit(self, deployment, message, buffers, receiver):
        call = FakeCall(self, message, buffers, receiver)
        if deployment == "held#d":
            self.calls.put(call)
        else:
            self.on_body(call, len(call.body))
        return call

    def next_call(self):
        """The next call to `/held`."""
        return self.calls.get(timeout=PATIENCE_S)

    def settle(self):
        """Wait until the server has done all that it was told so far."""
        done = threading.Event()
        self.loop.call_soon_threadsafe(done.set)
        assert done.wait(PATIENCE_S)

    def on_body(self, call, size):
        if not call.message.root_path.endswith("/echo"):
            return
        call.use_body(size)
        if call.is_complete:
            facts = {
                "method": call.message.method,
                "path": call.message.path,
                "query": call.message.query.decode(),
                "body": call.body.decode("latin-1"),
            }
            head = b"content-type: application/json\r\n"
            call.reply(body=json.dumps(facts).encode(), head=head)


class Server:
    """What a test holds of a running server."""

    def __init__(self, router, http_server, io, port):
        self.router = router
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._http_server = http_server
        self._io = io

    def client(self):
        return RawClient(self.port)

    def begin_closing(self):
        """Start a graceful stop; returns its future."""
        return self._io.submit(self._http_server.close())


@contextlib.contextmanager
def running_server(options=None, **door_options):
    """A server for the length of a block."""
    io = LoopThread("door").start()
    router = FakeRouter(io.loop)
    sock = open_port("127.0.0.1", 0)
    port = sock.getsockname()[1]

    async def start():
        door = Door(router, options or HTTPOptions(), **door_options)
        server = HttpServer(door, sock, grace_s=1)
        await server.open()
        return server

    try:
        http_server = io.submit(start()).result(PATIENCE_S)
    except BaseException:
        io.stop()
        raise
    try:
        yield Server(router, http_server, io, port)
    finally:
        io.submit(http_server.close()).result(PATIENCE_S)
        io.stop()


class Answer:
    """One HTTP answer as it came over the wire."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def __repr__(self):
        return f"Answer({self.status}, {self.headers}, {bytes(self.body[:200])!r})"


class ClosedError(Exception):
    """The server closed the connection before the answer was complete."""


class RawClient:
    """A client that sends exactly the bytes it is told to."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = bytearray()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def ask(self, data, method="GET"):
        """Send a request and read its answer."""
        self.send(data)
        return self.read(method)

    def read(self, method="GET"):
        """Read one answer."""
        head = self.read_until(b"\r\n\r\n").decode("latin-1")
        status_line, *lines = head.strip().split("\r\n")
        headers = {}
        for line in lines:
            name, _, value = line.partition(": ")
            assert name not in headers, f"{name} comes twice"
            headers[name] = value
        status = int(status_line.split(" ")[1])
        return Answer(status, headers, self._read_body(method, status, headers))

    def read_until(self, mark):
        while mark not in self._received:
            self._receive()
        end = self._received.index(mark) + len(mark)
        return self._take(end)

    def read_rest(self):
        """Everything up to the server's close."""
        with contextlib.suppress(ClosedError):
            while True:
                self._receive()
        return self._take(len(self._received))

    def assert_closed(self):
        assert self.read_rest() == b""

    def _read_body(self, method, status, headers):
        if method == "HEAD" or status in {100, 204, 304}:
            return b""
        if headers.get("transfer-encoding") == "chunked":
            return self._read_chunks()
        if "content-length" in headers:
            return self._read_exactly(int(headers["content-length"]))
        return self.read_rest()

    def _read_chunks(self):
        body = b""
        while size := int(self.read_until(b"\r\n"), 16):
            body += self._read_exactly(size)
            assert self._read_exactly(2) == b"\r\n"
        assert self._read_exactly(2) == b"\r\n"
        return body

    def _read_exactly(self, size):
        while len(self._received) < size:
            self._receive()
        return self._take(size)

    def _receive(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError as error:
            raise ClosedError from error
        if not data:
            raise ClosedError
        self._received += data

    def _take(self, size):
        taken = bytes(self._received[:size])
        del self._received[:size]
        return taken
