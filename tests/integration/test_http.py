"""HTTP through the real proxy and a real replica."""

import asyncio
import concurrent.futures
import contextlib
import json
import random

import httpx
import numpy as np
import pytest
from fastapi import Body, Depends, FastAPI, HTTPException
from starlette.responses import JSONResponse, StreamingResponse

from tests.integration.conftest import eventually
from workbench import serve

MB = 1_000_000


@pytest.mark.parametrize(
    ("value", "content_type", "text"),
    [
        ({"a": 1}, "application/json", '{"a":1}'),
        ([1, 2.5], "application/json", "[1,2.5]"),
        ("text", "text/plain; charset=utf-8", "text"),
        (b"\x00raw", "text/plain", "\x00raw"),
        (None, "text/plain", ""),
        (np.arange(3), "application/json", "[0,1,2]"),
        (np.float64(1.5), "application/json", "1.5"),
    ],
    ids=["dict", "list", "str", "bytes", "none", "array", "scalar"],
)
def test_return_values_become_responses(run, http, url, value, content_type, text):
    @serve.deployment
    class Returns:
        def __init__(self, value):
            self.value = value

        def __call__(self, request):
            return self.value

    run(Returns.bind(value))
    answer = http.get(url)

    assert (answer.status_code, answer.text) == (200, text)
    assert answer.headers["content-type"].startswith(content_type)


def test_a_response_object_is_passed_through(run, http, url):
    @serve.deployment
    class Custom:
        async def __call__(self, request):
            return JSONResponse(
                {"method": request.method, "path": request.url.path},
                status_code=418,
                headers={"x-own": "kept"},
            )

    run(Custom.bind())
    answer = http.put(url + "/deep/er")

    assert (answer.status_code, answer.headers["x-own"]) == (418, "kept")
    assert answer.json() == {"method": "PUT", "path": httpx.URL(url).path + "/deep/er"}


@pytest.mark.parametrize("kind", ["bare sync", "bare async", "response"])
def test_streams_arrive_piece_by_piece(run, http, url, kind):
    @serve.deployment
    class Streams:
        def __init__(self):
            self.go_on = asyncio.Event()

        def sync(self):
            yield "one "
            yield "two"

        async def pieces(self):
            yield "one "
            await self.go_on.wait()  # the client must have "one " before this ends
            yield "two"

        async def __call__(self, request):
            if request.url.path.endswith("/continue"):
                self.go_on.set()
                return "ok"
            if kind == "bare sync":
                return self.sync()
            pieces = self.pieces()
            return pieces if kind == "bare async" else StreamingResponse(pieces)

    run(Streams.bind())
    with http.stream("GET", url) as answer:
        pieces = answer.iter_text()
        first = next(pieces)
        if kind != "bare sync":
            assert first == "one "
            with httpx.Client(trust_env=False) as other:
                other.get(url + "/continue")
        rest = "".join(pieces)

    assert first + rest == "one two"


@pytest.mark.parametrize("is_bare", [True, False], ids=["bare", "response"])
def test_the_first_chunk_does_not_wait_for_work_that_blocks(
    run, http, url, tmp_path, is_bare
):
    seen = tmp_path / "seen"

    @serve.deployment
    class Blocks:
        async def pieces(self):
            yield "one "
            while not seen.exists():
                pass  # a model at work, in async code though it should not be
            yield "two"

        async def __call__(self, request):
            return self.pieces() if is_bare else StreamingResponse(self.pieces())

    run(Blocks.bind())
    with http.stream("GET", url) as answer:
        pieces = answer.iter_text()
        first = next(pieces)
        seen.touch()
        assert [first, *pieces] == ["one ", "two"]


def test_chunks_made_at_once_come_whole_and_in_order(run, http, url):
    sizes = [1, 20_000, 300_000, 3, 3, 16_384, 0, 7]

    @serve.deployment
    class Quick:
        async def pieces(self):
            for number, size in enumerate(sizes * 20):
                yield bytes([number % 251]) * size
            yield b"last"
            raise ValueError("after all that")

        async def __call__(self, request):
            return StreamingResponse(self.pieces())

    run(Quick.bind())
    received = []
    with http.stream("GET", url) as answer, pytest.raises(httpx.RemoteProtocolError):
        received.extend(answer.iter_bytes())

    made = [bytes([n % 251]) * size for n, size in enumerate(sizes * 20)]
    assert b"".join(received) == b"".join(made) + b"last"


def test_the_head_of_a_stream_does_not_wait_for_its_first_item(run, http, url):
    @serve.deployment
    class Hesitates:
        def __init__(self):
            self.go_on = asyncio.Event()

        async def pieces(self):
            await self.go_on.wait()
            yield "at last"

        async def __call__(self, request):
            if request.method == "PUT":
                self.go_on.set()
                return "ok"
            return StreamingResponse(self.pieces(), 202, {"x-own": "kept"}, "text/own")

    run(Hesitates.bind())
    with http.stream("GET", url) as answer:
        assert (answer.status_code, answer.headers["x-own"]) == (202, "kept")
        assert answer.headers["content-type"].startswith("text/own")
        with httpx.Client(trust_env=False) as other:
            other.put(url)
        assert answer.read() == b"at last"


