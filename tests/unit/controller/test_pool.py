"""Warm shells: how many are kept, and what if they do not start."""

import asyncio

import pytest

from workbench.controller import pool as pool_module
from workbench.controller.pool import ShellPool
from workbench.spec.replica import Description, ShellConfig
from workbench.spec.table import Address

pytestmark = pytest.mark.anyio

ADDRESS = Address(host_id="h", path="", host="127.0.0.1", port=1)


class Process:
    def __init__(self, name, works):
        self.name = name
        self.works = works
        self.has_ended = False

    async def call(self, method, *args):
        if not self.works:
            raise AttributeError("no such thing here")
        return Description(id=self.name, pid=1, host_id="h", address=ADDRESS)

    async def wait_for_death(self):
        await asyncio.Event().wait()

    async def end(self):
        self.has_ended = True


class Cluster:
    def __init__(self, fails):
        self.fails = fails
        self.started = []

    async def start(self, body, config, *, name, **options):
        self.started.append(Process(name, works=len(self.started) >= self.fails))
        return self.started[-1]


@pytest.fixture
def make(monkeypatch):
    monkeypatch.setattr(pool_module, "_pause_s", lambda failures: 0.0)
    monkeypatch.setattr(pool_module, "_QUIET_S", 0.0)
    tasks = []

    def make(fails=0, spare=1):
        template = ShellConfig(
            id="", socket_dir="", host="127.0.0.1", secret=b"", controller=ADDRESS
        )
        cluster = Cluster(fails)
        pool = ShellPool(cluster, object, template, spare)
        tasks.append(asyncio.ensure_future(pool.keep_filled()))
        return pool, cluster

    yield make
    for task in tasks:
        task.cancel()


async def test_a_shell_that_does_not_start_is_ended_and_another_one_started(make):
    pool, cluster = make(fails=2)

    shell = await asyncio.wait_for(pool.take("", {}), 10)

    assert shell.process is cluster.started[2]
    assert [each.has_ended for each in cluster.started[:3]] == [True, True, False]


async def test_who_waits_is_told_when_none_starts(make):
    pool, cluster = make(fails=10**9)

    with pytest.raises(RuntimeError, match="AttributeError: no such thing here"):
        await asyncio.wait_for(pool.take("", {}), 10)
    assert all(each.has_ended for each in cluster.started[:-1])


async def test_the_pause_between_tries_grows_and_has_an_end():
    assert [pool_module._pause_s(n) for n in (1, 2, 3, 20)] == [1.0, 2.0, 4.0, 30.0]


async def take(pool, count, node_id=""):
    return await asyncio.wait_for(
        asyncio.gather(*(pool.take(node_id, {}) for _ in range(count))), 10
    )


async def until(claim):
    async with asyncio.timeout(10):
        while not claim():
            await asyncio.sleep(0)


async def test_after_a_larger_step_more_are_kept(make):
    pool, cluster = make(spare=2)
    await until(lambda: len(pool.names()) == 2)

    shells = await take(pool, 5)
    await until(lambda: len(pool.names()) == 5)

    assert len({each.process.name for each in shells}) == 5
    assert len(cluster.started) == 10


async def test_no_more_are_kept_than_there_is_memory_for(make):
    pool, _ = make(spare=2)
    pool.free_memory = lambda: 0

    await take(pool, 5)
    await until(lambda: len(pool.names()) == 2)
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(pool.names()) == 2


async def test_a_pool_that_is_off_starts_what_is_asked_for_and_no_more(make):
    pool, cluster = make(spare=0)

    await take(pool, 3)
    for _ in range(20):
        await asyncio.sleep(0)

    assert (len(cluster.started), pool.names()) == (3, [])


async def test_another_node_has_its_own_shells(make):
    pool, cluster = make(spare=1)

    [first] = await take(pool, 1, "other")
    await until(lambda: len(pool.names()) == 2)
    [second] = await take(pool, 1, "other")

    assert [first.node_id, second.node_id] == ["other", "other"]
    assert second.process.name in {each.name for each in cluster.started[1:3]}


async def test_shells_that_became_too_many_end(make, monkeypatch):
    monkeypatch.setattr(pool_module, "_LOOK_AGAIN_S", 0.0)
    pool, cluster = make(spare=1)
    await take(pool, 4)
    await until(lambda: len(pool.names()) == 4)

    pool._demand.forget("")
    await until(lambda: len(pool.names()) == 1)

    assert sum(each.has_ended for each in cluster.started) == 3
