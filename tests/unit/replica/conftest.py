"""A real replica process in this one, and a real router that calls it."""

import asyncio
import contextlib
import itertools
import pickle
import tempfile
from pathlib import Path
from typing import Any

import pytest

from workbench.handle import set_runtime
from workbench.replica import build, environment, process
from workbench.replica import replica as replica_module
from workbench.replica.context import set_replica_context
from workbench.replica.process import ReplicaProcess
from workbench.routing.dispatch import Router
from workbench.spec.deployment import DeploymentOptions, Kind, Version
from workbench.spec.replica import LoadRequest, Seat, ShellConfig
from workbench.spec.table import Address, DeploymentEntry, ReplicaEntry, Table
from workbench.wire.host import host_id
from workbench.wire.messages import Call, HttpCall

SECRET = b"s" * 32
KEY = "app#d"
PATIENCE_S = 60


class Answer:
    """Receives what comes of one call."""

    def __init__(self):
        self.reply: Any = None
        self.body = b""
        self.items = []
        self.failure: Any = None
        self.failure_buffers = ()
        self.is_over = False
        self.credit = 0
        self.ticket: Any = None
        self._changed = asyncio.Event()

    @property
    def status(self):
        return self.reply.status

    @property
    def head(self):
        return self.reply.head.decode()

    @property
    def value(self):
        return load(self.items[0])

    async def until(self, condition):
        async with asyncio.timeout(PATIENCE_S):
            while not condition(self):
                self._changed.clear()
                await self._changed.wait()
        return self

    async def done(self):
        return await self.until(lambda self: self.is_over)

    def on_reply(self, message, buffers):
        self.reply = message
        self._keep(buffers)
        self.is_over = not getattr(message, "more", False)
        self._changed.set()

    def on_chunk(self, buffers):
        self._keep(buffers)
        self._changed.set()

    def on_end(self):
        self.is_over = True
        self._changed.set()

    def on_failure(self, failure, buffers):
        self.failure = failure
        self.failure_buffers = buffers
        self.is_over = True
        self._changed.set()

    def on_credit(self, size):
        self.credit += size
        self._changed.set()

    def _keep(self, buffers):
        self.items.append([bytes(each) for each in buffers])
        if buffers:
            self.body += bytes(buffers[0])


def load(buffers):
    from workbench.code.values import load_value

    return load_value(buffers)


def dump(*args, **kwargs):
    from workbench.code.values import dump_value

    return dump_value((args, kwargs))


class Shelf:
    """Stands in for `workbench.code.load`: what a test puts here is what is loaded."""

    def __init__(self):
        self._things = []

    def put(self, thing):
        self._things.append(thing)
        return str(len(self._things) - 1).encode()

    def take(self, blob):
        return self._things[int(blob)]

    def forget(self):
        """Hold nothing of what was loaded so far."""
        self._things = [None for _ in self._things]


class Bench:
    """One replica, loaded with what a test gives, and calls to it."""

    def __init__(self, directory, shelf):
        self.shelf = shelf
        self.process = ReplicaProcess(
            ShellConfig(
                id="r1",
                socket_dir=str(directory),
                host="127.0.0.1",
                secret=SECRET,
                controller=Address(host_id="", path="", host="127.0.0.1", port=9),
            )
        )
        self.router = Router(name="test", secret=SECRET, host_id=host_id())
        self.seat: Any = None
        self._command = 0
        self._versions = itertools.count(1)

    async def load(self, target, *args, kind=None, **options):
        request = self.request(target, *args, kind=kind, **options)
        report = await self.obey("load", request)
        assert not report.error, report.error
        await self.route()
        return report

    async def obey(self, step, request):
        self._command += 1
        return await self.process.obey(str(self._command), step, pickle.dumps(request))

    def request(self, target, *args, kind=None, **options):
        if kind is None:
            kind = Kind.CLASS if isinstance(target, type) else Kind.FUNCTION
            if hasattr(target, "__serve_asgi_app__"):
                kind = Kind.ASGI
        self.seat = Seat(
            app="app",
            deployment="d",
            kind=kind,
            options=DeploymentOptions(**options),
            version=Version(code="c0de", init="", placement="", config=""),
            replica_id="5ea7",
        )
        return LoadRequest(
            seat=self.seat,
            code=self.shelf.put(target),
            args=self.shelf.put((args, {})),
        )

    async def route(self, limit=None):
        about = await self.process.describe()
        limit = limit or self.seat.options.max_ongoing_requests
        entry = DeploymentEntry(
            app="app",
            name="d",
            max_ongoing_requests=limit,
            max_queued_requests=-1,
            replicas=(ReplicaEntry(id="r1", address=about.address),),
        )
        self.router.update(Table(version=next(self._versions), deployments=(entry,)))

    def http(self, body=b"", **fields):
        answer = Answer()
        message = HttpCall(
            **{
                "id": self.router.next_id(),
                "method": "POST",
                "path": "/p/x",
                "raw_path": b"/p/x",
                "query": b"a=1",
                "headers": [(b"host", b"test"), (b"content-type", b"application/json")],
                "root_path": "/p",
                "http_version": "1.1",
                "scheme": "http",
                "client": ("127.0.0.1", 5),
                "server": ("127.0.0.1", 80),
                "request_id": "req-1",
                "more_body": False,
                **fields,
            }
        )
        answer.ticket = self.router.submit(KEY, message, (body,), answer)
        return answer

    def call(self, method="__call__", *args, stream=False, **kwargs):
        answer = Answer()
        message = Call(
            id=self.router.next_id(), method=method, request_id="req-2", stream=stream
        )
        buffers = dump(*args, **kwargs)
        answer.ticket = self.router.submit(KEY, message, buffers, answer)
        return answer

    async def close(self):
        await self.router.close()
        await self.process.drain(0)
        self.process._io.stop()


@pytest.fixture(autouse=True)
def _no_replica_afterwards():
    """A process is one replica for life; this one is none once a test has ended."""
    yield
    set_replica_context(None)
    set_runtime(None)


@pytest.fixture
def replica(monkeypatch):
    """Makes `async with replica() as bench`."""
    shelf = Shelf()
    # What a replica sets for its process must not outlive the test.
    monkeypatch.setattr(environment, "process_environment", dict)
    monkeypatch.setattr(process, "die_with_parent", lambda: None)
    monkeypatch.setattr(process, "prepare_last_words", lambda path: None)
    monkeypatch.setattr(build, "load_code", shelf.take)
    monkeypatch.setattr(build, "load_args", shelf.take)
    monkeypatch.setattr(replica_module, "load_code", shelf.take)

    @contextlib.asynccontextmanager
    async def make():
        # Not pytest's tmp_path: a socket's path must be short.
        with tempfile.TemporaryDirectory(prefix="wb-") as directory:
            bench = Bench(Path(directory), shelf)
            await bench.process.start()
            try:
                yield bench
            finally:
                await bench.close()

    return make