@pytest.mark.parametrize("kind", ["bare sync", "bare async", "response"])
def test_a_client_that_does_not_read_holds_the_generator_back_and_ends_it(
    run, http, url, kind
):
    @serve.deployment(max_ongoing_requests=2)
    class Endless:
        def __init__(self):
            self.made = 0
            self.is_running = False

        def sync(self):
            self.is_running = True
            try:
                while True:
                    self.made += 1
                    yield bytes(100_000)
            finally:
                self.is_running = False

        async def pieces(self):
            with contextlib.closing(self.sync()) as pieces:
                for piece in pieces:
                    yield piece

        async def __call__(self, request):
            if request.method == "PUT":
                return [self.made, self.is_running]
            if kind == "bare sync":
                return self.sync()
            pieces = self.pieces()
            return pieces if kind == "bare async" else StreamingResponse(pieces)

    run(Endless.bind())

    def made():
        return http.put(url).json()[0]

    with httpx.Client(trust_env=False).stream("GET", url):
        # Held back, it makes no more between one question and the next.
        made_then = eventually(lambda: made() == made() and made())
        assert made_then * 100_000 < 100_000_000

    eventually(lambda: http.put(url).json()[1] is False)
    # Both slots are free: one that were not would leave no room for two at a time.
    with http.stream("GET", url):
        eventually(lambda: http.put(url).json()[1])


def test_a_body_is_read_as_it_is_uploaded(run, http, url):
    @serve.deployment
    class Sums:
        async def __call__(self, request):
            size = 0
            async for piece in request.stream():
                size += len(piece)
            return {"size": size}

    run(Sums.bind())

    def pieces():
        for _ in range(40):
            yield b"x" * 100_000

    assert http.post(url, content=pieces()).json() == {"size": 4_000_000}
    assert http.post(url, content=b"y" * 3_000_000).json() == {"size": 3_000_000}


def test_large_answers_do_not_mix_though_some_are_taken_slowly(run, http, url):
    @serve.deployment(max_ongoing_requests=20)
    class Large:
        async def __call__(self, request):
            whole = of_seed(int(request.query_params["seed"]))
            if "parts" not in request.query_params:
                return whole
            return (whole[start : start + MB] for start in range(0, len(whole), MB))

    run(Large.bind())

    def get(seed, meanwhile=lambda: True):
        asked = {"seed": seed} | ({"parts": 1} if seed % 3 == 0 else {})
        with http.stream("GET", url, params=asked) as answer:
            pieces = answer.iter_raw(MB)
            first = next(pieces)
            return meanwhile() and first + b"".join(pieces) == of_seed(seed)

    def get_two(seed):
        return get(seed, meanwhile=lambda: get(100 + seed))

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert all(pool.map(get_two, range(30)))


def of_seed(seed):
    return random.Random(seed).randbytes(5 * MB + seed)


def test_functions_are_deployments_too(run, http, url):
    @serve.deployment
    async def shout(request):
        return (await request.body()).decode().upper()

    run(shout.bind())

    assert http.post(url, content="hey").text == "HEY"


def test_a_callable_without_parameters_gets_nothing(run, http, url):
    @serve.deployment
    class Plain:
        def __call__(self):
            return "plain"

    run(Plain.bind())

    assert http.get(url).text == "plain"


def test_the_longest_prefix_wins_on_a_segment_border(instance, http):
    @serve.deployment
    class Name:
        def __init__(self, name):
            self.name = name

        def __call__(self, request):
            return f"{self.name} {request.scope['root_path']}"

    try:
        serve.run(Name.bind("outer"), name="outer", route_prefix="/x")
        serve.run(Name.bind("inner"), name="inner", route_prefix="/x/y")
        base = instance.http_url

        assert http.get(base + "/x/z").text == "outer /x"
        assert http.get(base + "/x/y/z").text == "inner /x/y"
        assert http.get(base + "/x/yz").text == "outer /x"
        assert http.get(base + "/xy").status_code == 404
        routes = http.get(base + "/-/routes").json()
        assert routes["/x"] == "outer"
        assert http.get(base + "/-/healthz").text == "success"
    finally:
        serve.delete("outer")
        serve.delete("inner")


def test_an_application_without_a_route_is_reached_by_its_handle_only(
    run, http, instance, app_name
):
    @serve.deployment
    def secret():
        return "by handle"

    handle = run(secret.bind(), route_prefix=None)

    assert handle.remote().result(timeout_s=30) == "by handle"
    assert app_name not in http.get(instance.http_url + "/-/routes").json().values()


def test_a_client_that_leaves_cancels_the_request(run, http, url):
    @serve.deployment
    class Watches:
        def __init__(self):
            self.cancelled = 0

        async def __call__(self, request):
            if request.url.path.endswith("/count"):
                return self.cancelled
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                self.cancelled += 1
                raise

    run(Watches.bind())
    with pytest.raises(httpx.ReadTimeout):
        http.get(url, timeout=0.3)

    assert eventually(lambda: http.get(url + "/count").json() == 1)


def test_fastapi_under_a_prefix(run, http, url):
    app = FastAPI()

    def doubled(x: int) -> int:
        return 2 * x

    @app.get("/plain")
    def plain(y: int = Depends(doubled)):
        return {"y": y}

    @serve.deployment
    @serve.ingress(app)
    class Api:
        def __init__(self, factor):
            self.factor = factor
            self.started = True

        @app.post("/scale/{number}")
        async def scale(self, number: int, values: list[float] = Body()):
            if number < 0:
                raise HTTPException(409, "negative")
            return [self.factor * number * value for value in values]

        def direct(self, x):
            return x + self.factor

    handle = run(Api.bind(10))

    assert http.post(f"{url}/scale/2", json=[1.0, 2.0]).json() == [20.0, 40.0]
    assert http.post(f"{url}/scale/-1", json=[1.0]).status_code == 409
    assert http.get(f"{url}/plain", params={"x": 4}).json() == {"y": 8}
    assert http.get(f"{url}/docs").status_code == 200
    schema = http.get(f"{url}/openapi.json").json()
    assert "/scale/{number}" in schema["paths"]
    assert "self" not in json.dumps(schema["paths"])
    assert handle.direct.remote(1).result(timeout_s=30) == 11
