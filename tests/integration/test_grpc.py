"""gRPC of a running instance: real clients, deploys under load, deaths."""

# ruff: noqa: N802 - methods are named as the RPCs that they answer

import contextlib
import os
import signal
import threading
import time

import pytest

from tests.integration.conftest import eventually
from tests.talk import generated
from workbench import api, serve
from workbench.errors import InstanceError
from workbench.serve.config import gRPCOptions
from workbench.serve.grpc_util import RayServegRPCContext

grpc = pytest.importorskip("grpc", reason="needs the extra [grpc]")
pb2, pb2_grpc = generated()
Words = pb2.Words
Code = grpc.StatusCode

PATIENCE_S = 60


def make_speaker(*, answer="one", constant=1, **options):
    """Answers every kind of RPC; its methods and constructor can be changed apart."""

    @serve.deployment(max_ongoing_requests=20, **options)
    class Speaker:
        def __init__(self):
            self.constant = constant

        def Say(self, words):
            return pb2.Answer(text=f"{answer} {self.constant} {words.text}")

        async def Count(self, words):
            for number in range(words.number):
                yield pb2.Answer(number=number, text=answer)

        async def Sum(self, stream):
            return pb2.Answer(number=sum([each.number async for each in stream]))

        async def Chat(self, stream, grpc_context: RayServegRPCContext):
            async for each in stream:
                yield pb2.Answer(text=f"{answer}: {each.text}")
            grpc_context.set_trailing_metadata([("from", grpc_context.application())])

        def Whisper(self, words):
            if words.text == "fail":
                raise ValueError("secret")
            return pb2.Answer(number=os.getpid())

    return Speaker


@pytest.fixture
def channel(instance):
    with grpc.insecure_channel(instance.grpc_address) as channel:
        yield channel


@pytest.fixture
def talk(channel):
    return pb2_grpc.TalkStub(channel)


@pytest.fixture
def here(app_name):
    """Metadata that names the test's application."""
    return {"metadata": [("application", app_name)], "timeout": PATIENCE_S}


def test_all_four_kinds_of_rpc_are_answered(run, talk, here):
    run(make_speaker().bind(), route_prefix=None)

    assert talk.Say(Words(text="hi"), **here).text == "one 1 hi"
    assert [a.number for a in talk.Count(Words(number=3), **here)] == [0, 1, 2]
    numbers = (Words(number=n) for n in range(10))
    assert talk.Sum(numbers, **here).number == 45
    chat = talk.Chat(iter([Words(text="a"), Words(text="b")]), **here)
    assert [a.text for a in chat] == ["one: a", "one: b"]
    assert dict(chat.trailing_metadata())["from"] == here["metadata"][0][1]


def test_a_deployment_that_never_names_its_messages_gets_them_all_the_same(
    run, talk, here
):
    @serve.deployment
    class Mirror:
        async def Sum(self, stream):
            raise ValueError([type(each).__module__ async for each in stream])

        async def Say(self, words, grpc_context):
            grpc_context.set_code(5)
            raise ValueError(f"{type(words).__module__} {words.text}")

    run(Mirror.bind())

    with pytest.raises(grpc.RpcError) as refusal:
        talk.Say(Words(text="hi"), **here)
    assert refusal.value.details() == "talk_pb2 hi"


def test_two_applications_are_told_apart_by_metadata(instance, run, talk, here):
    run(make_speaker().bind())
    serve.run(make_speaker(answer="two").bind(), name="second", route_prefix=None)
    try:
        second = talk.Say(Words(), metadata=[("application", "second")])
        with pytest.raises(grpc.RpcError) as refusal:
            talk.Say(Words())
    finally:
        serve.delete("second")

    assert talk.Say(Words(), **here).text.startswith("one")
    assert second.text.startswith("two")
    assert refusal.value.code() is Code.NOT_FOUND


def test_a_failure_tells_nothing_but_the_request_to_look_for(run, channel, here):
    run(make_speaker().bind())
    aside = pb2_grpc.AsideStub(channel)
    metadata = [*here["metadata"], ("request_id", "find-me")]

    with pytest.raises(grpc.RpcError) as refusal:
        aside.Whisper(Words(text="fail"), metadata=metadata)

    assert refusal.value.code() is Code.INTERNAL
    assert "secret" not in refusal.value.details()

    def logged():
        page = api.logs(api.LogQuery(request_id="find-me"))
        return any("ValueError: secret" in each.text for each in page.records)

    assert eventually(logged)


def test_composed_calls_go_on_behind_grpc_and_end_with_it(run, talk, here):
    @serve.deployment
    class Model:
        def __init__(self):
            self.is_cancelled = False

        async def predict(self, text):
            if text == "forever":
                try:
                    await asyncio_event().wait()
                finally:
                    self.is_cancelled = True
            return text.upper()

        async def was_cancelled(self):
            return self.is_cancelled

    @serve.deployment
    class Front:
        def __init__(self, model):
            self.model = model

        async def Say(self, words):
            return pb2.Answer(text=await self.model.predict.remote(words.text))

    def asyncio_event():
        import asyncio

        return asyncio.Event()

    run(Front.bind(Model.bind()))
    assert talk.Say(Words(text="hi"), **here).text == "HI"

    with pytest.raises(grpc.RpcError) as refusal:
        talk.Say(Words(text="forever"), metadata=here["metadata"], timeout=0.5)
    assert refusal.value.code() is Code.DEADLINE_EXCEEDED
    model = serve.get_deployment_handle("Model", here["metadata"][0][1])
    assert eventually(lambda: model.was_cancelled.remote().result())


