"""Streams of small chunks: how many chunks a second, and how soon the first is there.

100 streams at a time with 200 chunks each, beside bare uvicorn and Ray Serve, whose best
mode has a uvicorn in each replica; then one stream at a time; then how soon a generator
ends whose client has hung up.
`python -m tests.bench.streams`
"""

import asyncio
import json
import math
import time
from collections.abc import Mapping
from statistics import median
from urllib.parse import urlsplit

import uvloop

from tests.bench import peers
from tests.bench.chunks import END
from tests.bench.report import publish

STREAMS, CHUNKS = 100, 200
ROUNDS = 5
FIRSTS = 100
HANG_UPS = 50
# Longer than this nobody is waited for.
PATIENCE_S = 10.0


class Reader(asyncio.Protocol):
    """One connection: asks for one stream after the other, and counts chunks."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport
        self.seen = b""
        self._missing = 0
        self._done: asyncio.Future[None]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # uvloop's own

    def ask(self, path: str, chunks: int) -> "asyncio.Future[None]":
        """Ask for a path; done once so many chunks have come."""
        self._missing = chunks
        self._done = asyncio.get_running_loop().create_future()
        self.transport.write(f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
        return self._done

    def data_received(self, data: bytes) -> None:
        self.seen = data
        self._missing -= data.count(END)
        if self._missing <= 0 and not self._done.done():
            self._done.set_result(None)


async def connect(url: str) -> Reader:
    """Open a connection."""
    host, _, port = urlsplit(url).netloc.partition(":")
    loop = asyncio.get_running_loop()
    _, reader = await loop.create_connection(Reader, host, int(port))
    return reader


async def chunks_per_s(url: str) -> float:
    """Have all streams at the same time."""
    readers = [await connect(url) for _ in range(STREAMS)]
    begin = time.perf_counter()
    await asyncio.gather(*(reader.ask(f"/{CHUNKS}", CHUNKS) for reader in readers))
    took_s = time.perf_counter() - begin
    for reader in readers:
        reader.transport.close()
    return STREAMS * CHUNKS / took_s


async def first_ms(url: str) -> float:
    """The middle of the times from the request to the first chunk, one at a time."""
    times = []
    for _ in range(FIRSTS):
        reader = await connect(url)
        begin = time.perf_counter()
        await reader.ask("/1", 1)
        times.append(1_000 * (time.perf_counter() - begin))
        reader.transport.close()
    return median(times)


async def ends_ms(url: str) -> list[float]:
    """How long after its client has hung up a generator ends, sorted.

    The first that does not is infinite, and the last that is tried.
    """
    times: list[float] = []
    asking = await connect(url)
    for _ in range(HANG_UPS):
        reader = await connect(url)
        await reader.ask("/endless", 1)
        begin = time.monotonic()
        reader.transport.abort()
        try:
            async with asyncio.timeout(PATIENCE_S):
                while (ended_at := await last_end(asking)) < begin:
                    await asyncio.sleep(0.001)
        except TimeoutError:
            return [*sorted(times), math.inf]
        times.append(1_000 * (ended_at - begin))
    return sorted(times)


async def last_end(reader: Reader) -> float:
    """When a generator last ended, by the clock that all processes share."""
    reader.seen = b""
    reader.ask("/ended", 1)
    while not reader.seen.endswith(b"}"):
        await asyncio.sleep(0)
    at: float = json.loads(reader.seen.rpartition(b"\r\n")[2])["at"]
    return at


async def rows(urls: Mapping[str, str]) -> list[dict[str, object]]:
    """One row for each server, measured in turn; ratios are to the first."""
    rates: dict[str, list[float]] = {name: [] for name in urls}
    firsts: dict[str, list[float]] = {name: [] for name in urls}
    for round_ in range(ROUNDS + 1):
        for name, url in urls.items():
            rate, first = await chunks_per_s(url), await first_ms(url)
            if round_:  # the first one warms up
                rates[name].append(rate)
                firsts[name].append(first)
    reference = next(iter(urls))
    return [
        {
            "server": name,
            "chunks/s": median(rates[name]),
            f"× {reference}": median(rates[name]) / median(rates[reference]),
            "first chunk, p50 ms": median(firsts[name]),
            f"more than {reference}, ms": median(firsts[name])
            - median(firsts[reference]),
        }
        for name in urls
    ]


def endings(name: str, times: list[float]) -> dict[str, object]:
    """One row on what hanging up does."""
    return {
        "server": name,
        "p50 ms": times[len(times) // 2],
        "most": times[-1],
        "streams": len(times),
    }


def main() -> None:
    """Compare with bare uvicorn, then, where it is installed, with Ray Serve."""
    with peers.bare_uvicorn("streams") as raw, peers.workbench("streams") as ours:
        both = {"bare uvicorn": raw, "workbench": ours}
        publish("streams", uvloop.run(rows(both)))
        ends = [endings("workbench", uvloop.run(ends_ms(ours)))]
        if peers.has_ray_serve():
            with peers.ray_serve("streams") as theirs:
                urls = {"ray serve, best mode": theirs, "workbench": ours}
                publish("streams-ray-serve", uvloop.run(rows(urls)))
                name = "ray serve, best mode"
                ends.append(endings(name, uvloop.run(ends_ms(theirs))))
        publish("streams-hang-up", ends, "From closing the connection to `finally`.")


if __name__ == "__main__":
    main()
