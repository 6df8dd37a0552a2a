"""WebSockets of ASGI applications: a real client, a real proxy's door, one replica."""

import asyncio
import contextlib
import inspect
from typing import Any

import pytest
from fastapi import FastAPI, HTTPException
from fastapi import WebSocket as FastAPISocket
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.unit.replica.conftest import KEY, PATIENCE_S
from workbench.deployment import ingress
from workbench.proxy.door import Door
from workbench.proxy.port import open_port
from workbench.proxy.server import HttpServer
from workbench.spec.http import HTTPOptions
from workbench.spec.table import RouteEntry

pytestmark = pytest.mark.anyio

MIB = 1024 * 1024


class Site:
    """A replica behind a door."""

    def __init__(self, bench, door, port):
        self.bench = bench
        self.door = door
        self.url = f"ws://127.0.0.1:{port}/p"

    @property
    def ongoing(self):
        return self.bench.process._server.ongoing

    def connect(self, path="/", **options):
        options.setdefault("compression", None)
        return connect(self.url + path, proxy=None, **options)

    async def refused(self, path="/"):
        with pytest.raises(InvalidStatus) as refusal:
            await self.connect(path)
        return refusal.value.response

    async def until_free(self):
        await eventually(lambda: self.ongoing == 0)


async def eventually(claim):
    async with asyncio.timeout(PATIENCE_S):
        while not claim():
            await asyncio.sleep(0)


async def close_of(client):
    with pytest.raises(ConnectionClosed) as closed:
        await client.recv()
    received = closed.value.rcvd
    assert received is not None, "the connection ended without a close"
    return received.code, received.reason


class _Routed:
    """The bench's router, with a route to its one deployment."""

    def __init__(self, router):
        self._router = router
        self._route = RouteEntry(prefix="/p", app="app", deployment=KEY)

    def match(self, path):
        return self._route

    def __getattr__(self, name):
        return getattr(self._router, name)


@pytest.fixture
def site(replica):
    """Makes `async with site(endpoint_or_app) as site`."""

    @contextlib.asynccontextmanager
    async def make(app, **options):
        options.setdefault("max_ongoing_requests", 10)
        async with replica() as bench:
            await bench.load(deployed(app), **options)
            routes: Any = _Routed(bench.router)
            door = Door(routes, HTTPOptions())
            sock = open_port("127.0.0.1", 0)
            port = sock.getsockname()[1]
            server = HttpServer(door, sock, grace_s=1)
            await server.open()
            try:
                yield Site(bench, door, port)
            finally:
                await server.close()

    return make


def deployed(app):
    if inspect.iscoroutinefunction(app):  # a Starlette endpoint
        app = Starlette(routes=[WebSocketRoute("/{rest:path}", app)])

    @ingress(app)
    class App:
        pass

    return App


async def echo(socket: WebSocket):
    await socket.accept()
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            break
        await socket.send(
            {
                "type": "websocket.send",
                "text": message.get("text"),
                "bytes": message.get("bytes"),
            }
        )