def test_batching_works_behind_grpc(run, talk, here):
    @serve.deployment(max_ongoing_requests=20)
    class Batched:
        @serve.batch(max_batch_size=8, batch_wait_timeout_s=0.2)
        async def Say(self, words):
            return [pb2.Answer(number=len(words)) for _ in words]

    run(Batched.bind())
    calls = [talk.Say.future(Words(), **here) for _ in range(8)]

    assert max(each.result().number for each in calls) > 1


def running():
    found = api.status().instance
    assert found is not None
    return found


class Load:
    """Calls of all kinds without a pause, until stopped."""

    def __init__(self, talk, here):
        self.talk, self.here = talk, here
        self.answers = set()
        self.count = 0
        self.failures = []
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(one,), daemon=True)
            for one in (self._say, self._say, self._count, self._chat)
        ]

    def __enter__(self):
        for each in self._threads:
            each.start()
        eventually(lambda: self.count > 20)
        return self

    def __exit__(self, *_):
        self._stopped.set()
        for each in self._threads:
            each.join(PATIENCE_S)

    def _run(self, one):
        while not self._stopped.is_set():
            try:
                one()
                self.count += 1
            except Exception as error:  # noqa: BLE001 - it is what is counted
                self.failures.append(error)

    def _say(self):
        self.answers.add(self.talk.Say(Words(), **self.here).text)

    def _count(self):
        texts = {a.text for a in self.talk.Count(Words(number=20), **self.here)}
        assert len(texts) == 1, "a stream changed its code"

    def _chat(self):
        said = [Words(text=str(n)) for n in range(5)]
        assert len(list(self.talk.Chat(iter(said), **self.here))) == 5


def test_redeploys_under_load_lose_no_call(run, talk, here):
    run(make_speaker(num_replicas=2).bind())
    with Load(talk, here) as load:
        for number in range(2, 6):
            run(make_speaker(answer=f"v{number}", num_replicas=2).bind())
            eventually(lambda n=number: any(f"v{n}" in each for each in load.answers))
        run(make_speaker(answer="v6", constant=2, num_replicas=1).bind())
        eventually(lambda: any("v6 2" in each for each in load.answers))

    assert load.failures == []
    assert load.count > 50


def test_a_replica_that_dies_is_unavailable_and_then_there_again(run, channel, here):
    run(make_speaker().bind())
    aside = pb2_grpc.AsideStub(channel)
    pid = aside.Whisper(Words(), **here).number
    os.kill(pid, signal.SIGKILL)

    def serves_again():
        with contextlib.suppress(grpc.RpcError):
            return aside.Whisper(Words(), **here).number != pid
        return False

    assert eventually(serves_again)


def test_a_proxy_that_dies_is_there_again_at_the_same_address(instance, run, here):
    run(make_speaker().bind())
    pid = running().pids["proxy"]
    os.kill(pid, signal.SIGKILL)

    def serves_again():
        with (
            contextlib.suppress(grpc.RpcError),
            grpc.insecure_channel(instance.grpc_address) as channel,
        ):
            return pb2_grpc.TalkStub(channel).Say(Words(), **here).text
        return ""

    assert eventually(serves_again) == "one 1 "
    assert running().grpc_address == instance.grpc_address


def test_without_the_controller_calls_go_on_and_the_next_one_knows_the_port(
    instance, run, talk, here
):
    run(make_speaker().bind())
    pid = running().pids["controller"]
    os.kill(pid, signal.SIGKILL)

    for _ in range(20):
        assert talk.Say(Words(), **here).text == "one 1 "

    def is_back():
        with contextlib.suppress(InstanceError):
            return running().pids["controller"] != pid
        return False

    assert eventually(is_back)
    assert running().grpc_address == instance.grpc_address
    assert talk.Say(Words(), **here).text == "one 1 "


def test_calls_by_grpc_are_measured_as_any_other(run, talk, here, app_name):
    run(make_speaker().bind())
    stream = api.events()
    try:
        deadline = time.monotonic() + PATIENCE_S
        counted = 0
        for event in stream:
            talk.Say(Words(), **here)
            sample = getattr(event, "sample", None)
            measured = sample and sample.applications.get(app_name)
            counted = getattr(measured, "requests_per_s", 0) or 0
            if counted or time.monotonic() > deadline:
                break
    finally:
        stream.close()

    assert counted > 0


def test_an_instance_that_runs_does_not_move_its_port(instance):
    options = gRPCOptions(
        port=9, grpc_servicer_functions=[pb2_grpc.add_TalkServicer_to_server]
    )

    with pytest.raises(InstanceError, match=f"gRPC at {instance.grpc_address}"):
        serve.start(grpc_options=options)
