"""ASGI applications in a replica: FastAPI classes, builders, anything that is ASGI."""

import asyncio
import json
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastapi import APIRouter, Body, Depends, FastAPI, Request
from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from workbench.deployment import ingress
from workbench.replica.context import get_replica_context
from workbench.replica.ingress import build_app
from workbench.wire.messages import FailureKind

pytestmark = pytest.mark.anyio


class Item(BaseModel):
    name: str
    price: float = 1.5


def make_shop() -> Any:  # noqa: C901 - one route per thing that can go wrong
    app = FastAPI(title="Shop")
    router = APIRouter(prefix="/items", tags=["items"])

    class Base:
        name: str

        @app.get("/whoami")
        def whoami(self) -> str:
            return self.name

    @ingress(app)
    class Shop(Base):
        def __init__(self, name="corner"):
            self.name = name

        @app.get("/hello")
        async def hello(self, name: str, times: int = 1) -> str:
            """Greet."""
            return " ".join([f"{self.name} greets {name}"] * times)

        @app.post("/items", response_model=Item, status_code=201)
        async def add(self, item: Item, extra: int = Depends(lambda: 3)):
            return {"name": f"{item.name}{extra}", "price": item.price, "secret": 1}

        @router.get("/{item_id}")
        def get(self, item_id: int, request: Request):
            return {"id": item_id, "url": str(request.url_for("get", item_id=item_id))}

        @app.get("/lines")
        async def lines(self) -> StreamingResponse:
            async def items():
                for number in range(3):
                    yield f"{number}\n"

            return StreamingResponse(items())

        @app.get("/broken")
        async def broken(self):
            raise ValueError("inside")

        @app.put("/body")
        async def body(self, value: list[int] = Body()):
            return sum(value)

        async def plain(self, x):
            return f"{self.name} {x}"

    @app.get("/free")
    def free():
        shop: Any = get_replica_context().servable_object
        return shop.name

    app.include_router(router, prefix="/v1")
    return Shop


@pytest.fixture
async def shop(replica):
    async with replica() as bench:
        await bench.load(make_shop(), max_ongoing_requests=10)
        yield bench


def get(bench, path, query=b"", method="GET", body=b""):
    fields = {"path": f"/p{path}", "raw_path": f"/p{path}".encode()}
    return bench.http(body, method=method, query=query, **fields).done()


async def test_methods_are_routes_and_get_their_instance(shop):
    answer = await get(shop, "/hello", b"name=you&times=2")

    assert json.loads(answer.body) == "corner greets you corner greets you"


async def test_inherited_methods_and_free_functions_are_routes_too(shop):
    answers = [await get(shop, path) for path in ("/whoami", "/free")]

    assert [answer.body for answer in answers] == [b'"corner"'] * 2


async def test_routes_keep_their_options_and_dependencies(shop):
    answer = await get(shop, "/items", method="POST", body=b'{"name": "tea"}')

    assert answer.status == 201
    assert json.loads(answer.body) == {"name": "tea3", "price": 1.5}


async def test_routes_of_included_routers_are_bound(shop):
    answer = await get(shop, "/v1/items/7")

    assert json.loads(answer.body) == {"id": 7, "url": "http://test/p/v1/items/7"}


@pytest.mark.parametrize(
    ("path", "method", "body", "status"),
    [
        ("/hello", "GET", b"", 422),
        ("/nowhere", "GET", b"", 404),
        ("/hello", "DELETE", b"", 405),
        ("/body", "PUT", b"[1, 2]", 200),
        ("/v1/items/x", "GET", b"", 422),
    ],
)
async def test_fastapi_answers_for_itself(shop, path, method, body, status):
    answer = await get(shop, path, method=method, body=body)

    assert answer.status == status


async def test_the_schema_knows_no_self(shop):
    schema = json.loads((await get(shop, "/openapi.json")).body)
    parameters = schema["paths"]["/hello"]["get"]["parameters"]

    assert [each["name"] for each in parameters] == ["name", "times"]
    assert schema["paths"]["/hello"]["get"]["summary"] == "Hello"
    assert schema["paths"]["/v1/items/{item_id}"]["get"]["tags"] == ["items"]
    assert schema["servers"] == [{"url": "/p"}]


async def test_a_streaming_route_streams(shop):
    answer = await get(shop, "/lines")

    assert answer.body == b"0\n1\n2\n"
    assert answer.reply.more


async def test_an_exception_is_500_and_its_traceback_is_logged(shop, caplog):
    answer = await get(shop, "/broken")

    assert (answer.status, answer.body) == (500, b"Internal Server Error")
    assert "ValueError: inside" in caplog.text


async def test_its_methods_can_be_called_by_handle(shop):
    answer = await shop.call("plain", 1).done()
    entry = await shop.call().done()

    assert answer.value == "corner 1"
    assert entry.failure.kind is FailureKind.NO_SUCH_METHOD


async def test_new_code_of_an_ingress_takes_over_its_instance(shop):
    app = FastAPI()

    @ingress(app)
    class Shop:
        name: str

        @app.get("/hello")
        async def hello(self):
            return f"new {self.name}"

    report = await shop.obey("keep", shop.request(Shop))
    answer = await get(shop, "/hello")

    assert (report.refused, report.error) == ("", "")
    assert answer.body == b'"new corner"'


async def test_the_lifespan_runs_and_its_state_reaches_requests(replica):
    events = []

    @asynccontextmanager
    async def lifespan(app):
        events.append("up")
        yield {"model": "loaded"}
        events.append("down")

    async def read(request):
        return PlainTextResponse(request.state.model)

    app = Starlette(routes=[Route("/", read)], lifespan=lifespan)
    async with replica() as bench:
        await bench.load(ingress(app)())
        answer = await get(bench, "/")
        await bench.process.drain(1)

    assert answer.body == b"loaded"
    assert events == ["up", "down"]


