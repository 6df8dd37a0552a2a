"""gRPC: services of the user's own, by deployments with methods of the same names."""

# ruff: noqa: N802 - methods are named as the RPCs that they answer

import asyncio

import pytest

from tests.talk import generated

grpc = pytest.importorskip("grpc", reason="needs grpcio")
pb2, pb2_grpc = generated()

behaviour = pytest.mark.behaviour
differs = pytest.mark.differs

Code = grpc.StatusCode
Words = pb2.Words


@pytest.fixture
def channel(grpc_address):
    with grpc.insecure_channel(grpc_address) as channel:
        yield channel


@pytest.fixture
def talk(channel):
    return pb2_grpc.TalkStub(channel)


@pytest.fixture
def here(name):
    return {"metadata": [("application", name)], "timeout": 60}


def error_of(call, *args, **options):
    with pytest.raises(grpc.RpcError) as refusal:
        answer = call(*args, **options)
        list(answer)
    return refusal.value


def make_speaker(serve):
    @serve.deployment(max_ongoing_requests=10)
    class Speaker:
        def __call__(self, words):
            return pb2.Answer(text=f"called {words.text}")

        def Say(self, words):
            return pb2.Answer(text=words.text.upper())

        def Count(self, words):
            for number in range(words.number):
                yield pb2.Answer(number=number)

        async def Sum(self, stream):
            return pb2.Answer(number=sum([each.number async for each in stream]))

        async def Chat(self, stream):
            async for each in stream:
                yield pb2.Answer(text=f"re: {each.text}")

    return Speaker


@behaviour("§5", "gRPC: an RPC calls the method of its name, also `__call__`")
def test_methods(serve, run, channel, talk, here):
    run(make_speaker(serve).bind())
    call = channel.unary_unary(
        "/talk.Talk/__call__",
        request_serializer=Words.SerializeToString,
        response_deserializer=pb2.Answer.FromString,
    )

    assert talk.Say(Words(text="hi"), **here).text == "HI"
    assert call(Words(text="me"), **here).text == "called me"


@behaviour("§5", "gRPC: a generator answers with a stream")
def test_server_streaming(serve, run, talk, here):
    run(make_speaker(serve).bind())

    assert [a.number for a in talk.Count(Words(number=3), **here)] == [0, 1, 2]


@behaviour("§5", "gRPC: a client's stream is iterated by the method, both ways, too")
def test_client_streaming(serve, run, talk, here):
    run(make_speaker(serve).bind())
    numbers = (Words(number=n) for n in range(5))

    assert talk.Sum(numbers, **here).number == 10
    chat = talk.Chat(iter([Words(text="a"), Words(text="b")]), **here)
    assert [a.text for a in chat] == ["re: a", "re: b"]


@behaviour("§5", "gRPC: metadata names the application; the only one need not be named")
@differs("if there is only one application, it gets calls that name another, too")
def test_application(serve, run, talk, here):
    run(make_speaker(serve).bind())

    assert talk.Say(Words(text="hi"), timeout=60).text == "HI"
    error = error_of(
        talk.Say, Words(), metadata=[("application", "nobody")], timeout=60
    )
    assert error.code() is Code.NOT_FOUND


@behaviour("§5", "gRPC: the request's id goes in and comes out in trailing metadata")
def test_request_id(serve, run, talk, here):
    run(make_speaker(serve).bind())
    metadata = [*here["metadata"], ("request_id", "mine")]

    _, call = talk.Say.with_call(Words(), metadata=metadata, timeout=60)

    assert dict(call.trailing_metadata())["request_id"] == "mine"


@behaviour("§5", "gRPC: metadata names the model")
def test_model(serve, run, talk, here):
    @serve.deployment
    class Model:
        async def Say(self, words):
            return pb2.Answer(text=serve.get_multiplexed_model_id())

    run(Model.bind())
    metadata = [*here["metadata"], ("multiplexed_model_id", "m1")]

    assert talk.Say(Words(), metadata=metadata, timeout=60).text == "m1"


