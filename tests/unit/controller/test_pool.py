"""Warm shells that do not start."""

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
    tasks = []

    def make(fails):
        template = ShellConfig(
            id="", socket_dir="", host="127.0.0.1", secret=b"", controller=ADDRESS
        )
        cluster = Cluster(fails)
        pool = ShellPool(cluster, object, template, spare=1)
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
