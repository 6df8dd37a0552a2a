"""gRPC with a real client, a real server of the proxy's, and one replica."""

# ruff: noqa: N802 - methods are named as the RPCs that they answer

import asyncio
import contextlib
import itertools

import pytest

from tests.talk import generated
from tests.unit.replica.conftest import KEY, PATIENCE_S

pytest.importorskip("grpc", reason="needs the extra [grpc]")

import grpc

from workbench.observe.recorder import Recorders
from workbench.proxy.grpc.server import GrpcServer
from workbench.proxy.grpc.services import read_services
from workbench.spec.grpc import GRPCOptions

pb2, pb2_grpc = generated()
Words, Answer = pb2.Words, pb2.Answer
FUNCTIONS = [
    pb2_grpc.add_TalkServicer_to_server,
    pb2_grpc.add_AsideServicer_to_server,
]

pytestmark = pytest.mark.anyio


class Site:
    """A replica behind a gRPC server, and a client of it."""

    def __init__(self, bench, server, channel):
        self.bench = bench
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

    @property
    def ongoing(self):
        return self.bench.process._server.ongoing

    async def until(self, claim):
        async with asyncio.timeout(PATIENCE_S):
            while not claim():
                await asyncio.sleep(0)


@pytest.fixture
def site(replica):
    """Makes `async with site(Deployment) as site`."""

    @contextlib.asynccontextmanager
    async def make(target, *, options=None, credentials=None, **deployment):
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
            where = f"localhost:{server.port}"
            channel = (
                grpc.aio.insecure_channel(where)
                if credentials is None
                else grpc.aio.secure_channel(where, credentials)
            )
            async with channel:
                yield Site(bench, server, channel)
            await server.close(0)

    return make


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


class TestCardinalities:
    async def test_one_message_is_answered_by_the_method_of_the_rpcs_name(self, site):
        async with site(Speaker) as here:
            answer = await here.talk.Say(Words(text="hi", number=1))

        assert (answer.text, answer.number) == ("HI", 2)

    async def test_an_rpc_may_be_named_call(self, site):
        async with site(Speaker) as here:
            answer = await here.call()(Words(text="it"))

        assert answer.text == "called with it"

    async def test_a_generator_answers_with_a_stream(self, site):
        async with site(Speaker) as here:
            answers = [a.number async for a in here.talk.Count(Words(number=3))]

        assert answers == [0, 1, 2]

    async def test_a_clients_stream_is_answered_with_one_message(self, site):
        async with site(Speaker) as here:
            answer = await here.talk.Sum(Words(number=n) for n in range(1000))

        assert answer.number == sum(range(1000))

    async def test_both_sides_stream_message_by_message(self, site):
        async with site(Speaker) as here:
            chat = here.talk.Chat()
            seen = []
            for text in ("a", "b", ""):
                await chat.write(Words(text=text))
                seen.append((await chat.read()).text)
            await chat.done_writing()
            last = await chat.read()

        assert seen == ["re: a", "re: b", "re: "]
        assert last is grpc.aio.EOF
