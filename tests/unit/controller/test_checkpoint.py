"""A controller's memory survives it."""

import asyncio

import pytest

from tests.unit.controller.world import deployed, make_request, make_spec
from workbench.controller.checkpoint import Checkpoint, CheckpointStore
from workbench.controller.history import History
from workbench.controller.target import Target
from workbench.errors import WorkbenchError
from workbench.spec.versions import Outcome


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


class SlowStore(MemoryStore):
    """Each operation lets others go first."""

    async def put(self, key, value):
        await asyncio.sleep(0)
        await super().put(key, value)


def test_a_write_does_not_forget_what_a_later_one_needs():
    async def scenario():
        store = SlowStore()
        keeper = CheckpointStore(store)
        earlier = keeper.write(Checkpoint(target=Target()), {})
        target = deployed(make_spec())
        blobs = {"blob-c1": b"code", "args-i1": b"args"}
        later = keeper.write(Checkpoint(target=target, table_version=2), blobs)
        await asyncio.gather(earlier, later)

        assert keeper.blob("blob-c1") == b"code"
        found = await CheckpointStore(store).read()
        assert found.table_version == 2

    asyncio.run(scenario())


def test_writes_that_wait_for_another_cost_one():
    async def scenario():
        store = SlowStore()
        keeper = CheckpointStore(store)
        writes = [
            keeper.write(Checkpoint(table_version=version), {}) for version in range(5)
        ]
        await writes[3]

        assert (await CheckpointStore(store).read()).table_version == 4
        store.values.clear()
        await asyncio.gather(writes[0], writes[1], writes[2], writes[4])
        assert store.values == {}

    asyncio.run(scenario())


class FailingStore(MemoryStore):
    """The first thing that it is given is lost."""

    has_failed = False

    async def put(self, key, value):
        if not self.has_failed:
            self.has_failed = True
            raise OSError("the store is away")
        await super().put(key, value)


def test_what_could_not_be_stored_is_stored_by_the_next_write():
    async def scenario():
        store = FailingStore()
        keeper = CheckpointStore(store)
        target = deployed(make_spec())
        blobs = {"blob-c1": b"code", "args-i1": b"args"}
        with pytest.raises(OSError, match="away"):
            await keeper.write(Checkpoint(target=target), blobs, live("c1"))

        await keeper.write(Checkpoint(target=target, table_version=2), {})

        successor = CheckpointStore(store)
        assert (await successor.read()).table_version == 2
        assert successor.blob("blob-c1") == b"code"
        assert successor.blob("args-i1") == b"args"
        assert successor.history == live("c1")

    asyncio.run(scenario())


class Held(MemoryStore):
    """Forgetting takes until it is let."""

    def __init__(self):
        super().__init__()
        self.forgetting = asyncio.Event()
        self.may_forget = asyncio.Event()

    async def forget(self, key):
        self.forgetting.set()
        await self.may_forget.wait()
        await super().forget(key)


def test_code_that_comes_back_while_it_is_forgotten_is_stored_again():
    async def scenario():
        store = Held()
        keeper = CheckpointStore(store)
        target = deployed(make_spec())
        blobs = {"blob-c1": b"code", "args-i1": b"args"}
        await keeper.write(Checkpoint(target=target), blobs)
        gone = asyncio.ensure_future(keeper.write(Checkpoint(), {}))
        await store.forgetting.wait()
        back = keeper.write(Checkpoint(target=target), blobs)
        store.may_forget.set()
        await asyncio.gather(gone, back)

        successor = CheckpointStore(store)
        await successor.read()
        assert successor.blob("blob-c1") == b"code"
        assert successor.blob("args-i1") == b"args"

    asyncio.run(scenario())


def test_a_blob_can_be_had_while_it_is_being_stored():
    async def scenario():
        keeper = CheckpointStore(SlowStore())
        blobs = {"blob-c1": b"code", "args-i1": b"args"}
        target = deployed(make_spec())
        writing = asyncio.ensure_future(keeper.write(Checkpoint(target=target), blobs))
        await asyncio.sleep(0)

        assert keeper.blob("blob-c1") == b"code"
        await writing

    asyncio.run(scenario())


def live(*codes):
    """A history in which these versions were live, the last one as it is now."""
    history = History()
    for code in codes:
        history = history.begin(make_request(make_spec(code=code)), 1.0)
        history = history.end("default", Outcome.LIVE)
    return history


def test_a_history_is_read_with_the_code_that_it_needs():
    async def scenario():
        store = MemoryStore()
        keeper = CheckpointStore(store)
        for code, history in (("c1", live("c1")), ("c2", live("c1", "c2"))):
            blobs = {f"blob-{code}": code.encode(), "args-i1": b"args"}
            target = deployed(make_spec(code=code)).settle("default")
            await keeper.write(Checkpoint(target=target), blobs, history)
        successor = CheckpointStore(store)
        await successor.read()

        assert successor.history == keeper.history == live("c1", "c2")
        assert successor.blob("blob-c1") == b"c1"

    asyncio.run(scenario())


def test_a_deleted_application_leaves_no_history_and_no_code():
    async def scenario():
        store = MemoryStore()
        keeper = CheckpointStore(store)
        blobs = {"blob-c1": b"code", "args-i1": b"args"}
        target = deployed(make_spec())
        await keeper.write(Checkpoint(target=target), blobs, live("c1"))

        await keeper.write(Checkpoint(target=Target()), {}, History())

        assert set(store.values) == {"checkpoint"}

    asyncio.run(scenario())


def test_a_history_that_cannot_be_read_begins_anew():
    async def scenario():
        store = MemoryStore()
        blobs = {"blob-c1": b"code", "args-i1": b"args"}
        written = Checkpoint(target=deployed(make_spec()))
        await CheckpointStore(store).write(written, blobs, live("c1"))
        store.values["history:default"] = b"\xc1garbage"
        successor = CheckpointStore(store)

        assert await successor.read() == written
        assert successor.history == History()

    asyncio.run(scenario())


def test_an_unreadable_checkpoint_is_refused_and_kept():
    async def scenario():
        store = MemoryStore()
        store.values["checkpoint"] = b"\xc1garbage"

        with pytest.raises(WorkbenchError, match="cannot be read"):
            await CheckpointStore(store).read()
        assert store.values["checkpoint"] == b"\xc1garbage"

    asyncio.run(scenario())
