"""FastAPI and other ASGI applications, whole, as in the documentation of each."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from fastapi import (
    APIRouter,
    BackgroundTasks,
    Depends,
    FastAPI,
    File,
    Form,
    Header,
    HTTPException,
    Request,
    Response,
    UploadFile,
)
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Mount, Route

from tests.integration.conftest import eventually
from workbench import serve
from workbench.serve.handle import DeploymentHandle


def serve_app(run, app):
    """Deploy a bare application."""
    return run(serve.deployment(serve.ingress(app)()).bind())


class Item(BaseModel):
    name: str
    price: float = 1.5


class OopsError(Exception):
    pass


def test_class_views_with_everything_a_route_can_have(  # noqa: C901 - many routes
    run, http, url
):
    app = FastAPI()
    router = APIRouter(prefix="/items", tags=["items"])

    def need_token(x_token: str = Header()):
        if x_token != "right":
            raise HTTPException(401, "wrong token")
        return x_token

    async def counted():
        steps.append("open")
        yield len(steps)
        steps.append("closed")

    steps: list[str] = []

    @serve.deployment
    @serve.ingress(app)
    class Shop:
        def __init__(self, name):
            self.name = name
            self.steps = steps

        @app.get("/", response_class=HTMLResponse)
        def home(self):
            return f"<h1>{self.name}</h1>"

        @app.get("/guarded")
        async def guarded(self, token: str = Depends(need_token)):
            return [self.name, token]

        @app.get("/counted")
        async def count(self, number: int = Depends(counted)):
            return number

        @app.get("/steps")
        async def seen(self):
            return self.steps

        @app.post("/items", response_model=Item, status_code=201)
        async def add(self, item: Item):
            return {"name": f"{self.name}'s {item.name}", "secret": 1}

        @router.get("/{number}", name="one")
        def get(self, number: int, request: Request, q: str | None = None):
            return {"url": str(request.url_for("one", number=number)), "q": q}

    app.include_router(router)
    run(Shop.bind("corner"))

    assert http.get(f"{url}/").text == "<h1>corner</h1>"
    assert http.get(url, follow_redirects=True).text == "<h1>corner</h1>"
    assert http.get(f"{url}/guarded").status_code == 422
    assert http.get(f"{url}/guarded", headers={"x-token": "no"}).status_code == 401
    answer = http.get(f"{url}/guarded", headers={"x-token": "right"})
    assert answer.json() == ["corner", "right"]
    assert http.get(f"{url}/counted").json() == 1
    assert http.get(f"{url}/steps").json() == ["open", "closed"]
    added = http.post(f"{url}/items", json={"name": "tea"})
    assert (added.status_code, added.json()) == (
        201,
        {"name": "corner's tea", "price": 1.5},
    )
    assert http.get(f"{url}/items/3?q=x").json() == {"url": f"{url}/items/3", "q": "x"}


def test_redirects_forms_and_cookies(run, http, url):
    app = FastAPI()

    @serve.deployment
    @serve.ingress(app)
    class Site:
        @app.get("/old")
        def old(self):
            return RedirectResponse("new", status_code=307)

        @app.post("/form")
        def form(self, user: str = Form(), age: int = Form()):
            return {user: age}

        @app.get("/cookie")
        def cookie(self, request: Request, response: Response):
            response.set_cookie("seen", "yes")
            response.set_cookie("twice", "yes")
            return request.cookies

    run(Site.bind())

    assert http.get(f"{url}/old").headers["location"] == "new"
    form = http.post(f"{url}/form", data={"user": "me", "age": "7"})
    assert form.json() == {"me": 7}
    cookie = http.get(f"{url}/cookie", headers={"cookie": "a=b"})
    assert cookie.json() == {"a": "b"}
    assert len(cookie.headers.get_list("set-cookie")) == 2


def test_docs_and_schema_are_right_under_a_prefix(run, http, url, app_name):
    app = FastAPI(title="Documented")

    @app.get("/answer")
    def answer() -> int:
        return 42

    serve_app(run, app)

    docs = http.get(f"{url}/docs").text
    assert f"/{app_name}/openapi.json" in docs
    assert f"/{app_name}/openapi.json" in http.get(f"{url}/redoc").text
    schema = http.get(f"{url}/openapi.json").json()
    assert schema["servers"] == [{"url": f"/{app_name}"}]
    assert list(schema["paths"]) == ["/answer"]
    assert http.get(f"{url}/answer/").url.path == f"/{app_name}/answer/"
    assert http.get(f"{url}/answer/", follow_redirects=True).json() == 42


def test_middleware_and_cors(run, http, url):
    app = FastAPI()
    app.add_middleware(CORSMiddleware, allow_origins=["http://a"], allow_methods=["*"])
    app.add_middleware(GZipMiddleware, minimum_size=100)

    @app.middleware("http")
    async def stamp(request: Request, call_next):
        answer = await call_next(request)
        answer.headers["x-stamp"] = request.url.path
        return answer

    @app.get("/long")
    def long():
        return "x" * 1000

    serve_app(run, app)

    preflight = http.options(
        f"{url}/long",
        headers={"origin": "http://a", "access-control-request-method": "GET"},
    )
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == "http://a"
    answer = http.get(f"{url}/long", headers={"origin": "http://a"})
    assert answer.headers["access-control-allow-origin"] == "http://a"
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["x-stamp"].endswith("/long")
    assert answer.json() == "x" * 1000
    stranger = http.get(f"{url}/long", headers={"origin": "http://b"})
    assert "access-control-allow-origin" not in stranger.headers


def test_exception_handlers_validation_and_crashes(run, http, url):
    app = FastAPI()

    @app.exception_handler(OopsError)
    async def on_oops(request: Request, error: OopsError):
        return JSONResponse({"oops": str(error)}, 418)

    @app.get("/oops")
    def oops():
        raise OopsError("mine")

    @app.get("/crash")
    def crash():
        raise ValueError("inside")

    @app.get("/teapot")
    def teapot():
        raise HTTPException(409, {"why": "reasons"}, {"x-why": "1"})

    @app.get("/number/{number}")
    def number(number: int):
        return number

    serve_app(run, app)

    oops_answer = http.get(f"{url}/oops")
    assert (oops_answer.status_code, oops_answer.json()) == (418, {"oops": "mine"})
    crashed = http.get(f"{url}/crash")
    assert (crashed.status_code, crashed.text) == (500, "Internal Server Error")
    refused = http.get(f"{url}/teapot")
    assert (refused.status_code, refused.json()) == (
        409,
        {"detail": {"why": "reasons"}},
    )
    assert refused.headers["x-why"] == "1"
    invalid = http.get(f"{url}/number/x")
    assert invalid.status_code == 422
    assert invalid.json()["detail"][0]["loc"] == ["path", "number"]
    assert http.get(f"{url}/nowhere").status_code == 404
    assert http.put(f"{url}/oops").status_code == 405


def test_lifespan_state_and_background_tasks(run, http, url):
    @asynccontextmanager
    async def lifespan(app: FastAPI):
        app.state.done = []
        yield {"greeting": "hello"}

    app = FastAPI(lifespan=lifespan)

    @app.get("/work")
    async def work(tasks: BackgroundTasks, request: Request):
        async def later(what):
            await asyncio.sleep(0)
            request.app.state.done.append(what)

        tasks.add_task(later, "one")
        tasks.add_task(request.app.state.done.append, "two")
        return request.state.greeting

    @app.get("/done")
    async def done(request: Request):
        return request.app.state.done

    serve_app(run, app)

    assert http.get(f"{url}/work").json() == "hello"
    assert eventually(lambda: http.get(f"{url}/done").json() == ["one", "two"])


def test_files_go_up_and_down(run, http, url, tmp_path):
    app = FastAPI()
    shelf = tmp_path / "shelf.bin"
    content = bytes(range(256)) * 20_000
    shelf.write_bytes(content)
    path = str(shelf)

    @app.post("/upload")
    async def upload(files: list[UploadFile], note: str = Form(), raw: bytes = File()):
        sizes = [[each.filename, len(await each.read())] for each in files]
        return {"sizes": sizes, "note": note, "raw": len(raw)}

    @app.post("/stream")
    async def stream(request: Request):
        return sum([len(piece) async for piece in request.stream()])

    @app.get("/download")
    def download():
        return FileResponse(path, filename="name.bin")

    serve_app(run, app)

    up = http.post(
        f"{url}/upload",
        data={"note": "hello"},
        files=[
            ("files", ("a.txt", b"abc")),
            ("files", ("b.bin", content)),
            ("raw", ("c", b"12")),
        ],
    )
    assert up.json() == {
        "sizes": [["a.txt", 3], ["b.bin", len(content)]],
        "note": "hello",
        "raw": 2,
    }
    assert http.post(f"{url}/stream", content=content).json() == len(content)
    down = http.get(f"{url}/download")
    assert down.content == content
    assert 'filename="name.bin"' in down.headers["content-disposition"]
    part = http.get(f"{url}/download", headers={"range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, content[10:20])
    head = http.head(f"{url}/download")
    assert head.status_code == 405  # as FastAPI has it: only what is declared


def test_sub_applications_know_their_place(run, http, url):
    app, sub = FastAPI(), FastAPI()

    @sub.get("/where")
    def where(request: Request):
        return [request.scope["root_path"], str(request.url_for("where"))]

    app.mount("/sub", sub)
    app.mount("/plain", Starlette(routes=[Route("/x", _plain)]))
    serve_app(run, app)

    root_path, itself = http.get(f"{url}/sub/where").json()
    assert url.endswith(root_path.removesuffix("/sub"))
    assert itself == f"{url}/sub/where"
    assert http.get(f"{url}/plain/x").text == "plain"
    assert f"{root_path}/openapi.json" in http.get(f"{url}/sub/docs").text


async def _plain(request):
    return PlainTextResponse("plain")


def test_starlette_and_any_asgi_callable(run, http, url):
    async def raw(scope, receive, send):
        assert scope["type"] == "http"
        body = b""
        while True:
            message = await receive()
            body += message["body"]
            if not message["more_body"]:
                break
        start = {"type": "http.response.start", "status": 202, "headers": []}
        await send(start)
        for piece in (body, b"!"):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body"})

    app = Starlette(
        routes=[Route("/x", _plain), Mount("/raw", raw)],
        middleware=[Middleware(GZipMiddleware)],
    )
    serve_app(run, app)

    assert http.get(f"{url}/x").text == "plain"
    answer = http.post(f"{url}/raw/y", content=b"hello")
    assert (answer.status_code, answer.text) == (202, "hello!")


def test_a_builder_makes_the_app_in_the_replica(run, http, url):
    def build():
        app = FastAPI()

        @app.get("/who")
        def who():
            return serve.get_replica_context().servable_object.name

        return app

    @serve.deployment
    @serve.ingress(build)
    class Named:
        def __init__(self):
            self.name = "me"

    run(Named.bind())

    assert http.get(f"{url}/who").json() == "me"


def test_a_class_makes_the_app_from_its_instance(run, http, url):
    @serve.deployment
    @serve.ingress()
    class Made:
        def __init__(self, routes):
            self.routes = routes

        def __serve_build_asgi_app__(self):
            app = FastAPI()
            for route in self.routes:
                app.get(f"/{route}")(lambda route=route: route)
            return app

    run(Made.bind(["a", "b"]))

    assert http.get(f"{url}/a").json() == "a"
    assert http.get(f"{url}/b").json() == "b"
    assert http.get(f"{url}/c").status_code == 404


def test_calls_to_others_and_what_they_refuse(run, http, url):
    app = FastAPI()

    @serve.deployment(max_ongoing_requests=1, max_queued_requests=1)
    class Slow:
        async def __call__(self, seconds: float) -> str:
            await asyncio.sleep(seconds)
            return "slept"

    @serve.deployment
    @serve.ingress(app)
    class Front:
        def __init__(self, slow: DeploymentHandle):
            self.slow = slow

        @app.get("/sleep")
        async def sleep(self, seconds: float) -> str:
            return await self.slow.remote(seconds)

        @app.get("/crowd")
        async def crowd(self):
            calls = [self.slow.remote(5) for _ in range(5)]
            return await asyncio.gather(*calls)

    run(Front.bind(Slow.bind()))

    assert http.get(f"{url}/sleep", params={"seconds": 0}).json() == "slept"
    crowded = http.get(f"{url}/crowd")
    assert crowded.status_code == 503
    assert "max_queued_requests" in crowded.text


def test_what_cannot_be_an_ingress_says_so():
    with pytest.raises(ValueError, match="must decorate a class"):
        serve.ingress(FastAPI())(lambda: None)
    with pytest.raises(ValueError, match="remove __call__"):

        @serve.ingress(FastAPI())
        class Both:
            def __call__(self):
                pass

    with pytest.raises(ValueError, match="__serve_build_asgi_app__"):

        @serve.ingress()
        class Neither:
            pass


def test_one_ingress_to_an_application(run):
    @serve.deployment
    @serve.ingress(FastAPI())
    class One:
        pass

    @serve.deployment
    @serve.ingress(FastAPI())
    class Two:
        def __init__(self, one):
            pass

    with pytest.raises(ValueError, match=r"one @serve\.ingress"):
        run(Two.bind(One.bind()))


def test_methods_by_handle_go_past_the_application(run):
    app = FastAPI()

    @serve.deployment
    @serve.ingress(app)
    class Api:
        @app.post("/add")
        async def add(self, one: int, two: int):
            return one + two

    handle = run(Api.bind())

    assert handle.add.remote("a", "b").result(timeout_s=30) == "ab"


def test_headers_cannot_split_the_response(run, http, url):
    app = FastAPI()

    @app.get("/split")
    def split(value: str):
        return Response("body", headers={"x-value": value})

    serve_app(run, app)

    answer = http.get(f"{url}/split", params={"value": "a\r\nset-cookie: evil=1"})
    assert answer.status_code == 500
    assert "set-cookie" not in answer.headers
    assert http.get(f"{url}/split", params={"value": "a"}).headers["x-value"] == "a"
    assert json.loads(http.get(f"{url}/openapi.json").text)["paths"]
