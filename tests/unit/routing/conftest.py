"""A router, replicas that do what a test says, and callers that keep what they get."""

import asyncio
import itertools
from dataclasses import replace

import pytest

from workbench.routing.dispatch import Router
from workbench.spec.table import DeploymentEntry, ReplicaEntry, Table
from workbench.wire.channel import listen
from workbench.wire.framing import encode_once
from workbench.wire.messages import (
    Call,
    Cancel,
    Free,
    HttpCall,
    HttpReply,
    Reject,
    Result,
    Subscribe,
    TableChanged,
    TableUpdate,
)

SECRET = b"s" * 32
KEY = "app#d"


@pytest.fixture
def anyio_backend():
    return ("asyncio", {"use_uvloop": True})


class Waitable:
    """Something that changes, and can be waited for."""

    def __init__(self):
        self._changed = asyncio.Event()

    def changed(self):
        self._changed.set()

    async def until(self, is_true):
        async with asyncio.timeout(10):
            while not is_true(self):
                self._changed.clear()
                await self._changed.wait()


class Replica(Waitable):
    """Takes as many calls as it has slots, and answers them when the test says so."""

    def __init__(self, name, slots=2):
        super().__init__()
        self.name = name
        self.slots = slots
        self.channels = []
        self.running = {}
        self.taken = []
        self.most = 0
        self.rejected = []
        self.heard = []
        self.is_draining = False
        self._turned_away = {}

    async def start(self, directory):
        path = directory / self.name
        self.listener = await listen(self, path=path, host="127.0.0.1", secret=SECRET)
        return self

    @property
    def entry(self):
        return ReplicaEntry(id=self.name, address=self.listener.address("here"))

    def answer(self, call_id, message=None, *buffers):
        self.end(call_id, message or Result(call_id), *buffers)

    def end(self, call_id, *answer):
        """Free the call's slot, and tell who was turned away; maybe answer first."""
        channel = self.running.pop(call_id)
        if answer:
            channel.send(answer[0], answer[1:])
        for turned_away in self._turned_away:
            turned_away.send(Free())
        self._turned_away.clear()

    def say(self, message, *buffers):
        self.channels[-1].send(message, buffers)

    async def die(self):
        await self.listener.close()
        for channel in self.channels:
            channel._transport.abort()
            await channel.wait_closed()

    def on_open(self, channel):
        self.channels.append(channel)
        self.changed()

    def on_message(self, channel, message, buffers):
        match message:
            case Call() | HttpCall():
                self._take(channel, message)
            case Cancel():
                self.heard.append(message)
                if message.id in self.running:
                    self.end(message.id)
            case _:
                self.heard.append((message, *map(bytes, buffers)))
        self.changed()

    def on_closed(self, channel, error):
        self._turned_away.pop(channel, None)
        self.changed()

    def _take(self, channel, message):
        if self.is_draining or len(self.running) >= self.slots:
            self._turned_away[channel] = None
            self.rejected.append(message.id)
            load = len(self.running)
            channel.send(Reject(message.id, load, draining=self.is_draining))
        else:
            self.running[message.id] = channel
            self.taken.append(message.id)
            self.most = max(self.most, len(self.running))


class Caller(Waitable):
    """A receiver; `got` has what it was told, in order."""

    def __init__(self, call_id):
        super().__init__()
        self.id = call_id
        self.got = []
        self.ticket = None

    def on_reply(self, message, buffers):
        self._note("reply", *map(bytes, buffers))

    def on_chunk(self, buffers):
        self._note("chunk", *map(bytes, buffers))

    def on_end(self):
        self._note("end")

    def on_failure(self, failure, buffers):
        self._note(failure.kind, failure.error_type, failure.message)

    def on_credit(self, size):
        self._note("credit", size)

    def _note(self, *what):
        self.got.append(what)
        self.changed()

    async def answer(self):
        await self.until(lambda it: it.got)
        return self.got[0]


class Controller(Waitable):
    """Publishes the tables a test gives it."""

    def __init__(self, table):
        super().__init__()
        self.table = table
        self.channels = []
        self.heard = []

    async def start(self, directory, port=0):
        self.listener = await listen(
            self,
            path=directory / "controller",
            host="127.0.0.1",
            secret=SECRET,
            port=port,
        )
        return self.listener.address("here")

    def publish(self, table):
        self.table = table
        for channel in self.channels:
            channel.send(TableUpdate(table))

    def change(self, change):
        for channel in self.channels:
            channel.send_frame(encode_once(TableChanged(change)))

    async def die(self):
        await self.listener.close()
        for channel in list(self.channels):
            channel.close()
            await channel.wait_closed()

    def on_open(self, channel):
        self.channels.append(channel)

    def on_message(self, channel, message, buffers):
        self.heard.append(message)
        if isinstance(message, Subscribe):
            channel.send(TableUpdate(self.table))
        self.changed()

    def on_closed(self, channel, error):
        self.channels.remove(channel)
        self.changed()


class Stage:
    """One router and the replicas it knows."""

    def __init__(self, directory):
        self.directory = directory
        self._routers = []
        self.router = self.new_router()
        self.replicas = []
        self.table = Table(version=0)

    def new_router(self):
        router = Router(name="test", secret=SECRET, host_id="here")
        # Routers number their calls alike; the replica of these tests tells them apart.
        router._ids = itertools.count(1 + 1000 * len(self._routers))
        self._routers.append(router)
        return router

    async def replica(self, name, slots=2):
        self.replicas.append(await Replica(name, slots).start(self.directory))
        return self.replicas[-1]

    def deploy(self, *replicas, cap=2, queue=-1, failure=""):
        """Publish a table with one deployment on these replicas."""
        entry = DeploymentEntry(
            app="app",
            name="d",
            max_ongoing_requests=cap,
            max_queued_requests=queue,
            replicas=tuple(each.entry for each in replicas),
            failure=failure,
        )
        self.publish(deployments=(entry,))

    def publish(self, **parts):
        self.table = replace(self.table, version=self.table.version + 1, **parts)
        self.router.update(self.table)

    def undeploy(self):
        self.publish(deployments=())

    def call(self, *buffers, router=None, stream=False, key=KEY):
        router = router or self.router
        call = Call(router.next_id(), "__call__", "", stream)
        return self._submit(router, key, call, buffers)

    def http_call(self, *buffers, more_body=False):
        call = HttpCall(
            id=self.router.next_id(),
            method="POST",
            path="/",
            raw_path=b"/",
            query=b"",
            headers=[],
            root_path="",
            http_version="1.1",
            scheme="http",
            client=None,
            server=None,
            request_id="",
            more_body=more_body,
        )
        return self._submit(self.router, KEY, call, buffers)

    async def close(self):
        for router in self._routers:
            await router.close()
        for replica in self.replicas:
            await replica.die()

    @staticmethod
    def _submit(router, key, call, buffers):
        caller = Caller(call.id)
        caller.ticket = router.submit(key, call, buffers, caller)
        return caller


@pytest.fixture
async def stage(tmp_path):
    tmp_path.chmod(0o700)
    made = Stage(tmp_path)
    yield made
    await made.close()


def reply_head(call_id, *, more):
    return HttpReply(call_id, 200, b"", None, more)
