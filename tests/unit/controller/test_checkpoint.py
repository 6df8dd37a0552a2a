"""A controller's memory survives it."""

import asyncio

import pytest

from tests.unit.controller.world import deployed, make_spec
from workbench.controller.checkpoint import Checkpoint, CheckpointStore
from workbench.controller.target import Target
from workbench.errors import WorkbenchError


class MemoryStore:
    """A key-value store in a dict."""

    def __init__(self):
        self.values = {}

    async def put(self, key, value):
        self.values[key] = value

    async def get(self, key):
        return self.values.get(key)

    async def forget(self, key):
        self.values.pop(key, None)


def test_what_was_written_is_read_by_the_next_controller():
    async def scenario():
        store = MemoryStore()
        target = deployed(make_spec())
        written = Checkpoint(target=target, table_version=3, http_port=8001)
        blobs = {"blob-c1": b"code", "args-i1": b"args"}
        await CheckpointStore(store).write(written, blobs)
        successor = CheckpointStore(store)

        assert await successor.read() == written
        assert successor.blob("blob-c1") == b"code"

    asyncio.run(scenario())


def test_blobs_that_nothing_needs_are_forgotten():
    async def scenario():
        store = MemoryStore()
        keeper = CheckpointStore(store)
        blobs = {"blob-c1": b"code", "args-i1": b"args"}
        await keeper.write(Checkpoint(target=deployed(make_spec())), blobs)

        await keeper.write(Checkpoint(target=Target()), {})

        assert set(store.values) == {"checkpoint"}

    asyncio.run(scenario())


def test_an_unreadable_checkpoint_is_refused_and_kept():
    async def scenario():
        store = MemoryStore()
        store.values["checkpoint"] = b"\xc1garbage"

        with pytest.raises(WorkbenchError, match="cannot be read"):
            await CheckpointStore(store).read()
        assert store.values["checkpoint"] == b"\xc1garbage"

    asyncio.run(scenario())
