"""HTTP: what goes in, what comes out, and with which status."""

import asyncio
import json
import threading

import pytest
from fastapi import Depends, FastAPI, HTTPException, WebSocket
from fastapi.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse, StreamingResponse

behaviour = pytest.mark.behaviour
differs = pytest.mark.differs


@behaviour("a3, §4.2", "__call__ gets a Starlette request")
def test_request(serve, run, http, url):
    @serve.deployment
    class Model:
        async def __call__(self, request):
            return {
                "json": await request.json(),
                "query": dict(request.query_params),
                "method": request.method,
                "path": request.url.path,
            }

    run(Model.bind())

    answer = http.post(f"{url}/x", params={"q": "1"}, json=[1]).json()
    assert answer["json"] == [1]
    assert answer["query"] == {"q": "1"}
    assert answer["method"] == "POST"
    assert answer["path"].endswith("/x")


@behaviour("§4.2", "a __call__ without parameters gets nothing")
def test_no_parameters(serve, run, http, url):
    @serve.deployment
    class Model:
        def __call__(self):
            return "ok"

    run(Model.bind())
    assert http.get(url).text == "ok"


@behaviour("a4, §4.3", "what is returned becomes a response")
@pytest.mark.parametrize(
    ("value", "body", "kind"),
    [
        ("text", b"text", "text/plain"),
        (b"raw", b"raw", "text/plain"),
        ({"a": [1, None]}, b'{"a":[1,null]}', "application/json"),
        ([1, "b"], b'[1,"b"]', "application/json"),
        (3, b"3", "application/json"),
        (None, b"", "text/plain"),
        (JSONResponse({"own": 1}, status_code=201), b'{"own":1}', "application/json"),
    ],
)
def test_conversion(serve, run, http, url, value, body, kind):
    @serve.deployment
    class Model:
        def __call__(self, request):
            return value

    run(Model.bind())

    answer = http.get(url)
    assert answer.content == body
    assert answer.headers["content-type"].startswith(kind)
    assert answer.status_code == (201 if b"own" in body else 200)


@behaviour("a4", "numpy arrays and scalars become JSON")
def test_numpy(serve, run, http, url):
    numpy = pytest.importorskip("numpy")

    @serve.deployment
    class Model:
        def __call__(self, request):
            return {"array": numpy.arange(3), "scalar": numpy.float32(1.5)}

    run(Model.bind())
    assert http.get(url).json() == {"array": [0, 1, 2], "scalar": 1.5}


@behaviour("a14, §4.2", "the longest prefix wins, on whole segments; the rest is 404")
def test_routing(serve, run, name, http, base_url):
    @serve.deployment
    class Who:
        def __init__(self, who):
            self.who = who

        def __call__(self, request):
            return f"{self.who} {request.scope['root_path']}"

    run(Who.bind("outer"), route_prefix=f"/{name}")
    serve.run(Who.bind("inner"), name=f"{name}i", route_prefix=f"/{name}/in")
    try:
        assert http.get(f"{base_url}/{name}/x").text == f"outer /{name}"
        assert http.get(f"{base_url}/{name}/in/x").text == f"inner /{name}/in"
        assert http.get(f"{base_url}/{name}/inside").text.startswith("outer")
        missed = http.get(f"{base_url}/{name}x")
        assert missed.status_code == 404
        assert "/-/routes" in missed.text
    finally:
        serve.delete(f"{name}i")


@behaviour("a38, §4.1", "/-/healthz and /-/routes")
def test_built_in_paths(serve, run, name, http, base_url):
    @serve.deployment
    def answer():
        return 1

    run(answer.bind())

    assert http.get(f"{base_url}/-/healthz").text == "success"
    assert http.get(f"{base_url}/-/routes").json()[f"/{name}"] == name


