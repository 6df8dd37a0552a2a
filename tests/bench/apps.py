"""The applications that are measured, written once for `workbench.serve` and `ray.serve`.

Each function takes either module and returns a bound application.
"""

import time


def echo(serve):
    """One deployment that answers the JSON it gets."""

    @serve.deployment(max_ongoing_requests=100)
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


APPS = {"echo": echo, "composition": composition}
