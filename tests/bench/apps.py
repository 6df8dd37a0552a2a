"""The applications that are measured, written once for `workbench.serve` and `ray.serve`.

Each function takes either module and returns a bound application.
"""

import asyncio
import time

from tests.bench.large import values


def echo(serve):
    """One deployment that answers the JSON it gets."""

    @serve.deployment(max_ongoing_requests=100)
    class Echo:
        async def __call__(self, request):
            return await request.json()

    return Echo.bind()


def one_at_a_time(serve):
    """The same, one request at a time, and each takes 10 ms."""

    @serve.deployment(max_ongoing_requests=1)
    class OneAtATime:
        async def __call__(self, request):
            await asyncio.sleep(0.010)
            return await request.json()

    return OneAtATime.bind()


def fastapi(serve):
    """The same in FastAPI: see `fastapi_echo`."""
    from tests.bench.fastapi_echo import app

    @serve.deployment(max_ongoing_requests=100)
    @serve.ingress(app)
    class Api:
        pass

    return Api.bind()


def streams(serve):
    """`GET /<count>` streams so many chunks; `GET /endless` one, and then nothing.

    `GET /ended` answers when an endless one was last ended, by the monotonic clock.
    """
    from starlette.responses import StreamingResponse

    from tests.bench.chunks import chunks

    @serve.deployment(max_ongoing_requests=1_000)
    class Streams:
        def __init__(self):
            self.ended_at = 0.0

        async def __call__(self, request):
            asked = request.url.path.rpartition("/")[2]
            if asked == "ended":
                return {"at": self.ended_at}
            if asked == "endless":
                return StreamingResponse(self.endless())
            return StreamingResponse(chunks(int(asked)))

        async def endless(self):
            try:
                async for chunk in chunks(1):
                    yield chunk
                await asyncio.Event().wait()
            finally:
                self.ended_at = time.monotonic()

    return Streams.bind()


def echo_silent(serve):
    """The same, without a log of requests."""

    @serve.deployment(
        max_ongoing_requests=100, logging_config={"enable_access_log": False}
    )
    class Echo:
        async def __call__(self, request):
            return await request.json()

    return Echo.bind()


def composition(serve):
    """Two deployments: the first passes what it gets to the second.

    `GET /measure` answers how long a call from one replica to the other takes.
    """

    @serve.deployment(max_ongoing_requests=100)
    class Back:
        async def __call__(self, value):
            return value

    @serve.deployment(max_ongoing_requests=100)
    class Front:
        def __init__(self, back):
            self.back = back

        async def __call__(self, request):
            if request.method == "GET":
                return await self.measure()
            return await self.back.remote(await request.json())

        async def measure(self, calls=2_000):
            times = []
            for _ in range(calls):
                begin = time.perf_counter()
                await self.back.remote({"text": "hello"})
                times.append(1_000 * (time.perf_counter() - begin))
            times.sort()
            return {"p50_ms": times[calls // 2], "p99_ms": times[calls * 99 // 100]}

    return Front.bind(Back.bind())


def batching(serve):
    """A model that takes 10 ms for any number of items; `PUT /` changes how it waits.

    With size 0 there are no batches: everybody is answered 10 ms after asking.
    """

    @serve.deployment(max_ongoing_requests=1_000)
    class Model:
        @serve.batch(max_batch_size=64, batch_wait_timeout_s=0.01)
        async def predict(self, items):
            await asyncio.sleep(0.010)
            return items

        is_batching = True

        async def __call__(self, request):
            value = await request.json()
            if request.method == "PUT":
                return self.tune(**value)
            if not self.is_batching:
                await asyncio.sleep(0.010)
                return value
            return await self.predict(value)

        def tune(self, size, wait):
            self.is_batching = size > 0
            if self.is_batching:
                self.predict.set_max_batch_size(size)
                self.predict.set_batch_wait_timeout_s(wait)
            return {}

    return Model.bind()


def bodies(serve):
    """`GET /<size>` answers so many bytes; `POST /` says how many came."""
    from starlette.responses import Response

    @serve.deployment(max_ongoing_requests=100)
    class Bodies:
        def __init__(self):
            self.content = bytes(64 * 1024 * 1024)

        async def __call__(self, request):
            if request.method == "POST":
                return str(len(await request.body()))
            size = int(request.url.path.rpartition("/")[2])
            return Response(self.content[:size])

    return Bodies.bind()


APPS = {
    "bodies": bodies,
    "echo": echo,
    "echo_silent": echo_silent,
    "composition": composition,
    "batching": batching,
    "fastapi": fastapi,
    "one at a time": one_at_a_time,
    "streams": streams,
    "values": values,
}