@behaviour("§4.2, §16.17", "all verbs reach __call__")
@pytest.mark.parametrize("verb", ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_verbs(serve, run, http, url, verb):
    @serve.deployment
    class Model:
        def __call__(self, request):
            return request.method

    run(Model.bind())
    assert http.request(verb, url).text == verb


@behaviour("a21, §4.5", "a user's exception is a 500 without a traceback")
def test_server_error(serve, run, http, url):
    @serve.deployment
    class Model:
        def __call__(self, request):
            raise ValueError("a secret of the server")

    run(Model.bind())

    answer = http.get(url)
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text


@behaviour(
    "a31, §4.6", "X-Request-ID is accepted or made, echoed, and known to user code"
)
def test_request_id(serve, run, part, http, url):
    module = serve.__name__

    @serve.deployment
    class Model:
        def __call__(self, request):
            return request.headers.get("x-request-id", "")

    run(Model.bind())

    given = http.get(url, headers={"X-Request-ID": "mine"})
    assert given.headers["x-request-id"] == "mine"
    assert len(http.get(url).headers["x-request-id"]) >= 16
    assert module


@behaviour("§4.6", "x-request-timeout-seconds: 408, and user code is cancelled")
def test_timeout_header(serve, run, http, url, eventually):
    @serve.deployment
    class Model:
        def __init__(self):
            self.ended = 0

        async def __call__(self, request):
            if "seen" in request.query_params:
                return self.ended
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                self.ended += 1
                raise

    run(Model.bind())

    answer = http.get(url, headers={"x-request-timeout-seconds": "0.3"})
    assert answer.status_code == 408
    assert "timed out" in answer.text
    assert eventually(lambda: http.get(url, params={"seen": 1}).json() == 1)


@behaviour("a12, §4.5", "a client that leaves cancels the request")
def test_disconnect(serve, run, http, url, eventually):
    @serve.deployment(max_ongoing_requests=5)
    class Model:
        def __init__(self):
            self.ended = 0

        async def __call__(self, request):
            if "seen" in request.query_params:
                return self.ended
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                self.ended += 1
                raise

    run(Model.bind())
    with pytest.raises(Exception):
        http.get(url, timeout=0.5)

    assert eventually(lambda: http.get(url, params={"seen": 1}).json() == 1)


@behaviour("a12, §4.3", "StreamingResponse: chunks come as they are made")
def test_streaming(serve, run, http, url):
    @serve.deployment
    class Model:
        async def numbers(self):
            for number in range(5):
                yield f"{number}\n"

        def __call__(self, request):
            return StreamingResponse(self.numbers(), media_type="text/x")

    run(Model.bind())

    with http.stream("GET", url) as answer:
        assert answer.headers["content-type"].startswith("text/x")
        assert "".join(answer.iter_text()).split() == ["0", "1", "2", "3", "4"]


@behaviour("a12", "the first chunk does not wait for the second")
def test_first_chunk_is_not_held_back(serve, run, http, url):
    @serve.deployment(max_ongoing_requests=5)
    class Model:
        def __init__(self):
            self.go = asyncio.Event()

        async def chunks(self):
            yield "first"
            await self.go.wait()
            yield "second"

        async def __call__(self, request):
            if request.method == "POST":
                self.go.set()
                return "go"
            return StreamingResponse(self.chunks())

    run(Model.bind())

    with http.stream("GET", url) as answer:
        chunks = answer.iter_text()
        assert next(chunks) == "first"
        http.post(url)
        assert "".join(chunks) == "second"


@behaviour("b7", "bare generators are streamed, sync and async")
@differs("a bare generator must be wrapped in a StreamingResponse")
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_bare_generators(serve, run, http, url, kind):
    @serve.deployment
    class Sync:
        def __call__(self, request):
            yield "a"
            yield "b"

    @serve.deployment
    class Async:
        async def __call__(self, request):
            yield "a"
            yield "b"

    run({"sync": Sync, "async": Async}[kind].bind())
    assert http.get(url).text == "ab"


@behaviour("§4.5", "an error after the first chunk cuts the connection")
def test_broken_stream(serve, run, http, url):
    @serve.deployment
    class Model:
        async def chunks(self):
            yield "first"
            await asyncio.sleep(0.1)
            raise ValueError("later")

        def __call__(self, request):
            return StreamingResponse(self.chunks())

    run(Model.bind())

    with pytest.raises(Exception), http.stream("GET", url) as answer:
        "".join(answer.iter_text())


@behaviour("a29, §4.5", "a full queue is 503")
def test_full_queue(serve, run, http, url):
    @serve.deployment(max_ongoing_requests=1, max_queued_requests=1)
    class Model:
        async def __call__(self, request):
            await asyncio.sleep(1.5)
            return "ok"

    run(Model.bind())
    statuses = []

    def ask():
        statuses.append(http.get(url).status_code)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(statuses) == {200, 503}
    assert statuses.count(503) >= 4


def shop(serve):
    app = FastAPI()

    @serve.deployment
    @serve.ingress(app)
    class Shop:
        def __init__(self):
            self.sold = 0

        @app.get("/items/{item_id}")
        def read(self, item_id: int, q: str = "none"):
            if item_id == 0:
                raise HTTPException(status_code=418, detail="no item 0")
            return {"id": item_id, "q": q, "sold": self.sold}

        @app.post("/items")
        async def create(self, item: dict[str, str | float]):
            self.sold += 1
            return {**item, "sold": self.sold}

    return Shop.bind()


@behaviour("a5, §4.4", "FastAPI class views: self, validation, HTTPException, bodies")
def test_fastapi(serve, run, http, url):
    run(shop(serve))

    assert http.get(f"{url}/items/3?q=x").json() == {"id": 3, "q": "x", "sold": 0}
    assert http.get(f"{url}/items/zero").status_code == 422
    refused = http.get(f"{url}/items/0")
    assert (refused.status_code, refused.json()) == (418, {"detail": "no item 0"})
    made = http.post(f"{url}/items", json={"name": "a", "price": 1})
    assert made.json() == {"name": "a", "price": 1, "sold": 1}


@behaviour("a34, §4.4", "FastAPI extras: Depends, middleware, CORS, lifespan, docs")
def test_fastapi_extras(serve, run, http, url, name):
    events = []

    async def lifespan(app):
        app.state.ready = "yes"
        yield
        events.append("down")

    from contextlib import asynccontextmanager

    app = FastAPI(lifespan=asynccontextmanager(lifespan))
    app.add_middleware(CORSMiddleware, allow_origins=["http://x.example"])

    def token(token: str = "none"):
        return token

    @serve.deployment
    @serve.ingress(app)
    class Api:
        @app.get("/who")
        def who(self, token: str = Depends(token)):
            return [token, app.state.ready]

    run(Api.bind())

    answer = http.get(f"{url}/who?token=t", headers={"origin": "http://x.example"})
    assert answer.json() == ["t", "yes"]
    assert answer.headers["access-control-allow-origin"] == "http://x.example"
    assert f"/{name}/openapi.json" in http.get(f"{url}/docs").text
    assert "/who" in http.get(f"{url}/openapi.json").json()["paths"]


@behaviour("a33, §4.4", "WebSockets through FastAPI")
def test_websocket(serve, run, url):
    client = pytest.importorskip("websockets.sync.client")
    app = FastAPI()

    @serve.deployment
    @serve.ingress(app)
    class Socket:
        @app.websocket("/ws")
        async def talk(self, socket: WebSocket):
            await socket.accept()
            while True:
                text = await socket.receive_text()
                await socket.send_text(text.upper())

    run(Socket.bind())

    with client.connect(f"{url}/ws".replace("http", "ws"), proxy=None) as socket:
        socket.send("hello")
        assert socket.recv() == "HELLO"


@behaviour("§4.4", "ingress: only classes, and no __call__ beside it")
def test_ingress_restrictions(serve):
    app = FastAPI()
    with pytest.raises(ValueError):

        @serve.ingress(app)
        class Wrong:
            def __call__(self):
                pass

    with pytest.raises(ValueError):
        serve.ingress(app)(lambda: None)


@behaviour("§4.4", "a builder function makes the application in the replica")
def test_builder_function(serve, run, http, url):
    def build():
        app = FastAPI()

        @app.get("/")
        def root():
            return "built"

        return app

    @serve.deployment
    @serve.ingress(build)
    class Api:
        pass

    run(Api.bind())
    assert http.get(f"{url}/").json() == "built"


@behaviour("§4.5", "the queue limit of a deployment behind comes out as 503")
def test_back_pressure_from_behind(serve, run, http, url):
    @serve.deployment(max_ongoing_requests=1, max_queued_requests=1)
    class Back:
        async def __call__(self):
            await asyncio.sleep(1.5)

    @serve.deployment(max_ongoing_requests=20)
    class Front:
        def __init__(self, back):
            self.back = back

        async def __call__(self, request):
            await self.back.remote()
            return "ok"

    run(Front.bind(Back.bind()))
    statuses = []
    threads = [
        threading.Thread(target=lambda: statuses.append(http.get(url).status_code))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(statuses) == {200, 503}


@behaviour("§4.2", "large bodies both ways")
def test_large_bodies(serve, run, http, url):
    @serve.deployment
    class Model:
        async def __call__(self, request):
            return await request.body()

    run(Model.bind())
    body = bytes(range(256)) * 20_000
    assert http.post(url, content=body).content == body


@behaviour("§4.2", "a body can be read as it comes")
def test_streamed_upload(serve, run, http, url):
    @serve.deployment
    class Model:
        async def __call__(self, request):
            return sum([len(chunk) async for chunk in request.stream()])

    run(Model.bind())

    def body():
        for _ in range(20):
            yield bytes(10_000)

    assert http.post(url, content=body()).json() == 200_000


@behaviour("§16.16", "headers and status of the user's response are kept")
def test_own_headers(serve, run, http, url):
    @serve.deployment
    class Model:
        def __call__(self, request):
            return JSONResponse({}, 202, headers={"x-own": "1", "set-cookie": "a=b"})

    run(Model.bind())

    answer = http.get(url)
    assert answer.status_code == 202
    assert answer.headers["x-own"] == "1"
    assert answer.cookies["a"] == "b"


@behaviour("a27", "an update under load loses no request")
def test_update_under_load(serve, run, http, url):
    def version(number):
        @serve.deployment(name="Model", num_replicas=2)
        class Model:
            async def __call__(self, request):
                await asyncio.sleep(0.01)
                return number

        return Model.bind()

    run(version(0))
    stop, statuses = threading.Event(), []

    def ask():
        while not stop.is_set():
            statuses.append(http.get(url).status_code)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in (1, 2):
        run(version(number))
    stop.set()
    for thread in threads:
        thread.join()

    assert http.get(url).json() == 2
    assert set(statuses) == {200}
    assert json.dumps(len(statuses))
