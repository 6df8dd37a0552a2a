"""Socket files that killed processes left."""

import pytest

from workbench.controller.leftovers import sweep

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
