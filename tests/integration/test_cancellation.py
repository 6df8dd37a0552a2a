"""Nobody waits any more: what was asked for ends, and so does what it asked for."""

import asyncio

import pytest

from tests.integration.conftest import eventually
from workbench import serve
from workbench.errors import RequestCancelledError


@serve.deployment(max_ongoing_requests=3)
class Child:
    """Its calls keep their slots until they are cancelled."""

    def __init__(self):
        self.begun = self.ended = self.met = 0

    async def wait(self, _argument=None):
        self.begun += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.ended += 1

    async def stream(self):
        self.begun += 1
        try:
            while True:
                yield b"item"
                await asyncio.sleep(0.001)
        finally:
            self.ended += 1

    async def meet(self):
        """Return once as many are here as there are slots."""
        self.met += 1
        while self.met < 3:
            await asyncio.sleep(0.001)

    async def counts(self):
        return self.begun, self.ended


@serve.deployment(max_ongoing_requests=10)
class Parent:
    """Asks the child in all the ways there are, and never gets an end of it."""

    def __init__(self, child):
        self.child = child
        self.streaming = child.options(stream=True).stream

    async def awaits(self):
        await self.child.wait.remote()

    async def gathers(self):
        await asyncio.gather(self.child.wait.remote(), self.child.wait.remote())

    async def looks_elsewhere(self):
        call = self.child.wait.remote()
        await asyncio.Event().wait()
        await call

    def blocks(self):
        self.child.wait.remote().result()

    async def reads(self):
        async for _ in self.streaming.remote():
            pass

    async def stops_reading(self):
        stream = self.streaming.remote()
        await anext(stream)
        await asyncio.Event().wait()

    def reads_in_a_thread(self):
        for _ in self.streaming.remote():
            pass

    async def chains(self):
        await self.child.wait.remote(self.child.wait.remote())

    async def __call__(self, request):
        await getattr(self, request.url.path.rpartition("/")[2])()


WAYS = [
    "awaits",
    "gathers",
    "looks_elsewhere",
    "blocks",
    "reads",
    "stops_reading",
    "reads_in_a_thread",
    "chains",
]


@pytest.fixture
def parent(run):
    return run(Parent.bind(Child.bind()))


@pytest.fixture
def child(parent, app_name):
    return serve.get_deployment_handle("Child", app_name)


def has_begun(child):
    begun, _ = child.counts.remote().result(timeout_s=30)
    return begun > 0


def has_ended(child):
    """Whether the child is through with all that it began."""
    begun, ended = child.counts.remote().result(timeout_s=30)
    return begun == ended


def fill(child):
    """Use every slot at the same time."""
    for call in [child.meet.remote() for _ in range(3)]:
        call.result(timeout_s=30)


@pytest.mark.parametrize("way", WAYS)
def test_the_calls_of_a_cancelled_call_are_cancelled(parent, child, way):
    call = getattr(parent, way).remote()
    eventually(lambda: has_begun(child))
    call.cancel()

    with pytest.raises(RequestCancelledError):
        call.result(timeout_s=30)
    eventually(lambda: has_ended(child))
    fill(child)


def test_what_a_cancelled_call_waited_for_as_an_argument_is_not_run(parent, child):
    call = parent.chains.remote()
    eventually(lambda: has_begun(child))
    call.cancel()
    eventually(lambda: has_ended(child))

    # Its argument has ended: were it to run, it would have begun by now.
    fill(child)
    assert child.counts.remote().result(timeout_s=30) == (1, 1)


def test_a_stream_that_nobody_holds_is_cancelled(child):
    stream = child.options(stream=True).stream.remote()
    next(stream)
    del stream

    eventually(lambda: has_ended(child))
    fill(child)


def test_a_task_that_is_cancelled_cancels_the_call_it_awaits(child):
    async def give_up():
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(child.wait.remote(), 0.2)

    asyncio.run(give_up())

    eventually(lambda: has_ended(child))
    fill(child)
