"""A real gRPC client, a real server of the proxy's, and one replica."""

# ruff: noqa: N802 - methods are named as the RPCs that they answer

import asyncio
import contextlib
import dataclasses
import itertools

import pytest

from tests.talk import generated
from tests.unit.replica.conftest import KEY, PATIENCE_S

pytest.importorskip("grpc_health", reason="needs the extra [grpc]")

import grpc

from workbench.observe.recorder import Recorders
from workbench.proxy.grpc.server import GrpcServer
from workbench.proxy.grpc.services import read_services
from workbench.spec.grpc import GRPCOptions
from workbench.spec.table import Table

__all__ = [
    "FUNCTIONS",
    "Answer",
    "Code",
    "Endless",
    "Site",
    "Speaker",
    "Words",
    "error_of",
    "grpc",
    "open_site",
    "pb2_grpc",
]

pb2, pb2_grpc = generated()
Words, Answer = pb2.Words, pb2.Answer
Code = grpc.StatusCode
FUNCTIONS = [
    pb2_grpc.add_TalkServicer_to_server,
    pb2_grpc.add_AsideServicer_to_server,
]


class Site:
    """A replica behind a gRPC server, and a client of it."""

    def __init__(self, bench, server, channel):
        self.bench = bench
        self.user = bench.process._replica._code.servable
        self.server = server
        self.channel = channel
        self.talk = pb2_grpc.TalkStub(channel)

    def call(self, path="/talk.Talk/__call__"):
        """A unary call by path: Python hides stubs of names like `__call__`."""
        return self.channel.unary_unary(
            path,
            request_serializer=Words.SerializeToString,
            response_deserializer=Answer.FromString,
        )

    def route(self, **fields):
        """Let the table say something else of the deployment."""
        entry = self.bench.router._entries[KEY]
        table = Table(
            version=self.bench.router._version + 1,
            deployments=(dataclasses.replace(entry, **fields),),
            ingresses={"app": KEY},
        )
        self.bench.router.update(table)

    @property
    def ongoing(self):
        return self.bench.process._server.ongoing

    async def until(self, claim):
        async with asyncio.timeout(PATIENCE_S):
            while not claim():
                await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def open_site(replica, target, *, options=None, channel_options=(), **deployment):
    deployment.setdefault("max_ongoing_requests", 10)
    async with replica() as bench:
        await bench.load(target, **deployment)
        bench.router.ingresses = {"app": KEY}
        server = GrpcServer(
            options or GRPCOptions(),
            read_services(FUNCTIONS),
            bench.router,
            ended=Recorders(),
            ids=map("id-{}".format, itertools.count(1)),
        )
        await server.open(0)
        await server.note_ready()
        where = f"127.0.0.1:{server.port}"
        channel = grpc.aio.insecure_channel(where, options=channel_options)
        async with channel:
            yield Site(bench, server, channel)
        await server.close(0)


async def error_of(call):
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await call
    return refusal.value


class Speaker:
    """Answers every kind of RPC."""

    async def __call__(self, words):
        return Answer(text=f"called with {words.text}")

    def Say(self, words):
        return Answer(text=words.text.upper(), number=words.number + 1)

    async def Count(self, words):
        for number in range(words.number):
            yield Answer(number=number)

    async def Sum(self, stream):
        return Answer(number=sum([each.number async for each in stream]))

    async def Chat(self, stream):
        async for each in stream:
            yield Answer(text=f"re: {each.text}")


class Endless:
    """Never answers; says how it was left."""

    def __init__(self):
        self.is_cancelled = False

    async def Say(self, words):
        await self._wait()

    async def Count(self, words):
        yield Answer()
        await self._wait()

    async def Sum(self, stream):
        async for _ in stream:
            pass
        await self._wait()

    async def _wait(self):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.is_cancelled = True
            raise