async def test_a_failing_startup_is_a_failing_constructor(replica):
    @asynccontextmanager
    async def lifespan(app):
        if app:
            raise ValueError("no model")
        yield

    async with replica() as bench:
        target = ingress(Starlette(lifespan=lifespan))()
        report = await bench.obey("load", bench.request(target))

    assert "ValueError: no model" in report.error


async def test_a_builder_makes_the_app_around_the_instance(replica):
    def build():
        app = FastAPI()
        model: Any = get_replica_context().servable_object

        @app.get("/")
        def read():
            return model.name

        return app

    @ingress(build)
    class Built:
        def __init__(self):
            self.name = "built"

    async with replica() as bench:
        await bench.load(Built)
        answer = await get(bench, "/")

    assert answer.body == b'"built"'


async def test_any_asgi_callable_serves(replica):
    async def app(scope, receive, send):
        assert scope["type"] == "http"
        message = await receive()
        await send({"type": "http.response.start", "status": 299, "headers": []})
        await send({"type": "http.response.body", "body": message["body"] * 2})

    async with replica() as bench:
        await bench.load(ingress(app)())
        answer = await bench.http(b"ab").done()

    assert (answer.status, answer.body, answer.reply.more) == (299, b"abab", False)


async def test_a_bare_router_serves(replica):
    router = APIRouter()

    @ingress(router)
    class Bare:
        @router.get("/x")
        async def read(self):
            return type(self).__name__

    async with replica() as bench:
        await bench.load(Bare)
        answer = await get(bench, "/x")

    assert answer.body == b'"Bare"'


async def test_a_large_body_and_reused_memory_arrive_whole(replica):
    async def app(scope, receive, send):
        assert scope["type"] == "http"
        memory = bytearray(300_000)
        await send({"type": "http.response.start", "status": 200})
        for number in (1, 2):
            memory[:] = bytes([number]) * len(memory)
            body = {"type": "http.response.body", "body": memory, "more_body": True}
            await send(body)
        await send({"type": "http.response.body"})

    async with replica() as bench:
        await bench.load(ingress(app)())
        answer = await bench.http().until(lambda got: got.reply)
        answer.ticket.credit(1_000_000)
        await answer.done()

    assert answer.body == b"\1" * 300_000 + b"\2" * 300_000


async def test_the_head_goes_out_even_if_the_body_takes_its_time(replica):
    gate = asyncio.Event()

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await gate.wait()
        await send({"type": "http.response.body", "body": b"late"})

    async with replica() as bench:
        await bench.load(ingress(app)())
        answer = await bench.http().until(lambda got: got.reply)
        assert answer.reply.more
        bench.process._io.loop.call_soon_threadsafe(gate.set)
        await answer.done()

    assert answer.body == b"late"


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [{"type": "http.response.start", "status": 200}],
        [{"type": "http.response.body", "body": b""}],
        [{"type": "http.response.start", "status": 200}] * 2,
        [{"type": "http.response.start", "status": 101}],
        [{"type": "http.response.start", "status": 200, "headers": [(b"a b", b"")]}],
        [
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"a", b"b\r\nc")],
            }
        ],
        [{"type": "http.response.zerocopy"}],
    ],
    ids=str,
)
async def test_an_app_that_breaks_the_protocol_is_a_failure(replica, messages):
    async def app(scope, receive, send):
        if scope["type"] == "http":
            for message in messages:
                await send(message)

    async with replica() as bench:
        await bench.load(ingress(app)())
        answer = await bench.http().done()

    assert answer.reply is None
    assert answer.failure.kind is FailureKind.USER


async def test_receive_tells_that_the_client_left(replica):
    heard = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def app(scope, receive, send):
        assert scope["type"] == "http"
        await receive()
        try:
            await receive()
        except asyncio.CancelledError:
            if (await receive())["type"] == "http.disconnect":
                loop.call_soon_threadsafe(heard.set)
            raise

    async with replica() as bench:
        await bench.load(ingress(app)())
        answer = bench.http()
        while not (await bench.process.describe()).ongoing:
            await asyncio.sleep(0.001)
        answer.ticket.cancel()
        await asyncio.wait_for(heard.wait(), 10)


def test_mounted_apps_and_own_route_classes_are_bound():
    class OwnRoute(APIRoute):
        def __init__(self, path, endpoint, **options):
            assert "form_limits" not in options
            super().__init__(path, endpoint, **options)

    below = FastAPI()
    below.router.route_class = OwnRoute
    app = Starlette(routes=[Mount("/below", below)])

    @ingress(app)
    class Holder:
        @below.get("/x", name="named", deprecated=True)
        def read(self) -> int:
            return 1

    instance: Any = Holder()
    build_app(Holder, instance)
    route: Any = below.routes[-1]

    assert route.endpoint.__self__ is instance
    assert type(route) is OwnRoute
    assert (route.name, route.deprecated) == ("named", True)


def test_routes_keep_their_order_and_can_be_bound_again():
    shop = make_shop()
    app: Any = shop.__serve_asgi_app__
    paths = [route.path for route in app.routes if hasattr(route, "path")]
    instances = shop("a"), shop("b")
    for instance in instances:
        assert build_app(shop, instance) is app

    assert [route.path for route in app.routes if hasattr(route, "path")] == paths
    endpoints = [each.endpoint for each in app.routes if isinstance(each, APIRoute)]
    owners = {getattr(endpoint, "__self__", None) for endpoint in endpoints}
    assert owners == {instances[1], None}


def test_what_is_no_application_is_refused():
    with pytest.raises(TypeError, match="needs an ASGI application"):
        build_app(ingress(3)(), None)