@behaviour("§5", "gRPC: grpc_context reads the call and sets what its end says")
def test_context(serve, part, run, talk, here):
    context_class = part("grpc_util").RayServegRPCContext

    @serve.deployment
    class Model:
        def Say(self, words, grpc_context: context_class):  # type: ignore[valid-type]
            metadata = dict(grpc_context.invocation_metadata())
            grpc_context.set_trailing_metadata([("seen", metadata["own"])])
            if words.text == "wrong":
                grpc_context.set_code(grpc.StatusCode.INVALID_ARGUMENT)
                grpc_context.set_details("no such word")
                raise ValueError("wrong")
            return pb2.Answer()

    run(Model.bind())
    options = {"metadata": [*here["metadata"], ("own", "1")], "timeout": 60}
    _, call = talk.Say.with_call(Words(), **options)
    error = error_of(talk.Say, Words(text="wrong"), **options)

    assert dict(call.trailing_metadata())["seen"] == "1"
    assert error.code() is Code.INVALID_ARGUMENT
    assert error.details() == "no such word"


@behaviour("§5", "gRPC: what user code raises is INTERNAL")
def test_user_error(serve, run, talk, here):
    @serve.deployment
    class Model:
        def Say(self, words):
            raise ValueError("secret")

    run(Model.bind())

    assert error_of(talk.Say, Words(), **here).code() is Code.INTERNAL


@differs("details hold the text and traceback of what was raised")
@behaviour("§5", "gRPC: no traceback goes over the wire")
def test_no_traceback(serve, run, talk, here):
    @serve.deployment
    class Model:
        def Say(self, words):
            raise ValueError("secret")

    run(Model.bind())

    assert "secret" not in error_of(talk.Say, Words(), **here).details()


@behaviour("§5", "gRPC: a full queue is RESOURCE_EXHAUSTED")
def test_back_pressure(serve, run, talk, here, eventually):
    @serve.deployment(max_ongoing_requests=1, max_queued_requests=1)
    class Model:
        async def Say(self, words):
            await asyncio.sleep(words.number)
            return pb2.Answer()

    run(Model.bind())
    calls = [talk.Say.future(Words(number=2), **here) for _ in range(6)]
    codes = {call.code() for call in calls}

    assert Code.RESOURCE_EXHAUSTED in codes
    assert Code.OK in codes


@behaviour("§5", "gRPC: a client's deadline cancels the call in the replica")
def test_deadline(serve, run, talk, here, name, eventually):
    @serve.deployment
    class Model:
        def __init__(self):
            self.ended = ""

        async def Say(self, words):
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                self.ended = "cancelled"
                raise

        async def how(self):
            return self.ended

    handle = run(Model.bind())
    error = error_of(talk.Say, Words(), metadata=here["metadata"], timeout=1)

    assert error.code() is Code.DEADLINE_EXCEEDED
    assert eventually(lambda: handle.how.remote().result() == "cancelled")


@behaviour("§5", "gRPC: ListApplications and Healthz")
def test_built_in_service(serve, run, channel, name):
    run(make_speaker(serve).bind())
    service = "/ray.serve.RayServeAPIService"

    names = channel.unary_unary(f"{service}/ListApplications")(b"", timeout=60)
    health = channel.unary_unary(f"{service}/Healthz")(b"", timeout=60)

    assert name.encode() in names
    assert health == b"\x0a\x07success"


@behaviour("§5", "gRPC: reflection lists the user's services")
def test_reflection(serve, run, channel):
    reflection = pytest.importorskip("grpc_reflection.v1alpha.reflection_pb2")
    stubs = pytest.importorskip("grpc_reflection.v1alpha.reflection_pb2_grpc")
    asked = reflection.ServerReflectionRequest(list_services="")
    stub = stubs.ServerReflectionStub(channel)

    [answer] = stub.ServerReflectionInfo(iter([asked]), timeout=60)

    names = {each.name for each in answer.list_services_response.service}
    assert {"talk.Talk", "talk.Aside"} <= names
