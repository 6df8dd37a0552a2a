"""The copy in files follows the store, and is whole at every moment."""

import asyncio
import errno

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.controller.test_checkpoint import MemoryStore
from tests.unit.controller.world import deployed, make_spec
from workbench.controller.checkpoint import Checkpoint, CheckpointStore
from workbench.controller.mirror import Backlog, Mirror
from workbench.controller.target import Target


class MemoryFiles:
    """Files in a dict; the disk may be full."""

    def __init__(self, **values):
        self.values = dict(values)
        self.is_full = False

    def put(self, key, value):
        if self.is_full:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.values[key] = value

    def get(self, key):
        return self.values.get(key)

    def forget(self, key):
        self.values.pop(key, None)


async def mirrored(work, store, files):
    mirror = Mirror(store, files)
    task = asyncio.create_task(mirror.run())
    await work(mirror)
    await mirror.freeze(10)
    task.cancel()
    return mirror


def test_files_follow_what_is_put_and_forgotten():
    async def work(mirror):
        store = CheckpointStore(mirror)
        blobs = {"blob-c1": b"code", "args-i1": b"args"}
        await store.write(Checkpoint(target=deployed(make_spec())), blobs)
        await store.write(Checkpoint(target=Target(), table_version=2), {})

    store, files = MemoryStore(), MemoryFiles()
    asyncio.run(mirrored(work, store, files))

    assert set(files.values) == {"checkpoint"}
    assert files.values == store.values


def test_a_new_cluster_is_given_what_the_files_know():
    written = Checkpoint(target=deployed(make_spec()), http_port=8001)
    blobs = {"blob-c1": b"code", "args-i1": b"args"}

    async def deploy(mirror):
        await CheckpointStore(mirror).write(written, blobs)

    async def restart(mirror):
        store = CheckpointStore(mirror)
        assert await store.read() == written
        assert store.blob("blob-c1") == b"code"

    files, new = MemoryFiles(), MemoryStore()
    asyncio.run(mirrored(deploy, MemoryStore(), files))
    asyncio.run(mirrored(restart, new, files))

    assert new.values == files.values


def test_what_a_leaving_instance_deletes_stays_in_the_files():
    async def scenario():
        files = MemoryFiles()
        mirror = Mirror(MemoryStore(), files)
        task = asyncio.create_task(mirror.run())
        await mirror.put("checkpoint", b"all of it")
        await mirror.freeze(10)
        await mirror.put("checkpoint", b"nothing")
        await mirror.forget("checkpoint")
        await asyncio.sleep(0)
        task.cancel()
        assert files.values == {"checkpoint": b"all of it"}

    asyncio.run(scenario())


def test_a_full_disk_stops_no_deploy_and_is_told():
    async def scenario():
        store, files = MemoryStore(), MemoryFiles()
        files.is_full = True
        mirror = Mirror(store, files)
        told = asyncio.Event()
        mirror.on_problem = told.set
        task = asyncio.create_task(mirror.run())
        await mirror.put("checkpoint", b"x")
        assert store.values == {"checkpoint": b"x"}
        await told.wait()
        assert "No space left" in mirror.problem
        task.cancel()

    asyncio.run(scenario())


KEYS = st.sampled_from("abc")


@given(st.lists(st.tuples(KEYS, st.booleans(), st.integers(0, 3)), max_size=30))
def test_a_backlog_ends_where_every_single_step_would(steps):
    backlog = Backlog()
    disk: dict[str, bytes] = {}
    model: dict[str, bytes] = {}

    def do(todo):
        key, value = todo
        disk.pop(key, None) if value is None else disk.update({key: value})
        backlog.done(key, value)

    for number, (key, is_put, done) in enumerate(steps):
        if is_put:
            model[key] = str(number).encode()
            backlog.put(key, model[key])
        else:
            model.pop(key, None)
            backlog.forget(key)
        for _ in range(done):
            if todo := backlog.next():
                do(todo)
    while todo := backlog.next():
        do(todo)

    assert disk == model


@given(st.lists(st.tuples(st.sets(KEYS), st.integers(0, 4)), max_size=12))
def test_a_checkpoint_on_disk_never_lacks_what_it_needs(deploys):
    backlog = Backlog()
    disk: dict[str, bytes] = {}
    before: set[str] = set()
    for needs, done in deploys:
        for blob in needs - before:
            backlog.put(blob, b"code")
        backlog.put("checkpoint", ",".join(sorted(needs)).encode())
        for blob in before - needs:
            backlog.forget(blob)
        before = needs
        for _ in range(done):
            if (todo := backlog.next()) is None:
                break
            key, value = todo
            disk.pop(key, None) if value is None else disk.update({key: value})
            backlog.done(key, value)
            if "checkpoint" in disk:
                needed = set(filter(None, disk["checkpoint"].decode().split(",")))
                assert needed <= disk.keys()