class TestOpening:
    async def test_the_scope_is_whole(self, site):
        seen: dict[str, Any] = {}

        async def endpoint(socket):
            seen.update(socket.scope)
            await socket.accept("two", [(b"x-own", b"1"), (b"upgrade", b"other")])

        async with site(endpoint) as here:
            client = await here.connect(
                "/a%20b?c=d", subprotocols=["one", "two"], origin="http://o"
            )
            await client.wait_closed()

        assert (seen["type"], seen["scheme"]) == ("websocket", "ws")
        assert (seen["path"], seen["root_path"]) == ("/p/a b", "/p")
        assert seen["query_string"] == b"c=d"
        assert seen["subprotocols"] == ["one", "two"]
        assert dict(seen["headers"])[b"origin"] == b"http://o"
        assert "method" not in seen
        assert client.subprotocol == "two"
        assert client.response.headers["x-own"] == "1"

    async def test_closing_before_accepting_is_403(self, site):
        async with site(lambda scope, receive, send: _deny(send)) as here:
            assert (await here.refused()).status_code == 403
            await here.until_free()

    async def test_a_denial_may_be_any_response(self, site):
        async def endpoint(socket):
            await socket.send_denial_response(JSONResponse({"why": 1}, 401))

        async with site(endpoint) as here:
            response = await here.refused()

            assert (response.status_code, response.body) == (401, b'{"why":1}')
            await here.until_free()

    async def test_an_exception_is_500(self, site):
        async def endpoint(socket):
            raise ValueError("inside")

        async with site(endpoint) as here:
            response = await here.refused()

            assert response.status_code == 500
            assert b"inside" not in response.body
            await here.until_free()

    async def test_fastapi_answers_for_itself(self, site):
        app = FastAPI()

        @app.websocket("/number/{number}")
        async def number(socket: FastAPISocket, number: int):
            if number < 0:
                raise HTTPException(418, "negative")
            await socket.accept()
            await socket.send_json({"number": number})
            await socket.close(4000, "bye")

        async with site(app) as here:
            async with here.connect("/number/3") as client:
                assert await client.recv() == '{"number":3}'
                assert await close_of(client) == (4000, "bye")
            assert (await here.refused("/number/-1")).status_code == 418
            assert (await here.refused("/number/x")).status_code == 403
            assert (await here.refused("/nowhere")).status_code == 403

    async def test_what_is_no_application_says_so(self, replica, site):
        async with site(echo) as here:
            await here.bench.process.drain(0)

        def plain(request):
            return "plain"

        async with replica() as bench:
            await bench.load(plain)
            routes: Any = _Routed(bench.router)
            sock = open_port("127.0.0.1", 0)
            server = HttpServer(Door(routes, HTTPOptions()), sock, grace_s=1)
            await server.open()
            response = await Site(bench, None, sock.getsockname()[1]).refused()
            await server.close()

        assert response.status_code == 501
        assert b"@serve.ingress" in response.body


async def _deny(send):
    await send({"type": "websocket.close"})


class TestMessages:
    @pytest.mark.parametrize("message", ["ä€", b"\0\xff", "", b"", "ä" * MIB])
    async def test_come_back(self, site, message):
        async with site(echo) as here, here.connect(max_size=4 * MIB) as client:
            await client.send(message)

            assert await client.recv() == message

    async def test_fragments_are_one(self, site):
        async with site(echo) as here, here.connect() as client:
            await client.send(iter(["a", "b", "", "c"]))

            assert await client.recv() == "abc"

    async def test_senders_do_not_mix(self, site):
        async def endpoint(socket):
            await socket.accept()
            large = [socket.send_bytes(bytes([each]) * 2 * MIB) for each in range(4)]
            small = [socket.send_text("small") for _ in range(20)]
            await asyncio.gather(*large, *small)

        async with site(endpoint) as here, here.connect(max_size=4 * MIB) as client:
            messages = [message async for message in client]

        sizes = sorted(map(len, messages))
        assert sizes == [5] * 20 + [2 * MIB] * 4
        assert all(len(set(message)) == 1 for message in messages if len(message) > 5)

    async def test_text_that_is_none_closes_with_1007(self, site):
        async with site(echo) as here, here.connect() as client:
            await client.send(b"\xff", text=True)

            assert (await close_of(client))[0] == 1007
            await here.until_free()


