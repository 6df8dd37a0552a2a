"""The loop itself, on a store that takes its time and replicas that do as told."""

import asyncio
from typing import Any

import pytest

from tests.unit.controller.test_checkpoint import MemoryStore
from tests.unit.controller.world import make_request, make_spec
from workbench.controller.checkpoint import Checkpoint, CheckpointStore
from workbench.controller.controller import Controller
from workbench.controller.publish import Publisher
from workbench.controller.replica_life import Event
from workbench.spec.status import EventKind

pytestmark = pytest.mark.anyio


class Work:
    """Every replica comes up at once."""

    def __init__(self, tell):
        self.tell = tell
        self.started = asyncio.Event()
        self.processes = {}

    async def start(self, replica):
        self.tell(replica.id, Event.PLACED, node_id="node")
        self.tell(replica.id, Event.LOADED)
        self.started.set()

    async def stop(self, replica):
        self.tell(replica.id, Event.STOPPED)

    async def release(self, reservation):
        pass


class GatedStore(MemoryStore):
    """Stores nothing before it is let."""

    def __init__(self):
        super().__init__()
        self.is_open = asyncio.Event()

    async def put(self, key, value):
        await self.is_open.wait()
        await super().put(key, value)


@pytest.fixture
async def stage():
    store = GatedStore()
    controller = Controller(CheckpointStore(store), Publisher(), Checkpoint())
    work: Any = Work(controller.tell)
    controller.work = work
    running = asyncio.create_task(controller.run())
    yield controller, store
    running.cancel()


async def soon(wish):
    return await asyncio.wait_for(wish, 10)


async def test_a_deploy_begins_before_it_is_stored_and_is_told_after(stage):
    controller, store = stage
    events = controller.deploy(make_request(make_spec()))
    first = asyncio.ensure_future(anext(events))

    await soon(controller.work.started.wait())
    assert not first.done()
    assert not store.values

    store.is_open.set()
    assert (await soon(first)).kind is EventKind.STEP
    assert "checkpoint" in store.values
    kinds = [event.kind async for event in events]
    assert kinds[-1] is EventKind.LIVE


async def test_who_does_not_wait_leaves_the_deploy_to_be_stored(stage):
    controller, store = stage
    events = controller.deploy(make_request(make_spec()))
    first = asyncio.ensure_future(anext(events))
    await soon(controller.work.started.wait())

    first.cancel()
    store.is_open.set()
    while "default" not in (await CheckpointStore(store).read()).target.applications:
        await asyncio.sleep(0)


async def test_deleting_is_told_when_it_is_stored(stage):
    controller, store = stage
    store.is_open.set()
    async for _ in controller.deploy(make_request(make_spec())):
        pass

    assert await soon(controller.delete("default"))

    assert (await CheckpointStore(store).read()).target.applications == {}
