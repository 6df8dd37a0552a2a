"""Code of a notebook, shipped for real, in a replica."""

import asyncio
import linecache
import sys
import threading
import types
from pathlib import Path

import pytest

from workbench.code.load import load_args, load_code
from workbench.code.ship import ship
from workbench.replica import build
from workbench.replica import replica as replica_module

pytestmark = pytest.mark.anyio

CELL = """
from fastapi import APIRouter, FastAPI
from workbench.deployment import ingress

app, router = FastAPI(), APIRouter()
FACTOR = 3


@ingress(app)
class Shop:
    def __init__(self, name):
        self.name = name

    @router.get("/times/{number}")
    def times(self, number: int):
        return {"name": self.name, "product": FACTOR * number}

    @app.get("/broken")
    async def broken(self):
        raise ValueError("in a cell")


app.include_router(router, prefix="/v1")
"""


@pytest.fixture
def run_cell(monkeypatch):
    """Runs source as a notebook would, and gives back its namespace."""
    main = types.ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", main)

    def run(source, name):
        linecache.cache[name] = (len(source), None, source.splitlines(True), name)
        sys.modules["__main__"] = main
        exec(compile(source, name, "exec"), vars(main))
        return main

    return run


def shipment(bench, target, *args):
    packed = ship(target, args, {}, root=Path.cwd(), substitute=lambda _: None)
    request = bench.request(target)
    return type(request)(seat=request.seat, code=packed.code, args=packed.args)


async def test_an_ingress_class_of_a_cell_is_served_and_kept(
    replica, run_cell, monkeypatch, caplog
):
    async with replica() as bench:
        monkeypatch.setattr(build, "load_code", load_code)
        monkeypatch.setattr(build, "load_args", load_args)
        monkeypatch.setattr(replica_module, "load_code", load_code)
        main = run_cell(CELL, "<cell-1>")
        report = await bench.obey("load", shipment(bench, main.Shop, "corner"))
        assert not report.error
        await bench.route()
        first = await get(bench, "/v1/times/2")
        broken = await get(bench, "/broken")

        main = run_cell(CELL.replace("FACTOR = 3", "FACTOR = 5"), "<cell-2>")
        report = await bench.obey("keep", shipment(bench, main.Shop, "corner"))
        second = await get(bench, "/v1/times/2")

    assert (report.error, report.refused) == ("", "")
    assert first.body == b'{"name":"corner","product":6}'
    assert second.body == b'{"name":"corner","product":10}'
    assert broken.status == 500
    assert 'raise ValueError("in a cell")' in caplog.text


HELD = """
class Held:
    version = {version}

    async def __call__(self):
        return {version}
"""
HELD_APP = """
from fastapi import FastAPI
from workbench.deployment import ingress

app = FastAPI()


@ingress(app)
class Held:
    version = {version}

    @app.get("/")
    async def get(self) -> int:
        return {version}
"""


@pytest.mark.parametrize("source", [HELD, HELD_APP], ids=["class", "app"])
async def test_of_many_versions_only_the_last_are_held(
    replica, run_cell, monkeypatch, source
):
    monkeypatch.setattr(replica_module, "_COLLECT_AFTER_S", 0.0)
    # Whoever looks holds what there is: not while it is collected, or it would stay.
    looking, free_garbage = threading.Lock(), replica_module._free_garbage

    def free_unless_looked_at():
        with looking:
            free_garbage()

    monkeypatch.setattr(replica_module, "_free_garbage", free_unless_looked_at)
    async with replica() as bench:
        monkeypatch.setattr(build, "load_code", load_code)
        monkeypatch.setattr(build, "load_args", load_args)
        monkeypatch.setattr(replica_module, "load_code", load_code)
        for version in range(6):
            cell = f"<held-{version}>"
            main = run_cell(source.format(version=version), cell)
            step = "keep" if version else "load"
            request = shipment(bench, main.Held)
            bench.shelf._things.clear()  # which would hold the author's
            del linecache.cache[cell]  # the author's; a replica has but what is sent
            report = await bench.obey(step, request)
            assert (report.error, report.refused) == ("", "")
            assert cell in linecache.cache
            await bench.route()
            assert (await get(bench, "/")).body == b"%d" % version
        del main, step, request
        async with asyncio.timeout(10):
            while held(looking) != {5}:
                await asyncio.sleep(0.01)
        sources = [name for name in linecache.cache if name.startswith("<held-")]

    assert sorted(sources) == ["<held-4>", "<held-5>"]


def held(looking):
    """Versions whose class is still there; other tests have a `Held` without one."""
    with looking:
        classes = [each for each in object.__subclasses__() if each.__name__ == "Held"]
        versions = {vars(each).get("version") for each in classes} - {None}
        del classes
    return versions


def get(bench, path):
    fields = {"path": f"/p{path}", "raw_path": f"/p{path}".encode()}
    return bench.http(method="GET", **fields).done()