class TestHoldingBack:
    async def test_an_application_that_does_not_read_holds_the_client_back(self, site):
        go = asyncio.Event()
        received: list[int] = []

        async def endpoint(socket):
            await socket.accept()
            await asyncio.to_thread(lambda: None)
            await wait_in(here, go)
            while len(received) < 100:
                message = await socket.receive_bytes()
                received.append(len(message))

        async with site(endpoint) as here, here.connect() as client:
            sending = asyncio.create_task(_send_all(client, [bytes(MIB)] * 100))
            done, _ = await asyncio.wait({sending}, timeout=0.3)
            assert not done
            go.set()
            await sending
            await client.wait_closed()

        assert received == [MIB] * 100

    async def test_a_client_that_does_not_read_holds_the_application_back(self, site):
        sent = []

        async def endpoint(socket):
            await socket.accept()
            for _ in range(1000):
                await socket.send_bytes(bytes(100_000))
                sent.append(100_000)

        async with site(endpoint) as here:
            client = await here.connect(max_queue=1)
            await eventually(lambda: sum(sent) > MIB // 4)
            await asyncio.sleep(0.2)
            assert sum(sent) < 32 * MIB
            received = [len(message) async for message in client]

        assert received == [100_000] * 1000


async def wait_in(_site, event):
    """Wait in the replica's loop for an event of the test's loop."""
    while not event.is_set():
        await asyncio.sleep(0.01)


async def _send_all(client, messages):
    for message in messages:
        await client.send(message)


class TestEnding:
    async def test_the_client_closes(self, site):
        seen = []

        async def endpoint(socket):
            await socket.accept()
            with pytest.raises(WebSocketDisconnect) as left:
                await socket.receive_text()
            seen.append((left.value.code, left.value.reason))

        async with site(endpoint) as here:
            async with here.connect() as client:
                await client.close(4001, "enough")
            await here.until_free()

        assert seen == [(4001, "enough")]

    async def test_the_client_vanishes(self, site):
        seen = []

        async def endpoint(socket):
            await socket.accept()
            seen.append(await socket.receive())

        async with site(endpoint) as here:
            client = await here.connect()
            client.transport.abort()
            await here.until_free()

        assert seen == [{"type": "websocket.disconnect", "code": 1006, "reason": ""}]

    async def test_a_client_that_leaves_frees_whoever_only_sends(self, site, caplog):
        async def endpoint(socket):
            await socket.accept()
            while True:
                await socket.send_bytes(bytes(100_000))
                await asyncio.sleep(0)

        async with site(endpoint) as here:
            client = await here.connect()
            await client.recv()
            client.transport.abort()
            await here.until_free()

        assert "failed" not in caplog.text

    async def test_a_client_that_leaves_before_it_opens_cancels(self, site):
        begun, ended = [], []

        async def endpoint(socket):
            begun.append(1)
            try:
                await asyncio.sleep(PATIENCE_S)
            except asyncio.CancelledError:
                ended.append("cancelled")
                raise

        async with site(endpoint) as here:
            opening = asyncio.ensure_future(here.connect())
            await eventually(lambda: begun)
            opening.cancel()
            await here.until_free()

        assert ended == ["cancelled"]

    async def test_an_application_that_returns_closes_with_1000(self, site):
        async def endpoint(socket):
            await socket.accept()

        async with site(endpoint) as here, here.connect() as client:
            assert (await close_of(client))[0] == 1000

    async def test_an_exception_closes_with_1011_and_is_logged(self, site, caplog):
        async def endpoint(socket):
            await socket.accept()
            raise ValueError("inside")

        async with site(endpoint) as here, here.connect() as client:
            assert await close_of(client) == (1011, "")
            await here.until_free()

        assert "ValueError: inside" in caplog.text

    async def test_a_code_that_cannot_be_sent_is_an_error_with_advice(
        self, site, caplog
    ):
        async def endpoint(socket):
            await socket.accept()
            await socket.close(1006)

        async with site(endpoint) as here, here.connect() as client:
            assert (await close_of(client))[0] == 1011

        assert "use 1000, or 4000 to 4999" in caplog.text

    async def test_a_long_reason_is_cut(self, site):
        async def endpoint(socket):
            await socket.accept()
            await socket.close(4000, "ä" * 100)

        async with site(endpoint) as here, here.connect() as client:
            assert await close_of(client) == (4000, "ä" * 61)


class TestSlots:
    async def test_an_open_socket_holds_a_slot(self, site):
        async with site(echo, max_ongoing_requests=1) as here:
            first = await here.connect()
            opening = asyncio.ensure_future(here.connect(open_timeout=PATIENCE_S))
            done, _ = await asyncio.wait({opening}, timeout=0.1)
            assert not done

            await first.close()
            second = await opening
            await second.send("here")
            assert await second.recv() == "here"
            await second.close()

    async def test_a_drain_waits_for_open_sockets_then_closes_with_1012(self, site):
        async with site(echo) as here:
            client = await here.connect()
            patient = await here.connect()
            draining = asyncio.create_task(here.bench.process.drain(0.3))
            await client.send("still here")
            assert await client.recv() == "still here"
            await client.close()

            assert (await close_of(patient))[0] == 1012
            await draining
