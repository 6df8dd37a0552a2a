"""Nobody is believed who does not know the secret."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.wire.conftest import SECRET, frame
from workbench.errors import ProtocolError
from workbench.wire.framing import Decoder
from workbench.wire.handshake import (
    PROTOCOL_VERSION,
    Handshake,
    client_side,
    server_side,
)
from workbench.wire.messages import (
    Call,
    Challenge,
    Hello,
    Ping,
    Proof,
    Ready,
    Subscribe,
)

NONCE = b"n" * 32


def read(data: bytes):
    ((message, _),) = Decoder().feed(data)
    return message


def client(secret=SECRET):
    return Handshake(client_side(secret))


def server(secret=SECRET):
    return Handshake(server_side(secret))


def started(side):
    side.start()
    return side


def test_two_ends_with_the_secret_believe_each_other():
    left, right = client(), started(server())

    challenge = right.feed(left.start())
    ready = right.feed(left.feed(challenge))
    left.feed(ready)

    assert left.is_done
    assert right.is_done


@given(st.integers(1, 200), st.binary(max_size=50))
def test_it_may_be_cut_anywhere_and_what_follows_is_left_alone(size, more):
    left, right = client(), started(server())

    def pass_on(data, to):
        parts = [data[i : i + size] for i in range(0, len(data), size)]
        return b"".join(to.feed(part) for part in parts)

    challenge = pass_on(left.start(), right)
    ready = pass_on(pass_on(challenge, left), right)
    pass_on(ready + more, left)

    assert left.is_done
    assert left.rest == more


def test_a_client_refuses_a_server_without_the_secret():
    left, right = client(), started(server(b"other"))

    challenge = right.feed(left.start())

    with pytest.raises(ProtocolError, match="secret"):
        left.feed(challenge)


def test_a_server_refuses_a_client_without_the_secret():
    right = started(server())
    right.feed(frame(Hello(PROTOCOL_VERSION, NONCE)))

    with pytest.raises(ProtocolError, match="secret"):
        right.feed(frame(Proof(b"p" * 32)))

    assert not right.is_done


def test_a_proof_sent_back_to_its_maker_proves_nothing():
    right = started(server())
    challenge = read(right.feed(frame(Hello(PROTOCOL_VERSION, NONCE))))

    with pytest.raises(ProtocolError):
        right.feed(frame(Proof(challenge.proof)))


def test_a_recorded_exchange_cannot_be_played_again():
    left, right = client(), started(server())
    hello = left.start()
    proof = left.feed(right.feed(hello))
    again = started(server())
    again.feed(hello)

    with pytest.raises(ProtocolError):
        again.feed(proof)


def test_another_version_is_refused_by_name():
    with pytest.raises(ProtocolError, match="version 99"):
        started(server()).feed(frame(Hello(99, NONCE)))


@pytest.mark.parametrize(
    "data",
    [
        frame(Call(1, "__call__", "", stream=False)),
        frame(Call(1, "__call__", "", stream=False), b"pickle"),
        frame(Subscribe("x")),
        frame(Ping()),
        frame(Ready()),
        frame(Proof(b"p" * 32)),
        frame(Challenge(b"p" * 32, NONCE)),
        frame(Hello(PROTOCOL_VERSION, b"short")),
        frame(Hello(PROTOCOL_VERSION, NONCE), b"buffer"),
        frame(Hello(PROTOCOL_VERSION, b"n" * 500)),
        b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"\x80\x05pickle of something",
    ],
    ids=lambda data: repr(data[12:24]),
)
def test_a_server_refuses_anything_else_first(data):
    right = started(server())

    with pytest.raises(ProtocolError):
        right.feed(data)

    assert not right.is_done


def test_ready_without_a_proof_convinces_no_client():
    left = started(client())

    with pytest.raises(ProtocolError, match="Ready where Challenge"):
        left.feed(frame(Ready()))


@given(st.binary(min_size=1, max_size=400))
def test_garbage_is_never_believed(garbage):
    right = started(server())
    with contextlib.suppress(ProtocolError):
        right.feed(garbage)

    assert not right.is_done
