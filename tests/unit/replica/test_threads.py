"""Threads for user code that blocks."""

import asyncio
import threading
from contextvars import ContextVar

import pytest

from workbench.replica.threads import Threads

pytestmark = pytest.mark.anyio

colour = ContextVar("colour", default="none")


@pytest.fixture
async def threads():
    made = Threads("test")
    yield made
    made.stop()


async def test_a_job_gives_back_what_the_work_returns(threads):
    assert await threads.start(lambda: 3).wait() == 3


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(1), StopIteration()])
async def test_a_job_raises_what_the_work_raises(threads, error):
    def work():
        raise error

    with pytest.raises((type(error), RuntimeError)):
        await threads.start(work).wait()


async def test_work_sees_the_callers_context(threads):
    colour.set("red")

    assert await threads.start(colour.get).wait() == "red"


async def test_there_are_as_many_threads_as_jobs_at_a_time_and_they_are_used_again(
    threads,
):
    together = threading.Barrier(3)
    jobs = [threads.start(together.wait) for _ in range(3)]
    await asyncio.gather(*(job.wait() for job in jobs))
    names = set()
    for _ in range(5):
        names.add(await threads.start(lambda: threading.current_thread().name).wait())

    assert names <= {"test-1", "test-2", "test-3"}


async def test_a_job_that_nobody_waits_for_still_tells_when_it_is_done(threads):
    proceed, done = threading.Event(), asyncio.Event()
    job = threads.start(proceed.wait)
    job.when_done = done.set
    waiting = asyncio.ensure_future(job.wait())
    await asyncio.sleep(0)
    waiting.cancel()
    assert not job.is_done
    proceed.set()
    await asyncio.wait_for(done.wait(), 10)

    assert job.is_done
