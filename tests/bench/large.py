"""The application that `values` measures, for `workbench.serve` and `ray.serve`."""

import time
from pathlib import Path


def make(kind, size):
    """A value of so many bytes, none of them untouched."""
    if kind == "bytes":
        return b"x" * size
    import numpy as np

    return np.ones(size, np.uint8)


def memory_mb(name):
    """One of the figures that the kernel has of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1]) / 1024


def forget_peak():
    """Have the peak (`VmHWM`) count from now on."""
    Path("/proc/self/clear_refs").write_text("5")


async def measure(back, way, value, calls):
    """The middle of so many calls, in milliseconds."""
    times = []
    for _ in range(calls):
        begin = time.perf_counter()
        if way == "argument":
            assert await back.take.remote(value) == len(value)
        else:
            assert len(await back.give.remote()) == len(value)
        times.append(1_000 * (time.perf_counter() - begin))
    return sorted(times)[calls // 2]


def values(serve):
    """Two deployments: the first passes large values to the second and gets them back.

    `GET /?kind=array&way=argument&size=1000` answers how long that takes.
    """

    @serve.deployment(max_ongoing_requests=100)
    class Back:
        def __init__(self):
            self.given = None

        async def take(self, value):
            return len(value)

        async def prepare(self, kind, size):
            self.given = make(kind, size)
            forget_peak()
            return memory_mb("VmRSS")

        async def give(self):
            return self.given

        async def peak_mb(self):
            self.given = None
            return memory_mb("VmHWM")

    @serve.deployment(max_ongoing_requests=100)
    class Front:
        def __init__(self, back):
            self.back = back

        async def __call__(self, request):
            asked = request.query_params
            kind, way, size = asked["kind"], asked["way"], int(asked["size"])
            value = make(kind, size)
            before = await self.back.prepare.remote(kind, size)
            forget_peak()
            before += memory_mb("VmRSS")
            calls = max(6, min(300, 100_000_000 // size))
            p50_ms = await measure(self.back, way, value, calls)
            peak = await self.back.peak_mb.remote() + memory_mb("VmHWM")
            return {"p50_ms": p50_ms, "more_mb": peak - before}

    return Front.bind(Back.bind())
