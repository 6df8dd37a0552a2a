"""Files and places that killed processes left."""

import pytest

from workbench.controller.leftovers import release_unused, sweep

pytestmark = pytest.mark.anyio


async def test_sockets_of_processes_that_are_gone_are_removed(tmp_path):
    for name in ("controller", "alive", "dead"):
        tmp_path.joinpath(f"{name}.sock").touch()

    async def names():
        return ["controller", "shell-alive", "proxy-1"]

    await sweep(tmp_path, names)

    left = sorted(each.stem for each in tmp_path.iterdir())
    assert left == ["alive", "controller"]


async def test_a_process_that_starts_meanwhile_is_not_taken_for_dead(tmp_path):
    tmp_path.joinpath("dead.sock").touch()

    async def names():
        tmp_path.joinpath("new.sock").touch()
        return []

    await sweep(tmp_path, names)

    assert [each.stem for each in tmp_path.iterdir()] == ["new"]


async def test_last_words_that_nobody_has_read_are_removed_too(tmp_path):
    tmp_path.joinpath("dead.last").touch()
    tmp_path.joinpath("notes.txt").touch()

    async def names():
        return []

    await sweep(tmp_path, names)

    assert [each.name for each in tmp_path.iterdir()] == ["notes.txt"]


class Cluster:
    def __init__(self, *held):
        self.held = set(held)

    async def list_names(self):
        return []

    async def list_reservations(self):
        return sorted(self.held)

    async def release(self, name):
        self.held.discard(name)


async def test_places_of_replicas_that_are_gone_are_given_back():
    cluster = Cluster("workbench-1", "workbench-2")

    await release_unused(cluster, lambda: {"workbench-1", "workbench-3"})

    assert cluster.held == {"workbench-1"}


async def test_a_place_that_is_taken_meanwhile_is_not_given_back():
    owned = {"workbench-1"}

    class Slow(Cluster):
        async def list_reservations(self):
            found = await super().list_reservations()
            self.held.add("workbench-2")
            owned.add("workbench-2")
            return found

    cluster = Slow("workbench-1", "workbench-old")
    await release_unused(cluster, lambda: owned)

    assert cluster.held == {"workbench-1", "workbench-2"}
