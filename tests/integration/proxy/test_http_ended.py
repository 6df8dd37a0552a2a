"""The proxy counts requests of applications when they end, and those that failed."""

import pytest

from tests.integration.proxy.door import ECHO, GET, ClosedError, post, running_server
from workbench.wire.messages import FailureKind


@pytest.fixture
def door():
    """A server of the test's own, and how many requests ended there."""
    with running_server() as server:

        def ended():
            server.router.settle()
            taken = server._http_server._door.ended.take()
            return {
                app: (sum(buckets.values()), errors)
                for app, (buckets, errors) in taken.items()
            }

        server.ended = ended
        yield server


@pytest.fixture
def client(door):
    with door.client() as client:
        yield client


def test_each_answer_counts_for_its_application(door, client):
    client.ask(ECHO)
    client.ask(ECHO)
    client.send(GET)
    assert door.ended() == {"echo": (2, 0)}

    door.router.next_call().reply()
    client.read()

    assert door.ended() == {"held": (1, 0)}


@pytest.mark.parametrize(("status", "errors"), [(404, 0), (499, 0), (500, 1), (503, 1)])
def test_answers_from_500_on_are_errors(door, client, status, errors):
    client.send(GET)
    door.router.next_call().reply(status)
    client.read()

    assert door.ended() == {"held": (1, errors)}


def test_a_failed_call_is_an_error(door, client):
    client.send(GET)
    door.router.next_call().fail(FailureKind.USER)
    client.read()

    assert door.ended() == {"held": (1, 1)}


def test_a_stream_counts_when_it_has_ended(door, client):
    client.send(GET)
    call = door.router.next_call()
    call.reply(body=b"a", more=True)
    client.read_until(b"\r\n\r\n")
    assert door.ended() == {}

    call.end()
    client.read_until(b"0\r\n\r\n")

    assert door.ended() == {"held": (1, 0)}


def test_a_stream_that_is_cut_is_an_error(door, client):
    client.send(GET)
    call = door.router.next_call()
    call.reply(body=b"a", more=True)
    call.fail(FailureKind.REPLICA_LOST)
    with pytest.raises(ClosedError):
        client.read()

    assert door.ended() == {"held": (1, 1)}


def test_a_client_who_leaves_is_counted_but_no_error(door):
    with door.client() as client:
        client.send(GET)
        call = door.router.next_call()
    call.wait_until(lambda self: self.is_cancelled)

    assert door.ended() == {"held": (1, 0)}


def test_a_malformed_request_counts_for_nobody(door, client):
    client.send(post(b"")[:-2] + b"Transfer-Encoding: chunked\r\n\r\n")
    client.read()

    assert door.ended() == {}


def test_pages_of_the_proxys_own_count_for_nobody(door, client):
    client.ask(b"GET /-/healthz HTTP/1.1\r\nHost: h\r\n\r\n")
    client.ask(b"GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n")

    assert door.ended() == {}
