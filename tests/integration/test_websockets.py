"""WebSockets of a running instance: deploys, deaths, limits, handles."""

import os
import signal

import pytest
from fastapi import FastAPI, WebSocket
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.integration.conftest import eventually
from workbench import api, serve
from workbench.spec.status import EventKind, Step

PATIENCE_S = 30


def make_chat(*, answer="one", constant=1, **options):
    """A chat whose endpoint and constructor can be changed apart."""
    app = FastAPI()

    @serve.deployment(max_ongoing_requests=3, **options)
    @serve.ingress(app)
    class Chat:
        def __init__(self):
            self.constant = constant
            self.open = 0

        @app.websocket("/chat")
        async def chat(self, socket: WebSocket):
            await socket.accept()
            self.open += 1
            try:
                async for text in socket.iter_text():
                    await socket.send_text(f"{answer} {self.constant} {text}")
            finally:
                self.open -= 1

        @app.websocket("/pid")
        async def pid(self, socket: WebSocket):
            await socket.accept()
            await socket.send_text(str(os.getpid()))
            await socket.receive_text()

        async def count(self):
            return self.open

    return Chat


@pytest.fixture
def join(url):
    """Opens WebSockets of the test's application."""

    def open_socket(path="/chat"):
        return connect(
            url.replace("http:", "ws:") + path, proxy=None, open_timeout=PATIENCE_S
        )

    return open_socket


def ask(client, text):
    client.send(text)
    return client.recv(timeout=PATIENCE_S)


def close_code(client):
    with pytest.raises(ConnectionClosed) as closed:
        client.recv(timeout=PATIENCE_S)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code


def deploy(name, app):
    made = api.deploy(app, name=name, route_prefix=f"/{name}", may_keep=True)
    return {e.step for e in made.events if e.kind is EventKind.STEP}


def test_methods_of_an_ingress_converse_and_know_who_is_there(run, join):
    handle = run(make_chat().bind())

    with join() as one, join() as two:
        assert ask(one, "hello") == "one 1 hello"
        assert ask(two, "world") == "one 1 world"
        assert handle.count.remote().result(timeout_s=PATIENCE_S) == 2

    assert eventually(lambda: handle.count.remote().result(timeout_s=PATIENCE_S) == 0)


def test_open_sockets_count_as_ongoing_requests(run, join):
    run(make_chat().bind())

    with join() as one, join(), join(), pytest.raises(TimeoutError):
        connect(one_url(one), proxy=None, open_timeout=0.3)
    with join() as another:
        assert ask(another, "in") == "one 1 in"


def one_url(client):
    host, port = client.remote_address[:2]
    return f"ws://{host}:{port}{client.request.path}"


@pytest.mark.parametrize("step", [Step.KEEP, Step.SWAP, Step.ROLL])
def test_open_sockets_finish_on_the_code_they_began_with(app_name, join, step):
    changed = {
        Step.KEEP: make_chat(answer="two"),
        Step.SWAP: make_chat(answer="two", constant=2),
        Step.ROLL: make_chat(answer="two", ray_actor_options={"num_cpus": 2}),
    }[step]
    deploy(app_name, make_chat().bind())

    with join() as old:
        assert ask(old, "a") == "one 1 a"
        assert deploy(app_name, changed.bind()) == {step}
        with join() as new:
            assert ask(new, "b").startswith("two")
        assert ask(old, "c") == "one 1 c"


def test_those_that_do_not_finish_in_time_are_closed_with_1012(app_name, join):
    deploy(app_name, make_chat(graceful_shutdown_timeout_s=0.5).bind())

    with join() as old:
        deploy(app_name, make_chat(constant=2, graceful_shutdown_timeout_s=0.5).bind())

        assert close_code(old) == 1012


def test_a_replica_that_dies_closes_with_1011(run, join):
    run(make_chat().bind())

    with join("/pid") as client:
        os.kill(int(client.recv(timeout=PATIENCE_S)), signal.SIGKILL)

        assert close_code(client) == 1011


def test_a_deployment_without_an_application_says_so(run, url, http):
    @serve.deployment
    def plain(request):
        return "plain"

    run(plain.bind())
    handshake = {
        "connection": "upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "A" * 22 + "==",
    }

    answer = http.get(url, headers=handshake)
    assert answer.status_code == 501
    assert "@serve.ingress" in answer.text
