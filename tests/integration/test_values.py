"""Large values between real processes: whole, unchanged by others, and not left behind."""

import concurrent.futures
import contextlib
import os
import signal
from pathlib import Path

import numpy as np

from tests.integration.conftest import eventually
from workbench import serve
from workbench.errors import ReplicaUnavailableError

SIZE = 3_000_000


@serve.deployment(max_ongoing_requests=20)
class Keeper:
    """Gives and takes arrays, and keeps some."""

    def __init__(self):
        self.kept = []

    async def take(self, array, keep=False):
        if keep:
            self.kept.append(array)
        return len(array), int(array.min()), int(array.max())

    def change(self, array):
        array += 1
        return array

    async def give(self, number):
        return np.full(SIZE, number, np.uint8)

    async def stream(self, count):
        for number in range(count):
            yield np.full(SIZE, number, np.uint8)

    async def look(self):
        return [(int(each.min()), int(each.max())) for each in self.kept]

    async def pid(self):
        return os.getpid()

    def borrows(self):
        """Whether memory of another process is mapped here."""
        return "memfd:workbench-value" in Path("/proc/self/maps").read_text()


@serve.deployment
class Front:
    """Calls the other one, so that values go from replica to replica."""

    def __init__(self, keeper):
        self.keeper = keeper

    async def pass_on(self, number):
        array = np.full(SIZE, number, np.uint8)
        taken = [await self.keeper.take.remote(array) for _ in range(3)]
        given = [await self.keeper.give.remote(number) for _ in range(3)]
        return taken, [(len(g), int(g.min()), int(g.max())) for g in given]

    async def consume(self, count):
        stream = self.keeper.options(stream=True).stream.remote(count)
        return [int(array.max()) async for array in stream]

    async def keeper_borrows(self):
        return await self.keeper.borrows.remote()


def test_values_pass_between_replicas_without_being_sent(run):
    handle = run(Front.bind(Keeper.bind()))
    taken, given = handle.pass_on.remote(7).result(timeout_s=60)

    assert taken == given == [(SIZE, 7, 7)] * 3
    assert handle.keeper_borrows.remote().result(timeout_s=30)
    assert handle.consume.remote(8).result(timeout_s=60) == list(range(8))


def test_many_large_calls_at_once_do_not_mix(run):
    handle = run(Keeper.bind())

    def call(number):
        array = np.full(SIZE, number, np.uint8)
        changed = handle.change.remote(array).result(timeout_s=60)
        given = handle.give.remote(number).result(timeout_s=60)
        assert (array == number).all()
        return set(changed.tolist()) == {number + 1} and set(given.tolist()) == {number}

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert all(pool.map(call, range(24)))


def test_what_a_replica_keeps_is_not_written_over(run):
    handle = run(Keeper.bind())
    for number in range(12):
        array = np.full(SIZE, number, np.uint8)
        handle.take.remote(array, keep=True).result(timeout_s=60)

    kept = handle.look.remote().result(timeout_s=30)
    assert kept == [(number, number) for number in range(12)]


def test_an_array_outlives_the_replica_that_gave_it(run):
    handle = run(Keeper.bind())
    arrays = [handle.give.remote(number).result(timeout_s=60) for number in range(4)]
    pid = handle.pid.remote().result(timeout_s=30)
    os.kill(pid, signal.SIGKILL)

    def is_replaced():
        # A call that meets the end of the killed one fails, and is not repeated.
        with contextlib.suppress(ReplicaUnavailableError):
            return handle.pid.remote().result(timeout_s=30) != pid

    eventually(is_replaced)
    assert [set(each.tolist()) for each in arrays] == [{0}, {1}, {2}, {3}]
    assert (handle.give.remote(9).result(timeout_s=60) == 9).all()
