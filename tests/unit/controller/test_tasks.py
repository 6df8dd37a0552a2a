"""Work on replicas that nobody waits for is heard of when it breaks."""

import asyncio

import pytest

from workbench.controller.tasks import Tasks

pytestmark = pytest.mark.anyio


class Heard:
    """Keeps what broke."""

    def __init__(self):
        self.broken = []
        self.came = asyncio.Event()

    def __call__(self, replica_id, error):
        self.broken.append((replica_id, str(error)))
        self.came.set()


async def fail():
    raise ValueError("oh")


async def wait_until(event):
    await event.wait()


async def test_work_that_breaks_is_told_with_its_replica():
    heard = Heard()

    Tasks(heard).work_on("r1", fail())
    await heard.came.wait()

    assert heard.broken == [("r1", "oh")]


async def test_work_that_is_given_up_has_not_broken():
    heard, ended = Heard(), asyncio.Event()
    tasks = Tasks(heard)

    async def work():
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    tasks.work_on("r1", work())
    await asyncio.sleep(0)
    tasks.give_up("r1")
    tasks.give_up("r2")
    await ended.wait()

    assert heard.broken == []


async def test_earlier_work_on_a_replica_goes_on_and_only_the_last_is_given_up():
    heard, go, ended = Heard(), asyncio.Event(), asyncio.Event()
    tasks = Tasks(heard)

    async def first():
        await go.wait()
        ended.set()

    tasks.work_on("r1", first())
    tasks.work_on("r1", wait_until(asyncio.Event()))
    tasks.give_up("r1")
    go.set()

    await ended.wait()


async def test_what_is_done_besides_can_be_waited_for():
    go, done = asyncio.Event(), asyncio.Event()
    go.set()

    async def work():
        await go.wait()
        done.set()

    await Tasks(Heard()).start(work())

    assert done.is_set()
