"""Thousands of calls withdrawn at any moment leave nothing behind.

Callers of every kind give up at random moments: before a call is sent, while it waits,
as it begins, in the middle, when it is all but answered. When the storm is over nothing
runs or waits anywhere, and every slot can be used.
"""

import asyncio
import random
from urllib.parse import urlsplit

import pytest

from tests.integration.conftest import eventually
from workbench import api, serve

CALLS = 2_000
# At most so many calls are on their way at a time: five times as many as there are slots.
AT_ONCE = 80
PATIENCE_S = 0.03
MODEL_SLOTS, MODELS, FRONT_SLOTS = 4, 2, 8


@serve.deployment(num_replicas=MODELS, max_ongoing_requests=MODEL_SLOTS)
class Model:
    """Takes a few milliseconds for everything."""

    def __init__(self):
        self.here = 0

    async def plain(self):
        await asyncio.sleep(0.005)

    def sync(self):
        asyncio.run(asyncio.sleep(0.005))

    @serve.batch(max_batch_size=4, batch_wait_timeout_s=0.002)
    async def batched(self, items):
        await asyncio.sleep(0.003)
        return items

    async def stream(self):
        for _ in range(5):
            await asyncio.sleep(0.002)
            yield b"x" * 10_000

    def sync_stream(self):
        for _ in range(5):
            asyncio.run(asyncio.sleep(0.002))
            yield b"x" * 10_000

    async def meet(self):
        """Return once all slots of this replica are in use at the same time."""
        self.here += 1
        while self.here < MODEL_SLOTS:
            await asyncio.sleep(0.001)


@serve.deployment(max_ongoing_requests=FRONT_SLOTS)
class Front:
    """Asks the model in one of many ways."""

    def __init__(self, model):
        self.model = model
        self.here = 0

    async def plain(self):
        await self.model.plain.remote()

    async def gathered(self):
        await asyncio.gather(*(self.model.plain.remote() for _ in range(3)))

    async def batched(self):
        await self.model.batched.remote(1)

    async def unawaited(self):
        call = self.model.sync.remote()
        await asyncio.sleep(0.004)
        await call

    def sync(self):
        self.model.plain.remote().result()

    async def stream(self):
        async for item in self.model.options(stream=True).stream.remote():
            yield item

    def sync_stream(self):
        yield from self.model.options(stream=True).sync_stream.remote()

    async def __call__(self, request):
        kind = request.url.path.rpartition("/")[2]
        if kind == "meet":
            return await self.meet()
        answer = getattr(self, kind)
        if kind.endswith("stream"):
            return answer()
        if kind == "sync":
            return await asyncio.to_thread(answer)
        return await answer()

    async def meet(self):
        """Return once all slots of this replica are in use at the same time."""
        self.here += 1
        while self.here < FRONT_SLOTS:
            await asyncio.sleep(0.001)

    async def fill(self):
        """Use all slots of all models at the same time."""
        everybody = range(MODELS * MODEL_SLOTS)
        await asyncio.gather(*(self.model.meet.remote() for _ in everybody))


KINDS = ("plain", "gathered", "batched", "unawaited", "sync", "stream", "sync_stream")


async def cancels(handle, kind, moment_s):
    """Call by handle and withdraw the call."""
    call = getattr(handle.options(stream=kind.endswith("stream")), kind).remote()
    await asyncio.sleep(moment_s)
    call.cancel()


async def stops_waiting(handle, kind, moment_s):
    """Await a call in a task that is cancelled."""

    async def wait():
        called = getattr(handle.options(stream=kind.endswith("stream")), kind).remote()
        if not kind.endswith("stream"):
            return await called
        return [item async for item in called]

    task = asyncio.create_task(wait())
    await asyncio.sleep(moment_s)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def has_a_time_limit(handle, kind, moment_s):
    """Call by handle with so little time that it mostly does not suffice."""
    await stops_waiting(handle.options(timeout_s=max(moment_s, 0.001)), kind, 1.0)


async def hangs_up(url, kind, moment_s, head=""):
    """Ask over HTTP and close the connection."""
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    path = f"{place.path}/{kind}"
    writer.write(f"GET {path} HTTP/1.1\r\nHost: storm\r\n{head}\r\n".encode())
    try:
        async with asyncio.timeout(moment_s):
            await reader.read(1_000_000)
    except TimeoutError:
        pass
    writer.transport.abort()


async def is_late(url, kind, moment_s):
    """Ask over HTTP with so little time that it mostly does not suffice."""
    head = f"x-request-timeout-seconds: {max(moment_s, 0.001)}\r\nconnection: close\r\n"
    await hangs_up(url, kind, 5.0, head)


async def storm(handle, url, dice):
    """All kinds of calls, withdrawn in all ways at random moments."""
    turn = asyncio.Semaphore(AT_ONCE)
    ways = (
        (cancels, handle),
        (stops_waiting, handle),
        (has_a_time_limit, handle),
        (hangs_up, url),
        (is_late, url),
    )

    async def one():
        async with turn:
            way, where = dice.choice(ways)
            await way(where, dice.choice(KINDS), dice.uniform(0, PATIENCE_S))

    await asyncio.gather(*(one() for _ in range(CALLS)))


def nothing_is_left(app_name):
    """Whether the processes say that nothing runs and nothing waits."""
    for event in api.events():
        sample = getattr(event, "sample", None)
        if sample is not None:
            mine = [
                deployment
                for key, deployment in sample.deployments.items()
                if key.startswith(f"{app_name}#")
            ]
            return len(mine) == 2 and not any(d.ongoing or d.queued for d in mine)
    return False


async def meet(url):
    """Fill all slots of the front, over HTTP."""
    await asyncio.gather(
        *(hangs_up(url, "meet", 60, CLOSE) for _ in range(FRONT_SLOTS))
    )


CLOSE = "connection: close\r\n"


@pytest.mark.timeout(120)
def test_nothing_is_left_of_thousands_of_withdrawn_calls(run, app_name, url):
    handle = run(Front.bind(Model.bind()))

    asyncio.run(storm(handle, url, random.Random(4)))

    eventually(lambda: nothing_is_left(app_name))
    # Each of these returns only if every slot of every replica can still be used, as
    # seen by the proxy, by the front's router and by this process's.
    asyncio.run(meet(url))
    handle.fill.remote().result(timeout_s=60)
    model = serve.get_deployment_handle("Model", app_name)
    calls = [model.plain.remote() for _ in range(100)]
    for call in calls:
        call.result(timeout_s=60)
